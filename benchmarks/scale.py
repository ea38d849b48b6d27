"""Time, memory and disk of every step up to `evaluate` on data sets of the size of PlantVillage and Food-101.

    python benchmarks/scale.py plant|food [--images 55448] [--resolution 128 224] [--epochs 1] [--steps prepare train] [--project DIR]

Draws an archive with the layout and the number of classes of the real one (JPEGs with sides of 192 to 256; each class has a
pattern of its own), in a project folder that is deleted at the end, unless it was given (`--project`; what was drawn there is
used again); then runs each step of the command line there, in a process of its own, with the settings of params.yaml but fresh
weights and so many epochs.

Of each step: wall and CPU seconds; peak of anonymous memory, which the step must have, and of all resident memory, which holds
mapped files that the kernel takes back when it needs room; both summed over the step's processes and read ten times a second
from /proc (Linux only); and what the cache takes on disk behind it.
"""

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeloop.config import load_params
from edgeloop.console import program
from edgeloop.datasets.parallel import map_in_order
from edgeloop.files import atomic_path
from edgeloop.progress import tracked
from edgeloop.workspace import PARAMS, Workspace, find_workspace
from edgeloop.yamlfile import change_yaml

OF_DATASET, OF_VARIANT = ("fetch", "prepare", "validate"), ("train", "quantize", "evaluate")
NETWORK = "fdmobilenet_0.25"
TEST_OF_FOUR = 4
"""Every fourth picture of food is on the list of test images, as in Food-101."""
SAMPLE_EVERY_S = 0.1
PLANT_TOP = "Plant_leave_diseases_dataset_without_augmentation"
PATTERN_SIDE = 8
GRAIN_SIDE = 512
MB = 1_000_000


@dataclass(frozen=True)
class Shape:
    """What a real archive is like."""

    images: int
    classes: int


SHAPES = {"plant": Shape(55_448, 39), "food": Shape(101_000, 101)}


@dataclass(frozen=True)
class Picture:
    """One that is to be drawn."""

    number: int
    label: int
    place: int
    """Its number in its class."""


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    wall_s: float
    cpu_s: float
    anonymous_mb: float
    resident_mb: float


def main() -> int:
    options = _options()
    shape = Shape(options.images or SHAPES[options.dataset].images, SHAPES[options.dataset].classes)
    if options.project:
        options.project.mkdir(parents=True, exist_ok=True)
        _run(options, shape, options.project.resolve())
        return 0
    with tempfile.TemporaryDirectory(prefix="edgeloop-scale-") as folder:
        _run(options, shape, Path(folder))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=SHAPES)
    parser.add_argument("--images", type=int, help="how many are drawn (default: as many as the real data set has)")
    parser.add_argument("--resolution", type=int, nargs="+", default=[128])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", nargs="+", choices=(*OF_DATASET, *OF_VARIANT), default=[*OF_DATASET, *OF_VARIANT])
    parser.add_argument("--project", type=Path, help="a folder for the project, which is kept")
    return parser.parse_args()


def _run(options: argparse.Namespace, shape: Shape, folder: Path) -> None:
    archive = folder / "drawn-archive"
    if not archive.is_file():
        with atomic_path(archive) as temporary:
            WRITERS[options.dataset](temporary, shape)
    variants = _write_project(folder, archive, options)
    drawn = f"{shape.images} images in {shape.classes} classes, an archive of {archive.stat().st_size / MB:.0f} MB"
    print(f"{options.dataset}: {drawn}; {os.cpu_count()} cores, {options.epochs} epochs")
    print(f"{'step':<40} {'wall s':>8} {'CPU s':>8} {'anonymous MB':>13} {'resident MB':>12} {'cache on disk MB':>17}", flush=True)
    steps = [(step, options.dataset) for step in OF_DATASET]
    steps += [(step, variant) for variant in variants for step in OF_VARIANT]
    for step, subject in steps:
        if step not in options.steps:
            continue
        cost = _cost([sys.executable, "-m", "edgeloop", step, subject], folder)
        cached = _size(folder / ".edgeloop") / MB
        figures = f"{cost.wall_s:>8.1f} {cost.cpu_s:>8.1f} {cost.anonymous_mb:>13.0f} {cost.resident_mb:>12.0f} {cached:>17.0f}"
        print(f"{step + ' ' + subject:<40} {figures}", flush=True)


