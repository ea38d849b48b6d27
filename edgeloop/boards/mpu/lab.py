"""Linux boards as the lab knows them, held while they are measured; and boards that only an SSH address names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard, Ssh
from edgeloop.boards.lab.connect import linux_settings
from edgeloop.boards.lab.find import find
from edgeloop.boards.lab.kinds import kinds
from edgeloop.boards.lab.waiting import tell
from edgeloop.boards.lock import hold
from edgeloop.boards.mpu.settings import SCHEME, SSH_PORT, MpuSettings, settings_for

ANY = "any-linux"
ROOT = "root"
WAIT_S = 3600.0
"""Others may measure for long; the queue is fair."""


def linux_boards(lab: Lab) -> dict[str, LabBoard]:
    """The boards of lab.yaml that this driver runs, by name."""
    return {board.name: board for board in lab.all() if board.kind.driver == "mpu"}


def is_address(board: str) -> bool:
    """Whether a board is named by an SSH address."""
    return board.startswith(SCHEME)


def board_at(address: str) -> LabBoard:
    """A board of no declared kind.

    Raises:
        InputError: it is no SSH address, or holds a password.
    """
    given = settings_for(address)
    ssh = Ssh(host=given.host, port=given.port or SSH_PORT, user=given.user or ROOT)
    return LabBoard(address, BoardEntry(kind=ANY, find=Find(ssh=ssh)), kinds()[ANY])


@contextmanager
def held(board: LabBoard, project: Path, run: str) -> Iterator[MpuSettings]:
    """Hold the board; gives how it is reached.

    Raises:
        BoardBusy: somebody else has held it for too long.
        BoardError: the machine's folder of locks cannot be used.
    """
    with hold(find(board, project).key, run, WAIT_S, tell(board.name)):
        yield linux_settings(board)
