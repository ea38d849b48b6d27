"""Texts of ST Edge AI Core as plain lines: without progress bars, carriage returns, the prefixes of programs around it,
and the characters that windows and clipboards make of spaces."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path

from edgeloop.errors import InputError, StedgeaiUnreadable

MOST_BYTES = 64 << 20
"""A report of 618 epochs has half a megabyte."""
MOST_LINE = 16_384
"""Characters of a line that are read: the longest that were seen, a compiler's arguments, have a few thousand."""

_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[[A-Z]+\] \w+:\d+ - ")
"""CubeMX writes one before every line of the tool."""
_PROGRESS = re.compile(r"^\s*[\w.]+:\s+\d+%\|.*\|\s*\d+/\d+ \[.*\]\s*$")
"""A tqdm bar: `PASS:  92%|####1| 91/99 [00:05<00:00, 21.46it/s]`; they come between any two lines."""
_SPACES = {0x00A0: " ", 0x2007: " ", 0x202F: " ", 0x200B: None, 0xFEFF: None}
"""No-break spaces (what is copied from the window of STM32CubeMX has them), spaces without width, and byte order marks."""
_NO_FIGURE = re.compile(r"\d{19,}")
"""More digits than any figure has: what they are in is damaged."""


def read_text(path: Path) -> str:
    """A text of the tool, as UTF-8 as far as it is (Windows writes other bytes within names), or by its byte order mark.

    Raises:
        InputError: there is no such file.
        StedgeaiUnreadable: it is too large for an output of the tool.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StedgeaiUnreadable(f"{path} is larger than {MOST_BYTES >> 20} MiB.", "That is no output of ST Edge AI Core.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Give an output folder, a report or a c_info file.") from error
    # PowerShell redirects into UTF-16.
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def clean_lines(text: str, *, keep_blank: bool = False) -> list[str]:
    """The lines that say something; indentation is kept (tables are read by column; tabs
    become spaces), progress bars and blank lines are not."""
    return [line for line in _lines(text) if keep_blank or line]


def _lines(text: str) -> Iterator[str]:
    for raw in text.translate(_SPACES).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = _NO_FIGURE.sub("?", _PREFIX.sub("", raw[:MOST_LINE])).expandtabs().rstrip()
        if not _PROGRESS.match(line):
            yield line


def missing(field: str, where: str) -> StedgeaiUnreadable:
    """The error for an output of an unknown layout."""
    return StedgeaiUnreadable(
        f"{where} has an unknown layout: {field} is missing or is no figure.",
        "Outputs of ST Edge AI Core 1.0 to 4.0 are read; run `generate` again if the file is cut off.",
    )
