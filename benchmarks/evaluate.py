"""CPU time of an int8 evaluation against one image at a time in a loop that decodes with Pillow.

    python benchmarks/evaluate.py [VARIANT]                        a built variant of this project
    python benchmarks/evaluate.py --model FILE.tflite --images DIR any classifier on a folder of images, labels aside
    python benchmarks/evaluate.py --model … --images … --counts 30 120 480   on so many of them, one after the other

Both sides read the same stored images, resize by the same rule and run the same model; equal answers are checked.
`first time` decodes and fills the pixel cache, `again` finds it filled. Exit status 1 when `again` misses the goal.
"""

import argparse
import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from edgeloop.config import load_params
from edgeloop.console import program
from edgeloop.datasets.manifest import SCHEMA, ShardReader, read_manifest, write_manifest
from edgeloop.datasets.pixels import split_pixels
from edgeloop.evaluation.evaluate import SPLIT
from edgeloop.preprocessing import FILE_NAME, Preprocessing, resize_pixels
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.encoding import raw
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.workspace import Workspace, find_workspace

GOAL = 4.0
REPEATS = 9
Predicted = NDArray[np.intp]


@dataclass(frozen=True)
class Subject:
    """What is evaluated."""

    workspace: Workspace
    dataset: str
    model: Path
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Cost:
    """CPU of all threads and wall time, in seconds."""

    cpu_s: float
    wall_s: float


def main() -> int:
    options = _options()
    if not options.model:
        return _compared(_variant(options.variant))
    codes = []
    for count in options.counts or [None]:
        with tempfile.TemporaryDirectory() as scratch:
            codes.append(_compared(_folder(options.model, options.images, options.resize, Path(scratch), count)))
    return codes[-1]


def _compared(subject: Subject) -> int:
    costs: dict[str, list[Cost]] = {"loop": [], "first time": [], "again": []}
    for _ in range(REPEATS):
        answers = [_time(lambda: _loop(subject), costs["loop"])]
        for cached in _cached(subject):
            cached.unlink()
        answers += [_time(lambda: _edgeloop(subject), costs[name]) for name in ("first time", "again")]
        if not all(np.array_equal(answers[0], answer) for answer in answers):
            print("The answers differ: nothing was measured.")
            return 1
    return _report(subject, len(answers[0]), costs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", nargs="?", default="sample-fdmobilenet_0.25-96")
    parser.add_argument("--model", type=Path, help="a .tflite classifier with an integer input, instead of a variant")
    parser.add_argument("--images", type=Path, help="with --model: a folder of JPEG files")
    parser.add_argument("--counts", type=int, nargs="+", help="with --model: how many of them, evenly taken; several times")
    parser.add_argument("--resize", default="nearest", choices=["nearest", "bilinear", "area"])
    options = parser.parse_args()
    if (options.model is None) != (options.images is None) or (options.counts and not options.model):
        parser.error("--model and --images belong together, and --counts to them")
    return options


def _variant(name: str) -> Subject:
    workspace = find_workspace()
    variant = load_params(workspace).variant(name)
    folder = variant.paths(workspace).quantized
    return Subject(workspace, variant.dataset, folder / "per_channel.tflite", Preprocessing.read(folder / FILE_NAME))


def _folder(model: Path, images: Path, resize: str, scratch: Path, count: int | None) -> Subject:
    """A prepared data set with `count` (None: all) of the files as they are, all in `test`."""
    workspace = Workspace(scratch)
    folder = workspace.dataset("given").images
    folder.mkdir(parents=True)
    rows = []
    with tarfile.open(folder / "shards-0000.tar", "w") as shard:
        files = sorted(path for path in images.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
        for file in files if count is None else [files[place * len(files) // count] for place in range(min(count, len(files)))]:
            stored, member = file.read_bytes(), tarfile.TarInfo(str(file.relative_to(images)))
            member.size = len(stored)
            shard.addfile(member, io.BytesIO(stored))
            place = {"shard": "shards-0000.tar", "offset": _data_offset(shard, member), "length": len(stored)}
            rows.append(dict.fromkeys(SCHEMA.names) | {"path": member.name, "label": file.parent.name, "split": SPLIT} | place)
    write_manifest(pd.DataFrame(rows), workspace.dataset("given").manifest)
    preprocessing = Preprocessing.model_validate({"resolution": LiteModel(model).resolution, "resize": resize, "input_range": None})
    return Subject(workspace, "given", model, preprocessing)


def _data_offset(shard: tarfile.TarFile, member: tarfile.TarInfo) -> int:
    """Where the bytes of the member that was just added begin."""
    blocks = -(-member.size // tarfile.BLOCKSIZE)
    return int(shard.offset) - blocks * tarfile.BLOCKSIZE


def _cached(subject: Subject) -> list[Path]:
    return list((subject.workspace.cache / "pixels").glob(f"{subject.dataset}-{SPLIT}-*.npy"))


def _loop(subject: Subject) -> Predicted:
    """The baseline: one image at a time, decoded by Pillow, batch 1, one thread."""
    paths = subject.workspace.dataset(subject.dataset)
    manifest = read_manifest(paths.manifest)
    model, predicted = LiteModel(subject.model), []
    with ShardReader(paths.images) as shards:
        for row in manifest[manifest["split"] == SPLIT].itertuples():
            with Image.open(io.BytesIO(shards.read(str(row.shard), int(str(row.offset)), int(str(row.length))))) as image:
                pixels = np.asarray(image.convert("RGB"))
            pixels = resize_pixels(pixels, model.resolution, subject.preprocessing.resize)
            predicted.append(int(model.run(raw(pixels[None], model.input.dtype)).argmax()))
    return np.asarray(predicted, np.intp)


def _edgeloop(subject: Subject) -> Predicted:
    images = split_pixels(subject.workspace, subject.dataset, SPLIT, subject.preprocessing)
    return np.asarray(Classifier(subject.model, subject.preprocessing).score_all(images.pixels).argmax(axis=1), np.intp)


def _time(run: Callable[[], Predicted], costs: list[Cost]) -> Predicted:
    cpu, wall = time.process_time(), time.perf_counter()
    answers = run()
    costs.append(Cost(time.process_time() - cpu, time.perf_counter() - wall))
    return answers


def _report(subject: Subject, count: int, costs: dict[str, list[Cost]]) -> int:
    rule = f"{subject.preprocessing.resolution} pixels, {subject.preprocessing.resize}"
    print(f"{subject.model.name} on {count} images ({rule}), least of {REPEATS}; answers are equal")
    loop = min(cost.cpu_s for cost in costs["loop"])
    for name, found in costs.items():
        cpu, wall = min(cost.cpu_s for cost in found), min(cost.wall_s for cost in found)
        print(f"  {name:<10} {cpu / count * 1e3:7.3f} CPU-ms an image, {count / wall:7.0f} images/s, {loop / cpu:5.1f} times less CPU")
    ratio = loop / min(cost.cpu_s for cost in costs["again"])
    print(f"goal: again at least {GOAL:.0f} times less CPU than the loop: {'met' if ratio >= GOAL else 'missed'} ({ratio:.1f})")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(program(main))
