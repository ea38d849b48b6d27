"""Pulling, listing and verifying what was published: from a folder, from a real S3 server, and over HTTP without any key."""

import json
import shutil
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from card_records import Story
from chromium import ABSENT, PROGRAM, chromium
from signed_bundle import VARIANT, Project, key_pair, project

from edgeloop.bundle.files import SUMS
from edgeloop.bundle.sign import Trust
from edgeloop.bundle.verify import verify
from edgeloop.cards.card import card
from edgeloop.cli import main
from edgeloop.config.steps import Sign
from edgeloop.errors import BundleError, InputError, StoreError, StoreSilent
from edgeloop.records import Override
from edgeloop.store import web
from edgeloop.store.download import download
from edgeloop.store.listing import in_words, listing
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.promote import promote
from edgeloop.store.publish import publish
from edgeloop.store.pull import find_version, pull
from edgeloop.store.reading import folder_of, to_read
from edgeloop.store.s3 import connect


@dataclass(frozen=True)
class Shelf:
    """A store with two versions of a variant, the first of which is champion."""

    made: Project
    folder: Path
    first: str
    second: str
    trust: Trust


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    place = tmp_path_factory.mktemp("shelf")
    made, to = project(place / "project"), str(place / "published")
    key_pair(place, "team")
    params = made.publishing(sign=Sign(key=place / "team.pem"))
    promoted = promote(made.workspace, params, VARIANT, to=to, override=Override(by="somebody", reason="the first one"))
    Story(generated=True, mcu_board="h7", linux_board="linux", seed=6).write(made.workspace)
    card(made.workspace, params, VARIANT)
    second = publish(made.workspace, params, [VARIANT], to=to)[0].split("/")[-2]
    return Shelf(made, place / "published", promoted.decision.version, second, Trust(key=place / "team.pub"))


def test_a_version_is_found_by_each_of_its_names(shelf: Shelf) -> None:
    target = to_read(str(shelf.folder))
    assert find_version(target, VARIANT) == shelf.first, "the champion"
    assert find_version(target, VARIANT, "champion") == shelf.first
    assert find_version(target, VARIANT, "latest") == shelf.second
    assert find_version(target, VARIANT, shelf.second[:6]) == shelf.second


def test_without_a_champion_it_is_the_latest(shelf: Shelf, tmp_path: Path) -> None:
    publish(shelf.made.workspace, shelf.made.params, [VARIANT], to=str(tmp_path))
    target = to_read(str(tmp_path))
    assert find_version(target, VARIANT) == shelf.second
    with pytest.raises(InputError, match="has no champion"):
        find_version(target, VARIANT, "champion")


@pytest.mark.parametrize(
    ("variant", "word", "said"),
    [
        ("sample-fdmobilenet_0.25-97", "", r"has no variant .*did you mean 'sample-fdmobilenet_0\.25-96'"),
        (VARIANT, "champoin", "did you mean 'champion'"),
        (VARIANT, "ffffffffffff", "is no version"),
        (VARIANT, "2F", "@2F has too few digits to name a version: at least 4 of its 16"),
    ],
)
def test_what_is_not_there_is_named_with_the_near_match(variant: str, word: str, said: str, shelf: Shelf) -> None:
    with pytest.raises(InputError, match=f"(?i){said}"):
        find_version(to_read(str(shelf.folder)), variant, word)


