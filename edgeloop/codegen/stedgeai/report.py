"""A console log or a report file, of Core 1.0 or later, as one structure. Where a layout is unknown, the missing field is named."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.stedgeai.console import clean_lines
from edgeloop.codegen.stedgeai.failures import Failure, find_failures
from edgeloop.codegen.stedgeai.layers import LayerTable, find_footer, find_layers
from edgeloop.codegen.stedgeai.npu import Npu, find_npu
from edgeloop.codegen.stedgeai.sections import Sections, find_sections
from edgeloop.codegen.stedgeai.summary import Summary, find_summaries
from edgeloop.codegen.stedgeai.validation import find_validation
from edgeloop.codegen.stedgeai.versions import Version, find_version, retired
from edgeloop.errors import InputError, StedgeaiUnreadable
from edgeloop.records import ToolValidation

MOST_BYTES = 64 << 20
"""A report of 618 epochs has half a megabyte."""

_PARAMETERS = re.compile(r"^\s*Parameters\s*:\s+(.*)$")
_GENERATING = re.compile(r"\bstedgeai(?:\.exe)? ((?:generate|analyze) .*)$")
_VALIDATING = re.compile(r"\bstedgeai(?:\.exe)? (validate .*)$")
_NPU = re.compile(r">>>> EXECUTING NEURAL ART COMPILER|is skipped on ST Neur\w+-ART NPU")
"""Version 2 writes "Neurla"."""
_NPU_COUNTERS = 3
_IGNORED = re.compile(r"^\s*WARNING: Unsupported keys in the current profile")


@dataclass(frozen=True)
class Report:
    """What a text of the tool states; None is what it does not."""

    where: str
    version: Version | None
    command: str | None
    """The tool's arguments."""
    memory: Summary | None
    """The summary of generate or analyze, or of validate where there is no other."""
    model_macs: int | None
    """Of the original model, by the table's footer; the C model's are in the summary."""
    sections: Sections | None
    npu: Npu | None
    table: LayerTable | None
    validation: ToolValidation | None
    failures: list[Failure]
    names_npu: bool
    """Whether a line of the run itself does: that its compiler was started, or of a validation on it."""
    warnings: list[str]
    """Of the profile: what the tool ignored in it."""

    @property
    def is_npu(self) -> bool:
        """Whether the network was generated for an NPU: told by the results, since `--st-neural-art` may end in plain C all the same."""
        series = [self.memory.rows.get("target/series", "") if self.memory else "", self.sections.series if self.sections else ""]
        return self.npu is not None or any(name.endswith("npu") for name in series) or self.names_npu or self.timed_npu

    @property
    def timed_npu(self) -> bool:
        """Whether cycles are those of a board with an NPU: of software before, the NPU, and software after."""
        return self.validation is not None and len(self.validation.cycles or []) == _NPU_COUNTERS


def read_text(path: Path) -> str:
    """A text of the tool, as UTF-8 as far as it is (Windows writes other bytes within names), or by its byte order mark.

    Raises:
        InputError: there is no such file.
        StedgeaiUnreadable: it is too large for an output of the tool.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StedgeaiUnreadable(f"{path} is larger than {MOST_BYTES >> 20} MiB.", "That is no output of ST Edge AI Core.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Give an output folder, a report or a c_info file.") from error
    # PowerShell redirects into UTF-16.
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def parse_report(text: str, where: str) -> Report:
    """Read a console log or a report.

    Raises:
        StedgeaiUnreadable: a section that is there lacks a field that all known versions have, or it is of a tool before Core 1.0.
    """
    lines = clean_lines(text)
    version = find_version("\n".join(lines))
    if version and version.legacy:
        raise retired(where, version)
    footer = find_footer(lines)
    return Report(
        where=where,
        version=version,
        command=_command(lines),
        memory=_memory(find_summaries(lines)),
        model_macs=footer.macs if footer else None,
        sections=find_sections(lines, where),
        npu=find_npu(lines, where),
        table=find_layers(lines),
        validation=find_validation(lines),
        failures=find_failures(text),
        names_npu=any(_NPU.search(line) for line in lines),
        warnings=[line.strip() for line in lines if _IGNORED.match(line)],
    )


def _command(lines: Sequence[str]) -> str | None:
    """The arguments: a report has them in its head, a log of a program around the tool where that says what it starts."""
    for pattern in (_PARAMETERS, _GENERATING, _VALIDATING):
        found = next((match for line in lines if (match := pattern.search(line))), None)
        if found:
            return found[1].strip()
    return None


def _memory(summaries: Sequence[Summary]) -> Summary | None:
    """The first summary of a step that generates; `validate` states those of a generic C model."""
    generating = [summary for summary in summaries if summary.step in ("generate", "analyze")]
    return next(iter([*generating, *summaries]), None)
