"""DVC's file of locks (`.dvc/tmp/rwlock`). DVC writes it in place: a kill in that moment leaves half of it, and every later stage fails."""

import json
import time
from pathlib import Path

from edgeloop.deadline import Deadline

WRITTEN_S = 1.0
"""A file that somebody is writing is whole long before."""
POLL_S = 0.1


def mend(root: Path) -> bool:
    """Remove the file where it is damaged and nobody writes it; returns whether it was.

    The locks in it are lost. DVC refuses everything until it is removed, and whoever held one has no use for it any more.
    """
    path, deadline = root / ".dvc" / "tmp" / "rwlock", Deadline.after(WRITTEN_S)
    while _is_damaged(path):
        if deadline.is_over:
            path.unlink(missing_ok=True)
            return True
        time.sleep(POLL_S)
    return False


def _is_damaged(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False
