"""The driver `host`: LiteRT on the machine that runs edgeloop. Its timings say nothing about a target."""

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.driver import Driver, Identity, Loaded, MeasuredRun, Observe
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.subject import Subject
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import cpu_model
from edgeloop.tflite.interpreter import RUNTIME, LiteModel, Scores

CLOCK = "time.perf_counter_ns"


class HostBoard(Driver):
    """This machine."""

    at_once = 1000

    def __init__(self, used: BoardInUse) -> None:
        self._name = used.board.name
        self._model: LiteModel | None = None

    def identify(self) -> Identity:
        device, runtime = cpu_model(), f"{RUNTIME} {version(RUNTIME)}"
        return Identity(device, CLOCK, {"device": device, "runtime": runtime, "clock": CLOCK})

    def prepare(self, subject: Subject) -> Iterator[Loaded]:
        """Load each of the models.

        Raises:
            InputError: there is no such file.
            ModelError: it is damaged or is no image classifier.
        """
        for form, file in subject.models():
            self.load(file, subject.threads)
            runtime = f"{RUNTIME} {version(RUNTIME)}"
            yield Loaded(file, form, "reported", runtime, file_sha256=sha256_file(file), threads=subject.threads)

    def load(self, model: Path, threads: int = 1) -> None:
        """Load one."""
        self._model = LiteModel(model, threads=threads)

    def run(self, inputs: NDArray[Any], observe: Observe) -> MeasuredRun:
        """Only the inference itself is timed.

        Raises:
            InputError: nothing was loaded.
            ModelError: the model does not run.
        """
        if self._model is None:
            raise InputError(f"No model is on the board '{self._name}'.", "Prepare one first.")
        outputs: list[Scores] = []
        latencies_ns: list[int] = []
        for image in inputs:
            self._model.set_input(image[None])
            begin = time.perf_counter_ns()
            self._model.invoke()
            latencies_ns.append(time.perf_counter_ns() - begin)
            if observe == Observe.OUTPUTS:
                outputs.append(self._model.scores())
        return MeasuredRun(np.concatenate(outputs) if outputs else np.empty((0, self._model.classes), np.float32), latencies_ns)

    def close(self) -> None:
        self._model = None
