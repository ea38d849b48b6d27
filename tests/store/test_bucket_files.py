"""New images from a prefix of a real S3 server: all of them, each read once, and refusals that say what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from miniature import coloured, png

from edgeloop.config import load_params
from edgeloop.datasets.images import examine
from edgeloop.errors import InputError, StoreError
from edgeloop.ingest.arrivals import Arrival, Incoming
from edgeloop.ingest.incoming import incoming
from edgeloop.ingest.memory import Digests
from edgeloop.ingest.screen import Past, screen
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = {f"cameras/north/{label}/{n} ä.png": png(coloured(label, n)) for label in ("red", "blue") for n in range(3)}


class Counting:
    """Passes on, and counts what is read."""

    def __init__(self, source: Incoming) -> None:
        self._source, self.name, self.hidden = source, source.name, 0
        self.reads: list[str] = []

    def arrivals(self) -> list[Arrival]:
        return self._source.arrivals()

    def read(self, arrival: Arrival) -> bytes:
        self.reads.append(arrival.path)
        return self._source.read(arrival)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose local store holds pictures in the bucket `inbox`."""
    workspace = Workspace(tmp_path_factory.mktemp("ingesting project"))
    workspace.params.write_bytes((ROOT / "params.yaml").read_bytes())
    store = local_store(workspace)
    try:
        client = connect(store.up().address, owner_credentials(workspace), "when_supported")
        client.create_bucket(Bucket="inbox")
        for key, content in OBJECTS.items():
            client.put_object(Bucket="inbox", Key=key, Body=content)
        client.put_object(Bucket="inbox", Key="elsewhere/red/1.png", Body=b"no")
        for key in ("red/1.png", "red/._1.png", "__MACOSX/1.png"):
            client.put_object(Bucket="inbox", Key=f"litter/{key}", Body=b"no")
        yield workspace
    finally:
        store.down()


def test_every_object_below_the_prefix_arrives(stored: Workspace) -> None:
    with incoming(stored, load_params(stored), "s3://inbox/cameras/north/") as source:
        read = {f"cameras/north/{arrival.path}": source.read(arrival) for arrival in source.arrivals()}
    assert read == OBJECTS


def test_hidden_objects_are_counted_and_left_out(stored: Workspace) -> None:
    with incoming(stored, load_params(stored), "s3://inbox/litter") as source:
        assert [arrival.path for arrival in source.arrivals()] == ["red/1.png"]
        assert source.hidden == 2


def test_what_is_known_is_not_downloaded_again(stored: Workspace) -> None:
    params = load_params(stored)
    with incoming(stored, params, "s3://inbox/cameras/north") as source:
        counting, cache = Counting(source), Digests(stored, "sample", source.name)
        labels = {arrival: arrival.path.split("/")[0] for arrival in counting.arrivals()}
        nothing = Past()
        first = screen(counting, labels, ["red", "blue"], params.dataset("sample"), nothing, cache)
        cache.write()
        assert (len(first.candidates), len(counting.reads)) == (6, 6)
        known = Past({candidate.sha256: {candidate.label: candidate.arrival.path} for candidate in first.candidates})
        second = screen(counting, labels, ["red", "blue"], params.dataset("sample"), known, Digests(stored, "sample", source.name))
    assert (second.candidates, second.known, len(counting.reads)) == ([], 6, 6)
    assert {examine(content, params.dataset("sample").prepare).sha256 for content in OBJECTS.values()} == known.images.keys()


def test_refusals_say_what_to_do(stored: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    params = load_params(stored)
    with pytest.raises(StoreError, match="no such bucket"), incoming(stored, params, "s3://nowhere/x") as source:
        source.arrivals()
    with pytest.raises(StoreError, match="cannot be a bucket's name"), incoming(stored, params, "s3://No/x"):
        pass
    with pytest.raises(InputError, match="class folders, or s3://"), incoming(stored, params, "ftp://host/x"):
        pass
    with pytest.raises(InputError, match="is not a folder"), incoming(stored, params, "not/there"):
        pass
    with pytest.raises(StoreError, match="does not answer"), incoming(stored, params, "s3://inbox/x", "http://127.0.0.1:9") as source:
        source.arrivals()
