"""What the commands share."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from edgeloop.config import Params
    from edgeloop.workspace import Workspace

PIPELINE = "dvc.yaml:"
"""What DVC puts, behind a path, before the address of a stage where it was called in a folder below."""
Handler = Callable[[argparse.Namespace], None]
Command = Callable[[str, Handler, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, and what it is for."""


def count(text: str) -> int:
    """A number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def address_of(stage: str, text: str) -> str | None:
    """What stands behind the `@` where `text` is the address of a stage of dvc.yaml of that name, as DVC_STAGE holds it."""
    name, at, key = text.rpartition(PIPELINE)[2].partition("@")
    return key if at and name == stage else None


def add_id(parser: argparse.ArgumentParser, name: str, *, stage: str, **more: Any) -> None:
    """The argument that says what a step is done to: by its name, or by the address of the stage (`train@NAME`)."""
    parser.add_argument(name, type=lambda text: text if (key := address_of(stage, text)) is None else key, **more)


def project() -> "tuple[Workspace, Params]":
    """The workspace and its params.yaml, read before anything heavy is imported."""
    from edgeloop.config import load_params
    from edgeloop.workspace import find_workspace

    workspace = find_workspace()
    return workspace, load_params(workspace)


def go_on_in_flows(module: str, *arguments: str) -> NoReturn:
    """Go on as a program of flows/: the library itself knows nothing of Prefect."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
