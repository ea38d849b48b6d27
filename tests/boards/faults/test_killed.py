"""kill -9 of a benchmark at random moments: its board is free within a second, nothing unfinished counts, and it can be repeated.

EDGELOOP_KILLS=50 kills each kind of benchmark so often.
"""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from fault_desk import BOARDS, OLDER, VARIANT, Chain, Desk
from other_faults import linux

from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.find import find
from edgeloop.boards.lock import occupancy
from edgeloop.files import FINISHED, atomic_path
from edgeloop.records import read_benchmark

KILLS = int(os.environ.get("EDGELOOP_KILLS", "1"))
FREE_S = 1.0
RUN_S = 240.0
SLOW = "  warmup_runs: 20\n  windows: 7\n  runs_per_window: 50\n"
FAST = "  warmup_runs: 1\n  windows: 5\n  runs_per_window: 2\n"


def start(desk: Desk, chain: Chain) -> "subprocess.Popen[bytes]":
    images = [] if chain == "linux" else ["--images", "2"]
    command = [str(Path(sys.executable).with_name("edgeloop")), "benchmark", VARIANT, "--board", BOARDS[chain], *images]
    with (desk.scratch / "output").open("wb") as output:
        return subprocess.Popen(command, cwd=desk.workspace.root, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def completed(desk: Desk, chain: Chain) -> float:
    """Run to the end; how long that took."""
    begun = time.monotonic()
    with start(desk, chain) as process:
        assert process.wait(RUN_S) == 0, (desk.scratch / "output").read_text(encoding="utf-8")
    read_benchmark(desk.record(chain))
    return time.monotonic() - begun


def seconds_until_free(desk: Desk, chain: Chain) -> float:
    key, begun = find(load_lab(desk.workspace).board(BOARDS[chain]), desk.workspace.root).key, time.monotonic()
    while occupancy(key).held:
        assert time.monotonic() - begun < 20 * FREE_S, "the board is never free"
        time.sleep(0.01)
    return time.monotonic() - begun


@pytest.mark.thorough
@pytest.mark.timeout(14400)
@pytest.mark.parametrize("chain", ["mcu", *(pytest.param(chain, marks=pytest.mark.long) for chain in BOARDS if chain != "mcu")])
def test_killed_at_any_moment(desk: Desk, chain: Chain) -> None:
    params = desk.workspace.root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    assert SLOW in text
    params.write_text(text.replace(SLOW, FAST), encoding="utf-8")
    if chain == "mcu":
        desk.mcu()
    elif chain == "linux":
        linux(desk)
    whole_s, chance, freed, finished = completed(desk, chain), Random(11), [], 0
    for number in range(KILLS):
        record, moment = desk.record(chain), chance.uniform(0, whole_s)
        record.write_text(OLDER, encoding="utf-8")
        with start(desk, chain) as process:
            time.sleep(moment)
            process.kill()
            code = process.wait(10)
        freed.append(seconds_until_free(desk, chain))
        assert freed[-1] < FREE_S, f"kill {number} at {moment:.2f} s of {whole_s:.2f} s"
        finished += code == 0
        for left in record.parent.glob(FINISHED):
            # The one before it began, or the whole one of a run that was faster than the signal.
            assert left == record
            assert left.read_text(encoding="utf-8") == OLDER or read_benchmark(left)
        assert desk.left() == []
        if chain == "linux":
            assert desk.linux.is_clean(15)
        completed(desk, chain)
    told = f"{KILLS} kills within {whole_s:.1f} s, {finished} of them too late; free after {max(freed):.2f} s at most"
    logging.getLogger(__name__).info("%s: %s", chain, told)


def test_a_file_that_is_being_written_is_no_record(tmp_path: Path) -> None:
    """A killed process leaves it behind."""
    target = tmp_path / "benchmarks" / "h747.json"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".json"
        assert list(target.parent.glob(FINISHED)) == []
    assert list(target.parent.glob(FINISHED)) == [target]
