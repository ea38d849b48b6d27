"""`edgeloop inspect` for outputs of ST Edge AI Core: a folder, a report, a console log, or a c_info file, as one record."""

import datetime as dt
import re
from pathlib import Path

from edgeloop.codegen.stedgeai.c_info import read_c_info
from edgeloop.codegen.stedgeai.jsonfile import read_json
from edgeloop.codegen.stedgeai.legacy import is_legacy, read_legacy
from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.report import read_report
from edgeloop.codegen.stedgeai.source import Source
from edgeloop.codegen.stedgeai.text import read_text
from edgeloop.errors import InputError, StedgeaiUnreadable
from edgeloop.records import CodegenRecord, provenance

OWN_RECORD, OF_VARIANT = "codegen.json", "generate.json"
"""Where edgeloop's own generation leaves its record: in the folder of the code, and beside a variant's."""

_REPORT = re.compile(r"^(.*?)_?(generate|analyze|validate)_report\.txt$")
_INFO = re.compile(r"^(.*?)_?c_info\.json$")
"""The NPU compiler's own, in the workspace, has no name before it."""
_LOGS = ("stedgeai.log", "console.txt", "stdout.txt")
_STEPS = ("generate", "analyze", "validate")


def inspect_output(path: Path) -> CodegenRecord:
    """The record of an output folder or of one of its files.

    Raises:
        InputError: there is no such path, or nothing of the tool is in the folder.
        StedgeaiUnreadable: the layout is unknown, a file is cut off, or the files are not of one run.
        StedgeaiFailure: it is the log of a run that failed before any figure.
    """
    started = dt.datetime.now(dt.UTC)
    if not path.is_dir():
        return make_record([read_file(path)], provenance(Path.cwd(), {}, [], started))
    for own in (path / OWN_RECORD, *([path.parent / OF_VARIANT] if path.name == "generated" else [])):
        if own.is_file():
            return CodegenRecord.read(own)
    return make_record(read_folder(path), provenance(Path.cwd(), {}, [], started))


def read_file(path: Path) -> Source:
    """What one file states: JSON by its suffix, text else.

    Raises:
        InputError, StedgeaiUnreadable: as for `inspect_output`.
    """
    if path.suffix.lower() != ".json":
        return read_report(read_text(path), str(path))
    content = read_json(path)
    return (read_legacy if is_legacy(content) else read_c_info)(content, str(path))


def read_folder(folder: Path) -> list[Source]:
    """What the files of one network in a folder state, the most exact first: c_info, the report, a log, the validation's report.

    Raises:
        InputError: nothing of the tool is there.
        StedgeaiUnreadable: a file has an unknown layout, or there are several networks.
    """
    files = sorted(entry for entry in folder.iterdir() if entry.is_file())
    infos = {found[1]: entry for entry in files if (found := _INFO.match(entry.name))}
    reports = {(found[1], found[2]): entry for entry in files if (found := _REPORT.match(entry.name))}
    logs = [entry for entry in files if entry.name in _LOGS]
    name = _network(folder, set(infos), {name for name, _ in reports})
    chosen = [infos[name]] if name in infos else []
    generated = [reports[name, step] for step in _STEPS[:2] if (name, step) in reports]
    chosen += [*generated[:1], *logs]
    if (name, "validate") in reports:
        chosen.append(reports[name, "validate"])
    if not chosen:
        raise InputError(f"Nothing of ST Edge AI Core is in {folder}.", "Give its output folder, a report or network_c_info.json.")
    return [read_file(path) for path in chosen]


def _network(folder: Path, infos: set[str], reports: set[str]) -> str:
    """The prefix of the files: one that has a c_info file and a report, else that of the reports, else of the c_info files."""
    candidates = infos & reports or reports or infos
    if len(candidates) > 1:
        names = ", ".join(sorted(candidates))
        raise StedgeaiUnreadable(f"{folder} holds outputs of several networks: {names}.", "Give one of the files.")
    return next(iter(candidates), "")
