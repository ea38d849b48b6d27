"""Generate with ST Edge AI Core: one run in a folder of its own, whose files and words become the code folder and the record."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeloop.codegen.stedgeai.failures import find_failures, is_disk_full, typed
from edgeloop.codegen.stedgeai.inspect import read_file
from edgeloop.codegen.stedgeai.locate import Tool, ask, find_tool, programs
from edgeloop.codegen.stedgeai.profiles import check_profile
from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.report import read_report
from edgeloop.codegen.stedgeai.run import Done, run_tool, tail
from edgeloop.codegen.stedgeai.source import Source
from edgeloop.codegen.stedgeai.support import untested
from edgeloop.codegen.stedgeai.targets import ToolTarget, tool_target
from edgeloop.errors import InputError, StedgeaiFailure, StedgeaiUnreadable
from edgeloop.files import sha256_file
from edgeloop.records import CodegenRecord, Provenance, ToolRun
from edgeloop.tflite.inspect import inspect_model

DEADLINE_S = 1800.0
"""Large networks take the NPU's compiler many minutes."""
NB_MAGIC = b"VPMN"
"""What the binary for the STM32MP2 begins with."""
LEAST_FREE_BYTES = 1 << 20
"""A failure with less room than this left on the disk is one of the disk."""
_MP2_OUTPUT = "stm32ai_output"
"""Where builds for the STM32MP2 write by default, below the folder in which they run."""


@dataclass(frozen=True)
class Request:
    """What is generated."""

    model: Path
    target: str
    name: str
    log: Path
    """The tool's whole output; it stays, whatever comes of the run."""
    profile: str | None = None
    """The profile of the Neural-ART compiler, NAME or NAME@FILE, relative to the current folder."""
    tool: Path | None = None
    """The program, the root of its installation, or a version; else it is searched for."""
    analyze: bool = False
    """Whether `analyze` runs as well, and its report is kept."""
    deadline_s: float = DEADLINE_S


def generate_with_tool(request: Request, folder: Path, made: Provenance) -> CodegenRecord:
    """Run the tool and move what it writes into `folder`, which is empty.

    Raises:
        InputError: there is no such model, profile or target.
        StedgeaiMissing: the tool is not here, or in no version that generates for the target.
        StedgeaiTimeout: it was not done in time.
        StedgeaiFailure: it failed; with its own words.
        StedgeaiUnreadable: it says that all is well, and a file is missing, cut off, or of an unknown layout.
    """
    if not request.model.is_file():
        raise InputError(f"There is no model {request.model}.")
    target = tool_target(request.target)
    profile = _profile(request, target)
    tool = find_tool(request.tool, request.target)
    notes = [*_passed_over(request, tool), *untested(tool.version), *_format_notes(request.model, target)]
    with tempfile.TemporaryDirectory(prefix=".stedgeai-", dir=folder.parent) as scratch:
        run = _Run(request, target, profile, tool, Path(scratch))
        done = run.step("generate", request.log)
        record = make_record(run.sources(done, notes), made, sha256_file(request.model))
        run.keep(run.output("generate"), folder)
        if request.analyze:
            run.step("analyze", request.log.with_suffix(".analyze.log"))
            _keep_report(run.output("analyze"), folder, request.name)
    return record


def _profile(request: Request, target: ToolTarget) -> str | None:
    if target.npu:
        return check_profile(request.profile, Path.cwd())
    if request.profile:
        raise InputError(f"The target {request.target} has no Neural-ART profile.", "Leave --profile away, or ask for stm32n6.")
    return None


def _passed_over(request: Request, tool: Tool) -> list[str]:
    """That another version comes first here, and is none for this target; nobody named one."""
    first = programs(request.tool)[0]
    if request.tool is not None or first.resolve() == tool.program.resolve():
        return []
    return [f"{ask(first)} comes first here, and generates nothing for {request.target}: {tool.version} was taken."]


def _format_notes(model: Path, target: ToolTarget) -> list[str]:
    if target.format != "int8 per-tensor" or inspect_model(model).quantization == target.format:
        return []
    return ["The model is not int8 per-tensor: the tool converts it for the NPU of the STM32MP2, which then runs it slower."]