def _write_project(folder: Path, archive: Path, options: argparse.Namespace) -> list[str]:
    """A project with the one data set; returns its variants."""
    ours = find_workspace().root
    start = Path("models/backbones/scratch.yaml")

    def change(tree: Any) -> None:
        dataset = tree["datasets"][options.dataset]
        dataset["source"] = {"address": str(archive)}
        dataset["train"]["phases"] = [{"mode": "scratch", "epochs": options.epochs, "learning_rate": 0.005}]
        tree["datasets"] = {options.dataset: dataset}
        tree["build"], tree["sets"] = [options.dataset], {}
        tree["variants"] = {options.dataset: {"networks": NETWORK, "resolutions": list(options.resolution), "boards": "host"}}

    (folder / start).parent.mkdir(parents=True, exist_ok=True)
    for file in (start, Path(PARAMS)):
        shutil.copy(ours / file, folder / file)
    change_yaml(folder / PARAMS, change)
    return load_params(Workspace(folder)).built


# --- drawing


def _pictures(shape: Shape) -> Iterator[Picture]:
    return (Picture(number, number % shape.classes, number // shape.classes) for number in range(shape.images))


def _drawn(shape: Shape) -> Iterator[tuple[Picture, bytes]]:
    patterns = np.random.default_rng(127).integers(0, 256, (shape.classes, PATTERN_SIDE, PATTERN_SIDE, 3)).astype(np.float32)
    grain = np.random.default_rng(128).normal(0, 8, (GRAIN_SIDE, GRAIN_SIDE, 3)).astype(np.float32)

    def draw(picture: Picture) -> tuple[Picture, bytes]:
        return picture, _jpeg(patterns[picture.label], grain, np.random.default_rng(picture.number))

    every = map_in_order(draw, _pictures(shape), os.cpu_count() or 1, lambda _: 1, sys.maxsize)
    return tracked(every, "draw", shape.images, "images")


def _jpeg(pattern: NDArray[np.float32], grain: NDArray[np.float32], rng: np.random.Generator) -> bytes:
    """The class's pattern, as much again of the picture's own, and grain: pictures of a class look related and none the same."""
    own = rng.integers(0, 256, pattern.shape).astype(np.float32)
    width, height = (int(side) for side in rng.integers(192, 257, 2))
    top, left = (int(place) for place in rng.integers(0, GRAIN_SIDE - 256, 2))
    smooth = cv2.resize(0.5 * pattern + 0.5 * own, (width, height), interpolation=cv2.INTER_CUBIC)
    pixels = np.clip(smooth + grain[top : top + height, left : left + width], 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _write_plant(path: Path, shape: Shape) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for picture, encoded in _drawn(shape):
            archive.writestr(f"{PLANT_TOP}/Leaf___{picture.label:03d}/image ({picture.place}).JPG", encoded)


def _write_food(path: Path, shape: Shape) -> None:
    lists: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(f"food-101/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

        for picture, encoded in _drawn(shape):
            entry = f"dish_{picture.label:03d}/{picture.number}"
            listed = lists["test" if picture.place % TEST_OF_FOUR == 0 else "train"]
            listed.setdefault(f"dish_{picture.label:03d}", []).append(entry)
            add(f"images/{entry}.jpg", encoded)
        for name, entries in lists.items():
            add(f"meta/{name}.json", json.dumps(entries).encode())


WRITERS: dict[str, Callable[[Path, Shape], None]] = {"plant": _write_plant, "food": _write_food}


# --- measuring


def _cost(command: list[str], folder: Path) -> Cost:
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    anonymous = resident = 0.0
    with (folder / "step.log").open("w+b") as log:
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            while child.poll() is None:
                found = [_memory_mb(process) for process in _tree(child.pid)]
                anonymous = max(anonymous, sum(each for each, _ in found))
                resident = max(resident, sum(each for _, each in found))
                time.sleep(SAMPLE_EVERY_S)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n{log.read().decode(errors='replace')}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(time.perf_counter() - begun, cpu, anonymous, resident)


def _tree(process: int) -> Iterator[int]:
    """A process and those below it."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in _read(children).split():
            yield from _tree(int(child))


def _memory_mb(process: int) -> tuple[float, float]:
    """Anonymous and all resident memory of a process; nothing of one that has ended."""
    lines = dict(line.split(":", 1) for line in _read(Path(f"/proc/{process}/status")).splitlines())
    anonymous, resident = (int(lines.get(name, "0").split()[0]) * 1024 / MB for name in ("RssAnon", "VmRSS"))
    return anonymous, resident


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(program(main))
