"""Archives are read without being extracted, and unsafe or damaged ones are refused by name."""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from datasets_in_miniature import TarMode, noise, write_tar, write_zip
from hypothesis import given
from hypothesis import strategies as st
from matrix import first_is_short

from edgeloop.config import Limits
from edgeloop.datasets import archive
from edgeloop.datasets.archive import read_members
from edgeloop.errors import DataError, EdgeloopError, UnsafeArchiveError

MEMBERS = {"a/x.jpg": b"one", "a/empty": b"", "b/ä [1], (2).JPG": b"two" * 1000}
TAR_MODES: list[TarMode] = ["w", "w:gz", "w:bz2", "w:xz"]


def read_all(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    return {entry.path: entry.read() for entry in read_members(path, limits or Limits())}


def tar_of(path: Path, *infos: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"\0" * info.size))
    return path


def info(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


@pytest.mark.parametrize("mode", TAR_MODES)
def test_a_tar_of_any_compression_is_told_by_content(tmp_path: Path, mode: TarMode) -> None:
    assert read_all(write_tar(tmp_path / "no-extension", MEMBERS, mode)) == MEMBERS


def test_a_zip_is_told_by_content(tmp_path: Path) -> None:
    assert read_all(write_zip(tmp_path / "looks.tar", MEMBERS)) == MEMBERS


def test_a_tar_that_holds_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", MEMBERS).read_bytes()
    assert read_all(write_tar(tmp_path / "outer.tar", {"a/inner.zip": inner})) == {"a/inner.zip": inner}


def test_entries_that_are_not_read_are_passed_over(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tgz", MEMBERS, "w:gz")
    assert [(entry.path, entry.size_bytes) for entry in read_members(path, Limits())] == [(k, len(v)) for k, v in MEMBERS.items()]


def test_a_leading_dot_is_dropped(tmp_path: Path) -> None:
    assert list(read_all(write_tar(tmp_path / "a.tar", {"./a/x.jpg": b"1", "a/./y.jpg": b"2"}))) == ["a/x.jpg", "a/y.jpg"]


def test_folders_are_no_members(tmp_path: Path) -> None:
    assert read_all(tar_of(tmp_path / "a.tar", info("a", tarfile.DIRTYPE), info("a/x"))) == {"a/x": b""}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:/x", "a\\x", "c:x"])
@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str, write: Callable[[Path, dict[str, bytes]], Path]) -> None:
    path = write(tmp_path / "bad", {"good/x.jpg": b"1", name: b"2"})
    with pytest.raises(UnsafeArchiveError) as refusal:
        read_all(path)
    assert repr(name) in str(refusal.value)


@pytest.mark.parametrize(
    "bad",
    [
        info("a/evil", tarfile.SYMTYPE, link="/etc/passwd"),
        info("a/evil", tarfile.LNKTYPE, link="a/x"),
        info("a/evil", tarfile.CHRTYPE),
        info("a/evil", tarfile.BLKTYPE),
        info("a/evil", tarfile.FIFOTYPE),
        info("a/evil", tarfile.GNUTYPE_SPARSE),
        info("a/evil", b"Z"),
    ],
    ids=lambda bad: bad.type.decode(),
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with pytest.raises(UnsafeArchiveError, match="'a/evil'"):
        read_all(tar_of(tmp_path / "bad.tar", info("a/x"), bad))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    bad = zipfile.ZipInfo("a/evil")
    bad.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        made.writestr(bad, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match="'a/evil'"):
        read_all(tmp_path / "bad.zip")


def test_encrypted_members_of_a_zip_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/secret": b"123"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UnsafeArchiveError, match=r"'a/secret'.*encrypted"):
        read_all(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        made.writestr("a/x", "1")
        made.writestr("a/x", "2")
    for path in (tmp_path / "bad.zip", tar_of(tmp_path / "bad.tar", info("a/x"), info("./a/x"))):
        with pytest.raises(UnsafeArchiveError, match="'a/x' is there twice"):
            read_all(path)


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_limits_on_members_and_bytes_hold(tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path]) -> None:
    path = write(tmp_path / "a", {f"a/{index}": b"x" * 100_000 for index in range(10)})
    with pytest.raises(UnsafeArchiveError, match=r"more than 9 members.*\n.*limits.members"):
        read_all(path, Limits(members=9))
    with pytest.raises(UnsafeArchiveError, match=r"more than 500000 bytes.*\n.*limits.total_bytes"):
        read_all(path, Limits(total_bytes=500_000))


@pytest.mark.parametrize("mode", first_is_short(["w:gz", "w:bz2", "w:xz"]))
def test_a_compressed_tar_that_blows_up_is_refused(tmp_path: Path, mode: TarMode) -> None:
    path = tar_of(tmp_path / "plain.tar", info("a/bomb", size=archive.RATIO_FROM_BYTES * 2))
    bomb = write_tar(tmp_path / "bomb", {"a/bomb": path.read_bytes()}, mode)
    with pytest.raises(UnsafeArchiveError, match=r"'a/bomb' .*times its size"):
        list(read_members(bomb, Limits()))


def test_a_gzip_bomb_without_any_tar_in_it_is_refused(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(2 * archive.RATIO_FROM_BYTES >> 20))
    (tmp_path / "bomb.gz").write_bytes(zeros + packer.flush())
    with pytest.raises(UnsafeArchiveError, match="times its size"):
        read_all(tmp_path / "bomb.gz")


def test_a_zip_that_blows_up_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a/bomb", b"\0" * (archive.RATIO_FROM_BYTES + 1))
    with pytest.raises(UnsafeArchiveError, match="'a/bomb'"):
        list(read_members(tmp_path / "bomb.zip", Limits()))


def test_a_long_name_of_a_tar_is_bounded(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "bad.tar", info("././@LongLink", tarfile.GNUTYPE_LONGNAME, archive.EXTENDED_HEADER_BYTES + 512), info("a/x"))
    with pytest.raises(UnsafeArchiveError, match="name or attributes"):
        read_all(path)


@pytest.mark.parametrize("mode", TAR_MODES)
def test_a_tar_that_is_cut_off_anywhere_is_damaged(tmp_path: Path, mode: TarMode) -> None:
    path = write_tar(tmp_path / "a", {"a/x.jpg": noise(5000), "a/y.jpg": noise(5000, 1)}, mode)
    whole = path.read_bytes()
    end = len(whole) - 2 if mode != "w" else 2 * (512 + 5120)
    for cut in (600, end // 2, end):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="damaged or cut off"):
            read_all(path)


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", MEMBERS)
    content = bytearray(path.read_bytes())
    content[1024] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_all(path)


def test_a_damaged_extended_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a/x": b"1", "a/日本": b"2", "a/z": b"3"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"17 path=", b"00 path="))
    with pytest.raises(DataError, match="damaged"):
        read_all(path)


def test_a_zip_that_is_cut_off_or_changed_is_damaged(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/x.jpg": noise(5000)})
    whole = path.read_bytes()
    for damaged in (whole[:3000], whole[:2000] + b"!!" + whole[2002:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged or cut off"):
            read_all(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>Not found</title>", b"\x28\xb5\x2f\xfd" + b"x" * 1000])
def test_what_is_no_archive_is_refused_with_its_beginning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match="neither a zip nor a tar") as refusal:
        read_all(tmp_path / "a")
    assert repr(content[:24]) in str(refusal.value)


def test_names_of_a_zip_are_read_in_any_encoding(tmp_path: Path) -> None:
    for raw, meant in (("Größe/ä.jpg".encode(), "Größe/ä.jpg"), ("Größe/ä.jpg".encode("cp437"), "Größe/ä.jpg")):
        placeholder = "x" * len(raw)
        path = write_zip(tmp_path / "a.zip", {placeholder: b"1"})
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), raw))
        assert list(read_all(path)) == [meant]


def test_names_of_a_tar_that_are_not_utf8_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        for name in ("Größe/1.jpg", "Grö/1.jpg"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert list(read_all(path)) == ["Größe/1.jpg", "Grö/1.jpg"]


@given(st.binary(max_size=600), st.integers(0, 1500))
def test_a_damaged_archive_never_fails_in_another_way(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for whole in (write_tar(folder / "a.tgz", MEMBERS, "w:gz"), write_tar(folder / "a.tar", MEMBERS), write_zip(folder / "a.zip", MEMBERS)):
        content = whole.read_bytes()
        whole.write_bytes(content[:at] + junk + content[at + len(junk) :])
        with suppress(EdgeloopError):
            read_all(whole)
