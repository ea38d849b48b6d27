"""The records: small typed JSON files that each state one result with its provenance. Cards are made from nothing else.

Units are in the names. What was not measured is `null`, never 0. *Measured on hardware*, *emulated* and *estimated*
are different types; no field takes one for another.
"""

import datetime as dt
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgeloop.errors import InputError
from edgeloop.files import write_text

RecordType = TypeVar("RecordType", bound="Record")


class Part(BaseModel):
    """A piece of a record: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Provenance(Part):
    """What a result can be traced back to and repeated with."""

    time_utc: str
    command: str
    git_commit: str | None
    git_dirty: bool | None
    host: str
    cpu: str
    cpus: int
    tools: dict[str, str]
    params: dict[str, Any]
    data_revision: str | None
    """SHA-256 of the manifest that the result stands on; null where no data set is involved."""
    duration_s: float


class Record(Part):
    """Base of all records."""

    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write as JSON, atomically, keys in the order of the fields."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls: type[RecordType], path: Path) -> RecordType:
        """Read a record.

        Raises:
            InputError: the file is absent or is not such a record.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path} does not exist.", "Build it: dvc repro lists the stage that makes it.") from None
        except (ValidationError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a {cls.__name__}: {error}", "Delete it and build it again.") from error


class FetchRecord(Record):
    """Where an archive came from."""

    kind: Literal["fetch"] = "fetch"
    dataset: str
    origin: str
    """The address, path or `drawn` that the archive was taken from."""
    bytes: int
    sha256: str
    upstream: bool
    """Whether this is the upstream archive, by its SHA-256."""
    note: str
    """`the upstream archive`, `not the upstream archive`, `packed from a folder` or `drawn by edgeloop`."""
    given: bool = False
    """Whether the user gave it (`--from`) in place of the declared source."""


class SplitCounts(Part):
    """Images of one split, by class name."""

    images: int
    per_class: dict[str, int]


class PrepareRecord(Record):
    """What came out of an archive."""

    kind: Literal["prepare"] = "prepare"
    dataset: str
    archive: FetchRecord
    manifest_sha256: str
    classes: list[str]
    members: int
    added: int = 0
    """Those of `members` that later ingests added."""
    images: int
    """Images that are in a split."""
    quarantined: dict[str, int]
    """Count of quarantined members by reason."""
    outside_class_folders: list[str]
    """Members that are no images of a class (licence texts, lists)."""
    split_rule: str
    """The rule that was applied, and why it is not the declared one where it is not."""
    splits: dict[str, SplitCounts]
    duplicate_groups: int
    shards: int
    shard_bytes: int


class QuarantinedFile(Part):
    """An incoming file that was not added."""

    path: str
    """In the incoming folder."""
    bytes: int
    sha256: str | None
    """Null for a file that is too large to be read."""
    reason: str


class IngestRecord(Record):
    """What became of incoming images."""

    kind: Literal["ingest"] = "ingest"
    dataset: str
    number: int
    source: str
    files: int
    """All incoming files."""
    added: dict[str, dict[str, int]]
    """Images by split and class."""
    known: int
    """Files whose bytes the data set has, had quarantined before, or that came twice."""
    quarantined: dict[str, int]
    """Count by reason."""
    quarantined_files: list[QuarantinedFile]
    outside_class_folders: list[str]
    archive: str | None
    """File name of the archive below data/<dataset>/additions, which has its digest; null where nothing was added."""
    rejected_archive: str | None
    """File name of the archive of quarantined files below data/<dataset>/rejected."""
    revision_before: str
    """SHA-256 of the manifest."""
    revision_after: str


class RuleResult(Part):
    """The outcome of one validation rule."""

    name: str
    description: str
    severity: Literal["error", "warning"]
    holds: bool
    observed: float | str | None
    expected: str
    failed_rows: int


class ValidateRecord(Record):
    """The outcome of a data set's suite."""

    kind: Literal["validate"] = "validate"
    dataset: str
    manifest_sha256: str
    previous_manifest_sha256: str | None
    accepted: bool
    results: list[RuleResult]


class PhaseResult(Part):
    """What one training phase did."""

    mode: str
    epochs_planned: int
    epochs_run: int
    best_val_accuracy: float
    images_per_s: float


class StartingWeights(Part):
    """What a training started from."""

    kind: Literal["scratch", "keras", "keras2_h5"]
    origin: str
    sha256: str | None
    license: str | None
    layers_loaded: int


class TrainRecord(Record):
    """A trained float model."""

    kind: Literal["train"] = "train"
    dataset: str
    network: str
    resolution: int
    classes: list[str]
    start: StartingWeights
    model_sha256: str
    parameters: int
    """Trainable and not, batch normalisation's four vectors included."""
    parameters_folded: int
    """With batch normalisation folded into the convolutions: what an int8 model holds."""
    macs: int
    phases: list[PhaseResult]
    best_epoch: int
    val_accuracy: float
    train_images: int
    val_images: int
    resumed: int
    """How often the training was taken up again after it had been cut off."""


class TfliteModel(Part):
    """One converted model file."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"]
    file: str
    sha256: str
    bytes: int
    weight_bytes: int
    """Constant tensors: int8 weights plus int32 biases, or float32."""


class QuantizeRecord(Record):
    """Converted models."""

    kind: Literal["quantize"] = "quantize"
    dataset: str
    network: str
    resolution: int
    model_sha256: str
    calibration_images: int
    calibration_per_class: dict[str, int]
    calibration_sha256: str
    """Of the calibration pixels, in order."""
    models: list[TfliteModel]


class Accuracy(Part):
    """An accuracy as a fraction, with the number of images and the 95 % Wilson interval."""

    value: float
    n: int
    ci95: tuple[float, float]


class ClassResult(Part):
    """Counts of one class on the evaluated images."""

    label: str
    n: int
    recall: float | None
    precision: float | None


class FormatResult(Part):
    """One format of a model on the evaluated images."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"]
    sha256: str
    top1: Accuracy
    top5: Accuracy | None
    agreement_with_float: float | None
    """Share of images on which the predicted class equals the float model's; null for float itself."""
    per_class: list[ClassResult]
    confusion: list[list[int]]
    """Rows are true classes, columns predicted ones, both in the order of `classes`."""


