"""One `CodegenRecord` from what the tool's files state. Null is what none of them states."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from edgeloop.codegen.stedgeai.failures import typed
from edgeloop.codegen.stedgeai.stated import Code, Memory, Pools, Stated, option
from edgeloop.codegen.stedgeai.summary import missing
from edgeloop.codegen.targets import TARGETS
from edgeloop.errors import StedgeaiUnreadable
from edgeloop.records import CodegenBackend, CodegenRecord, CompiledSize, Epochs, MemoryPool, Provenance, ToolRun, ToolValidation

Value = TypeVar("Value")

MEMORY_IS_MISSING = "memory figures (a summary, section sizes, the use of memory pools, or memory_footprint)"


@dataclass(frozen=True)
class Subject:
    """What is known of a run beyond the tool's files; all None for files that somebody else made."""

    target: str | None = None
    model_sha256: str | None = None
    dataset: str | None = None
    network: str | None = None
    resolution: int | None = None
    components: dict[str, str] | None = None
    notes: tuple[str, ...] = ()
    binary_bytes: int | None = None


def make_record(sources: Sequence[Stated], made: Provenance, subject: Subject | None = None) -> CodegenRecord:
    """Join what the files of one run state: the first that states a figure is taken, so the most exact comes first.

    Raises:
        StedgeaiUnreadable: they contradict each other, or state neither memory nor a validation; the message names what is missing.
        StedgeaiFailure: the run failed before any figure, with the tool's own words.
    """
    subject = subject or Subject()
    where = " and ".join(source.where for source in sources)
    _check_one_run(sources)
    memory, code = _first(sources, lambda source: source.memory), _code(sources)
    validation = _validation(sources)
    failures = [failure for source in sources for failure in source.failures]
    if memory is None and validation is None:
        if failures:
            raise typed(failures[-1], where)
        raise missing(MEMORY_IS_MISSING, where)
    pools = _sharpened(_first(sources, lambda source: source.pools), memory)
    target = subject.target or _target(sources)
    return CodegenRecord(
        provenance=made,
        dataset=subject.dataset,
        network=subject.network,
        resolution=subject.resolution,
        backend=CodegenBackend(name="stedgeai", version=_version(sources)),
        target=target,
        cpu=(code.cpu if code else None) or _cpu(target),
        note=" ".join(_notes(sources, memory, code, subject)),
        model_sha256=subject.model_sha256,
        name=_name(sources),
        stream_input=None,
        macs=_first(sources, lambda source: source.macs),
        weight_bytes=memory.weights if memory else None,
        activation_ram_bytes=memory.activations if memory else None,
        runtime_ram_bytes=code.runtime_ram if code else None,
        code_flash_bytes=code.flash if code else None,
        compiled=_compiled(sources, code),
        pools=pools.pools if pools else None,
        layers=_first(sources, lambda source: source.layers),
        io_ram_bytes=memory.io if memory else None,
        toolchain_flash_bytes=code.toolchain_flash if code else None,
        internal_ram_bytes=_sum(pools.pools, True, _activations) if pools else None,
        external_ram_bytes=_sum(pools.pools, False, _activations) if pools else None,
        internal_flash_bytes=_sum(pools.pools, True, _weights) if pools else None,
        external_flash_bytes=_sum(pools.pools, False, _weights) if pools else None,
        binary_bytes=subject.binary_bytes,
        rounded=memory is not None and memory.rounded,
        pools_rounded=pools is not None and pools.rounded,
        epochs=_epochs(sources),
        run=_run(sources, code, subject, [str(failure) for failure in failures]),
        validation=validation,
    )


def _first(sources: Iterable[Stated], read: Callable[[Stated], Value | None]) -> Value | None:
    return next((value for source in sources if (value := read(source)) is not None), None)


def _validation(sources: Sequence[Stated]) -> ToolValidation | None:
    """The report's, which states more, before the one of a c_info file."""
    found = [source.validation for source in sources if source.validation]
    return next((validation for validation in found if validation.samples is not None), found[0] if found else None)


def _epochs(sources: Sequence[Stated]) -> Epochs | None:
    """The report's, which the tool counted itself, before those counted in a c_info file, which comes first; but the most told apart."""
    found = [source.epochs for source in reversed(sources) if source.epochs]
    return min(found, key=lambda epochs: list(epochs.model_dump().values()).count(None), default=None)


def _sharpened(pools: Pools | None, memory: Memory | None) -> Pools | None:
    """Rounded pools with the exact totals where one pool alone holds all weights, or all activations."""
    if pools is None or memory is None or not pools.rounded or memory.rounded:
        return pools
    weighty = [pool.name for pool in pools.pools if pool.weight_bytes]
    active = [pool.name for pool in pools.pools if pool.activation_ram_bytes]
    sharper = []
    for pool in pools.pools:
        exact: dict[str, int] = {}
        if weighty == [pool.name]:
            exact["weight_bytes"] = memory.weights
        if active == [pool.name]:
            exact["activation_ram_bytes"] = memory.activations
        sharper.append(pool.model_copy(update=exact))
    return Pools(sharper, rounded=len(weighty) > 1 or len(active) > 1)


