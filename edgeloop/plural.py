"""Counts and sizes in sentences: `1 variant`, `1,200 classes`, `87.5 MB`."""


def many(count: int, one: str) -> str:
    """A count of what `one` names: the plural ends with `es` behind an `s`, else with `s`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}{'es' if one.endswith('s') else 's'}"


def in_bytes(count: int) -> str:
    """A count of bytes in the largest of kB, MB and GB of which there is one."""
    if count < 1e3:
        return many(count, "byte")
    unit, scale = ("GB", 1e9) if count >= 1e9 else ("MB", 1e6) if count >= 1e6 else ("kB", 1e3)
    return f"{count / scale:,.1f} {unit}"
