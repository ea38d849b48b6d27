"""What the farm is asked to do on each family of boards. The family is read from ST's name of the board."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from edgeloop.boards.lab.config import Cloud
from edgeloop.codegen.stedgeai.cloud.options import NPU, tool_options
from edgeloop.errors import InputError
from edgeloop.tflite.formats import Format

_NAMES = (
    re.compile(r"STM32([A-Z]{1,2}\d)"),  # STM32N6570-DK, STM32MP257F-EV1
    re.compile(r"NUCLEO-([A-Z]{1,2}\d)"),  # NUCLEO-G474RE
    re.compile(r"[A-Z]-([A-Z]{1,2}\d)"),  # B-U585I-IOT02A
)
PER_TENSOR: Format = "int8 per-tensor"
PER_CHANNEL: Format = "int8 per-channel"


@dataclass(frozen=True)
class Linux:
    """How ST's own client runs models on boards of one series."""

    engine: Literal["cpu", "hw_accelerator"]
    cores: int


LINUX = {"STM32MP25": Linux("hw_accelerator", 2), "STM32MP15": Linux("cpu", 2), "STM32MP13": Linux("cpu", 1)}
"""By the beginnings of the boards' names."""


@dataclass(frozen=True)
class Family:
    """What the boards of one family have in common."""

    target: str
    """As the tool names it."""

    @property
    def mpu(self) -> bool:
        return self.target.startswith("stm32mp")

    @property
    def platform(self) -> str:
        """As the list of versions names it."""
        return "stm32mpu" if self.mpu else "stm32"

    @property
    def form(self) -> Format:
        """The format that its boards run best: the NPU of the STM32MP2 multiplies per tensor."""
        return PER_TENSOR if self.target == "stm32mp2" else PER_CHANNEL


def family(board: str) -> Family:
    """The family of a board by its name.

    Raises:
        InputError: the name does not tell it.
    """
    found = next((match for pattern in _NAMES if (match := pattern.match(board.upper()))), None)
    if found is None:
        raise InputError(f"The family of the board {board} is not told by its name.", "Choose another one: edgeloop boards --cloud")
    return Family(f"stm32{found[1].lower()}")


def options(board: str, settings: Cloud, version: str) -> dict[str, Any]:
    """What is sent beside the model, as ST's own client sends it.

    Raises:
        InputError: how a Linux board is used is not known, and lab.yaml does not say.
    """
    kind = family(board)
    if kind.mpu:
        how = _linux(board, settings)
        return {"version": version, "engine": how.engine, "nbCores": how.cores}
    return {"version": version, **tool_options(kind.target, npu=kind.target == NPU)}


def _linux(board: str, settings: Cloud) -> Linux:
    known = next((how for start, how in LINUX.items() if board.upper().startswith(start)), None)
    engine = settings.engine or (known.engine if known else None)
    cores = settings.cores or (known.cores if known else None)
    if engine is None or cores is None:
        what = f"Nobody has said how ST's farm runs models on the board {board}."
        raise InputError(what, "Say it in lab.yaml: `cloud: {engine: cpu, cores: 1}` (or engine: hw_accelerator).")
    return Linux(engine, cores)
