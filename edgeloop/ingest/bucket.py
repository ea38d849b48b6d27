"""Reading what lies below a prefix of a bucket, as a source of new images."""

from edgeloop.datasets.filenames import lies_hidden
from edgeloop.errors import StoreError
from edgeloop.ingest.arrivals import Arrival
from edgeloop.store import local, s3
from edgeloop.store.publish import BUCKET
from edgeloop.workspace import Workspace


class BucketFiles:
    """The objects below a prefix; names of folders (keys that end in a slash) and hidden files are left out."""

    def __init__(self, target: s3.S3Target, name: str) -> None:
        self._target, self.name, self.hidden = target, name, 0

    def arrivals(self) -> list[Arrival]:
        listed = [Arrival(entry.key, entry.bytes, entry.version) for entry in self._target.entries() if not entry.key.endswith("/")]
        visible = [arrival for arrival in listed if not lies_hidden(arrival.path)]
        self.hidden = len(listed) - len(visible)
        return sorted(visible, key=lambda arrival: arrival.path)

    def read(self, arrival: Arrival) -> bytes:
        stored = self._target.read(arrival.path)
        if stored is None:
            raise StoreError(f"{self.name}/{arrival.path} is not there any more.", "Ingest again when nobody removes objects there.")
        return stored.content


def bucket_files(workspace: Workspace, address: str, endpoint: str, checksums: s3.Checksums) -> BucketFiles:
    """Open `s3://bucket/prefix` at `endpoint`: empty for AWS, `local` for the project's own store.

    Raises:
        StoreError: that is no bucket's name, it is not there, or it may not be listed.
    """
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not BUCKET.fullmatch(bucket):
        raise StoreError(f"'{bucket}' in {address} cannot be a bucket's name.", "Use 3 to 63 of a-z, 0-9, '.' and '-'.")
    is_local = endpoint == "local"
    where = local.local_address(workspace) if is_local else endpoint
    client = s3.connect(where, local.owner_credentials(workspace) if is_local else None, checksums)
    return BucketFiles(s3.S3Target(client, bucket, prefix, where, browsable=False), address.rstrip("/"))
