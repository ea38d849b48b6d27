"""The progress of a stage as an artifact in Prefect's UI, read from the lines that its command prints."""

import re
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.show.telling import telling

# As edgeloop/progress.py writes them: "train: 7/40 epochs, 1.3 epochs/s, val 0.760, best 0.860".
_LINE = re.compile(r"^(?P<what>[^:]+): (?P<done>[\d.]+)/(?P<total>[\d.]+) \w+, .*$")


class ShownProgress:
    """The bar of a stage: how far its present work is; the text beside it is the latest line."""

    def __init__(self, address: str) -> None:
        self._key = slug(address)
        self._bar: UUID | None = None

    def see(self, line: str) -> None:
        """Move the bar, where the line is about progress."""
        match = _LINE.match(line)
        if match is None:
            return
        share = percent(float(match["done"]), float(match["total"]))
        with telling("progress"):
            self._show(share, line)

    def _show(self, share: float, line: str) -> None:
        if self._bar is not None:
            update_progress_artifact(self._bar, share, description=line)
            return
        made = create_progress_artifact(share, key=self._key, description=line)
        if isinstance(made, UUID):  # as it is wherever no event loop runs
            self._bar = made


def is_progress(line: str) -> bool:
    """Whether it is such a line."""
    return _LINE.match(line) is not None


def percent(done: float, total: float) -> float:
    """Between 0 and 100."""
    return min(100.0, 100.0 * done / total) if total else 100.0


def slug(text: str) -> str:
    """As keys of artifacts must be: lower-case letters, digits and single dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
