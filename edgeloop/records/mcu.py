"""The record of a benchmark on a physical microcontroller board."""

from typing import Literal

from edgeloop.records.base import Part, Record
from edgeloop.records.benchmarks import ComparedOutputs, MeasuredLatency
from edgeloop.records.models import Accuracy


class McuDevice(Part):
    """The device, as the lab knows it and as it describes itself."""

    name: str
    """In lab.yaml."""
    kind: str
    title: str
    serial: str | None
    """Of its probe; null where it is found by a port that has none."""
    address: str
    baud: int
    device_id: int
    clock_hz: int
    """Of its processor, read from the board."""
    bus_clock_hz: int
    protocol: str


class McuCode(Part):
    """The generated code that the firmware was built around; null is what its generator does not state."""

    target: str
    backend: str
    backend_version: str | None
    components: dict[str, str]
    """Versions of the generator's parts."""
    profile: str | None
    """Of the Neural-ART compiler; null where no NPU is used."""
    macs: int | None
    weight_bytes: int | None
    activation_ram_bytes: int | None
    io_ram_bytes: int | None
    runtime_ram_bytes: int | None
    code_flash_bytes: int | None
    internal_ram_bytes: int | None
    external_ram_bytes: int | None
    internal_flash_bytes: int | None
    external_flash_bytes: int | None


class McuFirmware(Part):
    """What was flashed, and what it says of itself."""

    sha256: str | None
    """Of the ELF; null where the flash command builds it itself (n6_loader)."""
    build: list[list[str]]
    """The commands, as they were run."""
    flash: list[list[str]]
    runtime: str
    runtime_version: str
    tool_version: str
    compiled: str
    signature: str
    signature_checked: bool
    """Whether it had to be that of the generated code. ST's firmware for the NPU gives none that could be compared."""
    activation_ram_bytes: int
    weight_bytes: int


class McuBenchmarkRecord(Record):
    """Latency measured on a microcontroller board by its own clock. A device that calls itself virtual never gets one."""

    kind: Literal["benchmark-mcu"] = "benchmark-mcu"
    origin: Literal["measured on hardware"] = "measured on hardware"
    dataset: str | None
    network: str | None
    resolution: int | None
    """Of the variant; null where the model is a file of its own."""
    board: McuDevice
    model_sha256: str
    code: McuCode
    firmware: McuFirmware
    latency: MeasuredLatency
    """Of the timed runs, whose input is one repeated value: only inference is timed, and no picture crosses the line."""
    unstable: list[str]
    """Why the latency is not stable; empty where it is."""
    images_median_ms: float
    """Median over the compared images, each sent and run once."""
    cycles: list[int]
    """The counters of one timed run with the median latency: CPU cycles (STM32N6: before, on, and after the NPU); may be empty."""
    stack_bytes: int | None
    """The most that a run used; null where the firmware does not measure it."""
    heap_bytes: int | None
    pixels: str
    """What was compared."""
    compared: ComparedOutputs
    accuracy: Accuracy | None
    """On the compared images; null where they have no labels."""
    protocol_errors: int
    """Answers that did not come or were wrong; no run that saw one counts."""
    retries: int
    power_cycles: int
    """How often the board had to be switched off and on before it answered."""
