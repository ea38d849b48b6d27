"""graph.yaml: what the stages of dvc.yaml are made for, derived from params.yaml, because DVC cannot choose or multiply by itself.

It is kept like dvc.lock: committed, and never edited. The commands of edgeloop that run stages bring it up to date first;
`dvc repro` finds it out of date by the stage `graph`, which then writes it and stops.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import Lab, load_lab
from edgeloop.config import Params, Variant, load_params
from edgeloop.errors import ConfigError, InputError
from edgeloop.files import read_text, write_text
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match, place

HEAD = """\
# Written by edgeloop from params.yaml (`build`, `variants`, `defaults`) for dvc.yaml: change those, and `edgeloop graph` brings this up
# to date; so do `edgeloop run` and `dvc repro`. Commit it with them.
"""
FORM = 1
"""Of this file. The stages that need no other depend on it, and by them all on the stage `graph`."""
STEPS = ("prepare", "validate", "train")
Entries = dict[str, dict[str, Any]]


def graph_of(params: Params, lab: Lab) -> dict[str, Entries]:
    """By section: data sets, and of the variants those that are trained, those of which all is made, and their benchmarks."""
    trained = [params.variants[name] for name in params.trained]
    built = [params.variants[name] for name in params.built]
    datasets = dict.fromkeys(variant.dataset for variant in trained)
    return {
        "datasets": {name: {step: params.stated(name, step) for step in STEPS} for name in datasets},
        "trained": {one.id: _item(one) | _training(one, params) for one in trained},
        "variants": {one.id: _item(one) for one in built},
        "benchmarks": {f"{one.id}-{board}": _item(one) | _measured(board, lab) for one in built for board in one.boards},
    }


def refresh(workspace: Workspace) -> str | None:
    """Write graph.yaml where it is not what params.yaml asks for; returns what changed, in words, or None.

    Raises:
        ConfigError: params.yaml or lab.yaml is wrong, or starting weights are missing.
    """
    params = load_params(workspace)
    text = _text(workspace, params)
    if text == _present(workspace):
        return None
    write_text(workspace.graph, text)
    built, trained = len(params.built), len(params.trained)
    more = f"; {trained - built} more trained, because these start from them" if trained > built else ""
    return f"{workspace.graph.name} written: {built} of {len(params.variants)} declared variants built{more}"


def is_current(workspace: Workspace) -> bool:
    """Whether graph.yaml is what params.yaml asks for.

    Raises:
        ConfigError: params.yaml or lab.yaml is wrong, or starting weights are missing.
    """
    return _text(workspace, load_params(workspace)) == _present(workspace)


def _text(workspace: Workspace, params: Params) -> str:
    lab, variants = load_lab(workspace), [params.variants[name] for name in params.trained]
    _check_boards(workspace, lab, variants)
    _check_backbones(workspace, variants)
    return "\n".join([HEAD + "graph:", f"  form: {FORM}", *_lines(graph_of(params, lab)), ""])


def _present(workspace: Workspace) -> str:
    return read_text(workspace.graph) if workspace.graph.is_file() else ""


def _item(variant: Variant) -> dict[str, Any]:
    folder = variant.paths(Workspace(Path())).folder.as_posix()
    return {"dataset": variant.dataset, "network": variant.network, "resolution": variant.resolution, "folder": folder}


def _training(variant: Variant, params: Params) -> dict[str, Any]:
    """What it starts from, where its settings stand, and how many cores it takes."""
    stated, threads = params.stated(variant.dataset, "train"), params.train_settings(variant).threads
    return {"start": variant.start.as_posix(), "train": stated, "threads": threads}


def _measured(board: str, lab: Lab) -> dict[str, Any]:
    """The board, and the folder of the variant that it runs."""
    return {"board": board, "runs": DRIVERS[lab.board(board).kind.driver].runs or "quantized"}


def _check_boards(workspace: Workspace, lab: Lab, variants: list[Variant]) -> None:
    for variant in variants:
        for board in variant.boards:
            try:
                lab.board(board)
            except InputError as error:
                where = place(workspace.params, "variants", variant.dataset)
                raise ConfigError(f"{where}: {error.what}", "Name one of those in `boards`, or add it: docs/boards.md") from None


def _check_backbones(workspace: Workspace, variants: list[Variant]) -> None:
    """See that those of the project's folder are there; whatever else a variant starts from may still come."""
    known = [file.name for file in workspace.backbones.glob("*.yaml")]
    for variant in variants:
        path = workspace.root / variant.start
        if known and path.parent == workspace.backbones and not path.is_file():
            near = near_match(path.name, known)
            where = place(workspace.params, "variants", variant.dataset)
            raise ConfigError(
                f"{where}: {variant.id} starts from {variant.start}, which does not exist{near}.", "Correct `start` there (docs/train.md)."
            )


def _lines(graph: dict[str, Entries]) -> Iterator[str]:
    for section, entries in graph.items():
        yield f"  {section}:" if entries else f"  {section}: {{}}"
        yield from (f"    {name}: {json.dumps(entry)}" for name, entry in entries.items())
