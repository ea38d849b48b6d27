"""What every board can do, physical, virtual, this host or one of somebody else's: the protocols that drivers implement."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from numpy.typing import NDArray

from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.subject import Subject
from edgeloop.records import EmulatedDetails, Emulation, FarmMeasurement, LinuxMachine, McuDevice, MeasuredDetails, Measurement
from edgeloop.tflite.formats import Format
from edgeloop.tflite.interpreter import Scores

Target = Literal["MCU", "MPU"]


@dataclass(frozen=True)
class Identity:
    """What a board says that it is."""

    device: str
    """The processor or the board, in one line."""
    clock: str
    """What the timings are taken with, or what is counted instead."""
    says: Mapping[str, str]
    """What it reports of itself, by subject, for people."""
    target: Target | None = None
    """The target that its figures count for; None for a board that is no target."""
    clock_hz: int | None = None
    """The clock of its processor, where it reports it; of an emulated one: assumed."""
    microcontroller: McuDevice | None = None
    machine: LinuxMachine | None = None


@dataclass(frozen=True)
class Loaded:
    """A model that is on the board, verified."""

    model: Path
    """The .tflite file that it was made of, or is."""
    format: Format | None
    """The format of a variant's model; None for a model file of its own."""
    tolerance: Literal["exact", "agreement", "reported"]
    """exact: every bit must equal the reference; agreement: nearly every class; reported: a difference is recorded, and no error."""
    runtime: str
    """What executes it, with its version."""
    file: Literal["tflite", "nb", "firmware"] = "tflite"
    """What the board runs."""
    file_sha256: str | None = None
    """SHA-256 of that file; None where nobody knows."""
    engine: str = "CPU"
    threads: int | None = None


class Observe(Enum):
    """What is asked of a run."""

    OUTPUTS = auto()
    """The scores of each input."""
    TIME = auto()
    """How long each inference takes; the scores may stay on the board, and one input may stand for all."""
    DETAILS = auto()
    """After the others, once for each model: what else the board tells of it."""


@dataclass(frozen=True)
class MeasuredRun:
    """On a board with a clock of its own."""

    outputs: Scores
    """(n, classes) float32; empty where they were not asked for."""
    latencies_ns: list[int] = field(default_factory=list)
    """The latency of each inference, by the board's clock; copying inputs and outputs is not in it."""
    details: MeasuredDetails = field(default_factory=MeasuredDetails)


@dataclass(frozen=True)
class EmulatedRun:
    """On an emulated processor: it counts instructions, which are no time."""

    outputs: Scores
    """(n, classes) float32."""
    instructions: list[int]
    """Executed by each inference; copying inputs and outputs is not in it."""
    details: EmulatedDetails | None = None


Run = MeasuredRun | EmulatedRun
"""The type says what the figures are; nothing turns one into the other."""


Outcome = Measurement | Emulation | FarmMeasurement
"""What is found of one model on a board; a record holds those of one type."""
Measure = Callable[["Driver", Loaded], Outcome]
"""Compares and times a model that is on a board."""


class Board(Protocol):
    """One board that this process holds. Whatever goes wrong is a BoardError, or an error of the step that failed."""

    def __init__(self, used: BoardInUse) -> None:
        """Nothing is opened yet."""

    @abstractmethod
    def identify(self) -> Identity:
        """Ask the board what it is; before `outcomes`, too."""

    @abstractmethod
    def outcomes(self, subject: Subject, measure: Measure, /) -> Iterator[Outcome]:
        """What is found of each of the subject's models. A board that somebody else runs has no use for `measure`: it is told."""

    @abstractmethod
    def close(self) -> None:
        """Give the board back, after any error, too; may be called twice."""


class Driver(Board, Protocol):
    """A board that runs our models on our inputs."""

    at_once: ClassVar[int]
    """How many inferences one `run` may be asked for; 1 where one is so slow that each is worth a line of progress."""

    def outcomes(self, subject: Subject, measure: Measure, /) -> Iterator[Outcome]:
        for loaded in self.prepare(subject):
            yield measure(self, loaded)

    @abstractmethod
    def prepare(self, subject: Subject) -> Iterator[Loaded]:
        """Generate, build, flash, load: whatever this board needs. Each model that it runs is on it when it is yielded."""

    @abstractmethod
    def run(self, inputs: NDArray[Any], observe: Observe) -> Run:
        """Run the loaded model on each of the inputs (n, ...) in the model's own type, at batch 1."""
