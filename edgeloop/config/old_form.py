"""A params.yaml of the form before rows: variants and benchmarks by their full names. It is refused, with the lines to write instead."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from edgeloop.workspace import BACKBONES

Key = tuple[str, str, tuple[str, ...]]
"""Data set, start, boards."""


def is_old(tree: Mapping[str, Any]) -> bool:
    """Whether the file names each variant by itself."""
    variants = tree.get("variants")
    return "benchmarks" in tree or (
        isinstance(variants, Mapping) and any(isinstance(entry, Mapping) and "dataset" in entry for entry in variants.values())
    )


def new_lines(tree: Mapping[str, Any]) -> str:
    """`build` and `variants` that declare and build the very same."""
    old = [entry for entry in (tree.get("variants") or {}).values() if isinstance(entry, Mapping)]
    benchmarks = [entry for entry in (tree.get("benchmarks") or {}).values() if isinstance(entry, Mapping)]
    grouped: dict[Key, dict[str, list[int]]] = {}
    for entry in old:
        boards = tuple(str(one.get("board")) for one in benchmarks if _named(one) == _named(entry))
        key = (str(entry.get("dataset")), _start(entry), boards)
        grouped.setdefault(key, {}).setdefault(str(entry.get("network")), []).append(int(entry.get("resolution", 0)))
    rows: dict[str, list[str]] = {}
    for key, networks in grouped.items():
        rows.setdefault(key[0], []).extend(_rows(key, networks))
    lines = [f"build: [{', '.join(rows)}]", "variants:"]
    for dataset, written in rows.items():
        lines += [f"  {dataset}:", *(f"    - {row}" for row in written)]
    return "\n".join(lines)


def _rows(key: Key, networks: Mapping[str, list[int]]) -> Iterator[str]:
    """One for the networks that have the same resolutions."""
    _, start, boards = key
    for resolutions in dict.fromkeys(tuple(found) for found in networks.values()):
        alike = [network for network, found in networks.items() if tuple(found) == resolutions]
        parts = [
            f"networks: {_some(alike)}",
            f"resolutions: {_some(resolutions)}",
            f"start: {start}",
            f"boards: {_some(boards or ('host',))}",
        ]
        yield f"{{{', '.join(parts)}}}"


def _some(items: Any) -> str:
    return str(items[0]) if len(items) == 1 else f"[{', '.join(map(str, items))}]"


def _start(entry: Mapping[str, Any]) -> str:
    """The word for it, where it has one."""
    path = PurePosixPath(str(entry.get("start", "models/backbones/scratch.yaml")))
    own = f"{entry.get('network')}-{entry.get('resolution')}"
    match path.parts:
        case ("models", folder, made, "train", "model.keras") if folder != BACKBONES and made == own:
            return folder
        case ("models", folder, file) if folder == BACKBONES:
            name = file.removesuffix(".yaml")
            return "scratch" if name == "scratch" else name.removesuffix(f"-{own}") if name.endswith(f"-{own}") else str(path)
    return str(path)


def _named(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(entry.get(part) for part in ("dataset", "network", "resolution"))
