"""What is looked at before a plan begins: downloads, room on the disk, starting weights, phases, and generators for each target."""

import shutil
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import load_lab
from edgeloop.codegen.choice import check_generation
from edgeloop.codegen.targets import find_target
from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.plural import in_bytes
from edgeloop.training.before import check_training
from edgeloop.workspace import Workspace

USUAL_BYTES = 500_000_000
"""What models, code, records and pages, and the decoded images of a small data set take. Fewer are no reason to refuse a run."""


def before_a_run(workspace: Workspace, params: Params, runs: Collection[str]) -> Iterator[str]:
    """What one wants to know before these stages run: what is downloaded, what may fail, what may make no result.

    Raises:
        InputError, ConfigError, StedgeaiError: something certainly fails.
    """
    yield from _downloads(workspace, params, runs)
    if warning := check_room(workspace, params, runs):
        yield warning
    for name in params.trained:
        if f"train@{name}" in runs:
            yield from check_training(workspace, params, name)
    _check_generation(workspace, params, runs)


def _downloads(workspace: Workspace, params: Params, runs: Collection[str]) -> Iterator[str]:
    for name, dataset in params.datasets.items():
        source = dataset.source
        away = source.address is not None and urlsplit(source.address).scheme in ("http", "https")
        if f"fetch@{name}" in runs and away and not workspace.dataset(name).archive.is_file():
            size = in_bytes(source.bytes) if source.bytes else "an unknown size"
            yield f"fetch@{name} downloads {size}: {source.address}"


def _check_generation(workspace: Workspace, params: Params, runs: Collection[str]) -> None:
    """Refuse what no generator of this machine makes; what another machine generates, it looks at there."""
    if any(run.startswith("generate@") for run in runs) and not any("generate" in steps for steps in params.pools.values()):
        how = params.generate
        check_generation(how.backend, find_target(how.target), how.tool)
    lab = load_lab(workspace)
    named = sorted({benchmark.board for key, benchmark in params.benchmarks.items() if f"benchmark@{key}" in runs})
    boards = [board for board in map(lab.board, named) if "generate" in DRIVERS[board.kind.driver].keys and not board.entry.lab]
    if boards:
        # It brings the generators along, which a plan without such boards does not need.
        from edgeloop.boards.mcu.firmware import form_for

        for board in boards:
            form_for(board, workspace.root)


def room_needed(workspace: Workspace, params: Params, runs: Collection[str]) -> int:
    """Bytes that these stages certainly write: archives that are not there yet, and the images of them.

    What DVC's cache takes (as much again, where the file system cannot share blocks), decoded images and models are not in it.
    """
    needed = 0
    for name, dataset in params.datasets.items():
        size = dataset.source.bytes or 0
        if f"fetch@{name}" in runs and not workspace.dataset(name).archive.is_file():
            needed += size
        if f"prepare@{name}" in runs:
            needed += size
    return needed


def check_room(workspace: Workspace, params: Params, runs: Collection[str]) -> str | None:
    """A warning where the room may be too small.

    Raises:
        InputError: it certainly is.
    """
    needed, free = room_needed(workspace, params, runs), shutil.disk_usage(workspace.root).free
    usual = 2 * needed + USUAL_BYTES
    there = f"{in_bytes(free)} are free."
    if free < needed:
        raise InputError(
            f"The run writes at least {in_bytes(needed)} below {workspace.root}; {there}",
            "Free some space, or build less (`build` in params.yaml): edgeloop plan says what runs.",
        )
    if runs and free < usual:
        return f"The run may write {in_bytes(usual)} below {workspace.root}, DVC's cache included; {there}"
    return None
