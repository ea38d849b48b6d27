"""What a board of the lab says that it is, asked under its lock."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.lab.use import in_use
from edgeloop.boards.lock import Watcher

WAIT_S = 30.0


@dataclass(frozen=True)
class Identification:
    """The answer of one board."""

    name: str
    kind: str
    address: str
    says: Mapping[str, str]
    """What it reports of itself, by subject."""

    def in_words(self) -> str:
        """Lines for people."""
        width = max(map(len, self.says), default=0)
        head = f"{self.name} ({self.kind}) {self.address}".rstrip()
        return "\n".join([head, *(f"  {subject:<{width}}  {text}" for subject, text in self.says.items())])


def identify(
    board: LabBoard, project: Path, wait_s: float = WAIT_S, watcher: Watcher | None = None, root: Path = Path("/")
) -> Identification:
    """Talk to the board.

    Raises:
        BoardAbsent: it is not attached.
        BoardBusy: somebody else has held it for `wait_s`.
        BoardError: it does not answer as its kind does.
    """
    with (
        in_use(board, project, f"edgeloop boards identify {board.name}", wait_s, watcher, root) as used,
        closing(DRIVERS[board.kind.driver].load()(used)) as driver,
    ):
        return Identification(board.name, board.entry.kind, used.found.address, driver.identify().says)
