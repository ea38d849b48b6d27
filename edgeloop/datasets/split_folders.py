"""Folders named after splits (`train`, `valid`, `Test Set`, `seg_train`, …), each with class folders, as Kaggle's archives have them."""

import re
from collections import Counter
from collections.abc import Iterable

_KINDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing", "evaluation"),
}
_WORDS = {word: split for split, words in _KINDS.items() for word in words}
_AFFIX = "(?:data|dataset|set|images?|imgs?|pictures|photos|folder|dir|split|seg)?"
_NAME = re.compile(f"{_AFFIX}({'|'.join(sorted(_WORDS, key=len, reverse=True))}){_AFFIX}")


def split_of(name: str) -> str | None:
    """`train`, `val` or `test` for a folder that is named after one; its case, hyphens, blanks and words like `set` do not matter."""
    found = _NAME.fullmatch(re.sub(r"[\s_.-]", "", name.lower()))
    return _WORDS[found[1]] if found else None


def split_folders(pictures: Iterable[str], nested: bool) -> Counter[str]:
    """Pictures by the folder named after a split that their class folder lies in; with `nested`, at any depth below it."""
    found: Counter[str] = Counter()
    for path in pictures:
        parts = path.split("/")[:-1]
        places = range(len(parts) - 2, -1, -1) if nested else range(len(parts) - 2, max(len(parts) - 3, -1), -1)
        for place in places:
            if split_of(parts[place]) is not None:
                found["/".join(parts[: place + 1])] += 1
                break
    return found
