"""What is known already: every file that an ingest quarantined, and what was read once."""

import json
from collections.abc import Iterable
from pathlib import Path

from edgeloop.files import write_text
from edgeloop.ingest.arrivals import Arrival
from edgeloop.records import IngestRecord
from edgeloop.workspace import Workspace


class Digests:
    """Digests of incoming files by source and version, so that a file that was read once is not read again; may be deleted."""

    def __init__(self, workspace: Workspace, dataset: str, source: str) -> None:
        self._path = workspace.cache / "ingest" / f"{dataset}.json"
        self._source = source
        self._before = self._read()
        self._now: dict[str, list[str]] = {}

    def find(self, arrival: Arrival) -> str | None:
        """The SHA-256 of a file that has not changed since."""
        version, sha256 = self._before.get(arrival.path, ["", ""])
        if version != arrival.version:
            return None
        self._now[arrival.path] = [version, sha256]
        return sha256

    def remember(self, arrival: Arrival, sha256: str) -> None:
        self._now[arrival.path] = [arrival.version, sha256]

    def write(self) -> None:
        if self._now != self._before:
            write_text(self._path, json.dumps({"source": self._source, "files": self._now}))

    def _read(self) -> dict[str, list[str]]:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            return dict(stored["files"]) if stored["source"] == self._source else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def records(folder: Path) -> list[IngestRecord]:
    """The records of a data set's ingests, in their order; beside them lie those of corrections."""
    paths = sorted(folder.glob("[0-9]*.json"))
    return [IngestRecord.read(path) for path in paths if json.loads(path.read_text(encoding="utf-8")).get("kind") == "ingest"]


def quarantined_digests(earlier: Iterable[IngestRecord]) -> set[str]:
    """The SHA-256 of what earlier ingests quarantined."""
    return {file.sha256 for record in earlier for file in record.quarantined_files if file.sha256 is not None}


def known_by_name(earlier: Iterable[IngestRecord]) -> set[tuple[str, int]]:
    """Path and size of the files that were too large to be read."""
    return {(file.path, file.bytes) for record in earlier for file in record.quarantined_files if file.sha256 is None}
