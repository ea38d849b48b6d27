"""What one file of the tool states, in one form for all kinds of file: a text, a c_info file or one of the legacy files."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

from edgeloop.codegen.stedgeai.c_info import CInfo, Pool
from edgeloop.codegen.stedgeai.failures import Failure
from edgeloop.codegen.stedgeai.legacy import LegacyInfo
from edgeloop.codegen.stedgeai.npu import Npu
from edgeloop.codegen.stedgeai.report import Report
from edgeloop.codegen.stedgeai.sections import Sections
from edgeloop.records import CodegenLayer, Epochs, MemoryPool, ToolValidation

_WEIGHTS_AS_C = re.compile(r"_atonbuf\.\w+\.c$")


@dataclass(frozen=True)
class Memory:
    """RAM and weights of the network, in bytes; `rounded` if only to three decimals of KiB or MiB."""

    activations: int
    weights: int
    io: int | None
    rounded: bool = False


@dataclass(frozen=True)
class Code:
    """What the built network takes besides weights and activations, in bytes."""

    flash: int | None
    runtime_ram: int
    toolchain_flash: int | None
    series: str
    cpu: str | None = None
    code: int | None = None
    constants: int | None = None


@dataclass(frozen=True)
class Pools:
    """Memory pools with addresses."""

    pools: list[MemoryPool]
    rounded: bool = False


@dataclass(frozen=True)
class Stated:
    """None is what the file does not state."""

    where: str
    version: str | None
    command: str | None
    is_npu: bool
    name: str | None = None
    series: str | None = None
    """The target as the tool names it."""
    model: str | None = None
    model_format: str | None = None
    model_hash: str | None = None
    optimization: str | None = None
    compression: str | None = None
    signature: str | None = None
    toolchain: str | None = None
    npu_compiler: str | None = None
    npu_options: str | None = None
    memory: Memory | None = None
    code: Code | None = None
    pools: Pools | None = None
    macs: int | None = None
    macs_of_model: bool = False
    """Whether they are the model's, before it was mapped to an NPU."""
    layers: list[CodegenLayer] | None = None
    epochs: Epochs | None = None
    validation: ToolValidation | None = None
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def option(command: str | None, *names: str) -> str | None:
    """The value of an option in the tool's arguments, behind it or behind an equals sign; None where it is not there, or has none."""
    words = _words(command or "")
    for word, value in zip_longest(words, words[1:], fillvalue="-"):
        name, equals, joined = word.partition("=")
        if name in names:
            return joined if equals else None if value.startswith("-") else value
    return None


def _words(command: str) -> list[str]:
    try:
        # Backslashes are those of Windows' paths.
        return shlex.split(command.replace("\\", "/"))
    except ValueError:
        return command.split()


def stated_by_report(report: Report) -> Stated:
    """What a console log or report states.

    Raises:
        StedgeaiUnreadable: its summary lacks a row that all versions have.
    """
    summary, npu, sections = report.memory, report.npu, report.sections
    text = summary.text if summary else lambda _: None
    return Stated(
        where=report.where,
        version=str(report.version) if report.version else None,
        command=report.command,
        is_npu=report.is_npu,
        name=text("c_name"),
        series=text("target/series") or (sections.series if sections else None) or option(report.command, "--target", "--series"),
        model=text("model_name"),
        model_format=text("model_fmt"),
        model_hash=text("model_hash"),
        optimization=text("optimization"),
        compression=text("compression"),
        npu_compiler=npu.compiler if npu else None,
        npu_options=npu.options if npu else None,
        memory=_report_memory(report),
        code=_report_code(sections) if sections else None,
        pools=_report_pools(npu) if npu and npu.pools else None,
        macs=_report_macs(report),
        macs_of_model=report.is_npu and report.model_macs is not None,
        layers=report.table.layers if report.table else None,
        epochs=npu.epochs if npu else None,
        validation=report.validation,
        failures=report.failures,
        notes=[*report.warnings, *_table_fault(report), *(_weights_as_code(sections.weights_as_code) if sections else [])],
    )


def _report_memory(report: Report) -> Memory | None:
    """From the summary (its figures are exact), else the section sizes, else the use of the pools, which is rounded."""
    summary, sections = report.memory, report.sections
    # What `validate` summarises is a generic C model: it says nothing of a network for the NPU.
    if summary and not (report.is_npu and summary.step == "validate"):
        activations, weights = summary.number("activations (rw)", report.where), summary.number("weights (ro)", report.where)
        return Memory(activations, weights, summary.io_bytes)
    if sections and {"weights", "activations"} <= sections.rows.keys():
        io = sections.rows.get("io")
        # Of a processor the row of the weights is padded to whole words.
        return Memory(sections.rows["activations"].ram, sections.rows["weights"].flash, io.ram if io else None, rounded=not report.is_npu)
    if report.npu and report.npu.pools:
        pools = report.npu.pools
        used = [pool for pool in pools if pool.rounded]
        return Memory(sum(pool.activation_bytes for pool in pools), sum(pool.weight_bytes for pool in pools), None, rounded=bool(used))
    return None


def _report_code(sections: Sections) -> Code:
    runtime, toolchain = sections.runtime, sections.toolchain
    return Code(
        flash=runtime.flash,
        runtime_ram=runtime.ram,
        toolchain_flash=toolchain.flash if toolchain else None,
        series=sections.series,
        cpu=sections.cpu,
        code=runtime.text,
        constants=runtime.rodata + runtime.data,
    )


