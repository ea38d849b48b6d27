"""The versions of a variant in the order in which they were published, beside them in the store.

    <to>/<variant>/versions.json   what each says in short, the current one last
    <to>/<variant>/index.html      the same as a page
    <to>/<variant>/latest.json     the current one

`versions.json` is added to by conditional requests: of several publishers of one variant, none is lost. The other two follow it, and the
history of its champions, by conditional requests, too: each is read before both, and replaced only if it is still as it was read, so that
neither goes back.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from edgeloop.bundle.files import as_json
from edgeloop.deadline import Deadline
from edgeloop.errors import StoreError
from edgeloop.store.ledger import History, read_history
from edgeloop.store.summary import Summary, read_published
from edgeloop.store.target import Changed, Stored, Target
from edgeloop.store.turns import wait_turn
from edgeloop.store.versions_page import versions_page

DEADLINE_S = 120.0
Entry = dict[str, Any]
"""A `Published` as JSON: keys that another edgeloop added are kept."""


def listed_before(target: Target, variant: str, version: str) -> int:
    """How many entries a variant's list has in front of a publish that begins now; that of this version, where it is current, is its own.

    Raises:
        StoreError: the list is damaged.
    """
    entries = _entries(target, variant, target.read(f"{variant}/versions.json"))
    return len(entries) - (1 if entries and entries[-1]["version"] == version else 0)


def make_current(target: Target, summary: Summary, version: str, page: str, before: int | None = None) -> None:
    """Add an uploaded version to the list of its variant's, and let the pointer and the page follow.

    The version that is current already adds nothing; one from before is added once more, and is the current one again. `before`: what
    `listed_before` said when the publish began (by default now); an entry of this version behind those was added by this very publish, the
    answer being lost on its way, or by one beside it, and stays the only one.

    Raises:
        StoreError: what the store holds of the variant is damaged, or others published it for two minutes.
    """
    deadline = Deadline.after(DEADLINE_S)
    told = summary.model_dump(mode="json") | {"version": version, "page": page}
    before = listed_before(target, summary.variant, version) if before is None else before
    while not _is_added(target, told, before):
        wait_turn(target, summary.variant, deadline)
    show(target, summary.variant)


def show(target: Target, variant: str) -> None:
    """Let the pointer and the page of a variant say what its list and the history of its champions say.

    Raises:
        StoreError: what the store holds of the variant is damaged, or others wrote to it for two minutes.
    """
    deadline = Deadline.after(DEADLINE_S)
    while not _is_shown(target, variant):
        wait_turn(target, variant, deadline)


def put(target: Target, key: str, content: bytes) -> None:
    """Store an object unless the same bytes are there."""
    if target.digest(key) != hashlib.sha256(content).hexdigest():
        target.put(key, content)


def renew(target: Target, key: str, content: bytes, seen: Stored | None) -> None:
    """Store an object that is as it was `seen`, unless these bytes are there.

    Raises:
        Changed: somebody else replaced it since.
    """
    if seen is None or seen.content != content:
        target.replace(key, content, seen)


def read_json(target: Target, key: str, stored: Stored) -> Any:
    """What a small file says.

    Raises:
        StoreError: it is damaged.
    """
    try:
        return json.loads(stored.content)
    except ValueError:
        raise StoreError(f"{target.address(key)} is damaged.", "Delete it and publish that variant again.") from None


def _is_added(target: Target, told: Entry, before: int) -> bool:
    """Whether the version is in the list now, behind the entries of before; False where somebody else wrote to it in between."""
    key = f"{told['variant']}/versions.json"
    seen = target.read(key)
    entries = _entries(target, told["variant"], seen)
    if entries and entries[-1]["version"] == told["version"]:
        entries[-1] = {**entries[-1], **told}
    elif told["version"] not in {one["version"] for one in entries[before:]}:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        entries.append({**told, "published": now, "versions": len(entries) + 1})
    try:
        renew(target, key, as_json({"versions": entries}), seen)
    except Changed:
        return False
    return True


def _entries(target: Target, variant: str, seen: Stored | None) -> list[Entry]:
    """The list as it is; where there is none, it begins with the version that an edgeloop without lists had published."""
    if seen is not None:
        return list(read_json(target, f"{variant}/versions.json", seen)["versions"])
    former = target.read(f"{variant}/latest.json")
    return [] if former is None else [read_json(target, f"{variant}/latest.json", former)]


def _is_shown(target: Target, variant: str) -> bool:
    """Write the page and the pointer as the list has them; whether nobody else wrote to one of the three meanwhile."""
    key = f"{variant}/versions.json"
    page, pointer = target.read(f"{variant}/index.html"), target.read(f"{variant}/latest.json")
    seen, history = target.read(key), read_history(target, variant)  # after those that follow them
    entries = _entries(target, variant, seen)
    if not entries:
        return True
    shown = versions_page([read_published(target.address(key), one) for one in entries], history).encode()
    current = {**entries[-1], "champion": _champion(history, entries), "given_up": entries[-1]["version"] in history.given_up}
    try:
        renew(target, f"{variant}/index.html", shown, page)
        renew(target, f"{variant}/latest.json", as_json(current), pointer)
    except Changed:
        return False
    latest = target.read(key)
    return (latest and latest.content) == (seen and seen.content) and read_history(target, variant, history) == history


def _champion(history: History, entries: Sequence[Entry]) -> Entry | None:
    """What the list says of the champion, and since when it is."""
    entry = history.champion
    told = next((one for one in reversed(entries) if entry is not None and one["version"] == entry.version), None)
    return {**told, "since": entry.since_utc} if entry and told else None
