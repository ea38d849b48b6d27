"""Generate with ST's tool at ST: the model goes there, an archive of code comes back, and is looked at before anything of it is kept."""

import re
import shutil
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, JsonValue

from edgeloop.codegen.stedgeai.backend import Request
from edgeloop.codegen.stedgeai.cloud.client import Cloud
from edgeloop.codegen.stedgeai.cloud.failed import failure
from edgeloop.codegen.stedgeai.cloud.options import PROFILE, tool_options
from edgeloop.codegen.stedgeai.cloud.wire import UPDATE
from edgeloop.codegen.stedgeai.inspect import read_folder
from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.source import Source
from edgeloop.codegen.stedgeai.support import check_at_st
from edgeloop.codegen.stedgeai.targets import ToolTarget, tool_target
from edgeloop.config import Limits
from edgeloop.datasets.archive import read_members
from edgeloop.deadline import Deadline
from edgeloop.errors import DataError, FarmError, FarmSilent, InputError, StedgeaiUnreadable
from edgeloop.files import sha256_file, write_bytes
from edgeloop.records import CodegenRecord, Provenance, ToolRun

PLATFORM = "stm32"
DEADLINE_S = 900.0
"""ST's client waits 300 s; large networks take the NPU's compiler longer."""
POLL_S = 2.0
LIMITS = Limits(members=20_000, total_bytes=1 << 30)
"""Of the archive: code, weights as C, and perhaps the tool's libraries."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class _Status(BaseModel):
    """What became of a run of the tool."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: str = ""
    message: JsonValue = None
    result: dict[str, JsonValue] | None = None


def generate_at_st(request: Request, folder: Path, made: Provenance) -> CodegenRecord:
    """Have the latest version of the tool there generate, and unpack what it made into `folder`, which is empty.

    Raises:
        InputError: there is no such model, or nothing is generated there for this target or profile.
        StedgeaiMissing: the version there does not generate for this target.
        StedgeaiFailure: the tool refuses the model, with its own words.
        StedgeaiUnreadable: the archive is no safe one, or lacks what code must have.
        FarmError: one of its kinds.
    """
    if not request.model.is_file():
        raise InputError(f"There is no model {request.model}.")
    target = tool_target(request.target)
    profile = _profile(request, target)
    with closing(Cloud.of_environment()) as cloud:
        version, host = cloud.version(PLATFORM, None), urlsplit(cloud.addresses.api).netloc
        check_at_st(request.target, version)
        content = _made_there(cloud, request, version, tool_options(target.argument, npu=target.npu, profile=profile))
    with tempfile.TemporaryDirectory(prefix=".st-cloud-", dir=folder.parent) as scratch:
        code = _unpacked(content, Path(scratch), request.name)
        sources = [replace(source, where=Path(source.where).name) for source in read_folder(code)]
        if target.npu != any(source.run.npu_compiler for source in sources):
            raise StedgeaiUnreadable(f"{host} generated for the wrong processor, NPU or not.", f"See {request.log}.")
        here = f"Generated at {host}, version {version} of the service."
        known = Source(request.log.name, None, target.npu, ToolRun(), name=request.name, series=target.argument, notes=[here])
        record = make_record([known, *sources], made, sha256_file(request.model))
        for entry in sorted(code.iterdir()):
            shutil.move(entry, folder)
    return record


def _profile(request: Request, target: ToolTarget) -> str:
    if target.makes == "nb":
        raise InputError(f"Nothing is generated at ST for {request.target}.", "Use ST Edge AI Core here (backend: stedgeai).")
    if request.profile and (not target.npu or "@" in request.profile):
        raise InputError(f"The profile {request.profile} is of no use at ST.", "Leave it away, or give the name of one of ST's own.")
    return request.profile or PROFILE


def _made_there(cloud: Cloud, request: Request, version: str, options: dict[str, JsonValue]) -> bytes:
    """The archive; the service's last answer goes to the log."""
    deadline = Deadline.after(min(request.deadline_s, DEADLINE_S))
    with cloud.uploaded(request.model) as name:
        run = cloud.start_tool("generate", version, name, {**options, "name": request.name})
        while True:
            answer = cloud.patiently(lambda: cloud.tool_status(version, run), deadline, POLL_S)
            status = answer.read(_Status, "the state of a run")
            if status.result is not None or status.state.lower() == "error":
                break
            if deadline.is_over:
                raise FarmSilent(f"The tool at {answer.host} was not done after {deadline.seconds:g} s.", "Try again later.")
            time.sleep(min(POLL_S, deadline.left_s))
    write_bytes(request.log, answer.content)
    if status.result is None:
        raise failure(status.message, answer.host, request.model)
    return cloud.generated(_file_name(status.result.get("url"), answer.host))


def _file_name(url: JsonValue, host: str) -> str:
    """The last part of the address that the result names: nothing else of it is followed."""
    name = urlsplit(url).path.rpartition("/")[2] if isinstance(url, str) else ""
    if not _FILE.fullmatch(name):
        raise FarmError(f"{host} says that the code is generated, and names no file of it.", UPDATE)
    return name


def _unpacked(content: bytes, scratch: Path, name: str) -> Path:
    """The folder in the unpacked archive that holds the network's code."""
    archive, folder = scratch / "generated.zip", scratch / "unpacked"
    archive.write_bytes(content)
    try:
        for entry in read_members(archive, LIMITS):
            target = folder / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(entry.read())
    except DataError as error:
        raise StedgeaiUnreadable(
            f"The archive of generated code is refused: {error.what}", "Generate again; if it stays, tell ST."
        ) from None
    found = sorted(folder.rglob(f"{name}.c"), key=lambda path: len(path.parts))
    if not found or not found[0].with_suffix(".h").is_file():
        raise StedgeaiUnreadable(f"The archive of generated code holds no {name}.c with its {name}.h.", UPDATE)
    return found[0].parent
