"""One `CodegenRecord` from what the tool's files state. Null is what none of them states."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

from edgeloop.codegen.stedgeai.failures import typed
from edgeloop.codegen.stedgeai.source import Code, Memory, Pools, Source, option
from edgeloop.codegen.stedgeai.text import missing
from edgeloop.codegen.targets import TARGETS
from edgeloop.errors import StedgeaiError, StedgeaiUnreadable
from edgeloop.records import CodegenBackend, CodegenRecord, Epochs, MemoryPool, Provenance, ToolRun, ToolValidation

Value = TypeVar("Value")

MEMORY_IS_MISSING = "memory figures (a summary, section sizes, the use of memory pools, or memory_footprint)"


def make_record(sources: Sequence[Source], made: Provenance, model_sha256: str | None = None) -> CodegenRecord:
    """Join what the files of one run state: the first that states a figure counts, so the most exact comes first.

    Raises:
        StedgeaiUnreadable: they contradict each other, or state neither memory nor a validation; the message names what is missing.
        StedgeaiFailure: the run failed before any figure, with the tool's own words.
    """
    _check_one_run(sources)
    memory, code, validation = _first(source.memory for source in sources), _code(sources), _validation(sources)
    binary_bytes = _first(source.binary_bytes for source in sources)
    if memory is None and validation is None and binary_bytes is None:
        raise _without_figures(sources)
    pools = _sharpened(_first(source.pools for source in sources), memory)
    target = _target(sources)
    return CodegenRecord(
        provenance=made,
        backend=CodegenBackend(name="stedgeai", version=_version(sources)),
        target=target,
        note=" ".join(_notes(sources, memory, code)),
        model_sha256=model_sha256,
        name=_name(sources),
        stream_input=None,
        macs=_first(source.macs for source in sources),
        layers=_first(source.layers for source in sources),
        **vars(memory or Memory()),
        **vars(code or Code()) | {"cpu": (code.cpu if code else None) or _cpu(target)},
        **vars(pools) if pools else {"pools": None},
        **_places(pools.pools) if pools else {},
        binary_bytes=binary_bytes,
        epochs=_epochs(sources),
        run=_run(sources),
        validation=validation,
    )


def _without_figures(sources: Sequence[Source]) -> StedgeaiError:
    where = " and ".join(dict.fromkeys(source.where for source in sources))
    failures = [failure for source in sources for failure in source.failures]
    return typed(failures[-1], where) if failures else missing(MEMORY_IS_MISSING, where)


def _first(values: Iterable[Value | None]) -> Value | None:
    return next((value for value in values if value is not None), None)


def _validation(sources: Sequence[Source]) -> ToolValidation | None:
    """The report's, which states more, before the one of a c_info file."""
    found = [source.validation for source in sources if source.validation]
    return next((validation for validation in found if validation.samples is not None), found[0] if found else None)


def _epochs(sources: Sequence[Source]) -> Epochs | None:
    """The report's, which the tool counted itself, before those counted in a c_info file, which comes first; but the most told apart."""
    found = [source.epochs for source in reversed(sources) if source.epochs]
    return min(found, key=lambda epochs: list(epochs.model_dump().values()).count(None), default=None)


def _sharpened(pools: Pools | None, memory: Memory | None) -> Pools | None:
    """Rounded pools with the exact totals where one pool alone holds all weights, or all activations."""
    if pools is None or memory is None or not pools.pools_rounded or memory.rounded:
        return pools
    exact: dict[str, dict[str, int | None]] = {pool.name: {} for pool in pools.pools}
    alone = True
    for key in ("weight_bytes", "activation_ram_bytes"):
        holders = [pool.name for pool in pools.pools if getattr(pool, key)]
        alone = alone and len(holders) <= 1
        if len(holders) == 1:
            exact[holders[0]][key] = getattr(memory, key)
    return Pools([pool.model_copy(update=exact[pool.name]) for pool in pools.pools], pools_rounded=not alone)


