"""The board `host`: LiteRT on the machine that runs edgeloop. Its timings say nothing about a target."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.base import Identity, TimedRun
from edgeloop.errors import InputError
from edgeloop.records import cpu_model
from edgeloop.tflite.interpreter import RUNTIME, LiteModel, Scores

CLOCK = "time.perf_counter_ns"


class HostBoard:
    """This machine; a flashed artifact is a .tflite file, run by `threads` threads."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._model: LiteModel | None = None

    def identify(self) -> Identity:
        return Identity(device=cpu_model(), runtime=f"{RUNTIME} {version(RUNTIME)}", clock=CLOCK)

    def flash(self, artifact: Path) -> None:
        """Load a .tflite image classifier.

        Raises:
            InputError: there is no such file.
            ModelError: it is damaged or is no image classifier.
        """
        self._model = LiteModel(artifact, threads=self._threads)

    def run(self, inputs: NDArray[Any]) -> TimedRun:
        """Run the model on (n, side, side, 3) in its own input type; only the inference itself is timed.

        Raises:
            InputError: nothing was flashed.
            ModelError: the model does not run.
        """
        model = self._flashed()
        outputs: list[Scores] = []
        latencies_ns: list[int] = []
        for image in inputs:
            model.set_input(image[None])
            begin = time.perf_counter_ns()
            model.invoke()
            latencies_ns.append(time.perf_counter_ns() - begin)
            outputs.append(model.scores())
        return TimedRun(np.concatenate(outputs), latencies_ns)

    def close(self) -> None:
        self._model = None

    def _flashed(self) -> LiteModel:
        if self._model is None:
            raise InputError("No model is on the board 'host'.", "Flash one first.")
        return self._model
