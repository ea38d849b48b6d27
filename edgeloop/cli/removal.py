"""The command that takes a data set or a variant out of the project."""

import argparse
import sys

from edgeloop.cli.common import Command, project
from edgeloop.console import courtesy, say
from edgeloop.errors import InputError


def add(command: Command) -> None:
    remove = command("remove", _remove, "take a data set or a variant out: its lines of params.yaml, its files, its entries of dvc.lock")
    remove.add_argument("name", metavar="DATASET|VARIANT")
    remove.add_argument("--yes", action="store_true", help="do not ask")


def _remove(options: argparse.Namespace) -> None:
    workspace, params = project()
    from flows.removal import carry_out, removal_of

    removal = removal_of(workspace, params, options.name)
    for line in removal.in_words(workspace.root):
        say(line)
    if not options.yes and not _agreed(options.name):
        say("nothing was changed")
        return
    carry_out(workspace, removal)
    say(f"{options.name} removed; commit it: git add -A params.yaml graph.yaml dvc.lock additions; git commit")


def _agreed(name: str) -> bool:
    if not sys.stdin.isatty():
        raise InputError("Nobody is there to be asked, so nothing was changed.", f"To do it: edgeloop remove {name} --yes")
    courtesy(f"Remove {name}? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
