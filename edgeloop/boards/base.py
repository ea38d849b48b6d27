"""What every board can do, physical, virtual or this host."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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
    """What the timings are taken with."""


@dataclass(frozen=True)
class Run:
    """The outcome of running a model on some inputs, one at a time."""

    outputs: Scores
    """(n, classes) float32."""
    latencies_ns: list[int]
    """Of each inference, by the board's clock; copying inputs and outputs is not in it."""


class Board(Protocol):
    """One device. `flash` comes before `run`; `close` gives the device back and may be called twice."""

    def identify(self) -> Identity:
        """What is there."""

    def flash(self, artifact: Path) -> None:
        """Bring a model onto the board, in the form that this board takes."""

    def run(self, inputs: NDArray[Any]) -> Run:
        """Run the flashed model on each of the inputs (n, ...), at batch 1, and time every inference."""

    def close(self) -> None:
        """Give the device back."""
