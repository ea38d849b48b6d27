"""The step `fetch`: upstream, given, packed; what is kept, and what the record says."""

import hashlib
import os
import resource
from pathlib import Path

import pytest
from datasets_in_miniature import Faults, serving, two_classes, write_tar, write_zip

from edgeloop.config import Params, Source, load_params
from edgeloop.datasets.download import Patience
from edgeloop.datasets.fetch import fetch
from edgeloop.errors import DataError, FetchError, InputError
from edgeloop.files import sha256_file
from edgeloop.records import FetchRecord
from edgeloop.workspace import Workspace

QUICK = Patience(connect_s=2, read_s=2, attempts=2, backoff_s=0.01)


def with_source(workspace: Workspace, **source: object) -> Params:
    """The workspace's params with another source for flowers."""
    params = load_params(workspace)
    changed = params.datasets["flowers"].model_copy(update={"source": Source.model_validate(source)})
    return params.model_copy(update={"datasets": params.datasets | {"flowers": changed}})


@pytest.fixture
def upstream(tmp_path: Path) -> bytes:
    return write_tar(tmp_path / "upstream.tar", two_classes(2)).read_bytes()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "my archive.zip", two_classes(3))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_upstream_archive_is_downloaded_and_said_to_be_so(workspace: Workspace, upstream: bytes) -> None:
    with serving(upstream) as server:
        record = fetch(workspace, with_source(workspace, address=server.address, sha256=digest(upstream)), "flowers")
    assert workspace.dataset("flowers").archive.read_bytes() == upstream
    assert (record.upstream, record.note, record.given) == (True, "the upstream archive", False)
    assert (record.origin, record.bytes, record.sha256) == (server.address, len(upstream), digest(upstream))
    assert FetchRecord.read(workspace.dataset("flowers").fetch_record) == record


def test_a_given_archive_is_said_not_to_be_upstream(workspace: Workspace, mine: Path) -> None:
    record = fetch(workspace, load_params(workspace), "flowers", given=str(mine))
    assert (record.upstream, record.note, record.given) == (False, "not the upstream archive", True)
    assert record.sha256 == sha256_file(mine) == sha256_file(workspace.dataset("flowers").archive)


def test_a_given_archive_with_the_upstream_digest_is_upstream(workspace: Workspace, upstream: bytes, tmp_path: Path) -> None:
    params = with_source(workspace, address="http://127.0.0.1:9/never", sha256=digest(upstream))
    record = fetch(workspace, params, "flowers", given=str(tmp_path / "upstream.tar"))
    assert (record.upstream, record.note) == (True, "the upstream archive")


def test_a_given_address_is_downloaded(workspace: Workspace, upstream: bytes) -> None:
    with serving(upstream, Faults(break_after=[100])) as server:
        record = fetch(workspace, load_params(workspace), "flowers", given=server.address, patience=QUICK)
    assert (record.origin, record.note, record.sha256) == (server.address, "not the upstream archive", digest(upstream))


def folder_of(path: Path) -> Path:
    for name, content in two_classes(2, root=path.name).items():
        file = path.parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (path / "cat" / "日本 [1], ä.JPG").write_bytes(b"x")
    return path


def test_a_given_folder_is_packed_the_same_way_each_time(workspace: Workspace, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "my pictures")
    first = fetch(workspace, load_params(workspace), "flowers", given=str(folder))
    for file in folder.rglob("*"):
        os.utime(file, (1, 1))
    (folder / "cat" / "000.jpg").chmod(0o600)
    assert fetch(workspace, load_params(workspace), "flowers", given=str(folder)).sha256 == first.sha256
    assert (first.note, first.given) == ("packed from a folder, not the upstream archive", True)