def _check_one_run(sources: Sequence[Stated]) -> None:
    """Files that lie beside each other may be of different runs: then no figure is taken at all."""
    exact = [(source, source.memory) for source in sources if source.memory and not source.memory.rounded]
    for (first, one), (second, other) in pairwise(exact):
        if (one.activations, one.weights) != (other.activations, other.weights):
            what = (
                f"{first.where} and {second.where} are not of one run: {one.activations} and {other.activations} bytes of activations, "
                f"{one.weights} and {other.weights} of weights."
            )
            raise StedgeaiUnreadable(what, "Give the file that is meant.")
    rounded = [(source, source.memory) for source in sources if source.memory and source.memory.rounded]
    for loose, figures in rounded:
        for source, memory in exact:
            if not (_near(figures.activations, memory.activations) and _near(figures.weights, memory.weights)):
                what = f"{source.where} and {loose.where} are not of one run: {memory.weights} and about {figures.weights} of weights."
                raise StedgeaiUnreadable(what, "Give the file that is meant.")


def _near(rounded: int, exact: int) -> bool:
    """Whether a figure of three decimals of MiB a pool may be that one: half a thousandth of a MiB in each of ten pools."""
    return abs(rounded - exact) <= 10 * (1 << 20) // 2000


def _code(sources: Sequence[Stated]) -> Code | None:
    """From a report where it is there: only its sections tell weights that were compiled from code."""
    codes = [source.code for source in sources if source.code]
    return next((code for code in codes if code.code is not None), codes[0] if codes else None)


def _compiled(sources: Sequence[Stated], code: Code | None) -> CompiledSize | None:
    if code is None or code.code is None or code.constants is None:
        return None
    compiler = _first(sources, lambda source: source.toolchain) or "GNU Arm (the version is not stated)"
    cpu = code.cpu or "not stated"
    return CompiledSize(compiler=compiler, flags=[], cpu=cpu, code_bytes=code.code, constant_bytes=code.constants)


def _target(sources: Sequence[Stated]) -> str | None:
    """The target in edgeloop's words: stm32n6 is the NPU, stm32n6-cpu the plain Cortex-M55; `stm32` alone is built as an H7."""
    series = _first(sources, lambda source: source.series)
    if series is None:
        return None
    if series.startswith("stm32n6"):
        return "stm32n6" if any(source.is_npu for source in sources) else "stm32n6-cpu"
    if series.startswith("stm32mp2"):
        return "stm32mp2"
    return "stm32h7" if series == "stm32" else series


def _cpu(name: str | None) -> str | None:
    target = TARGETS.get(name or "")
    return target.cpu.name if target and target.cpu else None


def _version(sources: Sequence[Stated]) -> str | None:
    """Without the hash behind it."""
    version = _first(sources, lambda source: source.version)
    return version.split()[0] if version else None


def _name(sources: Sequence[Stated]) -> str:
    """The report's, where there is one: the NPU compiler's file says `Default`."""
    names = [source.name for source in sources if source.name and source.name != "Default"]
    command = _first(sources, lambda source: source.command)
    return next(iter(names), None) or option(command, "--name", "-n") or "network"


def _notes(sources: Sequence[Stated], memory: Memory | None, code: Code | None, subject: Subject) -> list[str]:
    notes = [*subject.notes, *(note for source in sources for note in source.notes)]
    if _first(sources, lambda source: source.macs_of_model if source.macs is not None else None):
        notes.append("MACs are the model's, before it was mapped to the NPU.")
    if memory and code is None:
        notes.append("No code sizes are stated: the tool found no compiler, the build failed, or the step builds nothing.")
    if _first(sources, lambda source: source.series) == "stm32" and not subject.target:
        notes.append("`--target stm32` is built as stm32h7.")
    return list(dict.fromkeys(notes))


def _activations(pool: MemoryPool) -> int | None:
    return pool.activation_ram_bytes


def _weights(pool: MemoryPool) -> int | None:
    return pool.weight_bytes


def _sum(pools: Sequence[MemoryPool], internal: bool, read: Callable[[MemoryPool], int | None]) -> int | None:
    """The bytes on, or outside of, the chip; None where a pool that holds any may be either, or does not state it."""
    if any(read(pool) is None or (pool.internal is None and read(pool)) for pool in pools):
        return None
    return sum(read(pool) or 0 for pool in pools if pool.internal is internal)


def _run(sources: Sequence[Stated], code: Code | None, subject: Subject, errors: list[str]) -> ToolRun:
    command = _first(sources, lambda source: source.command)
    return ToolRun(
        command=command,
        components=subject.components or {},
        model=_first(sources, lambda source: source.model),
        model_format=_first(sources, lambda source: source.model_format),
        model_hash=_first(sources, lambda source: source.model_hash),
        optimization=_first(sources, lambda source: source.optimization),
        compression=_first(sources, lambda source: source.compression),
        profile=option(command, "--st-neural-art") if any(source.is_npu for source in sources) else None,
        npu_compiler=_first(sources, lambda source: source.npu_compiler),
        npu_options=_first(sources, lambda source: source.npu_options),
        size_series=code.series if code else None,
        network_signature=_first(sources, lambda source: source.signature),
        errors=errors,
    )
