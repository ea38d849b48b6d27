"""Figures as the tool prints them: thousands commas, and sizes in B, kB (KiB) and MB (MiB), which are all 1024-based."""

import math
import re

_UNITS = {"B": 1, "kB": 1024, "KBytes": 1024, "KiB": 1024, "MB": 1 << 20, "MiB": 1 << 20}
_WHOLE = re.compile(r"[0-9]{1,18}")
_LEADING = re.compile(r"\s*(\d[\d,]*)")


def integer(text: str) -> int | None:
    """`5,345` as a number; None where the text is no whole number."""
    plain = text.strip().replace(",", "")
    return int(plain) if _WHOLE.fullmatch(plain) else None


def leading_integer(text: str) -> int | None:
    """The number that a text begins with: `20,748 B (20.26 KiB)` is 20748; None where it begins with none."""
    found = _LEADING.match(text)
    return integer(found[1]) if found else None


def size_bytes(number: str, unit: str) -> int:
    """A size with its unit in bytes, as exactly as its decimals tell."""
    return round(float(number) * _UNITS[unit])


def rounding_bytes(unit: str) -> int:
    """By how many bytes a size of three decimals may be wrong."""
    return 0 if unit == "B" else _UNITS[unit] // 2_000 + 1


def decimal(text: str) -> float | None:
    """A decimal; None for `n.a.` and whatever else is no number. A percentage is a share of one."""
    plain = text.strip()
    scale = 0.01 if plain.endswith("%") else 1.0
    try:
        number = float(plain.removesuffix("%")) * scale
    except ValueError:
        return None
    return number if math.isfinite(number) else None
