"""What a card may not say: a number that no record holds, a column of figures that came about differently, an accuracy without n.

The text is read as its reader reads it, whatever made it. That all records are of one data revision is checked where they are read
(`edgeloop/cards/sources.py`).
"""

import re
from collections.abc import Iterator, Sequence

from edgeloop.cards.facts import NUMBER, Facts, bare, digests, parted
from edgeloop.cards.published import NO_N
from edgeloop.cards.tables import WORST_CLASSES
from edgeloop.confidence import BINS
from edgeloop.errors import InputError

REMEDY = "Build the records again: dvc repro. If that does not help, it is a fault of edgeloop's cards."
OWN_WORDS = (
    "95 %",
    "Top 1",
    "Top 5",
    "between 0 and 255",
    "(1, ",
    "(19595 red + 38470 green + 7471 blue + 32768) >> 16",
    "1024 bytes",
    f"{BINS} bins",
    "SHA-256",
    f"The {WORST_CLASSES} classes",
)
"""Numbers in the card's own sentences, which are no results."""
_FIGURES = re.compile(r"Inference time|\(ms\)|Inf / sec|Instructions|Cycles|RAM|Flash|Accuracy")
_ACCURACY = re.compile(r"accuracy", re.IGNORECASE)
_LINK = re.compile(r"(?<=\])\([^)\s]*\)|<https?://[^>]*>")
_CODE = re.compile(r"(`[^`]*`)")
_ITEM = re.compile(r"^\d+\. ")
_WITH_N = re.compile(r"\b(?:of|n =) \d")
Row = Sequence[str]


def check_text(markdown: str, facts: Facts) -> None:
    """See that the text of a card, its metadata left away, says nothing but what the records hold.

    Raises:
        InputError: it does; the message names the number, or the column, and where it stands.
    """
    for line in markdown.splitlines():
        if number := next(_unknown(line, facts), ""):
            raise InputError(f"The card would say {number}, which no record holds: {_shown(line)}", REMEDY)
    for heads, rows in tables(markdown):
        for column, head in enumerate(heads):
            if _FIGURES.search(head):
                _check_basis(head, [row[column] for row in rows], facts)
            if _ACCURACY.search(head):
                _check_n(heads, column, rows)


def tables(markdown: str) -> Iterator[tuple[Row, list[Row]]]:
    """The heads and the rows of each table."""
    lines = [*markdown.splitlines(), ""]
    start = None
    for place, line in enumerate(lines):
        if line.startswith("| ") and start is None:
            start = place
        elif not line.startswith("| ") and start is not None:
            heads, _, *rows = (_cells(one) for one in lines[start:place])
            yield heads, rows
            start = None


def _cells(line: str) -> Row:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _unknown(line: str, facts: Facts) -> Iterator[str]:
    """The numbers of a line that nothing holds."""
    plain = _plain(line)
    for digest in digests(plain):
        if not any(word.startswith(digest) for word in facts.words):
            yield digest
        plain = plain.replace(digest, " ")
    for word in sorted((word for word in facts.words if len(word) > 2 and word in plain), key=len, reverse=True):
        plain = re.sub(rf"(?<![\d.]){re.escape(word)}(?![\d])", " ", plain)
    for words in OWN_WORDS:
        plain = plain.replace(words, " ")
    yield from (number for number in _numbers(plain) if bare(number) not in facts.numbers)


def _plain(line: str) -> str:
    """As it is read: without the places of links, without escapes; code stays as it is but for its strokes."""
    parts = _CODE.split(_ITEM.sub("", line))
    return "".join(
        part.replace("\\|", "|") if place % 2 else re.sub(r"\\(.)", r"\1", _LINK.sub(" ", part)) for place, part in enumerate(parts)
    )


def _numbers(text: str) -> list[str]:
    hexadecimal = re.findall(r"\b0x[0-9a-f]+\b", text)
    return [*hexadecimal, *NUMBER.findall(parted(re.sub(r"\b0x[0-9a-f]+\b", " ", text)))]


def _check_basis(head: str, cells: Sequence[str], facts: Facts) -> None:
    """All figures of a column must have come about in one way."""
    common: set[str] | None = None
    for cell in cells:
        for number in _numbers(_plain(cell)):
            bases = facts.numbers.get(bare(number), set())
            if common is not None and not common & bases:
                ways = " or ".join(sorted(common)), " or ".join(sorted(bases))
                raise InputError(f"The column '{head}' would mix what is {ways[0]} with {number}, which is {ways[1]}.", REMEDY)
            common = bases if common is None else common & bases


def _check_n(heads: Row, column: int, rows: Sequence[Row]) -> None:
    """Every accuracy needs its number of images: in its cell, or in a column `n`."""
    place = heads.index("n") if "n" in heads else None
    for row in rows:
        said = row[column]
        if not any(letter.isdigit() for letter in said) or _WITH_N.search(said) or (heads[column].startswith("Published") and NO_N in said):
            continue
        if place is None or not row[place].replace(",", "").isdigit():
            raise InputError(f"The card would say an accuracy of {said} ('{heads[column]}') without n: {_shown(' | '.join(row))}", REMEDY)


def _shown(line: str) -> str:
    return line if len(line) <= 160 else f"{line[:160]}…"
