"""Equal inputs give equal bytes: the drawn sample, trained with every option on and converted, in folders and Pythons of their own.

    python benchmarks/determinism.py [--folders 2] [PYTHON ...]

Each PYTHON is the interpreter of an environment with edgeloop (default: this one). In each, so many new project folders are built from
nothing by its own `edgeloop` commands, every second one by processes that may run on one core only. Prints the SHA-256 of what each has
built; exit status 1 when two differ.
"""

import argparse
import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Set
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeloop.console import program
from edgeloop.plural import many
from edgeloop.tflite.formats import FILES

VARIANT = "sample-fdmobilenet_0.25-128"
PARAMS = """\
build: [sample]
datasets:
  sample:
    source: {drawn: {per_class: 24, size: 144, seed: 127}}
    prepare: {}
    validate: {classes: [bell, daisy, pansy, sunflower, tulip]}
    train:
      phases:
        - {mode: scratch, epochs: 3, learning_rate: 0.004, warmup_epochs: 1, decay: constant, resolution: 96}
        - {mode: head, epochs: 2, learning_rate: 0.005}
        - {mode: full, epochs: 2, learning_rate: 0.004}
      batch_size: 16
      weight_decay: 0.02
      label_smoothing: 0.1
      dropout: 0.2
      class_weights: balanced
      weight_average: 0.9
      final: refit
      augmentation:
        - {op: flip, vertical: true}
        - {op: crop, area: [0.5, 1.0], aspect: [0.75, 1.333]}
        - {op: affine, probability: 0.5, degrees: 15, shift: 0.05, zoom: [0.85, 1.2], shear: 0.1}
        - {op: color, brightness: 0.1, contrast: 0.2, saturation: 0.3, hue: 0.02}
        - {op: noise, std: 0.03}
        - {op: erase, probability: 0.3, area: [0.02, 0.2]}
        - {op: mixup, alpha: 0.4}
variants:
  sample: {networks: fdmobilenet_0.25, resolutions: 128}
"""
STEPS = [(step, "sample") for step in ("fetch", "prepare", "validate")] + [(step, VARIANT) for step in ("train", "quantize", "evaluate")]
BUILT = (
    "data/sample/images/manifest.parquet",
    *(
        f"models/sample/fdmobilenet_0.25-128/{name}"
        for name in ("train/model.keras", "history.csv", *(f"quantized/{stem}.tflite" for stem in FILES.values()), "predictions.parquet")
    ),
)
DEADLINE_S = 900


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", type=int, default=2, help="of each Python")
    parser.add_argument("pythons", nargs="*", type=Path, default=[Path(sys.executable)], metavar="PYTHON")
    options = parser.parse_args()
    every = os.sched_getaffinity(0)
    runs = [
        list(_digests(python, {min(every)} if number % 2 else every)) for python in options.pythons for number in range(options.folders)
    ]
    differ = 0
    for name, found in zip(BUILT, zip(*runs, strict=True), strict=True):
        digests = dict.fromkeys(digest[:12] for digest in found)
        differ += len(digests) > 1
        print(f"{'DIFFERENT' if len(digests) > 1 else 'equal':<10} {name:<72} {' '.join(digests)}")
    print(f"{len(runs)} folders, {len(options.pythons)} Pythons: {'not equal' if differ else 'equal bytes'}")
    return 1 if differ else 0


def _digests(python: Path, cores: Set[int]) -> Iterator[str]:
    """Of what a project in a new folder builds on these cores, in the order of BUILT."""
    with TemporaryDirectory(prefix="edgeloop determinism ") as scratch:
        folder = Path(scratch)
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        (folder / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        backbones = folder / "models" / "backbones"
        backbones.mkdir(parents=True)
        (backbones / "scratch.yaml").write_bytes((Path(__file__).parents[1] / "models/backbones/scratch.yaml").read_bytes())
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        for step in STEPS:
            command = [str(python.absolute()), "-m", "edgeloop", *step]
            done = subprocess.run(
                command, cwd=folder, env=environment, timeout=DEADLINE_S, capture_output=True, text=True, check=False,
                preexec_fn=functools.partial(os.sched_setaffinity, 0, cores),
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{python} {' '.join(step)} failed:\n{done.stderr}")
        print(f"{python}: built in {folder}, {many(len(cores), 'core')}", file=sys.stderr)
        for name in BUILT:
            yield hashlib.sha256((folder / name).read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(program(main))
