"""What is published, in short: each variant with its current version, its champion, its accuracy and its address."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from edgeloop.bundle.files import SIGNATURE
from edgeloop.console import in_one_line
from edgeloop.errors import StoreError
from edgeloop.store.ledger import read_history
from edgeloop.store.summary import Published, read_published
from edgeloop.store.target import Readable
from edgeloop.tflite.formats import DEPLOYED

READERS = 8


@dataclass(frozen=True)
class Listed:
    """One variant."""

    variant: str
    version: str
    """The one that was published last."""
    versions: int | None
    champion: str | None
    top1: float | None
    """Of the deployed format, on the test split, 0 to 1."""
    n: int | None
    page: str
    signed: bool
    """Whether that version has a signature; whose it is, `verify` says."""


def listing(target: Readable) -> list[Listed]:
    """All variants of a store, by name.

    Raises:
        StoreError: it has no index, or what it holds is damaged.
    """
    stored = target.read("index.json")
    if stored is None:
        raise StoreError(f"{target.address('')} has no index: nothing is published there.", "Publish something: edgeloop publish VARIANT")
    try:
        cards = [read_published(target.address("index.json"), one) for one in json.loads(stored.content)["cards"]]
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{target.address('index.json')} is damaged.", "Whoever publishes there must publish a variant again.") from None

    def listed(card: Published) -> Listed:
        champion = read_history(target, card.variant).champion
        top1 = next((one for one in card.accuracy if one.format == DEPLOYED), None)
        return Listed(
            variant=card.variant,
            version=card.version,
            versions=card.versions,
            champion=champion.version if champion else None,
            top1=top1.top1 if top1 else None,
            n=top1.n if top1 else None,
            page=target.address(card.page),
            signed=target.read(f"{card.variant}/{card.version}/{SIGNATURE}") is not None,
        )

    with ThreadPoolExecutor(READERS) as pool:
        return sorted(pool.map(listed, cards), key=lambda one: one.variant)


def in_words(found: list[Listed]) -> Iterator[str]:
    """A table for people."""
    rows = [["variant", "latest", "champion", "top 1 of the latest", "signature", "page of the latest"]]
    rows += [list(map(in_one_line, _cells(one))) for one in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _cells(one: Listed) -> list[str]:
    return [one.variant, one.version, one.champion or "none", _accuracy(one), _signature(one), one.page]


def _accuracy(one: Listed) -> str:
    return "not stated" if one.top1 is None else f"{100 * one.top1:.2f} % (n = {one.n})"


def _signature(one: Listed) -> str:
    return "signed" if one.signed else "not signed"
