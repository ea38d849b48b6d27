"""Tab completion: a script for a shell, and the names that it asks for while one types."""

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edgeloop.cli.common import Command, project
from edgeloop.console import say

if TYPE_CHECKING:
    from edgeloop.config import Params
    from edgeloop.workspace import Workspace

SHELLS = ("bash", "zsh", "fish")
NAMES_OF = {
    "dataset": "datasets",
    "network": "networks",
    "resolution": "resolutions",
    "variant": "variants",
    "variants": "variants",
    "board": "boards",
}
"""What an argument names, by its own name."""
OR_FILES = {"model": "variants"}
"""Arguments that take a file of this folder as well."""
FILES = ("images", "given", "origin", "out", "classes")


def add(command: Command) -> None:
    completion = command("completion", _completion, "print the script that completes commands and names in a shell")
    completion.add_argument("shell", choices=SHELLS)
    names = command("names", _names, "list what is declared here, a name a line")
    names.add_argument("what", choices=tuple(LISTS))


def _completion(options: argparse.Namespace) -> None:
    import shtab

    from edgeloop.cli import command_line

    parser = command_line()
    for action in _arguments(parser):
        asked = "edgeloop names {} 2>/dev/null"
        if (what := NAMES_OF.get(action.dest)) and not action.choices:
            action.complete = shtab.cmd(asked.format(what))  # type: ignore[attr-defined]
        elif what := OR_FILES.get(action.dest):
            action.complete = shtab.cmd(f"{asked.format(what)}; ls -d *.tflite *.keras *.h5 2>/dev/null")  # type: ignore[attr-defined]
        elif action.dest in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    say(shtab.complete(parser, options.shell))


def _arguments(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """All of its commands' arguments."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _arguments(one)


def _names(options: argparse.Namespace) -> None:
    workspace, params = project()
    for name in dict.fromkeys(LISTS[options.what](workspace, params)):
        say(name)


def _boards(workspace: "Workspace", _: "Params") -> Iterable[str]:
    from edgeloop.boards.lab.config import load_lab

    return load_lab(workspace).boards


LISTS: dict[str, Callable[["Workspace", "Params"], Iterable[str]]] = {
    "datasets": lambda _, params: params.datasets,
    "variants": lambda _, params: params.variants,
    "built": lambda _, params: params.built,
    "networks": lambda _, params: (variant.network for variant in params.variants.values()),
    "resolutions": lambda _, params: (str(variant.resolution) for variant in params.variants.values()),
    "boards": _boards,
}
