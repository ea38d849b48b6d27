"""What dvc.lock says of a stage, read without DVC."""

from typing import Any

from ruamel.yaml import YAML

from edgeloop.files import read_text
from edgeloop.workspace import Workspace

LOCK_FILE = "dvc.lock"


def locked_stage(text: str, address: str) -> dict[str, Any]:
    """The entry of a stage in the text of a dvc.lock; empty where there is none. DVC writes each entry as one block of lines."""
    block: list[str] = []
    for line in text.splitlines():
        if (block and line.startswith("    ")) or (block and line.startswith("  -")):
            block.append(line)
        elif block:
            break
        elif line in (f"  {address}:", f"  '{address}':", f'  "{address}":'):
            block.append(line)
    entry = YAML(typ="safe").load("\n".join(block)) if block else None
    return next(iter(entry.values())) or {} if entry else {}


def stages_of(text: str) -> dict[str, Any]:
    """All entries of a dvc.lock, by address."""
    tree = YAML(typ="safe").load(text) or {}
    return dict(tree.get("stages") or {})


def locked_outputs(workspace: Workspace, address: str) -> dict[str, str]:
    """MD5 by path of what a stage left; empty where it never ran."""
    try:
        text = read_text(workspace.root / LOCK_FILE)
    except FileNotFoundError:
        return {}
    return outputs(locked_stage(text, address))


def outputs(entry: dict[str, Any]) -> dict[str, str]:
    """MD5 by path of an entry's outputs."""
    return {str(out["path"]): str(out["md5"]) for out in entry.get("outs", []) if "md5" in out}
