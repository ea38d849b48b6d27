"""The history of champions: one line of entries under many writers, in a folder and on a real S3 server, whole after kills."""

import datetime as dt
import errno
import hashlib
import multiprocessing
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from ledger_entries import enter, entry

from edgeloop.errors import InputError, StoreError
from edgeloop.store.ledger import History, keep_answers, read_answers, read_history, rollback_to
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import S3Target, connect
from edgeloop.store.target import Changed, FolderTarget, Target
from edgeloop.workspace import Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
WRITERS = 50
Opened = Callable[[], Target]
"""Opens the place of a test, in any process."""


def add(target: Target, version: str, action: str = "promote") -> History:
    return enter(target, VARIANT, version, action)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Target]]:
    """Opens a prefix of a bucket on a real S3 server."""
    workspace = Workspace(tmp_path_factory.mktemp("a ledger's store"))
    store = local_store(workspace)
    try:
        address = store.up().address

        def opened(prefix: str) -> Target:
            # Clients are kept by their settings: this one is of this process alone, a fork's would share its connections.
            client = connect(address, owner_credentials(workspace), "when_supported", read_timeout_s=60 + os.getpid())
            target = S3Target(client, "ledgers", prefix, address, browsable=True)
            target.prepare(create=True)
            return target

        yield opened
    finally:
        store.down()


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.thorough)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    if request.param == "folder":
        return partial(FolderTarget, tmp_path / "shelf")
    return partial(request.getfixturevalue("server"), secrets.token_hex(4))


@pytest.fixture
def target(opened: Opened) -> Target:
    return opened()


def test_fifty_writers_at_once_make_one_line(target: Target) -> None:
    versions = [f"version-{number}" for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda version: add(target, version), versions))
    history = read_history(target, VARIANT)  # which refuses gaps and forks
    assert sorted(one.version for one in history.entries) == sorted(versions)
    assert [one.number for one in history.entries] == list(range(1, WRITERS + 1))
    since = [one.since_utc for one in history.entries]
    assert since == sorted(since)


def test_who_was_champion_when_and_what_a_roll_back_does(target: Target) -> None:
    assert read_history(target, VARIANT).champion is None
    for version, action in (("a", "promote"), ("b", "promote"), ("c", "promote"), ("b", "rollback")):
        history = add(target, version, action)
    assert history == read_history(target, VARIANT)
    assert history.champion is not None and history.champion.version == "b"
    assert history.rolled_back == {hashlib.sha256(b"c").hexdigest()}
    assert rollback_to(history).version == "a"  # not c, which was given up
    history = add(target, "a", "rollback")
    with pytest.raises(InputError, match="no champion before a"):
        rollback_to(history)
    assert hashlib.sha256(b"c").hexdigest() not in add(target, "c").rolled_back  # a person promoted it again


def test_at_a_time() -> None:
    days = [entry(VARIANT, str(day)).model_copy(update={"since_utc": f"2026-03-{day:02}T12:00:00+00:00"}) for day in (1, 5, 9)]
    history = History(VARIANT, tuple(days))
    found = [history.at(dt.datetime(2026, 3, day, 13, tzinfo=dt.UTC)) for day in (1, 4, 5, 30)]
    assert [one.version for one in found if one] == ["1", "1", "5", "9"]
    assert history.at(dt.datetime(2026, 3, 1, 11, tzinfo=dt.UTC)) is None


def test_an_entry_that_was_changed_or_is_gone_is_refused(tmp_path: Path) -> None:
    target = FolderTarget(tmp_path)
    for version in "abc":
        add(target, version)
    second = tmp_path / VARIANT / "champions" / "000002.json"
    second.write_text(second.read_text().replace('"b"', '"x"'))
    with pytest.raises(StoreError, match=r"000003\.json does not follow the entry before it"):
        read_history(target, VARIANT)
    second.rename(tmp_path / "aside")
    with pytest.raises(StoreError, match=r"000002\.json is gone, and later entries are there"):
        read_history(target, VARIANT)
    second.write_text("{")
    with pytest.raises(StoreError, match=r"000002\.json is damaged"):
        read_history(target, VARIANT)


def test_answers_are_those_that_the_entry_names(target: Target) -> None:
    digest = keep_answers(target, VARIANT, b"what it said")
    assert keep_answers(target, VARIANT, b"what it said") == digest
    named = entry(VARIANT, "a").model_copy(update={"answers_sha256": digest})
    assert read_answers(target, named) == b"what it said"
    with pytest.raises(StoreError, match="is not there"):
        read_answers(target, named.model_copy(update={"answers_sha256": "0" * 64}))


def test_a_writer_whose_answer_was_lost_knows_its_own_entry_again(tmp_path: Path) -> None:
    class Losing(FolderTarget):
        """Stores, and then says that somebody was quicker: as S3's client tells it after it asked twice."""

        def create(self, key: str, content: bytes) -> None:
            super().create(key, content)
            raise Changed(key)

    history = add(Losing(tmp_path), "a")
    assert history == read_history(FolderTarget(tmp_path), VARIANT) and len(history.entries) == 1


def test_a_store_that_ignores_the_condition_is_refused(tmp_path: Path) -> None:
    class Ignoring(FolderTarget):
        def create(self, key: str, content: bytes) -> None:
            self.put(key, content)

    with pytest.raises(StoreError, match="could lose entries"):
        add(Ignoring(tmp_path), "a")


def _write_on(opened: Opened) -> None:
    target = opened()
    for number in range(10_000):
        add(target, f"{os.getpid()}-{number}")


def test_kills_leave_the_history_whole(opened: Opened) -> None:
    begin, dice, kills = multiprocessing.get_context("fork"), random.Random(127), int(os.environ.get("EDGELOOP_KILLS", "6"))
    seen = History(VARIANT)
    for _ in range(kills):
        writers = [begin.Process(target=_write_on, args=(opened,)) for _ in range(2)]
        for writer in writers:
            writer.start()
        until = time.monotonic() + 60
        while len(read_history(opened(), VARIANT, seen).entries) == len(seen.entries) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(dice.uniform(0, 0.1))
        for writer in writers:
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            writer.join(10)
        history = read_history(opened(), VARIANT)
        assert history.entries[: len(seen.entries)] == seen.entries  # nothing that was there is lost or changed
        seen = history
    assert len(seen.entries) >= kills  # each round was killed while it wrote


def test_an_entry_is_told_in_one_line() -> None:
    """Also one that was written by hand."""
    said = entry(VARIANT, "v1").model_copy(update={"by": "Ada\x85", "reason": "x\n   9  2027-01-01  promote by Boss"}).in_words()
    assert said.splitlines() == [said] and r"by Ada\x85: x\n   9  2027" in said


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_to_be_full(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StoreError, match="the disk has no room") as refused:
        FolderTarget(tmp_path).put("a", b"content")
    assert refused.value.remedy == "Free some space, then publish again."
