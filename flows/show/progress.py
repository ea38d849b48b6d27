"""The progress of a stage as an artifact in Prefect's UI."""

import re
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from edgeloop.events import Progress
from flows.show.best_effort import best_effort


class ShownProgress:
    """The bar of a stage: how far its present work is; the text beside it is the latest line."""

    def __init__(self, address: str) -> None:
        self._key = slug(address)
        self._bar: UUID | None = None

    def show(self, progress: Progress) -> None:
        """Move the bar, where the end is known."""
        if progress.total is None:
            return
        with best_effort("progress"):
            self._show(percent(progress), progress.text)

    def _show(self, share: float, line: str) -> None:
        if self._bar is not None:
            update_progress_artifact(self._bar, share, description=line)
            return
        made = create_progress_artifact(share, key=self._key, description=line)
        if isinstance(made, UUID):  # as it is wherever no event loop runs
            self._bar = made


def percent(progress: Progress) -> float:
    """Between 0 and 100."""
    return min(100.0, 100.0 * progress.done / progress.total) if progress.total else 100.0


def slug(text: str) -> str:
    """As keys of artifacts must be: lower-case letters, digits and single dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
