"""Boards that a test uses without their locks, and drivers of them."""

from collections.abc import Sequence
from pathlib import Path

from edgeloop.boards.host import HostBoard
from edgeloop.boards.lab.config import Lab, LabBoard
from edgeloop.boards.lab.find import Found
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.lock import Held
from edgeloop.boards.mpu.driver import MpuBoard
from edgeloop.boards.stm32msg.run import Patience
from edgeloop.boards.virtual.driver import PATIENCE, VirtualBoard


def in_hand(board: LabBoard, project: Path = Path("/nowhere")) -> BoardInUse:
    """Nobody else wants it."""
    return BoardInUse(board, Found("nobody else's", ""), Held("nobody else's", -1), project)


def host() -> HostBoard:
    return HostBoard(in_hand(Lab(boards={}).board("host")))


def virtual(name: str, faults: Sequence[str] = (), patience: Patience = PATIENCE) -> VirtualBoard:
    return VirtualBoard(in_hand(Lab(boards={}).board(name)), faults=faults, patience=patience)


def linux(board: LabBoard) -> MpuBoard:
    return MpuBoard(in_hand(board))
