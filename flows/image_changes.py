"""Which images of a prepared data set are other ones than those that a stage was run with, by class."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeloop.errors import EdgeloopError

MANIFEST = "manifest.parquet"
"""Its name in the folder that `prepare` makes."""


def image_changes(dependency: Any) -> str | None:
    """In words, for a DVC dependency that is a folder of images; None where it is none, or DVC's cache lacks what there was before."""
    now = Path(dependency.fs_path) / MANIFEST
    before = _before(dependency) if now.is_file() else None
    if before is None:
        return None
    try:
        return _compared(_usable(before), _usable(now))
    except (EdgeloopError, OSError):
        return None


def _before(dependency: Any) -> Path | None:
    """The manifest of then, in DVC's cache."""
    from dvc_data.hashfile import load
    from dvc_objects.errors import ObjectFormatError

    cache = dependency.repo.cache.local
    try:
        folder: Any = load(cache, dependency.hash_info)
    except (FileNotFoundError, ObjectFormatError, AttributeError):
        return None
    found = next((content.value for key, _, content in folder if key == (MANIFEST,)), None)
    return None if found is None else Path(cache.oid_to_path(found))


def _usable(manifest: Path) -> dict[str, str]:
    """The class of each image that is in a split, by path."""
    from edgeloop.datasets.manifest import read_manifest

    rows = read_manifest(manifest)
    used = rows[rows["split"].notna()]
    return dict(zip(used["path"], used["label"], strict=True))


def _compared(before: dict[str, str], now: dict[str, str]) -> str | None:
    parts = [
        *_counted((label for path, label in now.items() if path not in before), "images added"),
        *_counted((label for path, label in before.items() if path not in now), "images gone"),
        *_counted((label for path, label in now.items() if before.get(path, label) != label), "images given another class, now"),
    ]
    return "; ".join(parts) or None


def _counted(labels: Iterable[str], what: str) -> list[str]:
    counts = ", ".join(f"{count} of {label}" for label, count in sorted(Counter(labels).items()))
    return [f"{what}: {counts}"] if counts else []
