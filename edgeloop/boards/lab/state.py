"""The state of every board of the lab: free, held (by whom, since when), or absent (why)."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from edgeloop.boards.lab.config import Lab, LabBoard
from edgeloop.boards.lab.find import find, reach
from edgeloop.boards.lock import Holder, hold, occupancy
from edgeloop.errors import BoardAbsent, BoardBusy

LOOKERS = 8


class BoardState(BaseModel):
    """What `edgeloop boards` says of one board."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    title: str
    state: Literal["free", "held", "absent"]
    address: str | None = None
    """Where it is; None when it is absent, empty for a board that needs no address."""
    probe: str | None = None
    holder: Holder | None = None
    """None while it is held: whoever holds it has not said, or is gone and left a program behind that keeps the board."""
    waiting: list[str] = []
    """What waits for it, in order."""
    why: str | None = None
    """Why it is absent, and what to do."""


def states(lab: Lab, project: Path, root: Path = Path("/")) -> list[BoardState]:
    """The state of each board, in the order of lab.yaml; boards on a network are tried, all at once."""
    with ThreadPoolExecutor(LOOKERS) as pool:
        return list(pool.map(lambda board: state(board, project, root), lab.all()))


def state(board: LabBoard, project: Path, root: Path = Path("/")) -> BoardState:
    """The state of one board.

    Raises:
        BoardError: the machine's folder of locks cannot be used.
    """
    described: dict[str, Any] = {"name": board.name, "kind": board.entry.kind, "title": board.kind.title}
    try:
        found = find(board, project, root)
        seen = occupancy(found.key)
        if not seen.held and found.endpoint is not None:
            # A serial exporter serves one client: looking must not disturb who comes just now.
            with hold(found.key, "edgeloop boards", 0):
                reach(found)
    except BoardAbsent as error:
        return BoardState(**described, state="absent", why=str(error))
    except BoardBusy:
        seen = occupancy(found.key)
    return BoardState(
        **described,
        state="held" if seen.held else "free",
        address=found.address,
        probe=found.probe,
        holder=seen.holder,
        waiting=seen.waiting,
    )


def render(boards: list[BoardState]) -> str:
    """A table for people."""
    if not boards:
        return "lab.yaml names no board."
    widths = [max(len(getattr(board, field)) for board in boards) for field in ("name", "kind")]
    lines = []
    for board in boards:
        head = f"{board.name:<{widths[0]}}  {board.kind:<{widths[1]}}  {board.state:<6}"
        lines.append(f"{head}  {_details(board)}".rstrip())
        lines += [f"{'':<{widths[0]}}  waiting: {number}. {run}" for number, run in enumerate(board.waiting, 1)]
    return "\n".join(lines)


def _details(board: BoardState) -> str:
    if board.why is not None:
        return board.why.replace("\n", "\n    ")
    if board.state == "held":
        return (
            f"by {board.holder}" if board.holder else "by a process that did not say who it is, or left a program behind: edgeloop doctor"
        )
    return board.address or ""