@dataclass(frozen=True)
class _Run:
    """One generation in a scratch folder: nothing of an earlier run is there that could be taken for its result."""

    request: Request
    target: ToolTarget
    profile: str | None
    tool: Tool
    scratch: Path

    def output(self, step: str) -> Path:
        return self.scratch / f"{step}-output"

    def step(self, step: str, log: Path) -> Done:
        """Run one command; its failure is raised with its own words."""
        request, where = self.request, self.output(step)
        where.mkdir()
        done = run_tool([*self.tool.command, *self.arguments(step)], self.scratch, log, request.deadline_s)
        failures = find_failures(done.text)
        if failures:
            raise typed(failures[-1], str(request.model), str(log))
        if done.status != 0:
            raise _unexplained(done, self.tool, log, where)
        return done

    def arguments(self, step: str) -> list[str]:
        request = self.request
        npu = ["--st-neural-art", self.profile] if self.profile else []
        model = ["--model", str(request.model.resolve()), "--type", "tflite"]
        folders = ["--workspace", str(self.scratch / f"{step}-workspace"), "--output", str(self.output(step))]
        return [step, "--target", self.target.argument, "--name", request.name, *model, *npu, *folders]

    def sources(self, done: Done, notes: list[str]) -> list[Source]:
        """What is known of the run, then what its files state: for the STM32MP2 the tool states no memory figures."""
        binary = self.target.makes == "nb"
        run = ToolRun(components=self.tool.components)
        if binary:
            run = run.model_copy(update={"command": " ".join(self.arguments("generate")), "model": self.request.model.stem})
        known = Source(
            where=self.request.log.name,
            version=str(self.tool.version),
            npu=self.target.npu,
            run=run,
            name=self.request.name,
            series=self.target.argument,
            binary_bytes=self._binary().stat().st_size if binary else None,
            notes=notes,
        )
        return [known] if binary else [known, *self._read(done)]

    def _read(self, done: Done) -> list[Source]:
        output, name = self.output("generate"), self.request.name
        info, report = output / f"{name}_c_info.json", output / f"{name}_generate_report.txt"
        for file in (output / f"{name}.c", output / f"{name}.h", info, report):
            if not file.is_file() or not file.stat().st_size:
                raise _not_written(file.name, self.request.log)
        sources = [read_file(info), read_file(report), read_report(done.text, str(self.request.log))]
        self._check_npu(sources)
        return [replace(source, where=Path(source.where).name) for source in sources]

    def _check_npu(self, sources: Sequence[Source]) -> None:
        """A network for the NPU must have been compiled for it: the tool makes plain C without a word when it was not asked."""
        if self.target.npu != any(source.run.npu_compiler for source in sources):
            made = "plain C for the processor" if self.target.npu else "a network for the NPU"
            raise StedgeaiUnreadable(f"ST Edge AI Core made {made} for {self.request.target}.", f"See {self.request.log}.")

    def _binary(self) -> Path:
        """The .nb file, where it was asked for or where builds for the STM32MP2 write by default."""
        places = (self.output("generate"), self.scratch / _MP2_OUTPUT)
        found = [file for place in places for file in sorted(place.rglob("*.nb"))]
        if not found or found[0].read_bytes()[: len(NB_MAGIC)] != NB_MAGIC:
            raise _not_written(found[0].name if found else "<model>.nb", self.request.log)
        return found[0]

    def keep(self, output: Path, folder: Path) -> None:
        """Move what was generated into the folder of the code."""
        if self.target.makes == "nb" and output not in self._binary().parents:
            shutil.move(self._binary(), folder)
        for entry in sorted(output.iterdir()):
            shutil.move(entry, folder)


def _keep_report(output: Path, folder: Path, name: str) -> None:
    report = output / f"{name}_analyze_report.txt"
    if not report.is_file():
        raise _not_written(report.name, output)
    shutil.move(report, folder)


def _not_written(file: str, log: Path) -> StedgeaiUnreadable:
    return StedgeaiUnreadable(
        f"ST Edge AI Core ended without an error, but {file} is missing or incomplete.", f"Run it again with enough room. See {log}."
    )


def _unexplained(done: Done, tool: Tool, log: Path, output: Path) -> StedgeaiFailure:
    """A failure without a message of the known forms: a crash, or a disk that is full."""
    ended = f"was ended by signal {-done.status}" if done.status < 0 else f"ended with status {done.status}"
    words = tail(done.text)
    what = f"ST Edge AI Core {tool.version} {ended} and no message. Its last lines:\n{words or '(none)'}"
    if is_disk_full(done.text) or shutil.disk_usage(output).free < LEAST_FREE_BYTES:
        return StedgeaiFailure(f"The disk is full. {what}", f"Make room where {output.parent.parent} is.", kind="disk full", words=words)
    return StedgeaiFailure(what, f"The whole log: {log}", kind=f"status {done.status}", words=words)
