"""The tables of memory and speed. Measured on hardware, emulated and estimated are never in one table, and the host that
runs edgeloop is never a target.

A new kind of record adds one entry to `READERS`; nothing else of the card changes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from edgeloop.cards.markdown import Table
from edgeloop.cards.sources import Sources
from edgeloop.errors import InputError
from edgeloop.markup import text
from edgeloop.records import (
    BenchmarkRecord,
    CpuFrequency,
    EmulatedBenchmarkRecord,
    McuBenchmarkRecord,
    MpuBenchmarkRecord,
    MpuModelBenchmark,
)

Family = Literal["NPU", "MCU", "MPU", "emulated", "host"]
TARGETS: tuple[tuple[Family, str], ...] = (
    ("NPU", "STM32N6"),
    ("MCU", "STM32H7, STM32F7 and other Cortex-M"),
    ("MPU", "STM32MP1, STM32MP2"),
)
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Section:
    """One table of a card, what it is about, and how its figures came about."""

    family: Family
    title: str
    note: str
    table: Table
    layers: Table | None = None
    """Its figures layer by layer, where they are known."""


Reader = Callable[[str, str, dict[str, Any], Sources], Section]
"""Takes the model's title, the file's name, the raw record and all records; returns its section."""


def performance_sections(model: str, sources: Sources) -> list[Section]:
    """The sections of all performance records, in the order of their files.

    Raises:
        InputError: a record is damaged, of an unknown kind, or about another model.
    """
    return [_reader(name, raw)(model, name, raw, sources) for name, raw in sources.benchmarks.items()]


def missing_targets(sections: Iterable[Section]) -> Table | None:
    """Which families of targets have no figures; None when all have."""
    covered = {section.family for section in sections}
    rows = [[family, series, NOT_MEASURED, NOT_MEASURED] for family, series in TARGETS if family not in covered]
    return Table(["Target", "Series", "Memory footprint", "Inference time"], rows) if rows else None


def resolution_text(resolution: int) -> str:
    """As the published cards write it, e.g. `128x128x3`."""
    return f"{resolution}x{resolution}x3"


def format_text(name: str) -> str:
    """A record's format as a card writes it, e.g. `Int8 per-channel`."""
    return name[:1].upper() + name[1:]


def host_section(model: str, name: str, raw: dict[str, Any], sources: Sources) -> Section:
    """Latency on the host that runs edgeloop."""
    try:
        record = BenchmarkRecord.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{name} is not a BenchmarkRecord: {error}", "Delete it and build it again.") from None
    _check_models(name, record, sources)
    heads = [
        "Model",
        "Format",
        "Resolution",
        "Threads",
        "Inference time, median (ms)",
        "Spread, MAD (ms)",
        "Min - max (ms)",
        "Runs",
        "Warm-up runs",
        "Stable",
    ]
    rows = [
        [
            text(model),
            format_text(measured.format),
            resolution_text(record.resolution),
            str(record.threads),
            f"{measured.latency.median_ms:.3f}",
            f"{measured.latency.mad_ms:.3f}",
            f"{measured.latency.min_ms:.3f} - {measured.latency.max_ms:.3f}",
            str(measured.latency.runs),
            str(measured.latency.warmup_runs),
            "yes" if measured.latency.stable else f"**no** (±{measured.latency.coefficient_of_variation:.0%})",
        ]
        for measured in record.models
    ]
    clocks = ", ".join(sorted({measured.latency.clock for measured in record.models}))
    note = (
        f"Measured on this host ({text(record.device)}, {text(record.runtime)}, clock: {text(clocks)}), never on a target: "
        "it says nothing about an STM32 and must not be compared with figures of one."
    )
    return Section("host", "Inference time on the host (not a target)", note, Table(heads, rows))


def emulated_section(model: str, name: str, raw: dict[str, Any], sources: Sources) -> Section:
    """Executed instructions on an emulated part, which are no time."""
    try:
        record = EmulatedBenchmarkRecord.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{name} is not an EmulatedBenchmarkRecord: {error}", "Delete it and build it again.") from None
    formats = {model.sha256: model.format for model in sources.quantize.models}
    if record.model_sha256 not in formats:
        raise InputError(f"{name} ran another model than quantize.json is about.", "Run dvc repro.")
    instructions = record.instructions
    row = [
        text(model),
        format_text(formats[record.model_sha256]),
        resolution_text(sources.evaluate.resolution),
        f"{instructions.median:,}",
        f"{instructions.min:,} - {instructions.max:,}",
        f"{instructions.median / record.macs:.3f}" if record.macs else "-",
        _agreement(record),
    ]
    heads = ["Model", "Format", "Resolution", "Instructions, median", "Min - max", "Per MACC", "Outputs equal"]
    note = (
        f"Nothing here was measured on hardware. The generated code, compiled by {text(record.compiler)}, ran in a firmware on an emulated "
        f"{text(record.part)} ({text(record.emulator)}) that counts executed instructions and knows neither caches nor wait states, "
        f"on {record.images} {text(record.pixels)}. In time the median would be {text(record.assumption)}. "
        "Outputs are compared bit for bit with those of LiteRT's reference kernels on the host."
    )
    return Section("emulated", f"Emulated: executed instructions on {record.board}", note, Table(heads, [row]), _layer_table(record))


