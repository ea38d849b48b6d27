"""Publishing to a real S3 server and to a folder: whole cards only, nothing twice, and refusals that say what to do."""

import hashlib
import json
import mimetypes
import os
import posixpath
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from card_records import Story

from edgeloop.cards.card import card
from edgeloop.config import Params, load_params
from edgeloop.errors import InputError, StoreError
from edgeloop.services import Running
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.publish import publish, with_cards
from edgeloop.store.reading import to_read
from edgeloop.store.s3 import Credentials, S3Target, connect, shown
from edgeloop.store.target import Changed, Stored, content_type
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
SAMPLE, FOOD, PLANT = "sample-fdmobilenet_0.25-96", "food-fdmobilenet_0.25-128", "plant-fdmobilenet_0.25-128"
TEXT, SAVED = "text/plain; charset=utf-8", "application/octet-stream"
READER = Credentials("reader-key", "reader-secret")
AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)


@dataclass(frozen=True)
class Project:
    """A workspace with two built cards."""

    workspace: Workspace
    params: Params

    def publishing(self, **settings: str) -> Params:
        return self.params.model_copy(update={"publish": self.params.publish.model_copy(update=settings)})


@dataclass(frozen=True)
class Server:
    """The running S3 server, and its keys."""

    running: Running
    owner: Credentials

    def client(self, who: Credentials | None = None) -> Any:
        return connect(self.running.address, who or self.owner, "when_supported")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("publishing project")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    workspace = Workspace(folder)
    params = load_params(workspace)
    made = Project(workspace, params)
    for story in (Story(), Story(variant=FOOD)):
        build(made, story)
    return made


@pytest.fixture(scope="module")
def server(project: Project) -> Iterator[Server]:
    """SeaweedFS, started once, with a second key that may only read."""
    owner = owner_credentials(project.workspace)
    identities = project.workspace.private / "store" / "identities.json"
    known = json.loads(identities.read_text())
    reader = {"accessKey": READER.access_key, "secretKey": READER.secret_key}
    known["identities"].append({"name": "reader", "credentials": [reader], "actions": ["Read", "List"]})
    identities.write_text(json.dumps(known))
    store = local_store(project.workspace)
    try:
        yield Server(store.up(), owner)
    finally:
        store.down()