def test_an_at_with_nothing_behind_it_is_not_the_latest(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{VARIANT}@ names no version behind the @"):
        pull(to_read(str(shelf.folder)), f"{VARIANT}@", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pulled_version_is_what_was_published(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "taken"
    found = pull(to_read(str(shelf.folder)), VARIANT, out, shelf.trust).found
    assert (found.version, found.signed) == (shelf.first, f"signed by the owner of {shelf.trust.key}")
    published = shelf.folder / VARIANT / shelf.first
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert files == {path.relative_to(published): path.read_bytes() for path in published.rglob("*") if path.is_file()}
    pull(to_read(str(shelf.folder)), f"{VARIANT}@latest", out, shelf.trust)
    assert verify(out, shelf.trust).version == shelf.second
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"was changed since it was exported: notes\.txt"):
        pull(to_read(str(shelf.folder)), VARIANT, out, shelf.trust)


@pytest.mark.parametrize("name", ["models/per_channel.tflite", SUMS, "manifest.json", "model.sig"])
def test_what_was_damaged_in_the_store_is_not_taken(name: str, shelf: Shelf, tmp_path: Path) -> None:
    damaged = shelf.folder / VARIANT / shelf.first / name
    genuine = damaged.read_bytes()
    damaged.write_bytes(genuine[:-3] + b"!!!")
    try:
        with pytest.raises(BundleError):
            pull(to_read(str(shelf.folder)), VARIANT, tmp_path / "out", shelf.trust)
    finally:
        damaged.write_bytes(genuine)
    assert not list(tmp_path.iterdir())


def test_a_version_in_the_place_of_another_one_is_not_taken(shelf: Shelf, tmp_path: Path) -> None:
    shutil.copytree(shelf.folder, tmp_path / "store")
    place = tmp_path / "store" / VARIANT
    shutil.rmtree(place / shelf.first)
    shutil.copytree(place / shelf.second, place / shelf.first)
    with pytest.raises(BundleError, match=f"is {VARIANT} {shelf.second}"):
        pull(to_read(str(tmp_path / "store")), VARIANT, tmp_path / "out", shelf.trust)
    assert not (tmp_path / "out").exists()


def test_a_champion_whose_model_is_another_one_is_not_taken(shelf: Shelf, tmp_path: Path) -> None:
    shutil.copytree(shelf.folder, tmp_path / "store")
    entry = tmp_path / "store" / VARIANT / "champions" / "000001.json"
    told = json.loads(entry.read_text(encoding="utf-8"))
    entry.write_text(json.dumps(told | {"model_sha256": "0" * 64}), encoding="utf-8")
    with pytest.raises(BundleError, match="with a model that is not in it"):
        pull(to_read(str(tmp_path / "store")), VARIANT, tmp_path / "out", shelf.trust)
    assert not (tmp_path / "out").exists()
    assert pull(to_read(str(tmp_path / "store")), f"{VARIANT}@{shelf.first}", tmp_path / "out", shelf.trust).champion is None


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/../../b", "model.sig", "a\\b", ""])
def test_a_manifest_cannot_write_elsewhere(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "version"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"variant": "v", "version": "0" * 16, "files": {name: {}}}))
    with pytest.raises(BundleError, match="lists what no version has"):
        download(to_read(str(folder)), "", tmp_path)


def test_the_list_names_version_champion_and_accuracy(shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = listing(to_read(str(shelf.folder)))
    evaluated = json.loads((shelf.folder / VARIANT / shelf.second / "records" / "evaluate.json").read_text())
    (top1,) = [result["top1"] for result in evaluated["formats"] if result["format"] == "int8 per-channel"]
    assert (one.variant, one.version, one.champion, one.top1, one.n) == (VARIANT, shelf.second, shelf.first, top1["value"], top1["n"])
    assert main(["list", "--from", str(shelf.folder), "--json", str(tmp_path / "list.json")]) == 0
    assert [shelf.second, shelf.first] == capsys.readouterr().out.splitlines()[1].split()[1:3]
    told = json.loads((tmp_path / "list.json").read_text())[0]
    assert (told["champion"], told["signed"]) == (shelf.first, True)
    signature = shelf.folder / VARIANT / shelf.second / "model.sig"
    signature.rename(tmp_path / "model.sig")
    (one,) = listing(to_read(str(shelf.folder)))
    (tmp_path / "model.sig").rename(signature)
    assert not one.signed and "not signed" in "\n".join(in_words([one]))
    with pytest.raises(StoreError, match="has no index"):
        listing(to_read(str(tmp_path)))
    (tmp_path / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="is damaged") as damaged:
        listing(to_read(str(tmp_path)))
    assert damaged.value.remedy == "Whoever publishes there must publish a variant again."
    row = in_words([replace(one, variant="it\nsigned")])
    assert [line for line in row if line.startswith("signed")] == []


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("https://a.example/cards/v/0123/index.html?x=1#y", "https://a.example/cards/v/0123"),
        ("s3://bucket/cards/v/0123/", "s3://bucket/cards/v/0123"),
        ("some/folder/README.md", "some/folder"),
        ("folder", "folder"),
        ("/", ""),
    ],
)
def test_the_address_of_a_page_is_that_of_its_folder(given: str, place: str) -> None:
    assert folder_of(given) == place


@pytest.fixture(scope="module")
def served(shelf: Shelf) -> Iterator[dict[str, Any]]:
    """The same, published to SeaweedFS."""
    workspace = shelf.made.workspace
    owner = owner_credentials(workspace)
    store = local_store(workspace)
    params = shelf.made.publishing(sign=Sign(key=shelf.folder.parent / "team.pem"))
    try:
        running = store.up()
        page, index = publish(workspace, params, [VARIANT], to="s3://models/cards")
        yield {"page": page, "index": index, "params": params, "client": connect(running.address, owner, "when_supported")}
    finally:
        store.down()


