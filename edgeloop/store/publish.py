"""Publish model cards: each version whole under a name made from its content, then the small files that point to it.

    <to>/<variant>/<version>/README.md, index.html, plots/, models/, code/, records/, and last manifest.json
    <to>/<variant>/versions.json, index.html, latest.json   its versions in the order published, and which is current
    <to>/index.json, index.html                             the current card of every variant

A publish that is killed at any moment leaves the former cards as they were; run again, it uploads what is missing.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgeloop.cards.links import published
from edgeloop.config import Params
from edgeloop.errors import InputError, StoreError
from edgeloop.files import FINISHED
from edgeloop.preprocessing import FILE_NAME as PREPROCESSING
from edgeloop.progress import Advance, progress
from edgeloop.records import CardRecord, CodegenRecord, QuantizeRecord
from edgeloop.store.index import index_page
from edgeloop.store.summary import Summary, read_published, summarize
from edgeloop.store.target import Changed, FolderTarget, Target, content_type
from edgeloop.store.versions import as_json, make_current, put, read_json
from edgeloop.tflite.labels import FILE_NAME as LABELS
from edgeloop.userpath import user_path
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace

UPLOADS = 8
VERSION_DIGITS = 16
INDEX_ATTEMPTS = 8
PROBE = "writable.txt"
INDEX = "../../index.html"
"""As a card's page finds it."""
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Version:
    """What is published of one variant."""

    variant: str
    files: dict[str, bytes]
    """Content by name below the version's folder."""
    summary: Summary
    """What the index tells of it."""

    @property
    def digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(self.files.items())}

    @property
    def name(self) -> str:
        """Made from the names and digests of the files: equal content is an equal version."""
        return hashlib.sha256(json.dumps(self.digests).encode()).hexdigest()[:VERSION_DIGITS]


def publish(workspace: Workspace, params: Params, variants: list[str], *, to: str | None = None) -> list[str]:
    """Publish the built cards of `variants` and return the address of each card's page, and of the index last.

    `to` is `s3://bucket/prefix` or a folder; by default `publish.to` of params.yaml.

    Raises:
        InputError: a variant is unknown, its card isn't built, or a file is not the one that the card's record names.
        StoreError: the place isn't there, doesn't answer, or refuses.
    """
    versions = [read_version(workspace, params, name, INDEX) for name in variants]
    count = sum(len(version.files) for version in versions)
    with (
        open_target(workspace, params, to) as target,
        progress(f"publish to {target.address('')}", count, "files") as advance,
    ):
        addresses = [_publish(target, version, advance) for version in versions]
        update_index(target)
    return [*addresses, target.address("index.html")]


def check_target(workspace: Workspace, params: Params) -> None:
    """See, before anything is built, that cards can be published: the place answers and takes a small file. The local store is started.

    Raises:
        StoreError: they cannot.
    """
    if params.publish.to.startswith("s3://") and params.publish.endpoint == "local":
        from edgeloop.store.local import local_store

        local_store(workspace).up()
    with open_target(workspace, params) as target:
        target.put(PROBE, b"edgeloop may write here\n")


def with_cards(workspace: Workspace, params: Params, words: Sequence[str]) -> list[str]:
    """The variants that the words choose (as in `build`), without those that have no card; one that is named itself stays.

    Raises:
        InputError: a word chooses nothing, or none of them has a card.
    """
    chosen = params.matching(words)
    found = [name for name in chosen if name in words or params.variant(name).paths(workspace).card_record.is_file()]
    if not found:
        raise InputError("There is no card to publish.", "Make one: edgeloop run DATASET NETWORK RESOLUTION")
    return found


def read_version(workspace: Workspace, params: Params, name: str, index: str = "") -> Version:
    """Read everything that is published of a variant, and see that it belongs together; its page links to that index.

    Raises:
        InputError: it is unknown, its card isn't built, or a file is not the one that the card's record names.
    """
    variant = params.variant(name)
    paths = variant.paths(workspace)
    record = CardRecord.read(paths.card_record)
    files = published({file: _checked(paths.card / file, sha256, name) for file, sha256 in record.files.items()}, index)
    sources = _records(workspace.dataset(variant.dataset), paths)
    files |= {f"records/{file}": _checked(sources.get(file, paths.folder / file), sha256, name) for file, sha256 in record.records.items()}
    quantized = QuantizeRecord.model_validate_json(files["records/quantize.json"])
    files |= {f"models/{model.file}": _checked(paths.quantized / model.file, model.sha256, name) for model in quantized.models}
    files[f"models/{PREPROCESSING}"] = (paths.quantized / PREPROCESSING).read_bytes()
    if (paths.quantized / LABELS).is_file():
        files[f"models/{LABELS}"] = (paths.quantized / LABELS).read_bytes()
    files |= {f"code/{file}": content for file, content in _code(files, paths)}
    return Version(name, files, summarize(files, name))


