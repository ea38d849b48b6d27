"""A variant that every step has really built, as small as can be: drawn pictures, one epoch, the host and C code; under git."""

import subprocess
import sys
from pathlib import Path

from flows_in_miniature import environment

from edgeloop.workspace import Workspace

VARIANT = "sample-fdmobilenet_0.25-32"
PARAMS = """\
build: [sample]
defaults: {prepare: {}, validate: {}, train: {}}
datasets:
  sample:
    license: cc0-1.0
    source: {drawn: {per_class: 16, size: 48, seed: 5}}
    prepare: {short_side: 48, near_duplicate_bits: 0}
    validate: {classes: [bell, daisy, pansy, sunflower, tulip]}
    train:
      phases: [{mode: scratch, epochs: 1, learning_rate: 0.01}]
      augmentation: []
      final: best_epoch
      batch_size: 16
variants:
  sample: {networks: fdmobilenet_0.25, resolutions: 32, boards: host}
quantize: {calibration_images: 20}
benchmark: {warmup_runs: 2, windows: 5, runs_per_window: 5}
publish: {to: shelf}
"""
STEPS = [
    *(("fetch", "sample"), ("prepare", "sample"), ("validate", "sample"), ("train", VARIANT), ("quantize", VARIANT)),
    *(("generate", VARIANT), ("evaluate", VARIANT), ("benchmark", VARIANT), ("card", VARIANT)),
]
"""What dvc.yaml calls, in its order."""
RUN = "import sys; from edgeloop.cli import main; sys.exit(max(main(words.split()) for words in sys.argv[1:]))"
"""One process for all of them: TensorFlow takes its time to start."""


def build(folder: Path) -> None:
    """Make the project in `folder`/project, with what is exported of it in `folder`/bundle."""
    root = folder / "project"
    (root / "models" / "backbones").mkdir(parents=True)
    (root / "models" / "backbones" / "scratch.yaml").write_text("kind: scratch\n", encoding="utf-8")
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (root / ".gitignore").write_text("/data\n/models/sample\n/.edgeloop\n/shelf\n", encoding="utf-8")
    env = environment(folder)
    for argv in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "a variant"]):
        subprocess.run(["git", *argv], cwd=root, env=env, check=True, timeout=60)
    words = [" ".join(step) for step in STEPS] + [f"export {VARIANT} -o ../bundle"]
    done = subprocess.run([sys.executable, "-c", RUN, *words], cwd=root, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def workspace(folder: Path) -> Workspace:
    """The project that was built in `folder`."""
    return Workspace(folder / "project")
