"""A second emulator: QEMU runs the same firmware over its own emulated serial port, and counts as ours does."""

import re
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tiny

from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.results import Line
from edgeloop.boards.stm32msg.run import Mode

QEMU = "qemu-system-arm"
START_S = 20.0
TOLERANCE = 0.001

pytestmark = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed (Debian package qemu-system-arm)")


@contextmanager
def emulated(elf: Path, machine: str = "mps2-an500") -> Iterator[str]:
    """The name of the pseudo-terminal at the serial port of a machine in QEMU; one instruction takes one nanosecond."""
    options = ["-M", machine, "-kernel", str(elf), "-nographic", "-monitor", "none", "-serial", "pty", "-icount", "shift=0"]
    process = subprocess.Popen([QEMU, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        assert poll.poll(START_S * 1000), "QEMU did not start"
        said = process.stdout.readline().decode()
        found = re.search(r"/dev/\S+", said)
        assert found is not None, said
        yield found[0]
    finally:
        process.kill()
        process.communicate(timeout=START_S)


def test_qemu_counts_as_ours_within_a_thousandth(firmware: Callable[[str], Path]) -> None:
    elf = firmware("mps2-an500")
    counts = []
    with emulated(elf) as terminal, tiny.board("mps2-an500", elf) as ours:
        for address in (terminal, ours.pty):
            with BoardClient(address) as client:
                network = client.network(tiny.SIGNATURE)
                run = client.run(network, [tiny.image(3)], Mode.IO_ONLY)
                np.testing.assert_array_equal(run.outputs[0].ravel(), tiny.scores(tiny.image(3)))
                counts.append(run.total.counters[0])
    assert counts[0] > 100_000
    assert counts[0] == pytest.approx(counts[1], rel=TOLERANCE)


@pytest.mark.thorough
def test_firmware_of_a_real_stm32f405_runs_on_a_machine_that_we_did_not_write(firmware: Callable[[str], Path]) -> None:
    """QEMU's has the part's serial ports, memories and core, but no clocks: the firmware says so and stays at its internal oscillator."""
    with emulated(firmware("olimex-stm32-h405"), "netduinoplus2") as terminal, BoardClient(terminal) as client:
        network = client.network(tiny.SIGNATURE)
        system = client.system()
        assert (system.clock_hz, system.bus_clock_hz, system.cache) == (16_000_000, 16_000_000, 1 << 24 | 1 << 16)
        # 16 MHz by 16: no higher rate can be made of that clock.
        assert client.line == Line(rate=1_000_000, packet_bytes=1024, has_crc=True)
        for seed in range(3):
            run = client.run(network, [tiny.image(seed)], Mode.IO_ONLY)
            np.testing.assert_array_equal(run.outputs[0].ravel(), tiny.scores(tiny.image(seed)))
        assert client.disturbances.retries == 0
