"""Where new images come from: a folder of class folders, or a prefix of an S3 bucket. Both are only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeloop.config import Params
from edgeloop.datasets.folder import walk_folder
from edgeloop.errors import InputError
from edgeloop.ingest.arrivals import Arrival, Incoming, UnreadableFile
from edgeloop.userpath import user_path
from edgeloop.workspace import Workspace

S3 = "s3://"


class IncomingFolder:
    """A folder; hidden files are left out."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder.", "Give a folder that holds one folder of new images for each class.")
        self._folder, self.name, self.hidden = folder, str(folder), 0

    def arrivals(self) -> list[Arrival]:
        walked = walk_folder(self._folder)
        self.hidden = walked.hidden
        return [self._arrival(path) for path in walked.files]

    def read(self, arrival: Arrival) -> bytes:
        path = self._folder / arrival.path
        try:
            return path.read_bytes()
        except PermissionError as error:
            raise UnreadableFile(f"{path} cannot be read: {error.strerror}.", "Make it readable.") from error
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.", "Leave the folder unchanged while it is ingested.") from error

    def _arrival(self, path: str) -> Arrival:
        state = (self._folder / path).stat()
        return Arrival(path, state.st_size, f"{state.st_size} {state.st_mtime_ns} {state.st_ino}")


@contextmanager
def incoming(workspace: Workspace, params: Params, origin: str, endpoint: str | None = None) -> Iterator[Incoming]:
    """Open the source that `origin` names; `endpoint` is that of an S3 server, by default the one of `publish`.

    Raises:
        InputError: it is no folder and no S3 prefix.
        StoreError: the bucket cannot be listed.
    """
    if origin.startswith(S3):
        from edgeloop.ingest.bucket import bucket_files

        yield bucket_files(workspace, origin, endpoint if endpoint is not None else params.publish.endpoint, params.publish.checksums)
    elif "://" in origin:
        raise InputError(f"Nothing can be ingested from {origin}.", "Give a folder of class folders, or s3://bucket/prefix.")
    else:
        yield IncomingFolder(workspace.root / user_path(origin))
