"""Commands of lab.yaml: an argument list with named parts, run without a shell, within a deadline, its output kept.

A command runs under a guard (`edgeloop.services.guard`) that ends it when whoever started it ends, however that ends;
guard and command keep the board's lock, so nobody else talks to a board that is still being flashed.
"""

import json
import os
import shlex
import shutil
import string
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from edgeloop.boards.lock import Held
from edgeloop.config import Positive, Section
from edgeloop.errors import FlashError
from edgeloop.services.guard import guarded
from edgeloop.userpath import user_argument
from edgeloop.yamlfile import near_match

PARTS = {
    "elf": "the firmware as an ELF file",
    "hex": "the firmware as an Intel HEX file",
    "bin": "the firmware as a raw binary",
    "generated": "the folder of the generated code",
    "model": "the .tflite file",
    "probe": "the serial number of the board's probe",
    "port": "the board's serial port",
    "board": "the board's name in lab.yaml",
    "stedgeai": "the folder of ST Edge AI Core",
    "project": "the folder of this project",
}
TAIL_LINES = 15
MOST_TAIL_BYTES = 16_384


class Command(Section):
    """One command line."""

    run: Annotated[list[str], Field(min_length=1)]
    """Program and arguments; `{elf}` and so on stand for named parts, `{{` and `}}` for braces."""
    deadline_s: Positive = 120
    folder: str | None = None
    """Where it runs; parts may stand in it. Default: the current folder."""
    expect: str | None = None
    """Text that its output must hold: some tools report success by their exit code whatever happened."""

    @field_validator("run")
    @classmethod
    def _parts_exist(cls, value: list[str]) -> list[str]:
        for argument in value:
            check_parts(argument)
        return value

    @field_validator("folder")
    @classmethod
    def _folder_parts_exist(cls, value: str | None) -> str | None:
        if value is not None:
            check_parts(value)
        return value

    @property
    def parts(self) -> set[str]:
        """The names of the parts that it needs."""
        return {name for text in (*self.run, self.folder or "") for name in _names(text)}


def as_list(line: str) -> str:
    """A command line as `run` takes it, in YAML."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return json.dumps(words, ensure_ascii=False)


def run_commands(commands: Sequence[Command], parts: Mapping[str, str], log: Path, held: Held | None = None) -> None:
    """Run commands one after the other; their output goes to `log`, which is begun anew.

    Raises:
        FlashError: one lacks a part or its program, fails, takes too long, or does not say what it should; the message
            ends with its last lines. The commands behind it do not run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    for command in commands:
        run_command(command, parts, log, held)


def run_command(command: Command, parts: Mapping[str, str], log: Path, held: Held | None = None) -> None:
    """Run one command; its output is added to `log`.

    Raises:
        FlashError: as for `run_commands`.
    """
    arguments = [user_argument(filled(argument, parts)) for argument in command.run]
    folder = user_argument(filled(command.folder, parts)) if command.folder else None
    if shutil.which(arguments[0], path=os.environ.get("PATH")) is None:
        raise FlashError(f"The program {arguments[0]} is not there.", "Install it, or write its path in lab.yaml. See: edgeloop doctor")
    if folder is not None and not Path(folder).is_dir():
        raise FlashError(f"The folder {folder}, in which {arguments[0]} is to run, does not exist.", "Correct `folder` in lab.yaml.")
    with log.open("ab") as output:
        output.write(f"$ {_shown(arguments)}\n".encode())
        output.flush()
        begin = output.tell()
        code = _run(arguments, command.deadline_s, folder, output.fileno(), held)
    said = _tail(log, begin)
    if code is None:
        raise FlashError(f"{arguments[0]} was not done after {command.deadline_s} s and was ended.{said}", _remedy(arguments, log))
    if code != 0:
        raise FlashError(f"{arguments[0]} failed with exit code {code}.{said}", _remedy(arguments, log))
    if command.expect is not None and not _holds(log, begin, command.expect):
        raise FlashError(f"{arguments[0]} ended well but did not say '{command.expect}'.{said}", _remedy(arguments, log))


def _run(arguments: list[str], deadline_s: float, folder: str | None, output: int, held: Held | None) -> int | None:
    """The exit code; None when it was not done in time and has been ended."""
    kept = () if held is None else (held.descriptor,)
    with guarded(arguments, output=output, folder=folder, pass_fds=kept) as process:
        try:
            return process.wait(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            return None


def check_parts(text: str) -> None:
    """Refuse (ValueError) what is no text with named parts in it."""
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"'{text}': {error}; write {{{{ for a brace") from None
    for _, name, form, conversion in fields:
        if name is None:
            continue
        if name not in PARTS:
            raise ValueError(f"'{text}': there is no part {{{name}}}{near_match(name, PARTS)}")
        if form or conversion:
            raise ValueError(f"'{text}': a part takes no format")


def _names(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


def filled(text: str, parts: Mapping[str, str]) -> str:
    """The text with its parts put in.

    Raises:
        FlashError: it needs one that there is not.
    """
    for name in _names(text):
        if name not in parts:
            raise FlashError(
                f"The command in lab.yaml needs {{{name}}}, {PARTS[name]}, and there is none.",
                "Take the part out of the command, or make what it names first.",
            )
    return text.format_map(parts)


def _holds(log: Path, begin: int, text: str) -> bool:
    """Whether a line of the log behind a place holds the text."""
    with log.open("rb") as file:
        file.seek(begin)
        return any(text.encode() in line for line in file)


def read_log(log: Path, begin: int = 0) -> str:
    """The text behind a place of a log, or as much of its end as a message needs."""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(begin, end - MOST_TAIL_BYTES))
        return file.read().decode("utf-8", errors="replace")


def _tail(log: Path, begin: int) -> str:
    """The last lines behind a place of the log, for a message."""
    lines = [line for line in read_log(log, begin).replace("\r", "\n").splitlines() if line.strip()][-TAIL_LINES:]
    return " It said:\n" + "\n".join(f"    {line}" for line in lines) if lines else " It said nothing."


def _remedy(arguments: list[str], log: Path) -> str:
    return f"The command: {_shown(arguments)}\n  Its whole output: {log}"


def _shown(arguments: list[str]) -> str:
    return shlex.join(arguments)
