"""Counts in sentences: `1 variant`, `2 variants`, `1,200 classes`."""


def many(count: int, one: str) -> str:
    """A count of what `one` names: the plural ends with `es` behind an `s`, else with `s`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}{'es' if one.endswith('s') else 's'}"