class EvaluateRecord(Record):
    """Accuracy on `test`, read once."""

    kind: Literal["evaluate"] = "evaluate"
    dataset: str
    network: str
    resolution: int
    split: str
    classes: list[str]
    resize: str
    formats: list[FormatResult]


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


class CodegenBackend(Part):
    """What generated the code; `none` where the target runs the .tflite file itself."""

    name: Literal["portable", "stedgeai", "none"]
    version: str | None
    """Null where a log does not state it."""


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


class CodegenLayer(Part):
    """One layer of generated code, in the order of execution."""

    name: str
    type: str
    """The operator's name, e.g. CONV_2D."""
    position: int | None
    """Its place among the operators of the model's file."""
    output_shape: list[int] | None
    """(height, width, channels); as the tool states it where that has other dimensions."""
    macs: int | None
    weight_bytes: int | None


class CompiledSize(Part):
    """The size of the generated code as one compiler makes it."""

    compiler: str
    """Name and version."""
    flags: list[str]
    cpu: str
    code_bytes: int
    """Instructions and their literals, kernels included."""
    constant_bytes: int
    """Constants other than weights and biases: scaling and layer parameters."""


class MemoryPool(Part):
    """One region of a target's memory."""

    name: str
    internal: bool | None
    """On the chip; null where the linker decides."""
    weight_bytes: int | None
    activation_ram_bytes: int | None
    address: int | None = None
    size_bytes: int | None = None
    """Null where it is not limited or not stated."""


class Epochs(Part):
    """The steps in which an NPU and its processor run a network."""

    total: int
    software: int
    """Run by the processor alone."""
    hybrid: int | None
    """Run by both; null where the version does not tell them apart."""
    hardware: int | None
    """Run by the NPU, each started by the processor."""
    controller: int | None
    """Run by the NPU, started by its epoch controller."""


class ValidationOutput(Part):
    """How one output of the generated network differs from a reference, in dequantized values."""

    name: str
    """What is compared, as the tool calls it, e.g. X-cross #1 (the model against the generated network)."""
    accuracy: float | None
    """Share of equal classes; null where the tool did not take the model for a classifier."""
    rmse: float | None
    mae: float | None
    l2r: float | None
    """Euclidean norm of the difference over that of the reference."""
    nse: float | None
    """Nash-Sutcliffe efficiency, 1 is best."""
    cos: float | None
    """Cosine similarity."""


class ToolValidation(Part):
    """What the tool's own `validate` states. Times are of the board, never of the host (where the tool calls them an indication)."""

    mode: Literal["host", "target"]
    device: str | None
    samples: int | None
    duration_ms: float | None
    """Mean of the samples, measured on the board."""
    duration_min_ms: float | None
    duration_max_ms: float | None
    cycles: list[int] | None
    """Of the processor: one number, or on the N6 software before, NPU, software after."""
    outputs: list[ValidationOutput]