def _report_pools(npu: Npu) -> Pools:
    pools = [
        MemoryPool(
            name=pool.name,
            internal=pool.internal,
            weight_bytes=pool.weight_bytes,
            activation_ram_bytes=pool.activation_bytes,
            address=pool.start,
            size_bytes=pool.end - pool.start,
        )
        for pool in npu.pools
    ]
    return Pools(pools, rounded=any(pool.rounded for pool in npu.pools))


def _report_macs(report: Report) -> int | None:
    """Of the generated C model (the summary's row); for an NPU those of the model itself, since versions 2 and 3 print 0 for it."""
    summary = report.memory
    if report.is_npu:
        if report.model_macs is not None or summary is None or summary.step == "validate":
            return report.model_macs
        return summary.number("macc", report.where) or None
    return summary.number("macc", report.where) if summary else None


def _table_fault(report: Report) -> list[str]:
    fault = report.table.fault if report.table else None
    return [f"The table of layers in {report.where} {fault}; its layers are left out."] if fault else []


def _weights_as_code(weights: int) -> list[str]:
    return [f'The tool\'s "RT total" holds {weights} bytes of weights; they are not in code_flash_bytes.'] if weights else []


def stated_by_info(info: CInfo) -> Stated:
    """What a c_info file states; one that `validate` wrote of a generic C model states nothing of the network for the NPU."""
    generic = info.is_of_generic_model
    footprint = info.footprint
    memory, notes = (None, [_overwritten(info)]) if generic or (footprint is None and info.pools is None) else _info_memory(info)
    code, code_notes = (None, []) if generic else _info_code(info)
    return Stated(
        where=info.where,
        version=info.version,
        command=info.command,
        is_npu=info.is_npu,
        name=info.name,
        series=(footprint.series if footprint else None) or option(info.command, "--target", "--series"),
        model=info.model,
        signature=info.signature,
        toolchain=footprint.toolchain if footprint else None,
        npu_compiler=info.npu_compiler,
        npu_options=info.npu_options,
        memory=memory,
        code=code,
        pools=_info_pools(info, memory) if memory else None,
        macs=None if generic else info.macs,
        layers=None if generic else info.layers,
        epochs=info.epochs,
        validation=info.validation,
        notes=notes + code_notes,
    )


def _overwritten(info: CInfo) -> str:
    if info.footprint is None and info.pools is None:
        return f"{info.where} was overwritten by `validate`: it holds no memory figures any more."
    return (
        f"{info.where} was overwritten by `validate`: its figures are those of a generic C model, not of the NPU's network, and left out."
    )


def _info_memory(info: CInfo) -> tuple[Memory, list[str]]:
    """Of memory_footprint, else (the NPU compiler's own file) of the pools."""
    pools, footprint = info.pools or [], info.footprint
    writable, read_only = _used(pools, read_only=False), _used(pools, read_only=True)
    if footprint is None:
        return Memory(writable, read_only, None), []
    memory = Memory(footprint.activations, footprint.weights, footprint.io)
    if info.pools is None or _pools_agree(pools, memory):
        return memory, []
    return memory, [f"The writable memory pools hold {writable} bytes, memory_footprint states {footprint.activations} of activations."]


def _used(pools: Iterable[Pool], *, read_only: bool) -> int:
    return sum(pool.used for pool in pools if pool.read_only == read_only)


def _pools_agree(pools: Iterable[Pool], memory: Memory) -> bool:
    """Whether the writable pools hold the activations, and inputs and outputs besides where those have a pool, and no weights."""
    return _used(pools, read_only=False) - memory.activations in (0, memory.io)


def _info_code(info: CInfo) -> tuple[Code | None, list[str]]:
    footprint = info.footprint
    if footprint is None or footprint.series is None or footprint.code_flash is None or footprint.runtime_ram is None:
        return None, []
    weights_as_code = any(_WEIGHTS_AS_C.search(file) for file in info.files) and footprint.code_flash >= footprint.weights
    flash = None if weights_as_code else footprint.code_flash
    notes = ["kernel_flash holds weights that were written as C; only the report tells them apart."] if weights_as_code else []
    return Code(flash, footprint.runtime_ram, footprint.toolchain_flash, footprint.series), notes


def _info_pools(info: CInfo, memory: Memory) -> Pools | None:
    """The pools, if any has an address: else the linker decides. What weights a writable one holds is known where RAM makes it up."""
    pools = info.pools or []
    listed = [
        MemoryPool(
            name=pool.name,
            internal=pool.internal,
            weight_bytes=pool.used if pool.read_only else 0 if _pools_agree(pools, memory) else None,
            activation_ram_bytes=0 if pool.read_only else pool.used,
            address=pool.address,
            size_bytes=pool.size,
        )
        for pool in pools
    ]
    return Pools(listed) if any(pool.address is not None for pool in listed) else None


def stated_by_legacy(info: LegacyInfo, where: str) -> Stated:
    """What a network_report.json or a C graph states."""
    return Stated(
        where=where,
        version=info.version,
        command=info.command,
        is_npu=info.is_npu,
        name=info.name,
        series=option(info.command, "--target", "--series"),
        model=info.model,
        model_format=info.model_format,
        model_hash=info.model_hash,
        optimization=info.optimization,
        compression=info.compression,
        memory=Memory(info.activations, info.weights, info.io),
        macs=info.macs or None,
        layers=info.layers,
    )
