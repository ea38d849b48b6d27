"""Small pictures, archives and an HTTP server that can fail: what the tests of data sets are made of."""

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeloop.config import Params, load_params
from edgeloop.datasets.fetch import fetch
from edgeloop.datasets.prepare import prepare
from edgeloop.records import PrepareRecord
from edgeloop.workspace import Workspace

TarMode = Literal["w", "w:gz", "w:bz2", "w:xz"]


def picture(seed: int, width: int = 64, height: int = 48) -> Image.Image:
    """A picture of soft coloured patches; every seed gives another one."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(seed: int, width: int = 64, height: int = 48, **options: Any) -> bytes:
    return encoded(picture(seed, width, height), "JPEG", **options)


def two_classes(per_class: int = 10, root: str = "set") -> dict[str, bytes]:
    """Members of a small sound data set: `cat` and `dog`."""
    labels = ("cat", "dog")
    return {
        f"{root}/{label}/{index:03d}.jpg": jpeg(1000 * which + index) for which, label in enumerate(labels) for index in range(per_class)
    }


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_tar(path: Path, members: Mapping[str, bytes], mode: TarMode = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def settings(workspace: Workspace, dataset: str, **changes: Any) -> Params:
    """The workspace's params with changes to the `prepare` section of one data set."""
    params = load_params(workspace)
    declared = params.datasets[dataset]
    changed = declared.prepare.model_validate(declared.prepare.model_dump() | changes)
    return params.model_copy(update={"datasets": params.datasets | {dataset: declared.model_copy(update={"prepare": changed})}})


def prepared(workspace: Workspace, members: Mapping[str, bytes], dataset: str = "sample", **changes: Any) -> PrepareRecord:
    """Fetch and prepare these members as a data set."""
    archive = write_tar(workspace.root / "given.tar", members)
    params = settings(workspace, dataset, **changes)
    fetch(workspace, params, dataset, given=str(archive))
    return prepare(workspace, params, dataset)


def noise(size: int, seed: int = 0) -> bytes:
    values: NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    return values.tobytes()


@dataclass
class Faults:
    """How the server misbehaves."""

    ranges: bool = True
    etag: str | None = '"one"'
    break_after: list[int] = field(default_factory=list)
    """Bytes of body after which the connection is cut, for one request after another; then it is served whole."""
    statuses: list[int] = field(default_factory=list)
    """Answers of the first requests."""
    wrong_part: bool = False
    """Whether a range request is answered with another part."""


@dataclass
class Served:
    """A running server: its address, what it serves, and the Range header of each request it got."""

    address: str
    content: bytes
    faults: Faults
    ranges_asked: list[str | None] = field(default_factory=list)


@contextmanager
def serving(content: bytes, faults: Faults | None = None) -> Iterator[Served]:
    """Serve `content` on a free loopback port."""
    served = Served("", content, faults or Faults())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, served)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_port}/archive.tar"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    asked, faults = handler.headers.get("Range"), served.faults
    served.ranges_asked.append(asked)
    if faults.statuses:
        handler.send_error(faults.statuses.pop(0))
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    fresh = handler.headers.get("If-Range", faults.etag) == faults.etag
    ranged = bool(asked) and faults.ranges and fresh
    if ranged and start >= len(served.content):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(served.content)}")
        handler.end_headers()
        return
    _send(handler, served, start + 1 if ranged and faults.wrong_part else start if ranged else 0, 206 if ranged else 200)


def _send(handler: BaseHTTPRequestHandler, served: Served, start: int, status: int) -> None:
    body = served.content[start:]
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    if served.faults.etag:
        handler.send_header("ETag", served.faults.etag)
    if status == 206:
        handler.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
    handler.end_headers()
    cut = served.faults.break_after.pop(0) if served.faults.break_after else len(body)
    handler.wfile.write(body[:cut])
