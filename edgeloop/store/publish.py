"""Publish model cards: each version whole under a name made from its content, then the small files that point to it.

    <to>/<variant>/<version>/README.md, index.html, plots/, ... (edgeloop/bundle/files.py), then model.sig, and last manifest.json
    <to>/<variant>/versions.json, index.html, latest.json   its versions in the order published, and which is current
    <to>/index.json, index.html                             the current card of every variant (edgeloop/store/index.py)

A publish that is killed at any moment leaves the former cards as they were; run again, it uploads what is missing.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeloop.bundle.build import build
from edgeloop.bundle.files import MANIFEST, Bundle
from edgeloop.config import Params
from edgeloop.console import notice
from edgeloop.errors import InputError, StoreError
from edgeloop.progress import Advance, progress
from edgeloop.store.index import update_index
from edgeloop.store.signing import Signer
from edgeloop.store.summary import Summary, summarize
from edgeloop.store.target import FolderTarget, Target
from edgeloop.store.versions import listed_before, make_current, put
from edgeloop.userpath import user_path
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    from edgeloop.store.s3 import S3Target

UPLOADS = 8
PROBE = "writable.txt"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Version(Bundle):
    """What is published of one variant."""

    summary: Summary
    """What the index tells of it."""


def publish(workspace: Workspace, params: Params, variants: list[str], *, to: str | None = None) -> list[str]:
    """Publish the built cards of `variants` and return the address of each card's page, and of the index last.

    `to` is `s3://bucket/prefix` or a folder; by default `publish.to` of params.yaml.

    Raises:
        InputError: a variant is unknown, its card isn't built, or a file is not the one that the card's record names.
        StoreError: the place isn't there, doesn't answer, or refuses.
    """
    signer = Signer(workspace.root, params.publish.sign)
    signer.check()
    versions = [read_version(workspace, params, name) for name in variants]
    count = sum(len(version.files) for version in versions)
    with (
        open_target(workspace, params, to) as target,
        progress(f"publish to {target.address('')}", count, "files") as advance,
    ):
        addresses = [_publish(target, version, signer, advance) for version in versions]
        update_index(target)
    return [*addresses, target.address("index.html")]


def check_target(workspace: Workspace, params: Params) -> None:
    """See, before anything is built, that cards can be published: the place answers and takes a small file, and the key is there.

    The local store is started.

    Raises:
        StoreError: they cannot.
        InputError: the key or certificate cannot be used.
    """
    Signer(workspace.root, params.publish.sign).check()
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


def read_version(workspace: Workspace, params: Params, name: str) -> Version:
    """Read everything that is published of a variant, and see that it belongs together.

    Raises:
        InputError: it is unknown, its card isn't built, or a file is not the one that the card's record names.
    """
    bundle = build(workspace, params, name)
    return Version(name, bundle.files, summarize(bundle.files, name))


@contextmanager
def open_target(workspace: Workspace, params: Params, to: str | None = None) -> Iterator[Target]:
    """Open the place that `to` names, by default `publish.to` of params.yaml; a folder is locked as long as it is open.

    Raises:
        StoreError: it cannot be used.
    """
    to = params.publish.to if to is None else to
    if not to.strip():
        raise InputError("The place to publish to is empty.", "Give s3://bucket/prefix or a folder (--to), or leave --to out.")
    if not to.startswith("s3://"):
        if "://" in to:
            raise StoreError(
                f"Nothing can be published to {to}.", "Give s3://bucket/prefix or a folder: publish.to in params.yaml, or --to."
            )
        folder = FolderTarget(workspace.root / user_path(to))
        with folder.locked():
            yield folder
        return
    target = s3_target(workspace, params, to)
    target.prepare(create=params.publish.endpoint == "local")
    yield target


def s3_target(workspace: Workspace, params: Params, to: str) -> "S3Target":
    """A prefix of a bucket, reached as `publish` of params.yaml says.

    Raises:
        StoreError: the name is none, the local store does not run, or the endpoint is no address.
    """
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
    return s3.S3Target(client, bucket, prefix, endpoint, browsable=is_local)


def _publish(target: Target, version: Version, signer: Signer, advance: Advance) -> str:
    """Upload a version, its signature and its manifest when it is whole, and then the pointer; returns the page's address."""
    folder, before = f"{version.variant}/{version.name}", listed_before(target, version.variant, version.name)

    def upload(name: str) -> None:
        put(target, f"{folder}/{name}", version.files[name])
        advance(1, version.variant)

    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(upload, sorted(version.files)))
    signed = signer.sign_in(target, folder, version)
    put(target, f"{folder}/{MANIFEST}", version.manifest)
    make_current(target, version.summary, version.name, f"{folder}/index.html", before)
    notice(f"{version.variant} {version.name}: {signed}")
    return target.address(f"{folder}/index.html")
