"""Places to read published versions from: the project's store, another one, or an address; with a project or without."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.errors import InputError, StoreError
from edgeloop.store.target import FolderTarget, Readable
from edgeloop.userpath import user_path

if TYPE_CHECKING:
    from edgeloop.config import Params
    from edgeloop.workspace import Workspace

WEB = ("http://", "https://")
PAGES = ("index.html", "README.md", "manifest.json")
"""What one may have at hand of a version, in place of its folder."""


def to_read(where: str, project: "tuple[Workspace, Params] | None" = None) -> Readable:
    """A place below which things are published: `http(s)://…`, `s3://bucket/prefix` or a folder. Nothing is made or locked there.

    A project says how `s3://` is reached, where it is given; without one, the environment does (`AWS_ENDPOINT_URL`, keys or a profile).

    Raises:
        StoreError: that is no such place.
    """
    if not where.strip():
        raise InputError("The place to read from is empty.", "Give http(s)://…, s3://bucket/prefix or a folder.")
    place = folder_of(where)
    if place.startswith(WEB):
        from edgeloop.store.web import WebTarget

        return WebTarget(place)
    if place.startswith("s3://"):
        return _s3(place, project)
    if "://" in place:
        raise StoreError(f"Nothing can be read from {place}.", "Give http(s)://…, s3://bucket/prefix or a folder.")
    root = project[0].root if project else Path.cwd()
    folder = root / user_path(place)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.", "Give a folder, s3://bucket/prefix or an address.")
    return FolderTarget(folder)


def folder_of(where: str) -> str:
    """The place that holds a page, where that was given."""
    begun, slash, last = where.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")
    return begun if slash and last in PAGES else f"{begun}{slash}{last}"


def _s3(place: str, project: "tuple[Workspace, Params] | None") -> Readable:
    from edgeloop.store import s3
    from edgeloop.store.publish import s3_target

    if project is not None:
        return s3_target(*project, place)
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    # boto3 reads these by itself; errors name where it went.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return s3.S3Target(s3.connect(endpoint, None, "when_supported"), bucket, prefix, endpoint, browsable=False)
