"""What a person sees who waits for a board: who holds it, and the place in the queue."""

from typing import TextIO

from edgeloop.boards.lock import Holder, Watcher
from edgeloop.console import notice


def tell(name: str, stream: TextIO | None = None) -> Watcher:
    """A watcher for `hold` that writes a line on stderr whenever something changes."""

    def watch(ahead: int, holder: Holder | None) -> None:
        who = f"held by {holder}" if holder is not None else "held"
        notice(f"waiting for {name}, {who}; place {ahead + 1} in the queue", stream)

    return watch
