"""The progress of a stage as an artifact in Prefect's UI, read from the lines that its command prints."""

import re
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

# As edgeloop/progress.py writes them: "train: 7/40 epochs, 1.3 epochs/s, val 0.760, best 0.860".
_LINE = re.compile(r"^(?P<what>[^:]+): (?P<done>[\d.]+)/(?P<total>[\d.]+) \w+.*$")


class ShownProgress:
    """One bar for each kind of work that a stage reports; the text behind it is the latest line."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._bars: dict[str, UUID] = {}

    def see(self, line: str) -> None:
        """Move the bar, where the line is about progress."""
        match = _LINE.match(line)
        if match is None:
            return
        what, share = match["what"], percent(float(match["done"]), float(match["total"]))
        if what in self._bars:
            update_progress_artifact(self._bars[what], share, description=line)
            return
        made = create_progress_artifact(share, key=slug(f"{self._address} {what}"), description=line)
        if isinstance(made, UUID):  # as it is wherever no event loop runs
            self._bars[what] = made


def percent(done: float, total: float) -> float:
    """Between 0 and 100."""
    return min(100.0, 100.0 * done / total) if total else 100.0


def slug(text: str) -> str:
    """As keys of artifacts must be: lower-case letters, digits and single dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