class ToolRun(Part):
    """What a vendor's generator states of its own run."""

    command: str | None
    """Its arguments as it repeats them."""
    components: dict[str, str]
    """Versions of its parts, as it prints them."""
    model: str | None
    model_format: str | None
    model_hash: str | None
    optimization: str | None
    compression: str | None
    profile: str | None
    """The NPU's profile, NAME or NAME@FILE."""
    npu_compiler: str | None
    npu_options: str | None
    size_series: str | None
    """The series that code sizes were measured for."""
    network_signature: str | None
    errors: list[str]
    """Failures of later steps in the same log (a board that did not answer); the figures here are from before."""


class CodegenRecord(Record):
    """Code generated from a model, by any backend. Null is what this backend does not state or nobody measured."""

    kind: Literal["codegen"] = "codegen"
    dataset: str | None
    network: str | None
    resolution: int | None
    """Of the variant; null where the model is a file of its own."""
    backend: CodegenBackend
    target: str | None
    """Null where a foreign report does not state it."""
    cpu: str | None
    note: str
    """What should be known of code for this target; may be empty."""
    model_sha256: str | None
    """Null where the record was read from a tool's output without the model."""
    name: str
    """Prefix of the generated C names."""
    stream_input: bool | None
    """Whether the input comes row by row through a callback, so that no frame is held."""
    macs: int | None
    weight_bytes: int | None
    """int8 weights plus int32 biases."""
    activation_ram_bytes: int | None
    """Input, output, scratch and everything between."""
    runtime_ram_bytes: int | None
    """RAM of the runtime besides activations."""
    code_flash_bytes: int | None
    """Code and constants besides weights and biases, as compiled."""
    compiled: CompiledSize | None
    """What `code_flash_bytes` was measured on."""
    pools: list[MemoryPool] | None
    """Null where the placement is left to the linker."""
    layers: list[CodegenLayer] | None
    io_ram_bytes: int | None = None
    """RAM of inputs and outputs besides `activation_ram_bytes`: 0 where they lie in it."""
    toolchain_flash_bytes: int | None = None
    """The part of `code_flash_bytes` that is the compiler's own libraries: contained, never to be added."""
    internal_ram_bytes: int | None = None
    """Activations on the chip; null where the linker decides."""
    external_ram_bytes: int | None = None
    internal_flash_bytes: int | None = None
    """Weights on the chip; null where the linker decides."""
    external_flash_bytes: int | None = None
    binary_bytes: int | None = None
    """Size of the network's file where the target loads one (.nb, .tflite)."""
    rounded: bool = False
    """Whether weights and activations are known only as the tool rounded them (KiB or MiB with three decimals)."""
    pools_rounded: bool = False
    """Whether the pools, and what is internal or external, are known only so."""
    epochs: Epochs | None = None
    """Null where no NPU is used."""
    run: ToolRun | None = None
    validation: ToolValidation | None = None


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


class CardRecord(Record):
    """A model card and the records it was made from."""

    kind: Literal["card"] = "card"
    dataset: str
    network: str
    resolution: int
    records: dict[str, str]
    """SHA-256 of each record that the card states, by file name."""
    files: dict[str, str]
    """SHA-256 of each file of the card."""


def provenance(root: Path, params: dict[str, Any], tools: list[str], started: dt.datetime, data_revision: str | None = None) -> Provenance:
    """The provenance of a result that this process made.

    `tools` names installed distributions whose versions go into the record; edgeloop and Python are always there.
    `started` is an aware time; `root` is the workspace whose git commit counts.
    """
    now = dt.datetime.now(dt.UTC)
    commit, dirty = _git_state(root)
    return Provenance(
        time_utc=now.isoformat(timespec="seconds"),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        git_commit=commit,
        git_dirty=dirty,
        host=platform.node(),
        cpu=cpu_model(),
        cpus=os.cpu_count() or 1,
        tools={"edgeloop": version("edgeloop"), "python": platform.python_version()} | {name: version(name) for name in tools},
        params=params,
        data_revision=data_revision,
        duration_s=round((now - started).total_seconds(), 3),
    )


def cpu_model() -> str:
    """The processor's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git_state(root: Path) -> tuple[str | None, bool | None]:
    """The commit and whether tracked files differ from it; (None, None) outside git or before the first commit."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock"))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
