"""The tables of memory and speed. Measured on hardware, emulated and estimated are never in one table, and the host that
runs edgeloop is never a target.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from edgeloop.cards.layers import Layer, Layers
from edgeloop.cards.markdown import Table
from edgeloop.cards.memory import NOT_MEASURED, kib, memory_table, tool_cells, tool_heads
from edgeloop.cards.sources import Sources
from edgeloop.errors import InputError
from edgeloop.markup import text
from edgeloop.plural import many
from edgeloop.records import CpuFrequency, EmulatedBenchmark, FarmBenchmark, MeasuredBenchmark, Measurement
from edgeloop.resolution import image_text

Family = Literal["NPU", "MCU", "MPU", "emulated", "host"]
TARGETS: tuple[tuple[Family, str], ...] = (
    ("NPU", "STM32N6"),
    ("MCU", "STM32H7, STM32F7 and other Cortex-M"),
    ("MPU", "STM32MP1, STM32MP2"),
)
Cell = Callable[[Measurement], str | None]
"""None: not measured."""


@dataclass(frozen=True)
class Section:
    """The figures of one record on a card: a table, what it is about, and how its figures came about."""

    family: Family
    board: str
    """In words: its name in the lab, and what it is."""
    title: str
    note: str
    table: Table
    layers: Sequence[Layers] = ()
    """Its figures layer by layer, where they are known: of each model that the board ran."""
    memory: Table | None = None
    """What the code on it takes, with the columns of the published cards."""


def missing_targets(sections: Iterable[Section]) -> Table | None:
    """Which families of targets have no figures; None when all have."""
    covered = {section.family for section in sections}
    rows = [[family, series, NOT_MEASURED, NOT_MEASURED] for family, series in TARGETS if family not in covered]
    return Table(["Target", "Series", "Memory footprint", "Inference time"], rows) if rows else None


def resolution_text(sources: Sources) -> str:
    """Width, height and channels of the image, as the published cards write it, e.g. `128x128x3`."""
    return image_text(sources.evaluate.resolution, sources.evaluate.color)


def format_text(name: str) -> str:
    """A record's format as a card writes it, e.g. `Int8 per-channel`."""
    return name[:1].upper() + name[1:]


def measured_section(model: str, name: str, record: MeasuredBenchmark, sources: Sources) -> Section:
    """Latency measured on a board, with what its code takes; of a machine that is no target it is no target's figure."""
    check_models(name, record, sources)
    npu = any(one.code and one.code.profile is not None for one in record.models)
    columns = list(_columns(record, npu))
    rows = [[*_named(model, record, one, sources), *(cell(one) or NOT_MEASURED for _, cell in columns)] for one in record.models]
    what = record.microcontroller.title if record.microcontroller else record.device
    title = "Inference time on the host" if record.board_kind == "host" else f"Inference time on {record.board}"
    return Section(
        "NPU" if npu else record.target or "host",
        record.board if record.board_kind == "host" else f"{record.board} ({what})",
        title if record.target else f"{title} (not a target)",
        _note(record),
        Table(["Model", "Format", "Resolution", *(head for head, _ in columns)], rows),
        [found for one in record.models if (found := _layers(record, one))],
        _memory(model, record, sources),
    )


def _named(model: str, record: MeasuredBenchmark, one: Measurement, sources: Sources) -> list[str]:
    kind = str(one.format).partition(" ")[0] if _with_quantization(record) else str(one.format)
    binary = " (NPU binary, .nb)" if one.file == "nb" else ""
    return [text(model), format_text(kind) + binary, resolution_text(sources)]


def _with_quantization(record: MeasuredBenchmark) -> bool:
    """Whether the format's two parts have a column each, as of the published MPU."""
    return record.target == "MPU"


def _columns(record: MeasuredBenchmark, npu: bool) -> Iterator[tuple[str, Cell]]:
    """Those of the published cards in their order, then what they lack."""
    frequency = ("Frequency", lambda one: _frequency(record, one))
    if _with_quantization(record):
        yield "Quantization", _quantization
    yield "Board", lambda _: text(_board_text(record))
    yield ENGINE
    if record.target and not npu:
        yield frequency
    yield TIME
    if npu:
        yield "Inf / sec", lambda one: f"{1000 / one.latency.median_ms:.2f}"
    heads = tool_heads(one.code for one in record.models if one.code)
    yield from ((head, partial(_tool, head)) for head in heads)
    if (machine := record.machine) is not None:
        yield from SHARES
        if record.target:
            yield "X-LINUX-AI version", lambda _: text(machine.x_linux_ai or "not told")
        yield "Framework", lambda one: text(one.runtime)
    if npu:
        yield frequency
    yield from LAST


