"""Console logs of ST Edge AI Core as plain lines: without progress bars, carriage returns and the prefixes of programs around it."""

import re
from collections.abc import Iterator

_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[[A-Z]+\] \w+:\d+ - ")
"""CubeMX writes one before every line of the tool."""
_PROGRESS = re.compile(r"^\s*[\w.]+:\s+\d+%\|.*\|\s*\d+/\d+ \[.*\]\s*$")
"""A tqdm bar: `PASS:  92%|####1| 91/99 [00:05<00:00, 21.46it/s]`; they come between any two lines."""


def clean_lines(text: str, *, keep_blank: bool = False) -> list[str]:
    """The lines that say something; indentation is kept (tables are read by column), progress bars and blank lines are not."""
    return [line for line in _lines(text) if keep_blank or line]


def _lines(text: str) -> Iterator[str]:
    for raw in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = _PREFIX.sub("", raw).rstrip()
        if not _PROGRESS.match(line):
            yield line