def test_over_http_as_from_a_folder(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no project
    key = ["--key", str(shelf.trust.key)]
    with serving(shelf.folder) as address:
        assert main(["verify", f"{address}/{VARIANT}/{shelf.second}/index.html", *key]) == 0
        assert main(["list", "--from", f"{address}/index.html"]) == 0
        assert shelf.second in capsys.readouterr().out
        assert main(["pull", VARIANT, "--from", address, "-o", "out", *key]) == 0
        assert main(["pull", "sample-fdmobilenet_0.25-97", "--from", address, "-o", "other"]) == 1
        assert f"Did you mean '{VARIANT}'" in capsys.readouterr().err.replace("did", "Did")
    assert verify(tmp_path / "out", shelf.trust).version == shelf.first
    assert main(["verify", f"{address}/{VARIANT}"]) == 75, "nobody answers there any more"


@pytest.mark.parametrize("trouble", ["503", "reset", "cut"])
def test_what_breaks_off_is_asked_for_again(trouble: str, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two answers for each file come to nothing; of four that do, the last is told."""
    monkeypatch.setattr(web, "PAUSE_S", 0.01)
    with serving(shelf.folder, trouble, times=2) as address:
        assert pull(to_read(address), VARIANT, tmp_path / "out", shelf.trust).found.version == shelf.first
    with serving(shelf.folder, trouble, times=4) as address, pytest.raises(StoreSilent, match="503" if trouble == "503" else "breaks off"):
        to_read(address).read("index.json")


@contextmanager
def serving(folder: Path, trouble: str = "", times: int = 0) -> Iterator[str]:
    """A plain HTTP server of a folder, whose first answers for each file meet that trouble."""
    asked: Counter[str] = Counter()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked[self.path] += 1
            if asked[self.path] > times:
                super().do_GET()
            elif trouble == "503":
                self.send_error(503)
            elif trouble == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half of it")
            else:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.thorough
def test_over_http_and_s3_as_from_a_folder(
    served: dict[str, Any], shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no project
    key = ["--key", str(shelf.trust.key)]
    assert main(["verify", served["page"], *key]) == 0
    assert f"{VARIANT} {shelf.second}" in capsys.readouterr().out
    assert main(["pull", VARIANT, "--from", served["index"], "-o", "out", *key]) == 0
    assert verify(tmp_path / "out", shelf.trust).faults == []
    assert main(["list", "--from", served["index"]]) == 0
    assert shelf.second in capsys.readouterr().out
    s3 = to_read("s3://models/cards", (shelf.made.workspace, served["params"]))
    assert pull(s3, VARIANT, tmp_path / "by s3", shelf.trust).found.version == shelf.second
    owner = owner_credentials(shelf.made.workspace)
    monkeypatch.setenv("AWS_ENDPOINT_URL", served["index"].partition("/models/")[0])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", owner.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", owner.secret_key)
    assert main(["verify", f"s3://models/cards/{VARIANT}/{shelf.second}", *key]) == 0, "outside a project, as the environment says"


@pytest.mark.thorough
def test_what_was_changed_behind_an_address_is_seen(served: dict[str, Any], shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    place = {"Bucket": "models", "Key": f"cards/{VARIANT}/{shelf.second}/models/float.tflite"}
    genuine = served["client"].get_object(**place)["Body"].read()
    served["client"].put_object(**place, Body=genuine[:-1] + b"!")
    try:
        assert main(["verify", served["page"]]) == 1
    finally:
        served["client"].put_object(**place, Body=genuine)
    assert "models/float.tflite: was changed" in capsys.readouterr().err
    assert main(["verify", served["page"].replace(shelf.second, "0" * 16)]) == 1
    assert "is no published version" in capsys.readouterr().err


@pytest.mark.skipif(PROGRAM is None, reason=ABSENT)
@pytest.mark.thorough
def test_a_card_leads_to_all_cards_only_where_it_lies_in_a_store(shelf: Shelf, tmp_path: Path) -> None:
    """It is the same page to the byte, there and in a copy."""
    pull(to_read(str(shelf.folder)), VARIANT, tmp_path / "copy", shelf.trust)
    stored, copy = shelf.folder / VARIANT / shelf.first / "index.html", tmp_path / "copy" / "index.html"
    assert stored.read_bytes() == copy.read_bytes()
    with chromium(tmp_path / "profile") as page:
        page.open(stored.as_uri())
        page.see("Network information")
        assert page.run("document.getElementById('ways').hidden") is False
        page.click("ALL CARDS")
        page.see("Models to choose from")
        page.open(copy.as_uri())
        page.see("Network information")
        assert page.run("document.getElementById('ways').hidden") is True
        assert "ALL CARDS" not in page.text().upper()
