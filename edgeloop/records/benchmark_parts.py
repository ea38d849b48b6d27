"""What the records of benchmarks share, whoever measured."""

from abc import abstractmethod

from edgeloop.records.base import Part, Record


class EngineShares(Part):
    """How an inference is shared by the engines of a board, as a tool on it says; its own figures are approximate."""

    npu_percent: float
    gpu_percent: float
    cpu_percent: float
    tool_inference_ms: float | None
    tool_peak_ram_mb: float | None
    source: str


class Benchmark(Record):
    """What all benchmarks state."""

    dataset: str | None
    network: str | None
    resolution: int | None
    """The side of the variant's images; null where the model is a file of its own."""
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
