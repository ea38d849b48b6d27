"""What the gallery costs with 1,000 variants of 10 versions: building the index, opening it, and what a publish of one version changes.

    python benchmarks/gallery.py [--variants 1000] [--versions 10] [--keep DIR]     against a folder
    python benchmarks/gallery.py --s3                                               against the local S3 server, started for it

The versions are drawn, their cards are empty; lists, pointers and pages are those that `publish` writes. The page is opened in headless
Chromium from file:// (or over HTTP), from the start of the navigation until the first table and drawing are there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from chromium import chromium

from edgeloop.bundle.files import as_json
from edgeloop.console import program
from edgeloop.store.index import update_index
from edgeloop.store.ledger import History
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.publish import UPLOADS
from edgeloop.store.s3 import S3Target, connect
from edgeloop.store.summary import Code, OnBoard, Published, Summary, Top1
from edgeloop.store.target import FolderTarget, Target
from edgeloop.store.versions import make_current
from edgeloop.store.versions_page import versions_page
from edgeloop.workspace import Workspace

NETWORKS = ("fdmobilenet_0.25", "fdmobilenet_0.5", "fdmobilenet_0.75", "fdmobilenet_1.0", "st_fdmobilenet_v1")
DATASETS = ("flowers", "plant", "food")
TESTS = {"flowers": 734, "plant": 11_089, "food": 25_250}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--s3", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder that stays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeloop-gallery-") as scratch:
        place = _bucket(Path(scratch)) if options.s3 else _folder(options.keep or Path(scratch) / "store")
        with place as (target, address):
            _measure(target, address, Path(scratch), options.variants, options.versions)
    return 0


@contextmanager
def _folder(folder: Path) -> Iterator[tuple[Target, str]]:
    target = FolderTarget(folder)
    with target.locked():
        yield target, (folder / "index.html").absolute().as_uri()


@contextmanager
def _bucket(folder: Path) -> Iterator[tuple[Target, str]]:
    workspace = Workspace(folder / "project")
    store = local_store(workspace)
    running = store.up()
    try:
        client = connect(running.address, owner_credentials(workspace), "when_supported")
        target = S3Target(client, "gallery", "cards", running.address, browsable=True)
        target.prepare(create=True)
        yield target, target.address("index.html")
    finally:
        store.down()


def _measure(target: Target, address: str, scratch: Path, variants: int, versions: int) -> None:
    begun = time.perf_counter()
    with ThreadPoolExecutor(UPLOADS) as pool:
        keys = [key for written in pool.map(lambda number: _write(target, number, versions), range(variants)) for key in written]
    print(f"{variants} variants x {versions} versions written in {time.perf_counter() - begun:.1f} s (not measured: set-up)", flush=True)
    begun = time.perf_counter()
    update_index(target)
    print(f"index built in {time.perf_counter() - begun:.2f} s", flush=True)
    keys += ["index.html", "index.json"]
    before = _digests(target, keys)
    begun = time.perf_counter()
    summary = drawn(0, versions)
    make_current(target, summary, "f" * 16, f"{summary.variant}/{'f' * 16}/index.html")
    update_index(target)
    took = time.perf_counter() - begun
    changed = sorted(key for key, digest in _digests(target, keys).items() if digest != before[key])
    print(f"publishing one more version took {took:.2f} s behind its files, and changed {len(changed)} objects: {', '.join(changed)}")
    _open(address, scratch, len((target.read("index.html") or exit("no index")).content))


def _open(address: str, scratch: Path, size: int) -> None:
    with chromium(scratch / "profile", 1200, 900) as page:
        page.call("Network.setCacheDisabled", cacheDisabled=True)
        for _ in range(5):
            page.open("about:blank")
            page.open(address)
            page.wait_for("performance.getEntriesByName('drawn').length")
            print(
                f"opened in {page.run('performance.getEntriesByName(`drawn`)[0].startTime') / 1000:.2f} s, {size / 1e6:.2f} MB", flush=True
            )


def _digests(target: Target, keys: list[str]) -> dict[str, str | None]:
    with ThreadPoolExecutor(UPLOADS) as pool:
        return dict(zip(keys, pool.map(target.digest, keys), strict=True))


def _write(target: Target, number: int, versions: int) -> list[str]:
    """The list, pointer and page of a variant, as publishing its versions one after the other leaves them."""
    summaries = [drawn(number, version) for version in range(versions)]
    variant = summaries[0].variant
    entries = [
        one.model_dump(mode="json")
        | {"version": f"{place:016x}", "page": f"{variant}/{place:016x}/index.html", "versions": place + 1}
        | {"published": f"2026-{1 + place % 12:02}-01T03:00:00+00:00"}
        for place, one in enumerate(summaries)
    ]
    content = {
        f"{variant}/versions.json": as_json({"versions": entries}),
        f"{variant}/latest.json": as_json({**entries[-1], "champion": _champion(number, entries), "given_up": False}),
        f"{variant}/index.html": versions_page([Published.model_validate(one) for one in entries], History(variant)).encode(),
    }
    for key, one in content.items():
        target.put(key, one)
    return list(content)


def _champion(number: int, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Of three variants, one has its current version as champion, one an earlier one, and one none."""
    place = (len(entries) - 1, len(entries) // 2, None)[number % 7 % 3]
    return None if place is None else {**entries[place], "since": "2026-11-21T03:00:00+00:00"}


def drawn(number: int, version: int) -> Summary:
    """A plausible summary; equal numbers give equal ones."""
    random = np.random.default_rng([number, version])
    dataset, network, size = DATASETS[number % 3], NETWORKS[number // 3 % 5], 64 + 8 * (number // 15)
    width = (0.25, 0.5, 0.75, 1.0, 0.3)[NETWORKS.index(network)]
    macs, n = int(3.9e6 * (1 + 10 * width**1.6) * (min(size, 400) / 96) ** 2), TESTS[dataset]
    share = float(np.clip(0.72 + 0.05 * np.log10(macs / 1e6) + random.normal(0, 0.02), 0.3, 0.99))
    half = 1.96 * float(np.sqrt(share * (1 - share) / n))
    weights, ram = int(131_400 * (0.5 + 8 * width**2)), int(18_000 * (0.6 + width) * (min(size, 400) / 96) ** 1.6)
    boards = [
        OnBoard(board="h747", device="STM32H747I-DISCO, 400 MHz", how="measured", format="int8 per-channel", ms=macs / 9e5, mad_ms=0.011),
        OnBoard(
            board="virtual-h7", device="STM32H747XI, Cortex-M7", how="emulated", format="int8 per-channel", instructions=int(macs * 1.6)
        ),
        OnBoard(board="n6-cloud", device="STM32N6570-DK", how="farm", format="int8 per-channel", ms=macs / 4e7),
        OnBoard(board="host", device="Some CPU @ 2.50GHz", how="no target", format="int8 per-channel", ms=macs / 6e6, mad_ms=0.01),
    ]
    formats = [("float", share + 0.004), ("int8 per-channel", share), ("int8 per-tensor", share - 0.012)]
    return Summary(
        variant=f"{dataset}-{network}-{size}",
        dataset=dataset,
        archive="the upstream archive",
        network=network,
        resolution=size,
        split="test",
        accuracy=[Top1(format=name, top1=value, n=n, ci95=(value - half, value + half)) for name, value in formats],
        weight_bytes={"float": 4 * weights, "int8 per-channel": weights, "int8 per-tensor": weights},
        macs=macs,
        commit="0123456789abcdef0123456789abcdef01234567",
        evaluated="2026-11-20T10:20:30+00:00",
        code=Code(target="stm32h7", backend="portable", ram_bytes=ram, flash_bytes=weights + 21_860),
        boards=[one for place, one in enumerate(boards) if number % (place + 2)],
    )


if __name__ == "__main__":
    sys.exit(program(main))
