"""A project in miniature: a params.yaml with one variant, and its prepared and accepted data set of coloured squares."""

import json
from pathlib import Path
from typing import Any

from miniature import CLASSES, SIDE, coloured, prepare

from edgeloop.config import Params, load_params
from edgeloop.files import sha256_file
from edgeloop.workspace import Workspace

DATASET = "colours"
NETWORK = "fdmobilenet_0.25"
VARIANT = f"{DATASET}-{NETWORK}-{SIDE}"
COUNTS = {"train": 12, "val": 4, "test": 2}
"""Pictures of each class."""
MILD: dict[str, Any] = {
    "phases": [{"mode": "scratch", "epochs": 1, "learning_rate": 0.01}],
    "batch_size": 12,
    "input_range": [0, 1],
    "weight_decay": 0.0001,
    "label_smoothing": 0,
    "weight_average": 0,
    "augmentation": [],
    "final": "best_epoch",
}


def write_params(workspace: Workspace, *, start: str = "models/backbones/scratch.yaml", quantize: Any = None, **train: Any) -> Params:
    """Write a params.yaml (JSON is YAML) whose one variant is trained with these settings, and read it."""
    settings = MILD | train
    tree = {
        "build": [DATASET],
        "datasets": {DATASET: {"source": {"drawn": {}}, "prepare": {}, "validate": {}, "train": settings}},
        "variants": {DATASET: {"networks": NETWORK, "resolutions": SIDE, "start": start}},
        "quantize": quantize or {},
    }
    workspace.params.write_text(json.dumps(tree), encoding="utf-8")
    return load_params(workspace)


def project(folder: Path, **counts: int) -> Workspace:
    """A project folder with backbones and the data set, prepared and accepted."""
    workspace = Workspace(folder)
    backbones = folder / "models" / "backbones"
    backbones.mkdir(parents=True)
    (backbones / "scratch.yaml").write_text("kind: scratch\n", encoding="utf-8")
    pictures = [
        (label, split, coloured(label, 1000 * seed + number, (SIDE, SIDE + 8)))
        for seed, (split, count) in enumerate((COUNTS | counts).items())
        for label in CLASSES
        for number in range(count)
    ]
    prepare(workspace, DATASET, pictures)
    accept(workspace)
    return workspace


def accept(workspace: Workspace) -> None:
    """As `validate` does when the rules hold."""
    paths = workspace.dataset(DATASET)
    paths.accepted.write_text(json.dumps({"manifest_sha256": sha256_file(paths.manifest)}), encoding="utf-8")
