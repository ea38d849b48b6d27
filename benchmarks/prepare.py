"""Throughput of `prepare` against plain decode and resize with Pillow, on the same cores in one run.

    python benchmarks/prepare.py [ARCHIVE] [--images 1000] [--rounds 3]

The baseline does the least that any preparation must: each image is decoded by Pillow and resized to 256x256, on all
cores, from memory. `prepare` does that and reads the archive twice, checks, hashes, finds duplicates, splits, stores
and records. Without an archive, JPEGs of 500x375 are made up.
"""

import argparse
import io
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from edgeloop.config import Dataset, Limits, Params, Source
from edgeloop.console import program
from edgeloop.datasets.archive import read_members
from edgeloop.datasets.fetch import fetch
from edgeloop.datasets.prepare import prepare
from edgeloop.decoding import FORMATS
from edgeloop.workspace import Workspace

SIDE = 256


@dataclass(frozen=True)
class Speed:
    """One timed run."""

    images_per_s: float
    cpu_ms_per_image: float


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        archive = arguments.archive or _made_up(workspace.root / "made-up.tar", arguments.images)
        params = _params(archive)
        fetch(workspace, params, "benchmark")
        images = [entry.read() for entry in read_members(archive, Limits()) if entry.size_bytes and _is_image(entry.path)]
        plain, ours = _alternately(lambda: _plain(images), lambda: prepare(workspace, params, "benchmark"), len(images), arguments.rounds)
    print(f"images                         {len(images)}, on {os.cpu_count()} cores, median of {arguments.rounds} rounds")
    print(f"plain Pillow decode and resize {plain.images_per_s:8.0f} images/s {plain.cpu_ms_per_image:6.2f} CPU-ms/image")
    print(f"edgeloop prepare               {ours.images_per_s:8.0f} images/s {ours.cpu_ms_per_image:6.2f} CPU-ms/image")
    print(f"ratio prepare / plain          {ours.images_per_s / plain.images_per_s:8.2f} (1 is as fast as plain)")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Throughput of prepare against plain Pillow decode and resize.")
    parser.add_argument("archive", type=Path, nargs="?", help="tar or zip of class folders; made up when left out")
    parser.add_argument("--images", type=int, default=1000, help="how many images are made up")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _params(archive: Path) -> Params:
    dataset = Dataset.model_validate(
        {
            "source": Source(address=str(archive.resolve())),
            "prepare": {"split": {"rule": "keras"}},
            "validate": {},
            "train": {"phases": [{"mode": "scratch", "epochs": 1, "learning_rate": 0.1}]},
        }
    )
    return Params(build=(), datasets={"benchmark": dataset})


def _made_up(path: Path, count: int) -> Path:
    generator = np.random.default_rng(1)
    with tarfile.open(path, "w") as archive:
        for index in range(count):
            patches = Image.fromarray(generator.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            buffer = io.BytesIO()
            patches.resize((500, 375), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
            info = tarfile.TarInfo(f"made-up/{index % 5}/{index}.jpg")
            info.size = buffer.tell()
            buffer.seek(0)
            archive.addfile(info, buffer)
    return path


def _is_image(name: str) -> bool:
    return name.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"))


def _plain(images: list[bytes]) -> None:
    def one(encoded: bytes) -> tuple[int, int]:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return image.convert("RGB").resize((SIDE, SIDE)).size

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(one, images):
            pass


def _alternately(first: Callable[[], object], second: Callable[[], object], count: int, rounds: int) -> tuple[Speed, Speed]:
    timed = [(_timed(first, count), _timed(second, count)) for _ in range(rounds)]
    return _median([pair[0] for pair in timed]), _median([pair[1] for pair in timed])


def _timed(run: Callable[[], object], count: int) -> Speed:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Speed(count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1000)


def _median(speeds: list[Speed]) -> Speed:
    return Speed(statistics.median(s.images_per_s for s in speeds), statistics.median(s.cpu_ms_per_image for s in speeds))


if __name__ == "__main__":
    sys.exit(program(main))
