"""Who may read and write a bucket by the policies of docs/publish.md, and what a browser without a key gets from it."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from botocore.exceptions import ClientError
from signed_bundle import ROOT, VARIANT, Project, key_pair, project

from edgeloop.bundle.sign import Trust
from edgeloop.cli import main
from edgeloop.config.steps import Sign
from edgeloop.errors import StoreError
from edgeloop.records import Override
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.promote import promote
from edgeloop.store.publish import publish
from edgeloop.store.pull import pull
from edgeloop.store.reading import to_read
from edgeloop.store.s3 import Credentials, connect

pytestmark = pytest.mark.thorough
BUCKET, PLACE = "my-bucket", "s3://my-bucket/cards"
"""As the policies name them."""
OVERRIDE = Override(by="a test", reason="the first one")
LISTS, READS, WRITES = "s3:ListBucket", "s3:GetObject", "s3:PutObject"
TEXT, SAVED = "text/plain; charset=utf-8", "application/octet-stream"
TYPES = {
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "sig": "application/json",
    "parquet": "application/vnd.apache.parquet",
    **dict.fromkeys(("c", "h", "txt", "yaml", "jsonl", "SHA256SUMS"), TEXT),
    **dict.fromkeys(("keras", "tflite"), SAVED),
}


def policies() -> dict[str, Any]:
    """The documents of docs/publish.md, by the name of whom each is for."""
    document = re.compile(r"The (publisher|reader):\n\n```json\n(.*?)```", re.DOTALL)
    text = (ROOT / "docs" / "publish.md").read_text(encoding="utf-8")
    found: dict[str, Any] = {name: json.loads(content) for name, content in document.findall(text)}
    assert set(found) == {"publisher", "reader"}
    return found


def only(*actions: str) -> dict[str, Any]:
    """The publisher's policy, with these actions alone."""
    policy: dict[str, Any] = policies()["publisher"]
    kept = [one | {"Action": sorted(set(one["Action"]) & set(actions))} for one in policy["Statement"]]
    return policy | {"Statement": [one for one in kept if one["Action"]]}


@dataclass(frozen=True)
class Site:
    """A server whose users have the policies, and a version that its publisher promoted."""

    address: str
    owner: Credentials
    made: Project
    version: str
    trust: Trust

    def client(self, who: str) -> Any:
        return connect(self.address, key_of(who), "when_supported")

    def keys(self) -> list[str]:
        client = connect(self.address, self.owner, "when_supported")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="cards/")
        return [one["Key"] for page in pages for one in page["Contents"]]


def key_of(who: str) -> Credentials:
    return Credentials(f"{who}-key", f"{who}-secret-of-the-test")


def act_as(patch: pytest.MonkeyPatch, who: str) -> None:
    patch.setenv("AWS_ACCESS_KEY_ID", key_of(who).access_key)
    patch.setenv("AWS_SECRET_ACCESS_KEY", key_of(who).secret_key)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        patch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server knows users by policies in its file; the bucket is its owner's."""
    place = tmp_path_factory.mktemp("access")
    made = project(place / "project")
    for name in ("network.c", "README.md"):
        (made.params.variant(VARIANT).paths(made.workspace).generated / name).write_text("// nothing\n", encoding="utf-8")
    key_pair(place, "team")
    owner, store = owner_credentials(made.workspace), local_store(made.workspace)
    known_policies = policies() | {"who-may-not-list": only(READS, WRITES), "who-may-not-read": only(LISTS, WRITES)}
    identities = made.workspace.private / "store" / "identities.json"
    known = json.loads(identities.read_text(encoding="utf-8"))
    known["policies"] = [{"name": who, "content": json.dumps(policy)} for who, policy in known_policies.items()]
    for who in known_policies:
        keys = {"accessKey": key_of(who).access_key, "secretKey": key_of(who).secret_key}
        known["identities"].append({"name": who, "credentials": [keys], "actions": [], "policyNames": [who]})
    identities.write_text(json.dumps(known), encoding="utf-8")
    try:
        address = store.up().address
        connect(address, owner, "when_supported").create_bucket(Bucket=BUCKET)
        params = made.publishing(to=PLACE, endpoint=address, sign=Sign(key=place / "team.pem"))
        with pytest.MonkeyPatch.context() as patch:
            act_as(patch, "publisher")
            promoted = promote(made.workspace, params, VARIANT, override=OVERRIDE)
        assert promoted.is_champion
        yield Site(address, owner, Project(made.workspace, params), promoted.decision.version, Trust(key=place / "team.pub"))
    finally:
        store.down()


@pytest.fixture
def opened(site: Site) -> Iterator[Site]:
    """The bucket's owner lets anybody read what is below the prefix."""
    owner = connect(site.address, site.owner, "when_supported")
    anybody = {"Effect": "Allow", "Principal": "*", "Action": [READS], "Resource": [f"arn:aws:s3:::{BUCKET}/cards/*"]}
    owner.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}))
    yield site
    owner.delete_bucket_policy(Bucket=BUCKET)


