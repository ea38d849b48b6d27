"""The lock of a board: one holder ever, free at once when it dies, in the order of arrival, within a deadline."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from forks import append, children, wait_for

from edgeloop.boards import lockfiles, queue
from edgeloop.boards.lock import Holder, Occupancy, hold, occupancy
from edgeloop.boards.lockfiles import VARIABLE, lock_files, lock_folder, open_shared, try_lock
from edgeloop.errors import BoardBusy, BoardError

KEY = "probe 003900393137510C39383538"
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as two users, which only root can")


def hold_for(seconds: float, log: Path, wait_s: float = 60.0) -> None:
    """Hold the board and keep a log of it."""
    with hold(KEY, f"run of {os.getpid()}", wait_s):
        append(log, f"enter {os.getpid()}")
        time.sleep(seconds)
        append(log, f"leave {os.getpid()}")


def entries(log: Path) -> list[tuple[str, int]]:
    words = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    return [(word, int(pid)) for word, pid in words]


def until_waiting(count: int) -> None:
    """Return as soon as that many processes wait for the board."""
    deadline = time.monotonic() + 30
    while len(occupancy(KEY).waiting) != count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_free_board_is_had_at_once_and_given_back() -> None:
    begin = time.monotonic()
    with hold(KEY, "a test", wait_s=5):
        assert time.monotonic() - begin < 5
        assert occupancy(KEY).held
    assert not occupancy(KEY).held
    with hold(KEY, "again", wait_s=0):
        pass


def test_the_holder_is_recorded(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with children() as start:
        child = start(partial(hold_for, 60, log))
        wait_for(log)
        holder = occupancy(KEY).holder
        assert holder is not None
        assert (holder.pid, holder.run, holder.is_alive) == (child.pid, f"run of {child.pid}", True)
        assert holder.host == os.uname().nodename
        assert holder.since_utc.endswith("+00:00")


def test_boards_with_other_keys_are_not_held_up() -> None:
    with hold(KEY, "a test", 0), hold(KEY + "0", "another board", 0):
        assert occupancy(KEY).held


def test_waiting_ends_at_its_deadline_and_says_who_holds_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with children() as start:
        child = start(partial(hold_for, 60, log))
        wait_for(log)
        begin = time.monotonic()
        with pytest.raises(BoardBusy, match=rf"run of {child.pid} \(.*, process {child.pid}\) since 2"), hold(KEY, "me", wait_s=0.5):
            pass
        assert 0.4 < time.monotonic() - begin < 30
        assert occupancy(KEY).waiting == []


def test_two_threads_of_one_process_exclude_each_other_too() -> None:
    with hold(KEY, "first", 0), pytest.raises(BoardBusy), hold(KEY, "second", 0):
        pass


def come_and_go(times: int, seconds: float, log: Path) -> None:
    for _ in range(times):
        hold_for(seconds, log)


def test_never_two_holders_however_they_end(tmp_path: Path) -> None:
    """Eight processes come and go, some killed while they hold the board: every stay ends before the next begins."""
    log, draw = tmp_path / "log", random.Random(127)
    with children() as start:
        crowd = [start(partial(come_and_go, 6, draw.uniform(0.0, 0.03), log)) for _ in range(8)]
        for victim in crowd[:4]:
            time.sleep(draw.uniform(0.02, 0.2))
            victim.kill()
        assert [child.wait() for child in crowd[4:]] == [0, 0, 0, 0]
    killed = {child.pid for child in crowd[:4]}
    inside: int | None = None
    for word, pid in entries(log):
        if word == "enter":
            assert inside is None or inside in killed
            inside = pid
        else:
            assert inside == pid
            inside = None


@pytest.mark.thorough
def test_killed_at_random_moments_the_board_is_free_within_a_second(tmp_path: Path) -> None:
    """50 holders and 50 waiters are killed with SIGKILL at any moment, also in the middle of writing who they are."""
    draw, slowest = random.Random(127), 0.0
    for number in range(50):
        with children() as start:
            pair = [start(partial(hold_for, 60, tmp_path / f"log {number}")) for _ in range(2)]
            time.sleep(draw.uniform(0.0, 0.05))
            for child in draw.sample(pair, 2):
                child.kill()
            begin = time.monotonic()
            with hold(KEY, "the rerun", wait_s=10):
                slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 1.0
    assert occupancy(KEY).waiting == []


def test_who_came_first_is_served_first_and_who_died_waiting_is_passed_over(tmp_path: Path) -> None:
    log, waiters = tmp_path / "log", []
    with children() as start:
        with hold(KEY, "a test", 0):
            for number in range(5):
                waiters.append(start(partial(hold_for, 0.02, log)))
                until_waiting(number + 1)
            assert occupancy(KEY).waiting == [f"run of {child.pid}" for child in waiters]
            waiters.pop(1).kill()
            until_waiting(4)
        assert [child.wait() for child in waiters] == [0, 0, 0, 0]
    assert [pid for word, pid in entries(log) if word == "enter"] == [child.pid for child in waiters]


def test_a_stopped_waiter_holds_nobody_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with children() as start:
        with hold(KEY, "a test", 0):
            stopped = start(partial(hold_for, 0, log))
            until_waiting(1)
            os.kill(stopped.pid, signal.SIGSTOP)
            until_waiting(0)
        with hold(KEY, "the next", wait_s=5):
            pass
        os.kill(stopped.pid, signal.SIGCONT)
        assert stopped.wait() == 0


def test_the_place_in_the_queue_is_told_when_it_changes(tmp_path: Path) -> None:
    log, told = tmp_path / "log", list[tuple[int, str]]()

    def watcher(ahead: int, holder: Holder | None) -> None:
        told.append((ahead, holder.run if holder else ""))

    with children() as start:
        # Long enough for two to come and wait, on a busy machine too.
        first = start(partial(hold_for, 2.0, log))
        wait_for(log)
        second = start(partial(hold_for, 0.5, log))
        until_waiting(1)
        with hold(KEY, "me", 30, watcher):
            pass
    assert told[0] == (1, f"run of {first.pid}")
    assert told[-1] == (0, f"run of {second.pid}")
    assert len(told) <= 5


def test_a_waiter_that_is_interrupted_leaves_the_queue(tmp_path: Path) -> None:
    with hold(KEY, "a test", 0):

        def interrupt(ahead: int, holder: Holder | None) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), hold(KEY, "me", 30, interrupt):
            pass
        assert occupancy(KEY).waiting == []


def test_a_damaged_queue_costs_the_order_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with children() as start:
        with hold(KEY, "a test", 0):
            waiters = [start(partial(hold_for, 0, log)) for _ in range(2)]
            until_waiting(2)
            lock_files(KEY).queue.write_text('{"waiting": [{"tok', encoding="utf-8")
            until_waiting(2)
        assert [child.wait() for child in waiters] == [0, 0]


def test_a_forked_child_does_not_keep_its_parents_board(tmp_path: Path) -> None:
    """A pool's worker outlives the process that was killed; the board must not wait for it."""
    log = tmp_path / "log"

    def parent() -> None:
        with hold(KEY, "parent", 0):
            worker = os.fork()
            if worker == 0:
                signal.alarm(20)
                signal.pause()
            append(log, str(worker))
            time.sleep(60)

    with children() as start:
        child = start(parent)
        worker = int(wait_for(log))
        child.kill()
        try:
            with hold(KEY, "the next", wait_s=1):
                pass
        finally:
            os.kill(worker, signal.SIGKILL)


