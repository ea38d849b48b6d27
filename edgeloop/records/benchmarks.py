"""Records of benchmarks. What was measured and what was emulated are different types."""

from typing import Literal

from edgeloop.records.base import Part, Record
from edgeloop.records.models import Accuracy


class MeasuredLatency(Part):
    """Wall time of one inference, measured on the named device (never emulated, never estimated)."""

    median_ms: float
    mad_ms: float
    min_ms: float
    max_ms: float
    window_medians_ms: list[float]
    runs: int
    warmup_runs: int
    coefficient_of_variation: float
    """Standard deviation over mean of the window medians."""
    stable: bool
    clock: str


class HostBenchmark(Part):
    """One model file on this host."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"]
    sha256: str
    latency: MeasuredLatency


class BenchmarkRecord(Record):
    """Latency measured on the host that runs edgeloop: never a figure for a target."""

    kind: Literal["benchmark-host"] = "benchmark-host"
    dataset: str
    network: str
    resolution: int
    board: str
    device: str
    runtime: str
    threads: int
    models: list[HostBenchmark]


class ExecutedInstructions(Part):
    """Instructions of one inference, counted by an emulator over several images: no time, and no measurement."""

    min: int
    median: int
    max: int


class EmulatedLayer(Part):
    """One layer, in the order of execution, as the board reports it."""

    name: str
    type: str
    """ST.AI's number of the kind of layer, hexadecimal."""
    position: int
    """Its place among the operators of the model's file."""
    instructions: int | None
    """Null for a QUANTIZE of the input that the first convolution does as it reads: it is counted there."""
    macs: int | None


class EmulatedBenchmarkRecord(Record):
    """Generated code on an emulated microcontroller: exact counts of instructions, and whether the outputs are right."""

    kind: Literal["benchmark-emulated"] = "benchmark-emulated"
    dataset: str | None
    network: str | None
    resolution: int | None
    """Of the variant; null where the model is a file of its own."""
    board: str
    part: str
    model_sha256: str
    pixels: str
    """What the model was run on."""
    images: int
    equal_outputs: int
    """Images on which every output equals that of LiteRT's reference kernels on this host, bit for bit."""
    max_difference: float
    """Largest absolute difference of any output from the host's, as the model gives them (an int8 output: steps)."""
    output_type: str
    instructions: ExecutedInstructions
    """Of the whole network, without observers."""
    assumption: str
    """What the median would mean in time, and under which assumption: never a measurement."""
    layers: list[EmulatedLayer]
    """From one more inference, whose layers are observed; they add up to the whole but for the code between them."""
    macs: int | None
    activation_ram_bytes: int
    weight_bytes: int
    code_flash_bytes: int | None
    """These four as the record of the generated code says."""
    firmware_flash_bytes: int
    """The whole validation firmware, which holds the network's code twice."""
    firmware_ram_bytes: int
    """Its variables, the network's memory, and what is reserved for its stack."""
    compiler: str
    emulator: str
    runtime: str
    """What the firmware says of itself."""
    protocol: str
    protocol_errors: int
    """Answers that did not come or were wrong; no run that saw one counts."""
    retries: int


class LinuxMachine(Part):
    """A Linux board, or another Linux machine, as it describes itself; null is what it does not say."""

    host: str
    model: str | None
    """As its device tree or its firmware names it."""
    compatible: list[str]
    """Of its device tree; empty where it has none."""
    serial: str | None
    architecture: str
    kernel: str
    operating_system: str | None
    cpu: str | None
    cpus: int | None
    memory_bytes: int | None
    python: str
    x_linux_ai: str | None
    """The version of X-LINUX-AI."""
    npu_driver: str | None
    npu_clock: str | None


class CpuFrequency(Part):
    """One group of cores with a common clock (a cpufreq policy), before and after a measurement."""

    policy: str
    governor: str
    minimum_khz: int | None
    maximum_khz: int | None
    before_khz: int | None
    after_khz: int | None


class EngineShares(Part):
    """How an inference is shared by the engines of a board, as a tool on it says; its own figures are approximate."""

    npu_percent: float
    gpu_percent: float
    cpu_percent: float
    tool_inference_ms: float | None
    tool_peak_ram_mb: float | None
    source: str


class ComparedOutputs(Part):
    """A board's outputs beside those of a reference on the same inputs."""

    reference: str
    images: int
    equal_outputs: int
    """Images with every score equal."""
    same_class: int
    """Images with the same predicted class."""
    max_difference: float
    """Largest absolute difference of two scores, dequantized."""
    agrees: bool
    """Whether at least nine in ten images have the same class: else the board computes something else, however fast."""


class MpuMeasurement(Part):
    """What a Linux board does with one model file."""

    sha256: str
    """Of the file, as read back on the board."""
    runtime: str
    engine: str
    """What the runtime says that it runs on; how the work was really shared is in `shares`."""
    threads: int | None
    """Null where the runtime chooses."""
    latency: MeasuredLatency
    cpu_frequencies: list[CpuFrequency]
    """Empty where the kernel tells none."""
    compared: ComparedOutputs
    accuracy: Accuracy | None
    """On the compared images; null where they have no labels."""
    shares: EngineShares | None
    no_shares: str
    """Why `shares` is null."""


class MpuModelBenchmark(MpuMeasurement):
    """One of a variant's model files on a Linux board."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"]
    file: Literal["tflite", "nb"] = "tflite"
    """`nb`: the NPU binary that was generated from the model of that format."""


class MpuBenchmarkRecord(Record):
    """Latency measured on a Linux board over SSH. `target` is `stm32mp` where the device tree says so; else it is no target's figure."""

    kind: Literal["benchmark-mpu"] = "benchmark-mpu"
    origin: Literal["measured on hardware"] = "measured on hardware"
    dataset: str
    network: str
    resolution: int
    board: str
    board_kind: str
    target: Literal["stm32mp", "linux"]
    device: str
    """The machine in one line; one that is no STM32 is called so."""
    machine: LinuxMachine
    models: list[MpuModelBenchmark]
