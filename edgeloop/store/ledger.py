"""The history of a variant's champions in the store: one small object an entry, each written once and never again.

    <to>/<variant>/champions/000001.json, 000002.json, ...   a LedgerEntry each, with the digest of the one before
    <to>/<variant>/champions/answers/<sha256>.parquet         what a champion said of each test image

An entry is created only where there is none of its number (If-None-Match), and names what it follows: so the history is one line under any
number of writers, and a writer that is killed has left its entry whole, or none.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from pydantic import ValidationError

from edgeloop.deadline import Deadline
from edgeloop.errors import InputError, StoreError
from edgeloop.records import LedgerEntry
from edgeloop.records.base import misfit
from edgeloop.store.target import Changed, Readable, Target
from edgeloop.store.turns import wait_turn

READERS = 8
MOST_ASKED = 32
"""Entries at once: how many there are is not known, and most histories are short."""
PROBE = "create-once.txt"
APPEND_DEADLINE_S = 300.0
PUT_BACK = "Put it back from a copy of the store: histories are never edited."
Make = Callable[["History"], LedgerEntry | None]
"""The next entry after a history, numbered and dated by `History.placed`; None where there is nothing to add."""


@dataclass(frozen=True)
class History:
    """All entries of a variant, oldest first."""

    variant: str
    entries: tuple[LedgerEntry, ...] = ()
    last_sha256: str | None = None
    """The digest of the last entry as it is stored."""

    @property
    def champion(self) -> LedgerEntry | None:
        """Whose reign has not ended."""
        return self.entries[-1] if self.entries else None

    @property
    def line(self) -> list[LedgerEntry]:
        """The promotions that stand, the champion's last: a roll-back takes those away that came after its version."""
        standing: list[LedgerEntry] = []
        for entry in self.entries:
            if entry.action == "promote":
                standing.append(entry)
                continue
            while standing and standing[-1].version != entry.version:
                standing.pop()
        return standing

    @property
    def rolled_back(self) -> frozenset[str]:
        """The models that a roll-back gave up, and that nobody promoted again."""
        given_up: set[str] = set()
        for before, entry in pairwise(self.entries):
            given_up -= {entry.model_sha256}
            given_up |= {before.model_sha256} - {entry.model_sha256} if entry.action == "rollback" else set()
        return frozenset(given_up)

    @property
    def given_up(self) -> frozenset[str]:
        """The versions that have been champion with one of these models."""
        return frozenset(entry.version for entry in self.entries if entry.model_sha256 in self.rolled_back)

    def at(self, moment: dt.datetime) -> LedgerEntry | None:
        """Who was champion at that (aware) time; None before the first."""
        return next((entry for entry in reversed(self.entries) if dt.datetime.fromisoformat(entry.since_utc) <= moment), None)

    def reigns(self) -> Iterator[tuple[LedgerEntry, str | None]]:
        """Each entry, and when the next one took over; None for the champion."""
        yield from zip(self.entries, [*(entry.since_utc for entry in self.entries), None][1:], strict=True)

    def placed(self, entry: LedgerEntry) -> LedgerEntry:
        """The entry as the next one. It begins now, but never before the last one, whatever this machine's clock says."""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        since = max(now, self.entries[-1].since_utc) if self.entries else now
        placed = {"number": len(self.entries) + 1, "before_sha256": self.last_sha256, "since_utc": since, "token": secrets.token_hex(8)}
        return entry.model_copy(update=placed)

    def followed_by(self, entry: LedgerEntry, content: bytes) -> "History":
        """With one entry more."""
        return History(self.variant, (*self.entries, entry), hashlib.sha256(content).hexdigest())


def read_history(target: Readable, variant: str, known: History | None = None) -> History:
    """Every entry that there is, those of `known` without asking again.

    Raises:
        StoreError: an entry is damaged, does not follow the one before it, or is gone while later ones are there.
    """
    history, asked = known or History(variant), 2
    with ThreadPoolExecutor(READERS) as pool:
        while True:
            first = len(history.entries) + 1
            # One more, to see beyond one that is gone.
            found = list(pool.map(target.read, (_key(variant, first + place) for place in range(asked + 1))))
            while found and found[-1] is None:
                found.pop()
            for number, stored in enumerate(found, first):
                # Whoever wrote a later one saw this one: it came while they were read, or it is lost.
                content = stored or target.read(_key(variant, number))
                if content is None:
                    raise StoreError(f"{target.address(_key(variant, number))} is gone, and later entries are there.", PUT_BACK)
                history = history.followed_by(_entry(target, history, number, content.content), content.content)
            if len(found) < asked:
                return history
            asked = min(2 * asked, MOST_ASKED)