def _code(files: dict[str, bytes], paths: VariantPaths) -> Iterator[tuple[str, bytes]]:
    """The generated code by file name; nothing where the target runs the model's file."""
    record = files.get("records/generate.json")
    if record is None or CodegenRecord.model_validate_json(record).backend.name == "none":
        return
    for path in sorted(paths.generated.rglob("*")):
        if path.is_file():
            yield path.relative_to(paths.generated).as_posix(), path.read_bytes()


def _records(dataset: DatasetPaths, variant: VariantPaths) -> dict[str, Path]:
    """The records of a card by file name."""
    own = {path.name: path for path in variant.folder.glob(FINISHED)}
    return own | {path.name: path for path in (dataset.fetch_record, dataset.prepare_record, dataset.validate_record)}


def _checked(path: Path, sha256: str, variant: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", f"Build the card again: dvc repro card@{variant}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(
            f"{path} is not the file that the card of {variant} was made with.", f"Build the card again: dvc repro card@{variant}"
        )
    return content


@contextmanager
def open_target(workspace: Workspace, params: Params, to: str | None = None) -> Iterator[Target]:
    """Open the place that `to` names, by default `publish.to` of params.yaml; a folder is locked as long as it is open.

    Raises:
        StoreError: it cannot be used.
    """
    to = to or params.publish.to
    if not to.startswith("s3://"):
        if "://" in to:
            raise StoreError(
                f"Nothing can be published to {to}.", "Give s3://bucket/prefix or a folder: publish.to in params.yaml, or --to."
            )
        folder = FolderTarget(workspace.root / user_path(to))
        with folder.locked():
            yield folder
        return
    yield _s3_target(workspace, params, to)


def _s3_target(workspace: Workspace, params: Params, to: str) -> Target:
    from edgeloop.store import local, s3

    bucket, _, prefix = to.removeprefix("s3://").partition("/")
    if not BUCKET.fullmatch(bucket):
        raise StoreError(
            f"'{bucket}' in {to} cannot be a bucket's name.", "Use 3 to 63 of a-z, 0-9, '.' and '-': publish.to in params.yaml."
        )
    is_local = params.publish.endpoint == "local"
    endpoint = local.local_address(workspace) if is_local else params.publish.endpoint
    credentials = local.owner_credentials(workspace) if is_local else None
    client = s3.connect(endpoint, credentials, params.publish.checksums)
    target = s3.S3Target(client, bucket, prefix, endpoint, browsable=is_local)
    target.prepare(create=is_local)
    return target


def _publish(target: Target, version: Version, advance: Advance) -> str:
    """Upload a version, its manifest when it is whole, and then the pointer; returns the page's address."""
    folder = f"{version.variant}/{version.name}"

    def upload(name: str) -> None:
        put(target, f"{folder}/{name}", version.files[name])
        advance(1, version.variant)

    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(upload, sorted(version.files)))
    listing = {
        name: {"sha256": sha256, "bytes": len(version.files[name]), "type": content_type(name)} for name, sha256 in version.digests.items()
    }
    put(target, f"{folder}/manifest.json", as_json({"variant": version.variant, "version": version.name, "files": listing}))
    make_current(target, version.summary, version.name, f"{folder}/index.html")
    return target.address(f"{folder}/index.html")


def update_index(target: Target) -> None:
    """Write the index of all published cards; when another publisher was quicker, read again what is there."""
    for _ in range(INDEX_ATTEMPTS):
        seen = target.read("index.json")
        cards = _current_cards(target)
        content = as_json({"cards": cards})
        try:
            if seen is None or seen.content != content:
                target.replace("index.json", content, seen)
        except Changed:
            continue
        put(target, "index.html", index_page([read_published(target.address("index.json"), one) for one in cards]).encode())
        latest = target.read("index.json")
        if latest is not None and latest.content == content:
            return
    raise StoreError(
        f"{target.address('index.json')} was changed by others {INDEX_ATTEMPTS} times in a row; the cards themselves are published.",
        "Publish again when the other publishers are done.",
    )


def _current_cards(target: Target) -> list[dict[str, Any]]:
    """What the pointers say, by variant; a folder without a pointer was never completely published."""
    with ThreadPoolExecutor(UPLOADS) as pool:
        return [pointer for pointer in pool.map(partial(_pointer, target), target.keys("latest.json")) if pointer is not None]


def _pointer(target: Target, key: str) -> dict[str, Any] | None:
    stored = target.read(key)
    if stored is None:
        return None
    pointer: dict[str, Any] = read_json(target, key, stored)
    return pointer
