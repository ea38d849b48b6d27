"""A published version copied into a folder, file by file as its manifest lists them."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from edgeloop.bundle.files import MANIFEST, SIGNATURE
from edgeloop.errors import BundleError, StoreError
from edgeloop.store.target import Readable

DOWNLOADS = 8
MOST_FILES = 10_000


def download(target: Readable, version: str, folder: Path) -> None:
    """Copy a version (`<variant>/<version>`, or empty where the target is that folder itself) into an empty folder.

    What it lists and the store has not stays out: who checks the folder names it.

    Raises:
        StoreError: there is no such version, or the store cannot be read.
        BundleError: its manifest is damaged, or lists what is no file below the folder.
    """
    found = target.read(_key(version, MANIFEST))
    if found is None:
        raise StoreError(f"{target.address(_key(version, ''))} is no published version: it has no {MANIFEST}.", "See: edgeloop list")
    (folder / MANIFEST).write_bytes(found.content)

    def fetch(name: str) -> None:
        stored = target.read(_key(version, name))
        if stored is not None:
            path = folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored.content)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                raise BundleError(f"{MANIFEST} lists {name} as a file and as a folder.", "Do not use it.") from None

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        list(pool.map(fetch, [*_listed(found.content), SIGNATURE]))


def _key(version: str, name: str) -> str:
    return f"{version}/{name}" if version else name


def _listed(content: bytes) -> list[str]:
    try:
        names = sorted(json.loads(content)["files"])
    except (ValueError, KeyError, TypeError):
        raise BundleError(f"{MANIFEST} is damaged.", "Publish that variant again.") from None
    strange = [name for name in names if not _is_below(name)]
    if strange or len(names) > MOST_FILES:
        raise BundleError(f"{MANIFEST} lists what no version has: {strange[0] if strange else f'{len(names)} files'}.", "Do not use it.")
    return names


def _is_below(name: str) -> bool:
    """Whether a name stays in its folder, and takes the place of nothing else there."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and path.as_posix() == name
    return plain and "\\" not in name and name.isprintable() and name not in ("", ".", MANIFEST, SIGNATURE)