def test_a_program_that_is_given_the_lock_holds_the_board_too() -> None:
    """So a flash tool that outlives its starter by a moment is still alone on the board."""
    with hold(KEY, "a test", 0) as held:
        program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.descriptor])
    try:
        state = occupancy(KEY)
        assert (state.held, state.holder) == (True, None)
        with pytest.raises(BoardBusy, match="did not say who it is"), hold(KEY, "me", 0):
            pass
    finally:
        program.communicate(b"\n", timeout=30)
    assert not occupancy(KEY).held


def test_a_program_that_is_started_otherwise_does_not() -> None:
    with hold(KEY, "a test", 0):
        program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        assert not occupancy(KEY).held
    finally:
        program.communicate(b"\n", timeout=30)


def test_looking_holds_nothing_up() -> None:
    """`edgeloop boards` in a loop never makes a free board seem busy."""
    with children() as start:
        looker = start(partial(look_for, 2.0))
        for _ in range(100):
            with hold(KEY, "a test", 0):
                pass
        assert looker.wait() == 0


def look_for(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        occupancy(KEY)


@needs_root
def test_users_share_the_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by root with a strict umask, used by somebody else, and the other way round."""
    base = tmp_path / "shared"
    base.mkdir()
    for folder in (base, *base.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    base.chmod(0o1777)
    monkeypatch.setenv(VARIABLE, str(base / "locks"))
    log = base / "log"
    before = os.umask(0o077)
    try:
        with children() as start:
            with hold(KEY, "root", 0):
                log.touch()
                log.chmod(0o666)
                other = start(partial(as_nobody, partial(hold_for, 0, log)))
                until_waiting(1)
            assert other.wait() == 0
            assert start(partial(as_nobody, partial(hold_and_release, KEY + " of nobody"))).wait() == 0
            with hold(KEY + " of nobody", "root", 0):
                pass
    finally:
        os.umask(before)


def as_nobody(action: Callable[[], None]) -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    action()


def hold_and_release(key: str) -> None:
    with hold(key, "nobody", 0):
        pass


@needs_root
def test_a_folder_without_rights_is_named_with_the_command_that_mends_it(tmp_path: Path, locks: Path) -> None:
    locks.mkdir()
    report = tmp_path / "report"
    report.touch()
    report.chmod(0o666)

    def try_to_hold() -> None:
        try:
            hold_and_release(KEY)
        except BoardError as error:
            report.write_text(str(error), encoding="utf-8")

    for folder in tmp_path.parents[:-1]:
        folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    with children() as start:
        start(partial(as_nobody, try_to_hold)).wait()
    assert "Permission denied" in report.read_text(encoding="utf-8")
    assert f"sudo chmod 1777 {locks}" in report.read_text(encoding="utf-8")


def test_something_else_in_place_of_the_folder_is_an_error(locks: Path) -> None:
    locks.write_text("a file", encoding="utf-8")
    with pytest.raises(BoardError, match="cannot be made"), hold(KEY, "me", 0):
        pass


def test_a_symbolic_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    files, victim = lock_files(KEY), tmp_path / "precious"
    victim.write_text("content", encoding="utf-8")
    files.lock.symlink_to(victim)
    with pytest.raises(BoardError, match="cannot be opened"), hold(KEY, "me", 0):
        pass
    assert victim.read_text(encoding="utf-8") == "content"


def test_a_queue_that_somebody_keeps_locked_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "EDIT_S", 0.2)
    with hold_file(lock_files(KEY).queue), pytest.raises(BoardBusy, match="does not go on"), hold(KEY, "me", 0):
        pass


@contextmanager
def hold_file(path: Path) -> Iterator[None]:
    descriptor = open_shared(path)
    try:
        assert try_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def test_a_stale_name_in_a_free_lock_means_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with children() as start:
        child = start(partial(hold_for, 60, log))
        wait_for(log)
        child.kill()
    assert str(child.pid) in lock_files(KEY).lock.read_text(encoding="utf-8")
    assert occupancy(KEY) == Occupancy(held=False, holder=None, waiting=[])


def test_a_lock_file_that_is_tidied_away_is_not_mistaken_for_the_boards(tmp_path: Path) -> None:
    """Who waited on the removed file takes the new one, so that a newcomer finds the board held."""
    log = tmp_path / "log"
    with children() as start:
        with hold(KEY, "a test", 0):
            start(partial(hold_for, 60, log))
            until_waiting(1)
            lock_files(KEY).lock.unlink()
        wait_for(log)
        with pytest.raises(BoardBusy), hold(KEY, "a newcomer", 0):
            pass


def test_the_folder_is_the_same_for_all_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    closed, opened = tmp_path / "closed", tmp_path / "open"
    closed.mkdir(mode=0o755)
    opened.mkdir()
    opened.chmod(0o1777)
    monkeypatch.setattr(lockfiles, "BASES", (closed, opened))
    assert lock_folder() == opened / "edgeloop"
    lock_files(KEY)
    assert stat.S_IMODE((opened / "edgeloop").stat().st_mode) == 0o1777
    assert [entry.name for entry in opened.iterdir()] == ["edgeloop"]
