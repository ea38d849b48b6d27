"""Each board's own firmware on the strict model of its part: connected to, asked what it is, and run, by the real client."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from matrix import first_is_short

from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.firmware.board import boards

CORE_CACHES = 3 << 10
ACCELERATOR = 7 << 8
FPU = 1 << 16


@pytest.mark.parametrize("name", first_is_short(["stm32h747i-disco", *sorted(set(boards()) - {"stm32h747i-disco"})]))
def test_a_board_says_what_it_is_and_computes_as_the_host_does(firmware: Callable[[str], Path], name: str) -> None:
    part = boards()[name]
    with tiny.board(name, firmware(name)) as board, BoardClient(board.pty) as client:
        network = client.network(tiny.SIGNATURE)
        system = client.system()
        assert (system.device_id, system.clock_hz, system.bus_clock_hz) == (part.device_id, part.clock_hz, part.bus_hz)
        assert part.setup is not None
        caches = CORE_CACHES if part.core == "cortex-m7" else ACCELERATOR
        assert system.cache == part.series << 24 | FPU | caches | part.setup.flash.wait_states
        assert "VIRTUAL" not in network.runtime_description
        for seed in range(2):
            run = client.run(network, [tiny.image(seed)], Mode.IO_ONLY)
            np.testing.assert_array_equal(run.outputs[0].ravel(), tiny.scores(tiny.image(seed)))
            assert 8192 < run.total.counters[0] < 1_000_000
            assert 0 < (run.total.stack_bytes or 0) < 2048
        layers = client.run(network, [tiny.image(3)], Mode.PER_LAYER_WITH_DATA)
        np.testing.assert_array_equal(layers.layers[0].tensors[0].ravel(), tiny.mixed(tiny.image(3)).ravel())
        assert client.disturbances.protocol_errors == 0