@pytest.fixture
def bucket(server: Server, request: pytest.FixtureRequest) -> str:
    """The address of a place of its own for each test."""
    return f"s3://edgeloop-tests/{request.node.name.translate({ord(mark): '-' for mark in '[]_ '})}"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which boto3 finds no credentials."""
    for name in AWS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def act_as(aws: pytest.MonkeyPatch, who: Credentials) -> None:
    aws.setenv("AWS_ACCESS_KEY_ID", who.access_key)
    aws.setenv("AWS_SECRET_ACCESS_KEY", who.secret_key)


@dataclass(frozen=True)
class FolderPlace:
    """What is published in a folder, read without our own code."""

    to: str

    def keys(self) -> list[str]:
        root = Path(self.to)
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]

    def contents(self) -> dict[str, bytes]:
        return {key: (Path(self.to) / key).read_bytes() for key in self.keys()}


@dataclass(frozen=True)
class BucketPlace:
    """What is published in a bucket, read without our own code."""

    to: str
    server: Server

    def objects(self) -> list[dict[str, Any]]:
        name, _, prefix = self.to.removeprefix("s3://").partition("/")
        if name not in {one["Name"] for one in self.server.client().list_buckets()["Buckets"]}:
            return []
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=f"{prefix}/")
        return [one for page in pages for one in page.get("Contents", [])]

    def keys(self) -> list[str]:
        prefix = self.to.removeprefix("s3://").partition("/")[2]
        return [one["Key"].removeprefix(f"{prefix}/") for one in self.objects()]

    def contents(self) -> dict[str, bytes]:
        name, _, prefix = self.to.removeprefix("s3://").partition("/")
        client = self.server.client()
        return {key: client.get_object(Bucket=name, Key=f"{prefix}/{key}")["Body"].read() for key in self.keys()}


Place = FolderPlace | BucketPlace


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return FolderPlace(str(tmp_path / "published cards"))
    return BucketPlace(request.getfixturevalue("bucket"), request.getfixturevalue("server"))


def assert_whole(contents: dict[str, bytes]) -> None:
    """Every pointer and every index entry names a card that is there completely."""
    pointers = {key: json.loads(content) for key, content in contents.items() if key.endswith("latest.json")}
    listed = json.loads(contents.get("index.json", b'{"cards": []}'))["cards"]
    for pointer in [*pointers.values(), *listed]:
        folder = f"{pointer['variant']}/{pointer['version']}"
        manifest = json.loads(contents[f"{folder}/manifest.json"])
        for name, about in manifest["files"].items():
            assert hashlib.sha256(contents[f"{folder}/{name}"]).hexdigest() == about["sha256"]
        assert f"{folder}/index.html" in contents
        assert pointer["page"] == f"{folder}/index.html"


def test_a_card_is_published_whole_with_its_models_and_records(project: Project, place: Place) -> None:
    addresses = publish(project.workspace, project.params, [SAMPLE], to=place.to)
    contents = place.contents()
    assert_whole(contents)
    version = json.loads(contents[f"{SAMPLE}/latest.json"])["version"]
    names = {key.removeprefix(f"{SAMPLE}/{version}/") for key in contents if key.startswith(f"{SAMPLE}/{version}/")}
    assert {
        "README.md",
        "index.html",
        "plots/confusion.svg",
        "models/per_channel.tflite",
        "records/evaluate.json",
        "manifest.json",
    } <= names
    assert [address.rpartition("/")[2] for address in addresses] == ["index.html", "index.html"]
    page = contents[f"{SAMPLE}/{version}/index.html"].decode()
    leads = [address for address in re.findall(r'href="([^"#]+)"', page) if "://" not in address]
    assert {"../../index.html", "models/per_channel.tflite", "records/prepare.json"} <= set(leads)
    assert [address for address in leads if posixpath.normpath(f"{SAMPLE}/{version}/{address}") not in contents] == []


def test_the_index_lists_every_published_card(project: Project, place: Place) -> None:
    publish(project.workspace, project.params, [SAMPLE], to=place.to)
    publish(project.workspace, project.params, [FOOD], to=place.to)
    contents = place.contents()
    assert [one["variant"] for one in json.loads(contents["index.json"])["cards"]] == [FOOD, SAMPLE]
    for one in json.loads(contents["index.json"])["cards"]:
        assert f'href="{one["page"]}"' in contents["index.html"].decode()


def test_publishing_a_new_version_changes_five_objects_and_keeps_the_order(project: Project, place: Place) -> None:
    publish(project.workspace, project.params, [SAMPLE, FOOD], to=place.to)
    former = place.contents()
    build(project, Story(seed=6))
    publish(project.workspace, project.params, [SAMPLE], to=place.to)
    build(project, Story())
    contents = place.contents()
    changed = {key for key, content in contents.items() if is_pointer(key) and former.get(key) != content}
    assert changed == {"index.html", "index.json", *(f"{SAMPLE}/{name}" for name in ("index.html", "latest.json", "versions.json"))}
    assert all(contents[key] == content for key, content in former.items() if not is_pointer(key))
    listed = json.loads(contents[f"{SAMPLE}/versions.json"])["versions"]
    before, now = (json.loads(of[f"{SAMPLE}/latest.json"]) for of in (former, contents))
    nobody = {"champion": None, "given_up": False}
    assert [one | nobody for one in listed] == [before, now]
    assert [one["versions"] for one in listed] == [1, 2]
    page = contents[f"{SAMPLE}/index.html"].decode()
    assert all(f'href="{one["version"]}/index.html"' in page for one in listed)


def test_what_was_published_before_there_were_lists_is_the_first_version(project: Project, tmp_path: Path) -> None:
    former: dict[str, Any] = {
        "variant": SAMPLE,
        "version": "0" * 16,
        "page": f"{SAMPLE}/{'0' * 16}/index.html",
        "dataset": "sample",
        "archive": "a",
    }
    former |= {"network": "fdmobilenet_0.25", "resolution": 96, "split": "test", "accuracy": [], "weight_bytes": {}, "macs": 1}
    former |= {"commit": None, "evaluated": "2026-01-01T00:00:00+00:00"}
    (tmp_path / SAMPLE).mkdir()
    (tmp_path / SAMPLE / "latest.json").write_text(json.dumps(former))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "latest.json").write_text(json.dumps(former | {"variant": "old"}))
    publish(project.workspace, project.params, [SAMPLE], to=str(tmp_path))
    listed = json.loads((tmp_path / SAMPLE / "versions.json").read_text())["versions"]
    assert (listed[0], len(listed)) == (former, 2)
    assert '"id":"old"' in (tmp_path / "index.html").read_text()


def test_words_choose_the_cards_that_there_are(project: Project) -> None:
    assert with_cards(project.workspace, project.params, ["all"]) == sorted([SAMPLE, FOOD], key=[*project.params.variants].index)
    assert with_cards(project.workspace, project.params, ["sample"]) == [SAMPLE]
    assert with_cards(project.workspace, project.params, [PLANT]) == [PLANT], "publish says that it has no card"
    with pytest.raises(InputError, match="no card to publish"):
        with_cards(project.workspace, project.params, ["plant"])


def test_publishing_again_writes_nothing(project: Project, tmp_path: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")}

    publish(project.workspace, project.params, [SAMPLE], to=str(tmp_path))
    first = times()
    publish(project.workspace, project.params, [SAMPLE], to=str(tmp_path))
    assert times() == first


def test_publishing_again_uploads_nothing(project: Project, server: Server, bucket: str) -> None:
    target = BucketPlace(bucket, server)
    publish(project.workspace, project.params, [SAMPLE], to=bucket)
    first = {one["Key"]: (one["LastModified"], one["ETag"]) for one in target.objects()}
    time.sleep(1.1)  # S3 tells times in seconds
    publish(project.workspace, project.params, [SAMPLE], to=bucket)
    assert {one["Key"]: (one["LastModified"], one["ETag"]) for one in target.objects()} == first


def test_a_browser_opens_what_was_published(project: Project, server: Server, bucket: str) -> None:
    *_, index = publish(project.workspace, project.params, [SAMPLE], to=bucket)
    with urllib.request.urlopen(index, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert SAMPLE.encode() in answer.read()
    latest = json.loads(urllib.request.urlopen(index.replace("index.html", f"{SAMPLE}/latest.json"), timeout=10).read())
    with urllib.request.urlopen(index.replace("index.html", latest["page"]), timeout=10) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("provenance.jsonl", TEXT), ("SHA256SUMS", TEXT), ("code/network.h", TEXT), ("model.sig", "application/json"), ("a.keras", SAVED)],
)
def test_the_type_of_a_file_is_the_same_on_every_machine(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mimetypes, "guess_type", lambda _: ("application/pgp-signature", None))
    assert content_type(f"{SAMPLE}/0123456789abcdef/{name}") == kind


def test_what_is_published_to_another_prefix_closes_nothing(project: Project, server: Server, bucket: str) -> None:
    addresses = [publish(project.workspace, project.params, [SAMPLE], to=f"{bucket}/{place}")[-1] for place in ("one", "two")]
    for address in addresses:
        assert urllib.request.urlopen(address, timeout=10).status == 200


def test_nothing_else_in_the_store_is_open_to_everybody(project: Project, server: Server, bucket: str) -> None:
    publish(project.workspace, project.params, [SAMPLE], to=bucket)
    server.client().put_object(Bucket="edgeloop-tests", Key="private", Body=b"x")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{server.running.address}/edgeloop-tests/private", timeout=10)


def test_concurrent_publishers_lose_no_card(project: Project, place: Place) -> None:
    def one(variant: str) -> None:
        publish(project.workspace, project.params, [variant], to=place.to)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, [SAMPLE, FOOD]))
    contents = place.contents()
    assert_whole(contents)
    assert {one["variant"] for one in json.loads(contents["index.json"])["cards"]} == {SAMPLE, FOOD}


def test_an_object_that_others_changed_is_not_overwritten(server: Server, bucket: str) -> None:
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    target = S3Target(server.client(), name, prefix, server.running.address, browsable=True)
    target.prepare(create=True)
    target.replace("index.json", b"first", None)
    with pytest.raises(Changed):
        target.replace("index.json", b"second", None)
    with pytest.raises(Changed):
        target.replace("index.json", b"second", Stored(b"", '"0123"'))
    seen = target.read("index.json")
    target.replace("index.json", b"second", seen)
    assert server.client().get_object(Bucket=name, Key=f"{prefix}/index.json")["Body"].read() == b"second"


@pytest.mark.thorough
@pytest.mark.slow
def test_a_killed_publish_shows_no_half_card(project: Project, place: Place) -> None:
    build(project, Story(variant=PLANT))
    publish(project.workspace, project.params, [SAMPLE, PLANT], to=place.to)
    former = place.contents()
    build(project, Story(variant=PLANT, model_bytes=32_000_000))
    kill_midway(project, place, former)
    contents = place.contents()
    assert len(contents) > len(former)
    # The kill may come after a pointer was set; what pointers name is whole all the same.
    assert all(contents[key] == content for key, content in former.items() if not is_pointer(key))
    assert_whole(contents)
    publish(project.workspace, project.params, [PLANT], to=place.to)
    contents = place.contents()
    assert_whole(contents)
    assert contents[f"{PLANT}/latest.json"] != former[f"{PLANT}/latest.json"]


def is_pointer(key: str) -> bool:
    """Whether that object is replaced by a publish: the index, and what lies beside a variant's versions."""
    return key.count("/") < 2


