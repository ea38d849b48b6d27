"""The fault matrix: whatever goes wrong with a board ends in a typed error in time, frees the board, and leaves no number.

Each fault goes through the whole real chain of `edgeloop benchmark`. EDGELOOP_FAULT_ROUNDS=20 goes through the table so often.
"""

import os
import re
import time
from pathlib import Path

import pytest
from fault_desk import BOARDS, OLDER, Chain, Desk, Fault
from mcu_faults import MCU_FAULTS
from other_faults import LINUX_FAULTS, VIRTUAL_FAULTS, linux

from edgeloop.errors import EdgeloopError
from edgeloop.records import read_benchmark

ROUNDS = int(os.environ.get("EDGELOOP_FAULT_ROUNDS", "1"))
FAULTS = [*MCU_FAULTS, *LINUX_FAULTS, *VIRTUAL_FAULTS]
SHORT = {(fault.chain, str(fault.error)): fault for fault in reversed(FAULTS)}.values()
"""The first of each kind of error in each chain."""


def older_record(desk: Desk, chain: Chain) -> Path:
    """A record that an earlier run left."""
    record = desk.record(chain)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(OLDER, encoding="utf-8")
    return record


@pytest.mark.parametrize("chain", list(BOARDS))
def test_without_a_fault_each_chain_gives_a_record(desk: Desk, chain: Chain) -> None:
    """Else the faults below might be errors of the desk."""
    {"mcu": desk.mcu, "linux": lambda: linux(desk), "virtual": desk.virtual}[chain]()
    older_record(desk, chain)
    desk.run(chain)
    assert read_benchmark(desk.record(chain)).kind == ("benchmark-emulated" if chain == "virtual" else "benchmark-measured")
    assert desk.is_free(chain)
    assert desk.left() == []


def test_there_are_at_least_forty_and_no_two_are_the_same() -> None:
    assert len({(fault.chain, fault.name) for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=() if fault in SHORT else pytest.mark.long) for fault in FAULTS],
    ids=lambda fault: f"{fault.chain}-{fault.name.replace(' ', '-')}",
)
def test_a_fault_is_a_typed_error_in_time_and_leaves_nothing(desk: Desk, fault: Fault, turn: int) -> None:
    record = older_record(desk, fault.chain)
    fault.inject(desk)
    begun = time.monotonic()
    with pytest.raises(EdgeloopError) as caught:
        desk.run(fault.chain)
    taken = time.monotonic() - begun
    assert isinstance(caught.value, fault.error), repr(caught.value)
    assert re.search(fault.words, str(caught.value)), str(caught.value)
    assert taken < fault.deadline_s
    assert desk.is_free(fault.chain)
    assert not record.exists() and not list(record.parent.glob(f".{record.name}*"))
    assert desk.left() == []
    if fault.chain == "linux":
        assert desk.linux.is_clean(15)
