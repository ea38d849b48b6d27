"""The boards that a plan needs, looked at before it begins."""

from collections.abc import Collection, Iterator, Sequence

from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.state import BoardState, state
from edgeloop.workspace import Workspace
from flows.pipeline import PlannedStage


def boards_needed(workspace: Workspace, plan: Sequence[PlannedStage], runs: Collection[str]) -> Iterator[BoardState | str]:
    """The state of each board that one of these stages holds; of one at another lab, in words, that it is there."""
    lab = load_lab(workspace)
    for name in sorted({stage.board for stage in plan if stage.board and stage.address in runs}):
        board = lab.board(name)
        yield f"needs the board {name}, at the lab {board.entry.lab}" if board.entry.lab else state(board, workspace.root)
