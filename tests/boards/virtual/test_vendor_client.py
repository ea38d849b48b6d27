"""ST's own Python client (package `stm_ai_runner`, protocol 3.1), unmodified, with the virtual board.

It is on no package index: put the folder that holds it on PYTHONPATH, beside protobuf <= 3.20.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny

runner = pytest.importorskip(
    "stm_ai_runner", reason="ST's client is not installed: put the folder of stm_ai_runner (ST's model zoo services) on PYTHONPATH"
)


@pytest.mark.parametrize("mode", ["IO_ONLY", "PER_LAYER", "PER_LAYER_WITH_DATA", "PERF_ONLY"])
def test_the_vendors_client_connects_reads_and_runs(firmware: Callable[[str], Path], mode: str) -> None:
    with tiny.board("stm32h747", firmware("stm32h747")) as board:
        client = runner.AiRunner()
        assert client.connect(f"serial:{board.pty}:115200")
        try:
            assert client.names == ["network"]
            image = tiny.image(1)
            outputs, profile = client.invoke([image[None]], mode=getattr(runner.AiRunner.Mode, mode))
            assert profile["c_durations"]
            if mode != "PERF_ONLY":
                np.testing.assert_array_equal(np.asarray(outputs[0]).ravel(), tiny.scores(image))
        finally:
            client.disconnect()
