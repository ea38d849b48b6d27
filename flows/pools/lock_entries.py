"""The entries of dvc.lock that go along with a stage: what its upstream stages made is not in the commit yet."""

from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

LOCK_FILE = "dvc.lock"
SCHEMA = "2.0"


def entries(root: Path, addresses: Iterable[str]) -> dict[str, object]:
    """The entries of these stages, where dvc.lock has them."""
    path = root / LOCK_FILE
    stages = (YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}).get("stages", {}) if path.exists() else {}
    return {address: stages[address] for address in addresses if address in stages}


def write_entries(root: Path, stages: dict[str, object]) -> None:
    """Let dvc.lock have these entries only."""
    with (root / LOCK_FILE).open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump({"schema": SCHEMA, "stages": stages}, file)
