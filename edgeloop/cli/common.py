"""What the commands share."""

import argparse
import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edgeloop.console import in_one_line

if TYPE_CHECKING:
    from pathlib import Path

    from edgeloop.config import Params
    from edgeloop.workspace import Workspace

PIPELINE = "dvc.yaml:"
"""What DVC puts, behind a path, before the address of a stage where it was called in a folder below."""
Handler = Callable[[argparse.Namespace], None]
VARIANT, FILE = "a variant", "a model file"
"""What many commands take; some of their options are of use for one of them only."""


class Parser(argparse.ArgumentParser):
    """Argument errors end with the near match of a mistyped word; an option that would do nothing is refused."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._subjects: dict[str, str] = {}

    def add_option_for(self, subject: str, *names: str, **keywords: Any) -> None:
        """An option that is of use for one subject only; its default means that it was not given."""
        self._subjects[self.add_argument(*names, **keywords).dest] = subject

    def check_options(self, options: argparse.Namespace, subject: str) -> None:
        """Refuse the options that were given for another subject than this one.

        Raises:
            InputError: it names them all.
        """
        from edgeloop.errors import InputError

        for other in dict.fromkeys(self._subjects.values()):
            given = [action for action in self._actions if self._subjects.get(action.dest) == other and _is_given(action, options)]
            if given and other != subject:
                names = " and ".join(action.option_strings[-1] for action in given)
                raise InputError(f"{names}: of use for {other} only, and this is {subject}.", "Leave it away, or give what it is for.")

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with what the command does not know, and the near match."""
        wrong = next((word for word in unknown if word.startswith("-")), unknown[0])
        options = [name for action in self._actions for name in action.option_strings]
        close = difflib.get_close_matches(wrong.partition("=")[0], options, n=1) if wrong.startswith("-") else []
        hint = f"\n  Did you mean '{close[0]}'?" if close else f"\n  See: {self.prog} --help"
        self.exit(2, f"{self.prog}: it takes no {' '.join(unknown)}{hint}\n")

    def error(self, message: str) -> NoReturn:
        known = [name for action in self._actions for name in (action.choices or ())]
        wrong = message.split("invalid choice: ")[1].split("'")[1] if "invalid choice: '" in message else ""
        close = difflib.get_close_matches(wrong, [str(name) for name in known], n=1) if wrong else []
        hint = f"\n  Did you mean '{close[0]}'?" if close else f"\n  See: {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}{hint}\n")


def _is_given(action: argparse.Action, options: argparse.Namespace) -> bool:
    return bool(getattr(options, action.dest, action.default) != action.default)


Command = Callable[[str, Handler, str], Parser]
"""Adds a command: its name, what runs it, and what it is for."""


def count(text: str) -> int:
    """A number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def resolution(text: str) -> int | str:
    """A side, or WIDTHxHEIGHT."""
    from edgeloop.resolution import Size

    try:
        return Size.of(text).resolution
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def reason(text: str) -> str:
    """Words."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a reason is not empty")
    return _one_line(text.strip())


def person(text: str) -> str:
    """Who does something."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a name is not empty")
    return _one_line(text.strip())


def _one_line(text: str) -> str:
    if (shown := in_one_line(text)) != text:
        raise argparse.ArgumentTypeError(f"'{shown}' has line ends or control characters: write it in one line, without them")
    return text


def duration(text: str) -> float:
    """Seconds of a time such as 45m, 1h30m or 90s."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if found is None or not any(found.groups()):
        raise argparse.ArgumentTypeError(f"'{text}' is no time such as 45m, 1h30m or 90s")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600.0 * hours + 60 * minutes + seconds


def address_of(stage: str, text: str) -> str | None:
    """What stands behind the `@` where `text` is the address of a stage of dvc.yaml of that name, as DVC_STAGE holds it."""
    name, at, key = text.rpartition(PIPELINE)[2].partition("@")
    return key if at and name == stage else None


def add_id(parser: argparse.ArgumentParser, name: str, *, stage: str, **more: Any) -> None:
    """The argument that says what a step is done to: by name or path, or by the address of the stage (`train@NAME`)."""
    parser.add_argument(name, type=lambda text: name_or_path(text) if (key := address_of(stage, text)) is None else key, **more)


def path(text: str) -> "Path":
    """A path, with `~` resolved: no shell does that behind `--option=`."""
    from edgeloop.errors import InputError
    from edgeloop.userpath import user_path

    try:
        return user_path(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(error.what) from None


def name_or_path(text: str) -> str:
    """The name of a thing, or the path of a file with `~` resolved."""
    return str(path(text)) if text.startswith("~") else text


def subject(options: argparse.Namespace, *suffixes: str) -> str:
    """What `options.model` is: a model file with one of the suffixes, or a variant. Options of the other one are refused.

    Raises:
        InputError: one was given.
    """
    found = FILE if Path(options.model).suffix in suffixes else VARIANT
    parser: Parser = options.parser
    parser.check_options(options, found)
    return found


def project() -> "tuple[Workspace, Params]":
    """The workspace and its params.yaml, read before anything heavy is imported."""
    from edgeloop.config import load_params
    from edgeloop.workspace import find_workspace

    workspace = find_workspace()
    return workspace, load_params(workspace)