def test_the_publishers_key_publishes_and_promotes_and_deletes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, "publisher")
    before = sorted(site.keys())
    assert publish(site.made.workspace, site.made.params, [VARIANT])[0] == f"{PLACE}/{VARIANT}/{site.version}/index.html"
    client = site.client("publisher")
    for key in before:
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=BUCKET, Key=key)
    refused = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in before]})["Errors"]
    assert {one["Code"] for one in refused} == {"AccessDenied"} and len(refused) == len(before)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_bucket_policy(Bucket=BUCKET)
    assert sorted(site.keys()) == before


def test_the_readers_key_lists_pulls_and_verifies(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no project
    act_as(monkeypatch, "reader")
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.address)
    key = ["--key", str(site.trust.key)]
    assert main(["list", "--from", PLACE]) == 0
    assert [VARIANT, site.version, site.version] == capsys.readouterr().out.splitlines()[1].split()[:3]
    assert main(["pull", VARIANT, "--from", PLACE, "-o", "out", *key]) == 0
    assert main(["verify", f"{PLACE}/{VARIANT}/{site.version}", *key]) == 0
    assert main(["verify", "out", *key]) == 0


def test_the_readers_key_writes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, "reader")
    client, before = site.client("reader"), sorted(site.keys())
    for key in (before[0], "cards/new"):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket=BUCKET, Key=key, Body=b"")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=BUCKET, Key=key)
    assert sorted(site.keys()) == before


@pytest.mark.parametrize(
    ("who", "operation", "lacks"),
    [("reader", "PutObject", WRITES), ("who-may-not-list", "ListObjectsV2", LISTS), ("who-may-not-read", "GetObject", READS)],
)
def test_a_refusal_names_the_permission_that_the_key_lacks(
    who: str, operation: str, lacks: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as(monkeypatch, who)
    beside = site.made.workspace.variant("sample", "fdmobilenet_0.25", 96).quantized / "preprocessing.json"
    former = beside.read_bytes()
    beside.write_bytes(former + b"\n")  # another version: there is something to write
    try:
        with pytest.raises(StoreError, match=rf"denies {operation} .*the key lacks {lacks}") as refused:
            publish(site.made.workspace, site.made.params, [VARIANT])
    finally:
        beside.write_bytes(former)
    assert "docs/publish.md" in refused.value.remedy and not refused.value.may_pass
    assert key_of(who).secret_key not in str(refused.value)


def test_who_may_not_read_is_told_so(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, "who-may-not-read")
    with pytest.raises(StoreError, match=f"denies GetObject .*the key lacks {READS}"):
        pull(to_read(PLACE, (site.made.workspace, site.made.params)), VARIANT, tmp_path / "out")


def test_every_object_is_served_with_its_type_and_its_time(opened: Site) -> None:
    keys = opened.keys()
    suffixes = {key.rpartition("/")[2].rpartition(".")[2] for key in keys}
    assert {"jsonl", "sig", "keras", "tflite", "c", "h", "md", "SHA256SUMS", "parquet"} <= suffixes
    for key in keys:
        with urllib.request.urlopen(f"{opened.address}/{BUCKET}/{key}", timeout=10) as answer:
            name = key.rpartition("/")[2]
            if name != "create-once.txt":
                assert answer.headers["Content-Type"] == TYPES[name.rpartition(".")[2]], key
            is_fixed = f"/{opened.version}/" in key and name != "model.sig"
            assert answer.headers["Cache-Control"] == ("public, max-age=31536000, immutable" if is_fixed else "no-cache"), key


def test_every_page_leads_to_what_the_bucket_serves(opened: Site) -> None:
    """From the gallery and the page of the versions, to which its script leads, as a browser follows links: no key, no listing."""
    root = f"{opened.address}/{BUCKET}/cards/"
    waiting, seen, broken = [("", f"{root}index.html"), ("", f"{root}{VARIANT}/index.html")], set[str](), []
    while waiting:
        page, address = waiting.pop()
        if address in seen or not address.startswith(root):
            continue
        seen.add(address)
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                text = answer.read().decode() if answer.headers["Content-Type"].startswith("text/html") else ""
        except urllib.error.HTTPError as error:
            broken.append((page, address, error.code))
        waiting += [(address, urljoin(address, found)) for found in re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', text)]
    assert broken == []
    pages = {address.removeprefix(root) for address in seen if address.endswith("index.html")}
    assert pages == {"index.html", f"{VARIANT}/index.html", f"{VARIANT}/{opened.version}/index.html"}
    assert any(address.endswith(".tflite") for address in seen)


def test_what_is_not_published_is_not_served(opened: Site) -> None:
    connect(opened.address, opened.owner, "when_supported").put_object(Bucket=BUCKET, Key="private", Body=b"x")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{opened.address}/{BUCKET}/private", timeout=10)