def _check_one_run(sources: Sequence[Source]) -> None:
    """Files that lie beside each other may be of different runs: then no figure counts at all."""
    figures = [(source.where, source.memory) for source in sources if source.memory]
    exact = [(where, memory) for where, memory in figures if not memory.rounded]
    for (first, one), (second, other) in pairwise(exact):
        if (one.activation_ram_bytes, one.weight_bytes) != (other.activation_ram_bytes, other.weight_bytes):
            activations = f"{one.activation_ram_bytes} and {other.activation_ram_bytes} bytes of activations"
            what = f"{first} and {second} are not of one run: {activations}, {one.weight_bytes} and {other.weight_bytes} of weights."
            raise StedgeaiUnreadable(what, "Give the file that is meant.")
    for loose, about in figures:
        for where, memory in exact:
            if about.rounded and not (
                _near(about.activation_ram_bytes, memory.activation_ram_bytes) and _near(about.weight_bytes, memory.weight_bytes)
            ):
                what = f"{where} and {loose} are not of one run: {memory.weight_bytes} and about {about.weight_bytes} of weights."
                raise StedgeaiUnreadable(what, "Give the file that is meant.")


def _near(rounded: int | None, exact: int | None) -> bool:
    """Whether a figure of three decimals of MiB a pool may be that one: half a thousandth of a MiB in each of ten pools."""
    return abs((rounded or 0) - (exact or 0)) <= 10 * (1 << 20) // 2000


def _code(sources: Sequence[Source]) -> Code | None:
    """From a report where it is there: only its sections tell weights that were compiled from code. A c_info file has the compiler."""
    codes = [source.code for source in sources if source.code]
    code = next((code for code in codes if code.compiled), codes[0] if codes else None)
    compiler = _first(source.toolchain for source in sources)
    if code is None or code.compiled is None or compiler is None:
        return code
    return replace(code, compiled=code.compiled.model_copy(update={"compiler": compiler}))


def _target(sources: Sequence[Source]) -> str | None:
    """The target in edgeloop's words: stm32n6 is the NPU, stm32n6-cpu the plain Cortex-M55; `stm32` alone is built as an H7."""
    series = _first(source.series for source in sources)
    if series is None:
        return None
    if series.startswith("stm32n6"):
        return "stm32n6" if any(source.npu for source in sources) else "stm32n6-cpu"
    if series.startswith("stm32mp2"):
        return "stm32mp2"
    return "stm32h7" if series == "stm32" else series


def _cpu(name: str | None) -> str | None:
    target = TARGETS.get(name or "")
    return target.cpu.name if target and target.cpu else None


def _version(sources: Sequence[Source]) -> str | None:
    """Without the hash behind it."""
    version = _first(source.version for source in sources)
    return version.split()[0] if version else None


def _name(sources: Sequence[Source]) -> str:
    """The report's, where there is one: the NPU compiler's file says `Default`."""
    names = [source.name for source in sources if source.name and source.name != "Default"]
    command = _first(source.run.command for source in sources)
    return next(iter(names), None) or option(command, "--name", "-n") or "network"


def _notes(sources: Sequence[Source], memory: Memory | None, code: Code | None) -> list[str]:
    notes = [note for source in sources for note in source.notes]
    if _first(source.macs_of_model for source in sources if source.macs is not None):
        notes.append("MACs are the model's, before it was mapped to the NPU.")
    if memory and code is None:
        notes.append("No code sizes are stated: the tool found no compiler, the build failed, or the step builds nothing.")
    if _first(source.series for source in sources) == "stm32":
        notes.append("`--target stm32` is built as stm32h7.")
    return list(dict.fromkeys(notes))


def _places(pools: Sequence[MemoryPool]) -> dict[str, Any]:
    """What is on the chip and what outside of it, of activations and weights."""
    held = {"ram": "activation_ram_bytes", "flash": "weight_bytes"}
    places = {"internal": True, "external": False}
    return {
        f"{place}_{memory}_bytes": _sum(pools, key, internal=internal) for memory, key in held.items() for place, internal in places.items()
    }


def _sum(pools: Sequence[MemoryPool], key: str, *, internal: bool) -> int | None:
    """The bytes there; None where a pool that holds any may be either, or does not state it."""
    held: list[tuple[bool | None, int | None]] = [(pool.internal, getattr(pool, key)) for pool in pools]
    if any(size is None or (place is None and size) for place, size in held):
        return None
    return sum(size or 0 for place, size in held if place is internal)


def _run(sources: Sequence[Source]) -> ToolRun:
    stated: dict[str, Any] = {}
    for source in reversed(sources):
        stated |= source.run.model_dump(exclude_defaults=True)
    npu = any(source.npu for source in sources)
    stated["profile"] = option(stated.get("command"), "--st-neural-art") if npu else None
    stated["errors"] = [str(failure) for source in sources for failure in source.failures]
    return ToolRun(**stated)
