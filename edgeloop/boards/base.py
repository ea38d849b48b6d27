"""What every board can do, physical, virtual or this host."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from edgeloop.tflite.interpreter import Scores


@dataclass(frozen=True)
class Identity:
    """What a board says that it is."""

    device: str
    """The processor or the board, as it names itself."""
    runtime: str
    """What executes the model, with its version."""
    clock: str
    """What the timings are taken with, or what is counted instead."""


@dataclass(frozen=True)
class Run:
    """The outcome of running a model on some inputs, one at a time."""

    outputs: Scores
    """(n, classes) float32."""


@dataclass(frozen=True)
class TimedRun(Run):
    """On a board with a clock."""

    latencies_ns: list[int]
    """Of each inference, by the board's clock; copying inputs and outputs is not in it."""


@dataclass(frozen=True)
class EmulatedRun(Run):
    """On an emulated processor: it counts instructions, which are no time."""

    stored: NDArray[Any]
    """(n, classes) in the type that the model gives."""
    instructions: list[int]
    """Executed by each inference; copying inputs and outputs is not in it."""


Outcome = TypeVar("Outcome", bound=Run, covariant=True)


class Board(Protocol[Outcome]):
    """One device. `flash` comes before `run`; `close` gives the device back and may be called twice."""

    def identify(self) -> Identity:
        """What is there."""

    def flash(self, artifact: Path) -> None:
        """Bring a model onto the board, in the form that this board takes."""

    def run(self, inputs: NDArray[Any]) -> Outcome:
        """Run the flashed model on each of the inputs (n, ...), at batch 1."""

    def close(self) -> None:
        """Give the device back."""