def build(project: Project, story: Story) -> None:
    story.write(project.workspace)
    card(project.workspace, project.params, story.variant)


def kill_midway(project: Project, place: Place, former: dict[str, bytes]) -> None:
    """Publish in a process of its own and kill it as soon as something new is there."""
    program = (
        "import sys; from pathlib import Path; from edgeloop.config import load_params; from edgeloop.store.publish import publish\n"
        "from edgeloop.workspace import Workspace; workspace = Workspace(Path(sys.argv[1]))\n"
        "publish(workspace, load_params(workspace), [sys.argv[2]], to=sys.argv[3])"
    )
    arguments = [sys.executable, "-c", program, str(project.workspace.root), PLANT, place.to]
    publisher = subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while publisher.poll() is None and time.monotonic() < deadline and len(place.keys()) == len(former):
        time.sleep(0.005)
    publisher.send_signal(signal.SIGKILL)
    assert publisher.wait(timeout=10) == -signal.SIGKILL, "it ended before it could be killed"


def test_a_card_that_is_not_built_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"card\.json does not exist"):
        publish(project.workspace, project.params, ["plant-fdmobilenet_0.25-224"], to=str(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["card/README.md", "quantized/per_channel.tflite", "evaluate.json"])
def test_a_file_that_was_changed_by_hand_is_refused(name: str, project: Project, tmp_path: Path) -> None:
    changed = project.workspace.variant("sample", "fdmobilenet_0.25", 96).folder / name
    genuine = changed.read_bytes()
    changed.write_bytes(genuine + b" ")
    try:
        with pytest.raises(InputError, match=rf"{name} is not the file"):
            publish(project.workspace, project.params, [SAMPLE], to=str(tmp_path))
    finally:
        changed.write_bytes(genuine)


def test_a_key_that_may_only_read_is_denied_by_name(project: Project, server: Server, bucket: str, aws: pytest.MonkeyPatch) -> None:
    publish(project.workspace, project.params, [SAMPLE], to=bucket)
    act_as(aws, READER)
    with pytest.raises(StoreError, match=r"denies PutObject") as caught:
        publish(project.workspace, project.publishing(endpoint=server.running.address), [FOOD], to=bucket)
    assert "the key lacks s3:PutObject" in caught.value.what and "docs/publish.md" in caught.value.remedy
    assert READER.secret_key not in str(caught.value)


def test_a_wrong_secret_is_not_accepted_and_never_shown(project: Project, server: Server, bucket: str, aws: pytest.MonkeyPatch) -> None:
    act_as(aws, Credentials(server.owner.access_key, "not-the-secret"))
    with pytest.raises(StoreError) as caught:
        publish(project.workspace, project.publishing(endpoint=server.running.address), [SAMPLE], to=bucket)
    assert "not-the-secret" not in str(caught.value)


def test_no_credentials_are_asked_for_by_name(project: Project, server: Server, bucket: str, aws: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="no usable credentials") as caught:
        publish(project.workspace, project.publishing(endpoint=server.running.address), [SAMPLE], to=bucket)
    assert "AWS_ACCESS_KEY_ID" in caught.value.remedy
    aws.setenv("AWS_ENDPOINT_URL", server.running.address)
    with pytest.raises(StoreError, match=f"no usable credentials for {bucket}/ at {server.running.address}") as outside:
        to_read(bucket).read("index.json")
    assert "AWS_ENDPOINT_URL" in outside.value.remedy


def test_a_missing_bucket_is_not_made_behind_the_users_back(project: Project, server: Server, aws: pytest.MonkeyPatch) -> None:
    act_as(aws, server.owner)
    with pytest.raises(StoreError, match="no bucket 'nowhere'"):
        publish(project.workspace, project.publishing(endpoint=server.running.address), [SAMPLE], to="s3://nowhere/cards")


def test_an_endpoint_that_does_not_answer_is_named_without_its_password(project: Project, aws: pytest.MonkeyPatch) -> None:
    act_as(aws, READER)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = project.publishing(endpoint=f"http://user:hunter2@127.0.0.1:{port}")
    with pytest.raises(StoreError, match=rf"http://127.0.0.1:{port} does not answer") as caught:
        publish(project.workspace, settings, [SAMPLE], to="s3://edgeloop/cards")
    assert "hunter2" not in str(caught.value)


def test_without_the_local_store_the_command_that_starts_it_is_named(workspace: Workspace) -> None:
    params = Story().write(workspace)
    card(workspace, params, SAMPLE)
    with pytest.raises(StoreError, match="edgeloop store up"):
        publish(workspace, params, [SAMPLE])


def test_an_unwritable_folder_is_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file.* cannot be written"):
        publish(project.workspace, project.params, [SAMPLE], to=str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("to", "says"), [("s3://Bad_Name/x", "bucket's name"), ("ftp://host/x", "s3://bucket/prefix"), ("s3://", "bucket's name")]
)
def test_an_address_that_cannot_be_meant_is_refused(project: Project, to: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        publish(project.workspace, project.params, [SAMPLE], to=to)


def test_addresses_are_shown_without_passwords() -> None:
    assert shown("https://key:secret@s3.example.org/x") == "https://s3.example.org/x"
    assert shown("") == "AWS"
