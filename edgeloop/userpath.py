"""Paths as users write them: `~` is the home folder wherever one may stand, in files and in arguments."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from edgeloop.errors import InputError

_LOGIN = re.compile(r"^([a-z0-9]+://)[^/?#]*@")


def user_path(text: str | Path) -> Path:
    """The path that a user means, with `~` and `~name` resolved.

    Raises:
        InputError: there is no such user, or no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"{text} names a home folder that does not exist.", "Write the whole path.") from None


def user_argument(text: str) -> str:
    """One argument of a command that runs without a shell: where it begins with `~/`, the path that is meant."""
    return str(user_path(text)) if text.startswith("~/") else text


def named(path: Path, root: Path) -> str:
    """What others may read of a path of this machine: below the folder `root` all of it, else its last name only."""
    whole = Path(os.path.normpath(root / path))
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) and whole != root else whole.name


def named_argument(text: str, root: Path) -> str:
    """An argument of a command as others may read it, alone or behind `--option=`: paths `named`, addresses without login.

    A path that begins where the command was given stays as it is.
    """
    option, equals, value = text.partition("=") if text.startswith("-") else ("", "", text)
    path = value.removeprefix("file://")
    shown = named(Path.cwd() / user_path(path), root) if path.startswith(("/", "~/", "../")) else without_login(value)
    return f"{option}{equals}{shown}"


def without_places(text: str, root: Path) -> str:
    """A text with paths of this machine as others may read it: those below `root` begin there, those of the home folder with `~`."""
    return text.replace(f"{root}/", "").replace(f"{Path.home()}/", "~/")


def without_login(address: str) -> str:
    """An address as others may read it: without the name and password that may stand before the host."""
    return _LOGIN.sub(r"\1", address)


def _of_a_file(path: Path) -> Path:
    try:
        return user_path(path)
    except InputError as error:
        raise ValueError(error.what) from None


def _quoted(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("write the version in quotes, or YAML takes it for a number (2.10 is 2.1 then)")
    return value


UserPath = Annotated[Path, AfterValidator(_of_a_file)]
"""A path in params.yaml, lab.yaml or a file of models/backbones/."""
PathOrVersion = Annotated[UserPath, BeforeValidator(_quoted)]
"""A path there, or a version of a program, such as "2.2"."""
