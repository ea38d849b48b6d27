"""The index of a store: the current card of every variant, and the families' cards, as a file and as the gallery's page.

Both follow the variants' pointers by conditional requests: each is read before them, and replaced only if it is still as it was read.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from edgeloop.bundle.files import as_json
from edgeloop.cards.names import family_title
from edgeloop.deadline import Deadline
from edgeloop.records import FAMILY_CARD
from edgeloop.store.index_page import Family, index_page
from edgeloop.store.summary import read_current
from edgeloop.store.target import Changed, Target
from edgeloop.store.turns import wait_turn
from edgeloop.store.versions import DEADLINE_S, read_json, renew

READERS = 8
FAMILIES = "families/"


def update_index(target: Target) -> None:
    """Write the index of all published cards, as file and as page; when another publisher was quicker, read again what is there.

    Raises:
        StoreError: a pointer is damaged, or others were quicker for two minutes; the cards themselves are published.
    """
    deadline = Deadline.after(DEADLINE_S)
    while not _is_indexed(target):
        wait_turn(target, "the index", deadline)


def _is_indexed(target: Target) -> bool:
    """Write both as the pointers are; whether nobody else wrote to one of them meanwhile."""
    page, seen = target.read("index.html"), target.read("index.json")
    cards, families = _current_cards(target), _families(target)  # after those that follow them
    content = as_json({"cards": cards, "families": [one.page for one in families]})
    shown = index_page([read_current(target.address("index.json"), one) for one in cards], families).encode()
    try:
        renew(target, "index.json", content, seen)
        renew(target, "index.html", shown, page)
    except Changed:
        return False
    latest = target.read("index.json")
    return latest is not None and latest.content == content


def _current_cards(target: Target) -> list[dict[str, Any]]:
    """What the pointers say, by variant; a folder without a pointer was never completely published."""
    with ThreadPoolExecutor(READERS) as pool:
        return [pointer for pointer in pool.map(partial(_pointer, target), target.keys("latest.json")) if pointer is not None]


def _pointer(target: Target, key: str) -> dict[str, Any] | None:
    stored = target.read(key)
    if stored is None:
        return None
    pointer: dict[str, Any] = read_json(target, key, stored)
    return pointer


def _families(target: Target) -> list[Family]:
    """Those whose record, the last of their files, is there."""
    names = [key.split("/")[1] for key in target.keys(FAMILY_CARD, FAMILIES) if target.read(key) is not None]
    return [Family(family_title(name), f"{FAMILIES}{name}/index.html") for name in names]