def test_what_others_read_names_no_folder_of_this_machine(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are published: of what lies outside the project they hold the name, of an address no password."""
    folder, inside = folder_of(tmp_path / "home of mine" / "pictures"), folder_of(workspace.root / "photos")
    archive = write_tar(tmp_path / "home of mine" / "pictures.tar", two_classes(2))
    elsewhere = os.path.relpath(folder, Path.cwd())
    for given, origin in (
        (str(folder), "pictures"),
        (f"file://{archive}", "pictures.tar"),
        (elsewhere, "pictures"),
        (str(inside), "photos"),
    ):
        monkeypatch.setattr("sys.argv", ["/opt/bin/edgeloop", "fetch", "flowers", f"--from={given}", str(folder)])
        record = fetch(workspace, load_params(workspace), "flowers", given=given)
        assert (record.origin, str(tmp_path) in record.model_dump_json()) == (origin, False)
    with serving(archive.read_bytes()) as server:
        given = server.address.replace("//", "//me:secret@")
        monkeypatch.setattr("sys.argv", ["edgeloop", "fetch", "flowers", "--from", given])
        record = fetch(workspace, load_params(workspace), "flowers", given=given)
    assert record.origin == server.address and "secret" not in record.model_dump_json()
    for declared in ({"folder": str(folder)}, {"address": str(archive)}):
        monkeypatch.setattr("sys.argv", ["edgeloop", "fetch", "flowers"])
        workspace.dataset("flowers").archive.unlink()
        record = fetch(workspace, with_source(workspace, **declared), "flowers")
        assert record.origin.startswith("pictures") and str(tmp_path) not in record.model_dump_json()


def test_a_declared_folder_is_packed_again_when_it_changed(workspace: Workspace) -> None:
    folder = folder_of(workspace.root / "pictures")
    params = with_source(workspace, folder="pictures")
    first = fetch(workspace, params, "flowers")
    (folder / "cat" / "new.jpg").write_bytes(b"1")
    second = fetch(workspace, params, "flowers")
    assert (first.note, first.given, first.origin) == ("packed from a folder", False, "pictures")
    assert first.sha256 != second.sha256


def test_links_in_a_folder_are_named_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pictures")
    (folder / "dog" / "secret.jpg").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match=r"secret\.jpg is a link"):
        fetch(workspace, load_params(workspace), "flowers", given=str(folder))


def test_a_declared_path_must_have_the_declared_digest(workspace: Workspace, mine: Path) -> None:
    params = with_source(workspace, address=str(mine), sha256="0" * 64)
    with pytest.raises(FetchError, match=f"{sha256_file(mine)}, expected {'0' * 64}"):
        fetch(workspace, params, "flowers")
    assert not workspace.dataset("flowers").archive.exists()


def test_a_sound_archive_is_kept(workspace: Workspace, upstream: bytes) -> None:
    with serving(upstream) as server:
        params = with_source(workspace, address=server.address, sha256=digest(upstream))
        first = fetch(workspace, params, "flowers")
        assert fetch(workspace, params, "flowers") == first
    assert len(server.ranges_asked) == 1


def test_another_declared_archive_is_fetched(workspace: Workspace, upstream: bytes, mine: Path) -> None:
    with serving(upstream) as server:
        fetch(workspace, with_source(workspace, address=server.address, sha256=digest(upstream)), "flowers")
    changed = with_source(workspace, address=str(mine), sha256=sha256_file(mine))
    assert fetch(workspace, changed, "flowers").origin == mine.name


def test_a_given_archive_is_kept_whatever_params_declare(workspace: Workspace, mine: Path) -> None:
    given = fetch(workspace, load_params(workspace), "flowers", given=str(mine))
    assert fetch(workspace, with_source(workspace, address="http://127.0.0.1:9/x", sha256="0" * 64), "flowers") == given


def test_a_damaged_archive_is_fetched_again(workspace: Workspace, upstream: bytes) -> None:
    with serving(upstream) as server:
        params = with_source(workspace, address=server.address, sha256=digest(upstream))
        fetch(workspace, params, "flowers")
        workspace.dataset("flowers").archive.write_bytes(b"damaged")
        fetch(workspace, params, "flowers")
    assert workspace.dataset("flowers").archive.read_bytes() == upstream


def test_a_damaged_given_archive_is_not_replaced_by_another(workspace: Workspace, mine: Path) -> None:
    fetch(workspace, load_params(workspace), "flowers", given=str(mine))
    workspace.dataset("flowers").archive.write_bytes(b"damaged")
    with pytest.raises(FetchError, match=r"Give it again: edgeloop fetch flowers --from"):
        fetch(workspace, load_params(workspace), "flowers")


def test_offline_says_what_to_do(workspace: Workspace) -> None:
    params = with_source(workspace, address="http://127.0.0.1:9/x.tgz", sha256="0" * 64)
    with pytest.raises(FetchError, match=r"cannot be reached.*\n.*edgeloop fetch flowers --from PATH"):
        fetch(workspace, params, "flowers", patience=QUICK)


def test_what_is_not_there_or_no_archive_is_refused_and_the_old_one_stays(workspace: Workspace, mine: Path, tmp_path: Path) -> None:
    kept = fetch(workspace, load_params(workspace), "flowers", given=str(mine))
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(InputError, match="does not exist"):
        fetch(workspace, load_params(workspace), "flowers", given=str(tmp_path / "absent"))
    with pytest.raises(DataError, match="neither a zip nor a tar"):
        fetch(workspace, load_params(workspace), "flowers", given=str(tmp_path / "text"))
    with serving(b"<html>") as server, pytest.raises(DataError, match="neither a zip nor a tar"):
        fetch(workspace, load_params(workspace), "flowers", given=server.address, patience=QUICK)
    assert fetch(workspace, load_params(workspace), "flowers") == kept


def test_a_full_disk_is_said_in_words(workspace: Workspace, mine: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(FetchError, match=r"cannot be put into .*bytes are free"):
            fetch(workspace, load_params(workspace), "flowers", given=str(mine))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(workspace.dataset("flowers").folder.iterdir()) == []


def test_the_sample_set_is_drawn_once(workspace: Workspace) -> None:
    pytest.importorskip("edgeloop.datasets.sample")
    params = load_params(workspace)
    small = params.datasets["sample"].model_copy(update={"source": Source.model_validate({"drawn": {"per_class": 2, "size": 32}})})
    params = params.model_copy(update={"datasets": params.datasets | {"sample": small}})
    record = fetch(workspace, params, "sample")
    assert (record.origin, record.note) == ("drawn", "drawn by edgeloop")
    assert fetch(workspace, params, "sample") == record