def _tool(head: str, one: Measurement) -> str:
    return tool_cells(one.code, [head])[0]


def _board_text(record: MeasuredBenchmark) -> str:
    if record.microcontroller:
        return record.microcontroller.title
    return record.board if record.board_kind == "host" else (record.machine and record.machine.model) or record.device


def _frequency(record: MeasuredBenchmark, one: Measurement) -> str | None:
    """Of the processor: what a microcontroller says, or what the kernel said of all groups of cores after the runs."""
    if record.microcontroller:
        return f"{record.microcontroller.clock_hz / 1e6:g} MHz"
    known = sorted({group.after_khz for group in one.cpu_frequencies if group.after_khz is not None})
    return ", ".join(f"{khz / 1000:g} MHz" for khz in known) or None


def _quantization(one: Measurement) -> str:
    return str(one.format).removeprefix("int8 ") if one.format and one.format != "float" else "-"


def _memory(model: str, record: MeasuredBenchmark, sources: Sources) -> Table | None:
    return memory_table([(_named(model, record, one, sources), one.code) for one in record.models if one.code is not None])


def _layers(record: MeasuredBenchmark, one: Measurement) -> Layers | None:
    if (times := one.layer_times) is None:
        return None
    how = f"{times.statistic}s of {times.runs} runs of their own, which observing makes longer"
    note = (
        f"Measured by the board ({text(times.clock)}), layer by layer: {how}; "
        f"together {times.sum_ms:.3f} ms, where the whole inference unobserved takes {one.latency.median_ms:.3f} ms."
    )
    each = [Layer(layer.name, layer.time_ms, layer.macs) for layer in times.layers]
    which = f", {one.format}" if len(record.models) > 1 else ""
    return Layers(f"{record.board}{which}", "Time (ms)", 3, note, each)


def check_models(name: str, record: MeasuredBenchmark | FarmBenchmark, sources: Sources) -> None:
    """Refuse (InputError) a record of another model than this card's."""
    known = {result.sha256 for result in sources.evaluate.formats} | {one.sha256 for one in sources.quantize.models}
    if other := [one.format for one in record.models if one.model_sha256 not in known]:
        raise InputError(f"{name} measured another {other[0]} model than quantize.json and evaluate.json are about.", "Run dvc repro.")


ENGINE: tuple[str, Cell] = (
    "Execution Engine",
    lambda one: text(one.engine) + (f", {one.threads} threads" if (one.threads or 1) > 1 else ""),
)
TIME: tuple[str, Cell] = ("Inference time (ms)", lambda one: f"{one.latency.median_ms:.3f}")
SHARES: tuple[tuple[str, Cell], ...] = (
    ("%NPU", lambda one: f"{one.shares.npu_percent:g}" if one.shares else None),
    ("%GPU", lambda one: f"{one.shares.gpu_percent:g}" if one.shares else None),
    ("%CPU", lambda one: f"{one.shares.cpu_percent:g}" if one.shares else None),
)
LAST: tuple[tuple[str, Cell], ...] = (
    ("Spread, MAD (ms)", lambda one: f"{one.latency.mad_ms:.3f}"),
    ("Min - max (ms)", lambda one: f"{one.latency.min_ms:.3f} - {one.latency.max_ms:.3f}"),
    ("Runs", lambda one: str(one.latency.runs)),
    ("Stable", lambda one: f"**no**: {text('; '.join(one.latency.unstable))}" if one.latency.unstable else "yes"),
    (
        "Outputs equal to the host's",
        lambda one: f"{one.compared.equal_outputs} of {one.compared.images}, by {one.compared.max_difference:.3g} at most",
    ),
    ("Same class", lambda one: _same_class(one)),
    ("Accuracy on the board", lambda one: _accuracy(one)),
)


def _same_class(one: Measurement) -> str:
    same = f"{one.compared.same_class} of {one.compared.images}"
    return same if one.compared.agrees else f"**only {same}**"


