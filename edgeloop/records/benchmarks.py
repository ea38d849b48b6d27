"""Records of benchmarks: a union of what was measured here, measured at ST's farm, and emulated, which are different types.

Each says itself in words.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from edgeloop.errors import InputError
from edgeloop.files import read_text
from edgeloop.records.base import Part
from edgeloop.records.benchmark_parts import Benchmark, EngineShares, LayerTimes
from edgeloop.records.farm import FarmBenchmark
from edgeloop.records.mcu import McuCode, McuDevice, McuFirmware
from edgeloop.records.models import Accuracy

STABLE_VARIATION = 0.01
"""Largest coefficient of variation, and largest drift, of window medians that count as stable."""


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

    @property
    def unstable(self) -> list[str]:
        """Why it is not stable; empty where it is."""
        moved, reasons = drift(self.window_medians_ms), []
        if self.coefficient_of_variation > STABLE_VARIATION:
            reasons.append(f"the windows' medians vary by {self.coefficient_of_variation:.1%}")
        if abs(moved) > STABLE_VARIATION:
            reasons.append(f"they drift by {moved:+.1%} from the first to the last")
        return reasons


def drift(medians: Sequence[float]) -> float:
    """How far the window medians rise from first to last, as a share of their mean.

    By the median of the slopes of all pairs (Theil and Sen), so that one disturbed window is no drift.
    """
    last = len(medians) - 1
    slopes = [(medians[right] - medians[left]) / (right - left) for left in range(last) for right in range(left + 1, last + 1)]
    return median(slopes) * last / fmean(medians)


class ExecutedInstructions(Part):
    """Instructions of one inference, counted by an emulator over several images: no time, and no measurement."""

    min: int
    median: int
    max: int


class EstimatedCycles(Part):
    """Cycles of one inference by a table of instruction timings: neither measured nor counted."""

    cycles: int
    core: str
    method: str
    """Whose timings, and what is assumed."""

    def in_words(self, macs: int | None) -> str:
        """With what it is by."""
        per_mac = f", {self.cycles / macs:.3f} for each multiply-accumulate" if macs else ""
        return f"{self.cycles:,} cycles of a {self.core.title()}{per_mac} ({self.method})"


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


class LinuxMachine(Part):
    """A Linux board, or another Linux machine, as it describes itself; null is what it does not say."""

    host: str
    model: str | None
    """As its device tree or its firmware names it."""
    compatible: list[str]
    """The list in its device tree; empty where it has none."""
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

    def in_words(self) -> str:
        """One line."""
        equal = f"outputs equal to the host's: {self.equal_outputs} of {self.images}, same class: {self.same_class}"
        return f"{equal}, by {self.max_difference:g} at most"


class MeasuredDetails(Part):
    """What a board tells of a model on it beside outputs and times; null or empty is what it does not tell."""

    code: McuCode | None = None
    firmware: McuFirmware | None = None
    cycles: list[int] = Field(default_factory=list)
    """The counters of one timed run with the median latency: CPU cycles (STM32N6: before, on, and after the NPU)."""
    stack_bytes: int | None = None
    """The most that a run used."""
    heap_bytes: int | None = None
    protocol_errors: int | None = None
    """Answers that did not come or were wrong; no run that saw one counts."""
    retries: int | None = None
    power_cycles: int | None = None
    """How often the board had to be switched off and on before it answered."""
    cpu_frequencies: list[CpuFrequency] = Field(default_factory=list)
    shares: EngineShares | None = None
    no_shares: str = ""
    """Why `shares` is null."""
    layer_times: LayerTimes | None = None
    no_layer_times: str = ""
    """Why `layer_times` is null."""


class Measurement(MeasuredDetails):
    """What a board does with one model."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"] | None
    """Null where the model is a file of its own."""
    model_sha256: str
    """The digest of the .tflite file that the board runs, or that what it runs was made of."""
    file: Literal["tflite", "nb", "firmware"]
    """What it runs; `nb` is an NPU binary."""
    file_sha256: str | None
    """The digest of that file; null where nobody knows (a flash command that builds the firmware itself)."""
    runtime: str
    engine: str
    """What the runtime says that it runs on; how the work was really shared is in `shares`."""
    threads: int | None
    """Null where nobody chooses."""
    latency: MeasuredLatency
    """The latency of the timed runs; on a microcontroller their input is one repeated value, so that no picture crosses the line."""
    images_median_ms: float
    """Median over the compared images, each run once."""
    compared: ComparedOutputs
    accuracy: Accuracy | None
    """On the compared images; null where they have no labels."""

    def in_words(self, where: str, how: str) -> Iterator[str]:
        """Lines for people."""
        latency, found = self.latency, self.accuracy
        yield (
            f"{f'{self.format} on ' if self.format else ''}{where}: median {latency.median_ms:.3f} ms, "
            f"{latency.min_ms:.3f} - {latency.max_ms:.3f} ms over {latency.runs} runs, {how}"
        )
        yield from (f"  unstable, the board was busy or its clock moved: {reason}" for reason in latency.unstable)
        yield f"  {self.compared.in_words()}" + (f"; accuracy on the board {found.value:.1%} of {found.n}" if found else "")
        if not self.compared.agrees:
            yield "  It computes something else: update the runtime, or choose another; the time is not one of this model."
        yield f"  {', '.join(self._made_by())}"
        if self.layer_times:
            yield f"  {self.layer_times.in_words()}"

    def _made_by(self) -> Iterator[str]:
        yield f"{self.file if self.file != 'tflite' else 'model'} on {self.engine} with {self.runtime}"
        if self.code:
            yield f"code by {self.code.backend} {self.code.backend_version or ''}".rstrip()
        if self.shares:
            yield f"NPU {self.shares.npu_percent:g} %, GPU {self.shares.gpu_percent:g} %, CPU {self.shares.cpu_percent:g} %"
        if self.retries is not None:
            yield f"{self.protocol_errors} protocol errors, {self.retries} retries"


