"""Kill -9 of anything at any moment: nothing is left running, held, half-written or shown as running, and a rerun goes on.

`EDGELOOP_KILLS=100 EDGELOOP_SEED=7 pytest -s tests/flows/faults` is the long campaign; each round prints what it killed, and when,
and `EDGELOOP_ROUND=SEED` repeats the one with that seed.
"""

import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from flows_in_miniature import HANGS_S, Project, environment, initialised, until
from killing import (
    BOARD,
    MARK,
    STAGES,
    VICTIMS,
    Site,
    assert_none_is_left,
    assert_the_board_is_free,
    fill,
    kill,
    others,
    processes,
    run_command,
)

from edgeloop.boards.lock import occupancy
from edgeloop.boards.lockfiles import VARIABLE

ROUNDS = int(os.environ.get("EDGELOOP_KILLS", "1"))
SEED = int(os.environ.get("EDGELOOP_SEED", "1"))
ROUND = os.environ.get("EDGELOOP_ROUND")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 240 * ROUNDS)]

ORPHAN_S, LOCK_S, BOARD_S = 10.0, 90.0, 1.0
ENDS_S = 300.0
"""For a run that lost its server or its store to give up."""
ENDS_ALL = ("flow", "worker")
"""Killing one of these leaves nobody who could go on."""
BY_WORKER = 0.4
"""Share of the rounds that a worker runs."""


@pytest.fixture
def site(tmp_path: Path, locks: Path) -> Iterator[Site]:
    """A project with its own services, and what an undisturbed run makes there."""
    root, mark = tmp_path / "a project", uuid.uuid4().hex
    root.mkdir()
    made = Site(Project(root, environment(tmp_path) | {MARK: mark, VARIABLE: str(locks)}), mark)
    initialised(made.project)
    fill(made.project)
    made.clear("undisturbed")
    made.services("up")
    try:
        made.run()
        made.lock, made.files, made.card = made.stages(), made.outputs(), made.published("undisturbed")
        assert sorted(made.begun()) == sorted(STAGES)
        yield made
    finally:
        made.services("down")
    assert_none_is_left(mark, ORPHAN_S, processes)


@pytest.mark.long
def test_whatever_is_killed_nothing_is_left_behind_and_a_rerun_goes_on(site: Site) -> None:
    draw = random.Random(SEED)
    wrong = []
    for number, seed in enumerate([int(ROUND)] if ROUND else [draw.getrandbits(32) for _ in range(ROUNDS)]):
        begun = time.monotonic()
        try:
            said = one_round(site, seed)
        except AssertionError as error:
            said = f"WRONG {error}"
            wrong.append(f"seed {seed}: {error}")
            recover(site)
        sys.stdout.write(f"round {number} seed {seed}: {said} ({time.monotonic() - begun:.0f} s)\n")
        sys.stdout.flush()
    assert not wrong, "\n\n".join(wrong)


def one_round(site: Site, seed: int) -> str:
    """Start, kill at a moment, look, run again, compare; returns what was done."""
    draw = random.Random(seed)
    by_worker = draw.random() < BY_WORKER
    victim = draw.choice([name for name in VICTIMS if by_worker or name != "worker"])
    moment, place = draw.uniform(0, 9), f"cards-{seed}"
    site.clear(place)
    flow = start(site, by_worker)
    time.sleep(moment)
    line = kill(site.mark, victim, draw.choice, ENDS_S)
    killed = time.monotonic()
    what = f"{victim} {moment:.1f} s after the start, {'by the worker' if by_worker else 'by hand'}"
    if victim in ENDS_ALL and line is not None:
        assert_the_board_is_free(BOARD_S)
        assert_none_is_left(site.mark, ORPHAN_S)
    wait_for_the_end(site, flow)
    assert_none_is_left(site.mark, ORPHAN_S)
    assert not occupancy(BOARD).held, f"{what}: the board is held"
    finished = look_at_what_is_finished(site, what)
    begun_before = len(site.begun())
    if victim in ("server", "store", "worker"):
        site.services("up")
    said = site.run()
    again = site.begun()[begun_before:]
    assert not set(again) & finished, f"{what}: {again} ran again although {finished} were finished\n{said}"
    assert site.stages() == site.lock, f"{what}: another dvc.lock"
    assert site.outputs() == site.files, f"{what}: other outputs"
    assert site.published(place) == site.card, f"{what}: another card is published"
    assert site.unfinished() == [], f"{what}: {site.unfinished()} are shown as running"
    until(lambda: site.slots() == 0, max(1.0, LOCK_S - (time.monotonic() - killed)))
    return f"{what}: {'too late' if line is None else line[-60:]!r}; finished {sorted(finished)}, again {sorted(again)}"


def start(site: Site, by_worker: bool) -> "subprocess.Popen[bytes] | None":
    """Begin a run; returns once its process is there."""
    if not by_worker:
        with (site.root.parent / "flow.log").open("wb") as log:
            return subprocess.Popen(
                run_command(), cwd=site.root, env=site.project.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    site.start_by_worker()
    until(lambda: any(VICTIMS["flow"](line) for line in processes(site.mark).values()), HANGS_S)
    return None


def wait_for_the_end(site: Site, flow: "subprocess.Popen[bytes] | None") -> None:
    if flow is not None:
        flow.wait(timeout=ENDS_S)
    until(lambda: not any(VICTIMS["flow"](line) for line in others(site.mark).values()), ENDS_S)


def look_at_what_is_finished(site: Site, what: str) -> set[str]:
    """What dvc.lock takes for finished must be what an undisturbed run makes."""
    known = site.stages()
    for stage, entry in known.items():
        assert entry == site.lock[stage], f"{what}: dvc.lock has a false entry of {stage}"
    return {stage.partition("@")[0] for stage in known}


def recover(site: Site) -> None:
    """After a failure: no process of that round spoils the next."""
    for pid in others(site.mark):
        os.kill(pid, 9)
    site.services("up")
