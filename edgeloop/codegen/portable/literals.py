"""C99 literals and names, written so that every compiler reads exactly the same numbers."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import InputError

LINE = 116
LONGEST_NAME = 32
_KEYWORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm class new delete this
template namespace main"""


def check_name(name: str) -> str:
    """The name, if it can be the prefix of C names.

    Raises:
        InputError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in _KEYWORDS.split() or len(name) > LONGEST_NAME:
        raise InputError(
            f"'{name}' cannot be the prefix of C names.",
            f"Give letters, digits and underscores, at most {LONGEST_NAME}, a letter first, and no word of C.",
        )
    if name.lower().startswith("edgeloop"):
        raise InputError(f"'{name}' is the prefix of the kernels' own names.", "Give another one.")
    return name


def unsigned(number: int) -> str:
    """A uint32_t."""
    return f"{number}u"


def signed(number: int) -> str:
    """An int32_t; the smallest one has no literal of its own."""
    return "(-2147483647 - 1)" if number == -(1 << 31) else str(number)


def real(number: float) -> str:
    """A double, with digits enough to be read back as the same."""
    return repr(float(number))


def real32(number: float) -> str:
    """A float, with digits enough to be read back as the same."""
    digits = np.format_float_scientific(np.float32(number), unique=True, trim="0")
    return f"{digits}f"


def string(text: str) -> str:
    """A string literal of printable ASCII; anything else becomes a question mark."""
    kept = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    # Two question marks may begin a trigraph.
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'


def utf8(text: str) -> str:
    """A string literal of any text in UTF-8; octal escapes, because they end after three digits."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def comment(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text).replace("*/", "* /").replace("/*", "/ *")


def array_lines(values: NDArray[Any]) -> Iterator[str]:
    """The items of an array's initializer, integers or doubles, in lines."""
    line = "   "
    for item in values.reshape(-1).tolist():
        text = real(item) if isinstance(item, float) else signed(item)
        if len(line) + len(text) + 2 > LINE:
            yield line
            line = "   "
        line += f" {text},"
    yield line
