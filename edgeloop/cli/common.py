"""What the commands share."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

    from edgeloop.config import Params
    from edgeloop.workspace import Workspace

Handler = Callable[[argparse.Namespace], None]
Command = Callable[[str, Handler, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, and what it is for."""


def count(text: str) -> int:
    """A number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


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


def project() -> "tuple[Workspace, Params]":
    """The workspace and its params.yaml, read before anything heavy is imported."""
    from edgeloop.config import load_params
    from edgeloop.workspace import find_workspace

    workspace = find_workspace()
    return workspace, load_params(workspace)


def go_on_in_flows(module: str, *arguments: str) -> NoReturn:
    """Go on as a program of flows/: the library itself knows nothing of Prefect."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