def append(target: Target, variant: str, make: Make) -> tuple[History, LedgerEntry | None]:
    """Add what `make` says; where somebody else was quicker, it is asked again, with the history as it is then.

    Returns the history with the new entry, and that entry.

    Raises:
        StoreError: the store knows no conditional writes, or others were quicker for five minutes.
    """
    _check_conditions(target)
    deadline, history = Deadline.after(APPEND_DEADLINE_S), read_history(target, variant)
    while (entry := make(history)) is not None:
        content = f"{entry.model_dump_json(indent=2)}\n".encode()
        if _create(target, _key(variant, entry.number), content):
            return history.followed_by(entry, content), entry
        wait_turn(target, f"the history of {variant}", deadline)
        history = read_history(target, variant, history)
    return history, None


def keep_answers(target: Target, variant: str, content: bytes) -> str:
    """Store what a champion said of each test image, under its digest; returns the digest.

    Raises:
        StoreError: something else is in its place, or the store refused it for five minutes.
    """
    digest = hashlib.sha256(content).hexdigest()
    key, deadline = _answers_key(variant, digest), Deadline.after(APPEND_DEADLINE_S)
    while not _create(target, key, content):
        there = target.read(key)
        if there is not None and there.content != content:
            raise StoreError(f"{target.address(key)} is damaged.", "Delete it and promote again.")
        wait_turn(target, key, deadline)  # refused, and it is not there: somebody was writing it
    return digest


def read_answers(target: Target, entry: LedgerEntry) -> bytes:
    """What a champion said of each test image.

    Raises:
        StoreError: it is not there, or is not what the entry names.
    """
    key = _answers_key(entry.variant, entry.answers_sha256)
    stored = target.read(key)
    if stored is None or hashlib.sha256(stored.content).hexdigest() != entry.answers_sha256:
        state = "not there" if stored is None else "damaged"
        raise StoreError(
            f"{target.address(key)} is {state}: what the champion {entry.version} said of each image.",
            "Put it back from a copy of the store; without it nothing can be judged against that champion.",
        )
    return stored.content


def rollback_to(history: History) -> LedgerEntry:
    """The promotion that was champion before the present one.

    Raises:
        InputError: there is none.
    """
    line = history.line
    if len(line) < 2:
        before = "has no champion" if not line else f"has had no champion before {line[-1].version}"
        raise InputError(f"{history.variant} {before}: there is nothing to go back to.", f"See: edgeloop history {history.variant}")
    now = line[-1].version
    found = next((entry for entry in reversed(line) if entry.version != now), None)
    assert found is not None
    return found


def _create(target: Target, key: str, content: bytes) -> bool:
    """Store an object where none is; also true where it is there already with this very content: an answer was lost on its way."""
    try:
        target.create(key, content)
    except Changed:
        there = target.read(key)
        return there is not None and there.content == content
    return True


def _check_conditions(target: Target) -> None:
    """See that the store refuses to create what is there: one that ignores the condition would let writers overwrite each other.

    Raises:
        StoreError: it does not refuse.
    """
    for _ in range(2):
        try:
            target.create(PROBE, b"edgeloop sees that nothing is created twice here\n")
        except Changed:
            return
    raise StoreError(
        f"{target.address('')} does not refuse to create an object that is there (If-None-Match): a history there could lose entries.",
        "Publish to a server with conditional writes (AWS S3, SeaweedFS, MinIO, Ceph), or to a folder.",
    )


def _entry(target: Readable, history: History, number: int, content: bytes) -> LedgerEntry:
    where = target.address(_key(history.variant, number))
    try:
        entry = LedgerEntry.model_validate_json(content)
    except ValidationError as error:
        raise StoreError(f"{where} is damaged, or of a later version of edgeloop: {misfit(error)}.", PUT_BACK) from None
    if (entry.number, entry.before_sha256, entry.variant) != (number, history.last_sha256, history.variant):
        raise StoreError(f"{where} does not follow the entry before it.", PUT_BACK)
    return entry


def _key(variant: str, number: int) -> str:
    return f"{variant}/champions/{number:06}.json"


def _answers_key(variant: str, digest: str) -> str:
    return f"{variant}/champions/answers/{digest}.parquet"
