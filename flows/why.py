"""Why a stage of dvc.yaml is out of date, to the key and the file; and how long it took last time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.image_changes import image_changes

NOT_BUILT = "it was not built yet"
SHOWN = 4
"""So many changes are named, the others counted."""


def reason_of(stage: Any) -> str | None:
    """Why DVC would run a stage; None where it would not."""
    if stage.outs and not any(out.hash_info for out in stage.outs):
        return NOT_BUILT
    changes = list(dict.fromkeys(_changes(stage)))
    if not changes:
        return None
    more = len(changes) - SHOWN
    return "; ".join([*changes[:SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _changes(stage: Any) -> Iterator[str]:
    if stage.always_changed or stage.is_callback:
        yield "it runs every time"
    if stage.changed_stage():
        yield "its definition changed" if not stage.cmd_changed else "its command changed"
    for dependency in () if stage.frozen else stage.deps:
        status = dependency.workspace_status()
        if status and hasattr(dependency, "read_params"):
            yield from _keys(dependency, status)
        elif status:
            images = image_changes(dependency)
            yield from [images] if images else (f"{path} {_WORDS[how]}" for path, how in status.items())
    for out in stage.outs:
        yield from (f"{path}, which it made, {_WORDS[how]}" for path, how in out.workspace_status().items())


_WORDS = {"deleted": "is not there", "modified": "changed", "new": "is new"}


def _keys(dependency: Any, status: dict[str, Any]) -> Iterator[str]:
    """Each key of params.yaml that changed, and how."""
    before, now = dependency.hash_info.value or {}, dependency.read_params()
    for path, keys in status.items():
        if isinstance(keys, str):
            yield f"{path} {_WORDS[keys]}"
            continue
        for key in keys:
            yield from _differences(key, before.get(key, _NONE), now.get(key, _NONE))


_NONE = object()


def _differences(key: str, before: Any, now: Any) -> Iterator[str]:
    """The leaves that differ, as `quantize.calibration_images: 200 -> 100`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*before, *now]):
            yield from _differences(f"{key}.{name}", before.get(name, _NONE), now.get(name, _NONE))
    elif before != now:
        yield f"{key}: {_value(before)} -> {_value(now)}"


def _value(value: Any) -> str:
    if value is _NONE:
        return "(nothing)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def took_s(stage: Any) -> float | None:
    """Seconds that it took last time, by the record among its outputs; None where there is none."""
    for out in stage.outs:
        path = Path(out.fs_path)
        if path.suffix == ".json" and path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                return float(found["provenance"]["duration_s"])
            except (ValueError, KeyError, TypeError):
                continue
    return None