def _agreement(record: EmulatedBenchmarkRecord) -> str:
    equal = f"{record.equal_outputs} of {record.images}"
    disturbed = f"; {record.protocol_errors} protocol errors" if record.protocol_errors else ""
    if record.equal_outputs == record.images:
        return equal + disturbed
    return f"**{equal}**, by {record.max_difference:g} at most{disturbed}"


def _layer_table(record: EmulatedBenchmarkRecord) -> Table:
    """Layers that are computed within another one have no count of their own."""
    rows = [
        [
            text(layer.name),
            "in the next" if layer.instructions is None else f"{layer.instructions:,}",
            "-" if layer.macs is None else f"{layer.macs:,}",
        ]
        for layer in record.layers
    ]
    return Table(["Layer", "Instructions", "MACC"], rows)


def mpu_section(model: str, name: str, raw: dict[str, Any], sources: Sources) -> Section:
    """Latency measured on a Linux board; on a machine that is no STM32MP it is no figure of a target."""
    try:
        record = MpuBenchmarkRecord.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{name} is not an MpuBenchmarkRecord: {error}", "Delete it and build it again.") from None
    _check_models(name, record, sources)
    heads = [
        "Model",
        "Format",
        "Resolution",
        "Engine",
        "Inference time, median (ms)",
        "Spread, MAD (ms)",
        "Min - max (ms)",
        "Runs",
        "Stable",
    ]
    heads += ["%NPU", "%GPU", "%CPU", "Outputs equal to the host's", "Same class", "Accuracy on the board"]
    rows = [[text(model), _file_text(measured), resolution_text(record.resolution), *_on_board(measured)] for measured in record.models]
    return Section(
        "MPU" if record.target == "stm32mp" else "host",
        f"Inference time on {record.board}" + ("" if record.target == "stm32mp" else " (not a target)"),
        _mpu_note(record),
        Table(heads, rows),
    )


def _check_models(name: str, record: BenchmarkRecord | MpuBenchmarkRecord, sources: Sources) -> None:
    """The record must be about the models that the card is about."""
    known = {result.sha256 for result in sources.evaluate.formats} | {model.sha256 for model in sources.quantize.models}
    files = [measured for measured in record.models if not (isinstance(measured, MpuModelBenchmark) and measured.file == "nb")]
    if other := [measured.format for measured in files if measured.sha256 not in known]:
        raise InputError(f"{name} measured another {other[0]} model than quantize.json and evaluate.json are about.", "Run dvc repro.")


def _file_text(measured: MpuModelBenchmark) -> str:
    return format_text(measured.format) + (" (NPU binary, .nb)" if measured.file == "nb" else "")


def _on_board(measured: MpuModelBenchmark) -> list[str]:
    latency, compared, shares = measured.latency, measured.compared, measured.shares
    percents = (shares.npu_percent, shares.gpu_percent, shares.cpu_percent) if shares else (None, None, None)
    threads = f", {measured.threads} threads" if (measured.threads or 1) > 1 else ""
    return [
        text(measured.engine) + threads,
        f"{latency.median_ms:.3f}",
        f"{latency.mad_ms:.3f}",
        f"{latency.min_ms:.3f} - {latency.max_ms:.3f}",
        str(latency.runs),
        "yes" if latency.stable else f"**no** (±{latency.coefficient_of_variation:.0%})",
        *(NOT_MEASURED if percent is None else f"{percent:g}" for percent in percents),
        f"{compared.equal_outputs} of {compared.images}, by {compared.max_difference:.3g} at most",
        f"{compared.same_class} of {compared.images}" if compared.agrees else f"**only {compared.same_class} of {compared.images}**",
        f"{measured.accuracy.value:.1%} of {measured.accuracy.n}" if measured.accuracy else "-",
    ]


