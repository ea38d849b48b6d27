"""What the records of benchmarks share, whoever measured."""

from abc import abstractmethod
from typing import Literal

from edgeloop.records.base import Part, Record
from edgeloop.resolution import AnyResolution


class EngineShares(Part):
    """How an inference is shared by the engines of a board, as a tool on it says; its own figures are approximate."""

    npu_percent: float
    gpu_percent: float
    cpu_percent: float
    tool_inference_ms: float | None
    tool_peak_ram_mb: float | None
    source: str


class MeasuredLayer(Part):
    """One layer, or one epoch of an NPU, in the order of execution, timed by the board itself."""

    name: str
    position: int
    """Its place among the operators of the model's file, or as its generator counts."""
    time_ms: float | None
    """Null for a layer that another one computes: it is counted there."""
    macs: int | None
    """Null where the generator does not state them."""


class LayerTimes(Part):
    """Times layer by layer, from runs of their own: observing costs time, so that they do not add up to the latency."""

    runs: int
    statistic: Literal["median", "mean"] = "median"
    """Of the runs: what the board's own tool gives."""
    clock: str
    layers: list[MeasuredLayer]

    def in_words(self) -> str:
        """The layers that take longest."""
        longest = sorted(self.layers, key=lambda layer: -(layer.time_ms or 0.0))[:3]
        return f"longest of {len(self.layers)} layers: " + ", ".join(f"{layer.name} {layer.time_ms or 0.0:.3f} ms" for layer in longest)

    @property
    def sum_ms(self) -> float:
        return sum(layer.time_ms or 0.0 for layer in self.layers)


class Benchmark(Record):
    """What all benchmarks state."""

    dataset: str | None
    network: str | None
    resolution: AnyResolution | None
    """Of the variant's images; null where the model is a file of its own."""
    board: str
    """In lab.yaml."""
    pixels: str
    """What the model was run on."""

    @property
    @abstractmethod
    def digests(self) -> set[str]:
        """The SHA-256 of each .tflite file that it is about."""

    @abstractmethod
    def in_words(self) -> str:
        """Lines for people."""