def _accuracy(one: Measurement) -> str:
    found = one.accuracy
    return f"{found.value:.1%} of {found.n} ({found.ci95[0]:.1%} - {found.ci95[1]:.1%})" if found else "-"


def _note(record: MeasuredBenchmark) -> str:
    """Where it was measured, with what, and at which clock."""
    measured = "Measured on hardware" if record.target else "Measured on a machine that is no target"
    runtimes = ", ".join(sorted({one.runtime for one in record.models}))
    notes = [f"{measured}: {text(record.device)}, {text(runtimes)}, clock: {text(record.models[0].latency.clock)}."]
    if (machine := record.machine) is not None:
        clocks = sorted({_clock(one) for entry in record.models for one in entry.cpu_frequencies})
        software = ", ".join(filter(None, (machine.operating_system, machine.kernel, machine.x_linux_ai)))
        notes.append(f"{text(software)}; CPU clock: {text('; '.join(clocks)) if clocks else 'not told by its kernel'}.")
    if (board := record.microcontroller) is not None:
        notes.append(f"Device id 0x{board.device_id:x}; serial validation protocol {board.protocol}.")
    notes += dict.fromkeys(note for one in record.models for note in _code_notes(one))
    if record.target is None:
        notes.append("It says nothing about an STM32 and must not be compared with figures of one.")
    return " ".join(notes)


def _code_notes(one: Measurement) -> Iterable[str]:
    if (code := one.code) is not None:
        profile = f", Neural-ART profile {code.profile}" if code.profile else ""
        compiled = f"; firmware compiled {text(one.firmware.compiled)}" if one.firmware else ""
        yield f"Code by {code.backend} {text(code.backend_version or 'of unknown version')}{text(profile)}{compiled}."
        yield "RAM and flash are those of the generated code, its kernels and its runtime."
    if (made := one.firmware) and made.flash_bytes is not None:
        yield f"The whole firmware, which holds the network plain and observed, takes {kib(made.flash_bytes)} KiB of flash"
        yield f"and {kib(made.ram_bytes)} KiB of RAM."
    if one.stack_bytes is not None:
        heap = "" if one.heap_bytes is None else f", of heap {one.heap_bytes:,} bytes"
        yield f"The most that an inference took of the stack: {one.stack_bytes:,} bytes{heap}."
    if one.no_layer_times:
        yield f"No times of layers: {text(one.no_layer_times)}."
    if one.protocol_errors:
        repeated = "" if one.retries is None else f", {many(one.retries, 'run')} repeated"
        yield f"{many(one.protocol_errors, 'protocol error')}{repeated}."


def _clock(frequency: CpuFrequency) -> str:
    known = [f"{khz / 1000:g} MHz" for khz in (frequency.before_khz, frequency.after_khz) if khz is not None]
    return f"governor {frequency.governor}, {' to '.join(dict.fromkeys(known)) or 'frequency not told'}"


def emulated_section(model: str, name: str, record: EmulatedBenchmark, sources: Sources) -> Section:
    """Executed instructions on an emulated part, which are no time."""
    formats = {model.sha256: model.format for model in sources.quantize.models}
    if record.model_sha256 not in formats:
        raise InputError(f"{name} ran another model than quantize.json is about.", "Run dvc repro.")
    instructions = record.instructions
    row = [
        text(model),
        format_text(formats[record.model_sha256]),
        resolution_text(sources),
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
    if record.estimated:
        note += f" **Estimated**, neither measured nor counted: {text(record.estimated.in_words(record.macs))}."
    board = f"{record.board} (emulated {record.part})"
    title = f"Emulated: executed instructions on {record.board}"
    return Section("emulated", board, title, note, Table(heads, [row]), [_emulated_layers(record)])


def _agreement(record: EmulatedBenchmark) -> str:
    equal = f"{record.equal_outputs} of {record.images}"
    disturbed = f"; {record.protocol_errors} protocol errors" if record.protocol_errors else ""
    if record.equal_outputs == record.images:
        return equal + disturbed
    return f"**{equal}**, by {record.max_difference:g} at most{disturbed}"


def _emulated_layers(record: EmulatedBenchmark) -> Layers:
    """Layers that are computed within another one have no count of their own."""
    note = "Emulated, layer by layer, in one more run with observers, which cost instructions of their own."
    each = [Layer(layer.name, layer.instructions, layer.macs) for layer in record.layers]
    return Layers(record.board, "Instructions", 0, note, each)
