"""The versions of a variant in the order in which they were published, beside them in the store.

    <to>/<variant>/versions.json   what each says in short, the current one last
    <to>/<variant>/index.html      the same as a page
    <to>/<variant>/latest.json     the current one

`versions.json` is added to by conditional requests, and the other two are made from it: of several publishers of one variant, none is lost.
"""

import datetime as dt
import hashlib
import json
import random
import time
from typing import Any

from edgeloop.bundle.files import as_json
from edgeloop.deadline import Deadline
from edgeloop.errors import StoreError
from edgeloop.store.summary import Summary, read_published
from edgeloop.store.target import Changed, Stored, Target
from edgeloop.store.versions_page import versions_page

DEADLINE_S = 120.0
PAUSE_S = 0.2
"""The longest wait after another publisher was quicker."""
Entry = dict[str, Any]
"""A `Published` as JSON: keys that another edgeloop added are kept."""


def make_current(target: Target, summary: Summary, version: str, page: str) -> None:
    """Add an uploaded version to the list of its variant's, and let the pointer and the page follow.

    The version that is current already adds nothing; one from before is added once more, and is the current one again.

    Raises:
        StoreError: what the store holds of the variant is damaged, or others published it for two minutes.
    """
    deadline = Deadline.after(DEADLINE_S)
    told = summary.model_dump(mode="json") | {"version": version, "page": page}
    while not _is_added(target, told):
        _wait_turn(target, summary.variant, deadline)
    while not _is_shown(target, summary.variant):
        _wait_turn(target, summary.variant, deadline)


def put(target: Target, key: str, content: bytes) -> None:
    """Store an object unless the same bytes are there."""
    if target.digest(key) != hashlib.sha256(content).hexdigest():
        target.put(key, content)


def read_json(target: Target, key: str, stored: Stored) -> Any:
    """What a small file says.

    Raises:
        StoreError: it is damaged.
    """
    try:
        return json.loads(stored.content)
    except ValueError:
        raise StoreError(f"{target.address(key)} is damaged.", "Delete it and publish that variant again.") from None


def _is_added(target: Target, told: Entry) -> bool:
    """Whether the version is the last of the list now; False where somebody else wrote to it in between."""
    key = f"{told['variant']}/versions.json"
    seen = target.read(key)
    entries = _entries(target, told["variant"], seen)
    if entries and entries[-1]["version"] == told["version"]:
        entries[-1] = {**entries[-1], **told}
    else:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        entries.append({**told, "published": now, "versions": len(entries) + 1})
    content = as_json({"versions": entries})
    try:
        if seen is None or seen.content != content:
            target.replace(key, content, seen)
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
    """Write the page and the pointer as the list has them; whether the list stayed as it was meanwhile."""
    key = f"{variant}/versions.json"
    seen = target.read(key)
    assert seen is not None, "it was added to before"
    entries = _entries(target, variant, seen)
    put(target, f"{variant}/index.html", versions_page([read_published(target.address(key), one) for one in entries]).encode())
    put(target, f"{variant}/latest.json", as_json(entries[-1]))
    latest = target.read(key)
    return latest is not None and latest.content == seen.content


def _wait_turn(target: Target, variant: str, deadline: Deadline) -> None:
    if deadline.is_over:
        raise StoreError(
            f"Others published {variant} at {target.address('')} for {DEADLINE_S:.0f} s.",
            "Publish again when they are done: what was uploaded is there.",
        )
    time.sleep(random.uniform(0, PAUSE_S))