class MeasuredBenchmark(Benchmark):
    """Latency measured by a board's own clock. A device that calls itself virtual never gets one."""

    kind: Literal["benchmark-measured"] = "benchmark-measured"
    board_kind: str
    """In kinds.yaml."""
    target: Literal["MCU", "MPU"] | None
    """Whose figures these are; null: of the host, or of an ordinary Linux machine, and no target's."""
    device: str
    """In one line; a machine that is no STM32 is called so."""
    microcontroller: McuDevice | None
    machine: LinuxMachine | None
    """As a microcontroller and a Linux machine describe themselves."""
    models: list[Measurement]

    @property
    def digests(self) -> set[str]:
        return {model.model_sha256 for model in self.models}

    def in_words(self) -> str:
        """Lines for people."""
        where = f"{self.board} ({self.device})"
        other = "measured on this host" if self.board_kind == "host" else "measured on a machine that is no target"
        how = "measured on hardware" if self.target else other
        return "\n".join(line for model in self.models for line in model.in_words(where, how))


class EmulatedDetails(Part):
    """What an emulated board tells of a model on it."""

    part: str
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
    protocol: str
    protocol_errors: int
    """Answers that did not come or were wrong; no run that saw one counts."""
    retries: int
    estimated: EstimatedCycles | None = None
    """Of one image; null for a core that is not estimated, and in records of before."""


class Emulation(EmulatedDetails):
    """What an emulated board does with one model: exact counts of instructions, and whether the outputs are right."""

    model_sha256: str
    runtime: str
    """What the firmware says of itself."""
    images: int
    equal_outputs: int
    """Images on which every output equals that of LiteRT's reference kernels on this host, bit for bit."""
    max_difference: float
    """Largest absolute difference of any score from the host's."""
    output_type: str
    instructions: ExecutedInstructions
    """The instructions of the whole network, without observers."""
    assumption: str
    """What the median would mean in time, and under which assumption: never a measurement."""


class EmulatedBenchmark(Benchmark, Emulation):
    """Generated code on an emulated microcontroller."""

    kind: Literal["benchmark-emulated"] = "benchmark-emulated"

    @property
    def digests(self) -> set[str]:
        return {self.model_sha256}

    @property
    def _estimate(self) -> str:
        return f"estimated, not measured: {self.estimated.in_words(self.macs)}\n" if self.estimated else ""

    def in_words(self) -> str:
        """Lines for people."""
        per_mac = f" ({self.instructions.median / self.macs:.3f} for each multiply-accumulate)" if self.macs else ""
        equal = f"{self.equal_outputs} of {self.images}, by {self.max_difference:g} at most"
        memory = f"activation RAM {self.activation_ram_bytes / 1024:.2f} KiB, weights {self.weight_bytes / 1024:.2f} KiB"
        return (
            f"{self.board} (emulated {self.part}): {self.instructions.median:,} instructions{per_mac}, {self.assumption}\n{self._estimate}"
            f"outputs equal to the host's reference kernels: {equal}\n{memory}"
        )


BenchmarkRecord = MeasuredBenchmark | FarmBenchmark | EmulatedBenchmark
_UNION: TypeAdapter[BenchmarkRecord] = TypeAdapter(Annotated[BenchmarkRecord, Field(discriminator="kind")])


def read_benchmark(path: Path) -> BenchmarkRecord:
    """Read the record of a board.

    Raises:
        InputError: the file is absent, or is no record of a benchmark, or one of another version of edgeloop.
    """
    try:
        return benchmark_of(read_text(path), str(path))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.", "Build it first: edgeloop plan says what that takes.") from None
    except UnicodeDecodeError as error:
        raise _no_benchmark(str(path), error) from error


def benchmark_of(content: str | bytes, name: str) -> BenchmarkRecord:
    """The record of a board in the content of a file of that name.

    Raises:
        InputError: it is no record of a benchmark, or one of another version of edgeloop.
    """
    try:
        return _UNION.validate_json(content)
    except ValidationError as error:
        raise _no_benchmark(name, error) from error


def _no_benchmark(name: str, error: Exception) -> InputError:
    return InputError(
        f"{name} is no benchmark of this version of edgeloop: {error}",
        f"Measure anew: dvc repro --force --single-item benchmark@VARIANT-{Path(name).stem}; or delete it, if that board is no more.",
    )
