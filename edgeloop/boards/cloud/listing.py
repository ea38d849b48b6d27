"""The boards that ST's farm lists, for `edgeloop boards --cloud`."""

from contextlib import closing

from edgeloop.boards.cloud.options import family
from edgeloop.codegen.stedgeai.cloud.client import Cloud, ListedBoard
from edgeloop.errors import InputError

UNKNOWN = "of an unknown family: not to be used"


def listed() -> dict[str, ListedBoard]:
    """Ask the farm.

    Raises:
        FarmError: one of its kinds.
    """
    with closing(Cloud.of_environment()) as cloud:
        return dict(sorted(cloud.boards().items()))


def render(boards: dict[str, ListedBoard]) -> str:
    """The list for people."""
    width = max(map(len, boards), default=0)
    return "\n".join(f"{name:<{width}}  {_details(name, board)}" for name, board in boards.items()) or "the farm lists no board"


def _details(name: str, board: ListedBoard) -> str:
    there = "" if board.count is None else f"{board.count} there"
    flash = f"flash {board.flash}" if board.flash else ""
    return ", ".join(filter(None, (there, board.cpu, flash, _target(name) or UNKNOWN)))


def _target(name: str) -> str | None:
    try:
        return family(name).target
    except InputError:
        return None