def _mpu_note(record: MpuBenchmarkRecord) -> str:
    """Where it was measured, with what, and at which clock."""
    machine, runtimes = record.machine, ", ".join(sorted({measured.runtime for measured in record.models}))
    clocks = sorted({_clock(one) for entry in record.models for one in entry.cpu_frequencies})
    software = ", ".join(filter(None, (machine.operating_system, machine.kernel, machine.x_linux_ai)))
    note = (
        f"Measured on hardware: {text(record.device)}; {text(software)}; {text(runtimes)}; "
        f"CPU clock: {text('; '.join(clocks)) if clocks else 'not told by its kernel'}."
    )
    return note if record.target == "stm32mp" else f"{note} It says nothing about an STM32 and must not be compared with figures of one."


def _clock(frequency: CpuFrequency) -> str:
    known = [f"{khz / 1000:g} MHz" for khz in (frequency.before_khz, frequency.after_khz) if khz is not None]
    return f"governor {frequency.governor}, {' to '.join(dict.fromkeys(known)) or 'frequency not told'}"


def mcu_section(model: str, name: str, raw: dict[str, Any], sources: Sources) -> Section:
    """Latency measured on a microcontroller board, with what its code takes."""
    try:
        record = McuBenchmarkRecord.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{name} is not an McuBenchmarkRecord: {error}", "Delete it and build it again.") from None
    formats = {model.sha256: model.format for model in sources.quantize.models}
    if record.model_sha256 not in formats:
        raise InputError(f"{name} measured another model than quantize.json is about.", "Run dvc repro.")
    heads = ["Model", "Format", "Resolution", "Inference time, median (ms)", "Spread, MAD (ms)", "Min - max (ms)", "Runs", "Stable"]
    heads += ["Activation RAM (KiB)", "Runtime RAM (KiB)", "Weights flash (KiB)", "Code flash (KiB)", "Stack (bytes)", "Heap (bytes)"]
    heads += ["Outputs equal to the host's", "Same class", "Accuracy on the board"]
    row = [text(model), format_text(formats[record.model_sha256]), resolution_text(sources.evaluate.resolution), *_on_mcu(record)]
    family: Family = "NPU" if record.code.profile is not None else "MCU"
    return Section(family, f"Inference time on {record.board.name} ({record.board.title})", _mcu_note(record), Table(heads, [row]))


def _on_mcu(record: McuBenchmarkRecord) -> list[str]:
    latency, code, compared, found = record.latency, record.code, record.compared, record.accuracy
    memory = (code.activation_ram_bytes, code.runtime_ram_bytes, code.weight_bytes, code.code_flash_bytes)
    interval = f" ({found.ci95[0]:.1%} - {found.ci95[1]:.1%})" if found else ""
    return [
        f"{latency.median_ms:.3f}",
        f"{latency.mad_ms:.3f}",
        f"{latency.min_ms:.3f} - {latency.max_ms:.3f}",
        str(latency.runs),
        f"**no**: {text('; '.join(record.unstable))}" if record.unstable else "yes",
        *(NOT_MEASURED if size is None else f"{size / 1024:.2f}" for size in memory),
        *(NOT_MEASURED if size is None else f"{size:,}" for size in (record.stack_bytes, record.heap_bytes)),
        f"{compared.equal_outputs} of {compared.images}, by {compared.max_difference:.3g} at most",
        f"{compared.same_class} of {compared.images}",
        f"{found.value:.1%} of {found.n}{interval}" if found else "-",
    ]


def _mcu_note(record: McuBenchmarkRecord) -> str:
    """Which device, at which clock, with which code and firmware."""
    board, code, firmware = record.board, record.code, record.firmware
    clock = f"{board.clock_hz / 1e6:g} MHz, as it reports"
    profile = f", Neural-ART profile {code.profile}" if code.profile else ""
    disturbed = f" {record.protocol_errors} protocol errors, {record.retries} runs repeated." if record.protocol_errors else ""
    return (
        f"Measured on hardware: {text(board.title)}, device id 0x{board.device_id:x}, {text(clock)}; code by {code.backend} "
        f"{text(code.backend_version or 'of unknown version')}{text(profile)}; firmware: {text(firmware.runtime)}, "
        f"compiled {text(firmware.compiled)}; "
        f"serial validation protocol {board.protocol}. RAM and flash are those of the generated code.{disturbed}"
    )


READERS: dict[str, Reader] = {
    "benchmark-host": host_section,
    "benchmark-emulated": emulated_section,
    "benchmark-mcu": mcu_section,
    "benchmark-mpu": mpu_section,
}


def _reader(name: str, raw: dict[str, Any]) -> Reader:
    kind = str(raw.get("kind"))
    if kind not in READERS:
        raise InputError(f"{name} is a record of the unknown kind '{kind}'.", "Update edgeloop, or delete that file.")
    return READERS[kind]
