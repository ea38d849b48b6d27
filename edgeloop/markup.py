"""Text that others wrote (names of classes, of files, words of tools) within Markdown: it stays literal, on one line."""

import re

from edgeloop.console import printable

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$&#])")


def one_line(value: object) -> str:
    """Without line ends, and without characters that steer a terminal or that XML does not know."""
    return printable(" ".join(str(value).split()))


def text(value: object) -> str:
    """As literal Markdown: a class may be called `<b>|*x*`."""
    return _SPECIAL.sub(r"\\\1", one_line(value))


def code(value: object) -> str:
    """As a code span that also holds in a table."""
    literal = one_line(value).replace("`", "'").replace("|", "\\|")
    return f"`{literal}`" if literal else ""
