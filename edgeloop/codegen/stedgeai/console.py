"""Console logs of ST Edge AI Core as plain lines: without progress bars, carriage returns, the prefixes of programs around it,
and the characters that windows and clipboards make of spaces."""

import re
from collections.abc import Iterator

_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[[A-Z]+\] \w+:\d+ - ")
"""CubeMX writes one before every line of the tool."""
_PROGRESS = re.compile(r"^\s*[\w.]+:\s+\d+%\|.*\|\s*\d+/\d+ \[.*\]\s*$")
"""A tqdm bar: `PASS:  92%|####1| 91/99 [00:05<00:00, 21.46it/s]`; they come between any two lines."""

_SPACES = {0x00A0: " ", 0x2007: " ", 0x202F: " ", 0x200B: None, 0xFEFF: None}
"""No-break spaces (what is copied from the window of STM32CubeMX has them), spaces without width, and byte order marks."""

_NO_FIGURE = re.compile(r"\d{19,}")
"""More digits than any figure has: what they are in is damaged."""
MOST_LINE = 16_384
"""Characters of a line that are read: the longest that were seen, a compiler's arguments, have a few thousand."""


def clean_lines(text: str, *, keep_blank: bool = False) -> list[str]:
    """The lines that say something; indentation is kept (tables are read by column; tabs
    become spaces), progress bars and blank lines are not."""
    return [line for line in _lines(text) if keep_blank or line]


def _lines(text: str) -> Iterator[str]:
    for raw in text.translate(_SPACES).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = _NO_FIGURE.sub("?", _PREFIX.sub("", raw[:MOST_LINE])).expandtabs().rstrip()
        if not _PROGRESS.match(line):
            yield line
