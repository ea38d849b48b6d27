"""The record of a benchmark at ST's farm: measured on hardware by ST's own `validate`, on its own data, of which it tells one figure.

Our images do not run there: nothing is compared with the host, no accuracy of the board is known, and no spread of its time.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from edgeloop.records.base import Part
from edgeloop.records.benchmark_parts import Benchmark, EngineShares
from edgeloop.records.codegen import MemoryPool, ToolValidation
from edgeloop.records.mcu import McuCode

HOW = "one figure of ST's farm, measured on hardware; no spread is told"


class FarmLayer(Part):
    """One layer, or one epoch of an NPU, in the order of execution."""

    name: str
    duration_ms: float
    macs: int | None


class FarmMemory(Part):
    """Where a model lies on the farm's board, as the farm says; null is what it does not tell."""

    uses_external_ram: bool | None = None
    uses_external_flash: bool | None = None
    layers_in_internal_flash: list[str] = Field(default_factory=list)
    layers_in_external_flash: list[str] = Field(default_factory=list)


class FarmMeasurement(Part):
    """What the farm tells of one model on one of its boards; null is what it does not tell."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"] | None
    """Null where the model is a file of its own."""
    model_sha256: str
    """The digest of the .tflite file that was uploaded."""
    latency_ms: float
    """Of one inference; how many were run, and how they spread, is not told."""
    cycles: list[int]
    """CPU cycles (STM32N6: before, on, and after the NPU)."""
    device: str | None
    """In the words of the board's firmware."""
    clock_hz: int | None
    """Of its processor, from the same words."""
    engine: str
    cores: int | None
    tool: str
    """What generated and measured, with its version."""
    measured: str | None
    """When, as the farm writes it."""
    code: McuCode | None
    pools: list[MemoryPool] | None
    memory: FarmMemory
    note: str
    """What the readers of the farm's answer found strange; may be empty."""
    layers: list[FarmLayer]
    """Empty where no times of layers are told."""
    shares: EngineShares | None
    no_shares: str
    """Why `shares` is null, on a board that has them."""
    model_size: float | str | None
    ram_peak: float | str | None
    """Of a board with Linux; the farm states no unit of these two."""
    validation: ToolValidation | None
    """How the tool's own check on random data came out."""
    options: dict[str, Any]
    """What the farm was asked to do."""
    run: str
    """The farm's number of the benchmark."""
    answer: str
    """The file that holds the farm's whole answer, relative to the project's folder."""
    answer_sha256: str

    def in_words(self, where: str) -> Iterator[str]:
        """Lines for people."""
        yield f"{f'{self.format} on ' if self.format else ''}{where}: {self.latency_ms:.3f} ms, {HOW}"
        yield "  outputs not compared with the host's, accuracy on the board not known: the farm runs its own random data"
        cores = f" ({self.cores} cores)" if self.cores else ""
        clock = f" at {self.clock_hz / 1e6:g} MHz" if self.clock_hz else ""
        yield f"  {self.engine}{cores}{clock} with {self.tool}" + (f"; {self._shares()}" if self.shares else "")
        if self.code and self.code.weight_bytes is not None and self.code.activation_ram_bytes is not None:
            yield f"  activation RAM {self.code.activation_ram_bytes / 1024:.2f} KiB, weights {self.code.weight_bytes / 1024:.2f} KiB"

    def _shares(self) -> str:
        shares = self.shares
        return f"NPU {shares.npu_percent:g} %, GPU {shares.gpu_percent:g} %, CPU {shares.cpu_percent:g} %" if shares else ""


class FarmBenchmark(Benchmark):
    """A model on a board of ST Edge AI Developer Cloud."""

    kind: Literal["benchmark-farm"] = "benchmark-farm"
    farm: str
    """The address of the service."""
    farm_board: str
    """The kind of board, as the farm lists it; which one of them it was is not told."""
    target: Literal["MCU", "MPU"]
    models: list[FarmMeasurement]

    @property
    def digests(self) -> set[str]:
        return {model.model_sha256 for model in self.models}

    def in_words(self) -> str:
        """Lines for people."""
        where = f"{self.board} ({self.farm_board})"
        return "\n".join(line for model in self.models for line in model.in_words(where))
