"""Paths as users write them: `~` is the home folder wherever one may stand, in files and in arguments."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from edgeloop.errors import InputError


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
