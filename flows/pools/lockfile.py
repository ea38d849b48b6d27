"""`python -m flows.pools.lockfile ADDRESS FILE`: puts a stage's entry (a JSON file) into dvc.lock, as DVC itself writes it."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

LOCK_FILE = "dvc.lock"
SCHEMA = "2.0"
CHANGED = 4
"""Exit code: the entry does not fit this workspace."""


def entries(root: Path, addresses: Iterable[str]) -> dict[str, object]:
    """The entries of these stages, where dvc.lock has them."""
    path = root / LOCK_FILE
    stages = (YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}).get("stages", {}) if path.exists() else {}
    return {address: stages[address] for address in addresses if address in stages}


def write_part(root: Path, stages: dict[str, object]) -> None:
    """Let dvc.lock have these entries only."""
    with (root / LOCK_FILE).open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump({"schema": SCHEMA, "stages": stages}, file)


def put(root: Path, address: str, entry: dict[str, Any]) -> bool:
    """Take the entry over; returns False, and does nothing, where it speaks of another command or of other inputs than these.

    The outputs that it names need not be there yet.
    """
    from dvc.repo import Repo
    from dvc.stage.loader import StageLoader

    with Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
        (stage,) = repo.stage.collect(address)
        StageLoader.fill_from_lock(stage, entry)
        if stage.cmd != entry.get("cmd") or stage.changed_deps():
            return False
        stage.dump(update_pipeline=False)
    return True


def main(address: str, file: str) -> int:
    """Returns the exit code."""
    return 0 if put(Path.cwd(), address, json.loads(Path(file).read_text(encoding="utf-8"))) else CHANGED


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
