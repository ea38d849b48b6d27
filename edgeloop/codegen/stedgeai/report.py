"""A console log or a report file of Core 1.0 or later. Where a layout is unknown, the missing field is named."""

import re
from collections.abc import Sequence

from edgeloop.codegen.stedgeai.failures import find_failures
from edgeloop.codegen.stedgeai.layers import LayerTable, find_layers
from edgeloop.codegen.stedgeai.npu import Npu, find_npu
from edgeloop.codegen.stedgeai.sections import Sections, find_sections
from edgeloop.codegen.stedgeai.source import Memory, Source, series_option
from edgeloop.codegen.stedgeai.summary import Summary, find_summaries
from edgeloop.codegen.stedgeai.text import clean_lines
from edgeloop.codegen.stedgeai.validation import find_validation
from edgeloop.codegen.stedgeai.versions import find_version, retired
from edgeloop.records import ToolRun, ToolValidation

_PARAMETERS = re.compile(r"^\s*Parameters\s*:\s+(.*)$")
_GENERATING = re.compile(r"\bstedgeai(?:\.exe)? ((?:generate|analyze) .*)$")
_VALIDATING = re.compile(r"\bstedgeai(?:\.exe)? (validate .*)$")
_NPU = re.compile(r">>>> EXECUTING NEURAL ART COMPILER|is skipped on ST Neur\w+-ART NPU")
"""Version 2 writes "Neurla"."""
_NPU_COUNTERS = 3
_IGNORED = re.compile(r"^\s*WARNING: Unsupported keys in the current profile")


def read_report(text: str, where: str) -> Source:
    """What a console log or a report states.

    Raises:
        StedgeaiUnreadable: a section that is there lacks a field that all known versions have, or it is of a tool before Core 1.0.
    """
    lines = clean_lines(text)
    version = find_version("\n".join(lines))
    if version and version.legacy:
        raise retired(where, version)
    summary, sections, npu = _summary(find_summaries(lines)), find_sections(lines, where), find_npu(lines, where)
    table, validation, command = find_layers(lines), find_validation(lines), _command(lines)
    value = summary.text if summary else lambda _: None
    series = value("target/series") or (sections.series if sections else None)
    is_npu = npu is not None or _names_npu(lines, summary, sections) or _timed_npu(validation)
    # What `validate` summarises is a generic C model: it says nothing of a network for the NPU.
    summary = None if summary and is_npu and summary.step == "validate" else summary
    return Source(
        where=where,
        version=str(version) if version else None,
        npu=is_npu,
        run=ToolRun(
            command=command,
            model=value("model_name"),
            model_format=value("model_fmt"),
            model_hash=value("model_hash"),
            optimization=value("optimization"),
            compression=value("compression"),
            npu_compiler=npu.compiler if npu else None,
            npu_options=npu.options if npu else None,
            size_series=sections.series if sections else None,
        ),
        name=value("c_name"),
        series=series or series_option(command),
        memory=_memory(summary, sections, npu, where),
        code=sections.code if sections else None,
        pools=npu.pools if npu else None,
        macs=_macs(summary, table, where, npu=is_npu),
        macs_of_model=is_npu and table.model_macs is not None,
        layers=table.layers,
        epochs=npu.epochs if npu else None,
        validation=validation,
        failures=find_failures(text),
        notes=[
            *(line.strip() for line in lines if _IGNORED.match(line)),
            *([f"The table of layers in {where} {table.fault}; its layers are left out."] if table.fault else []),
            *(sections.notes if sections else []),
        ],
    )


def _command(lines: Sequence[str]) -> str | None:
    """The arguments: a report has them in its head, a log of a program around the tool where that says what it starts."""
    for pattern in (_PARAMETERS, _GENERATING, _VALIDATING):
        found = next((match for line in lines if (match := pattern.search(line))), None)
        if found:
            return found[1].strip()
    return None


def _summary(summaries: Sequence[Summary]) -> Summary | None:
    """The first summary of a step that generates; `validate` states those of a generic C model."""
    generating = [summary for summary in summaries if summary.step in ("generate", "analyze")]
    return next(iter([*generating, *summaries]), None)


def _names_npu(lines: Sequence[str], summary: Summary | None, sections: Sections | None) -> bool:
    """Whether a series does, or a line of the run itself: that the NPU's compiler was started, or of a validation on it."""
    series = (summary.rows.get("target/series", "") if summary else "", sections.series if sections else "")
    return any(name.endswith("npu") for name in series) or any(_NPU.search(line) for line in lines)


def _timed_npu(validation: ToolValidation | None) -> bool:
    """Whether cycles are those of a board with an NPU: of software before, the NPU, and software after."""
    return validation is not None and len(validation.cycles or []) == _NPU_COUNTERS


def _memory(summary: Summary | None, sections: Sections | None, npu: Npu | None, where: str) -> Memory | None:
    """From the summary (its figures are exact), else the section sizes, else the use of the pools, which is rounded."""
    if summary:
        return summary.memory(where)
    if sections and sections.memory:
        return sections.memory
    if npu and npu.pools:
        pools = npu.pools.pools
        activations, weights = (sum(pool.activation_ram_bytes or 0 for pool in pools), sum(pool.weight_bytes or 0 for pool in pools))
        return Memory(activations, weights, rounded=npu.pools.pools_rounded)
    return None


def _macs(summary: Summary | None, table: LayerTable, where: str, *, npu: bool) -> int | None:
    """Multiply-accumulates of the generated C model (the summary's row).

    For an NPU those of the model itself, because versions 2 and 3 print 0 for it.
    """
    if npu and table.model_macs is not None:
        return table.model_macs
    macs = summary.number("macc", where) if summary else None
    return macs or None if npu else macs
