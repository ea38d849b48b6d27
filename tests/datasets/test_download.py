"""A download is resumed, retried and checked; what is wrong is never kept as good."""

import hashlib
from pathlib import Path

import pytest
from datasets_in_miniature import Faults, noise, serving

from edgeloop.datasets.download import Patience, Wanted, download
from edgeloop.errors import DataError, FetchError

CONTENT = noise(1_200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(connect_s=2, read_s=2, attempts=3, backoff_s=0.01)


def wanted(address: str) -> Wanted:
    return Wanted(address, len(CONTENT), SHA256)


def anything(path: Path) -> None:
    assert path.is_file()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def left_behind(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole(target: Path) -> None:
    with serving(CONTENT) as server:
        download(wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT
    assert left_behind(target) == ["archive"]


def test_a_broken_download_goes_on_where_it_was(target: Path) -> None:
    with serving(CONTENT, Faults(break_after=[400_000, 300_000])) as server:
        download(wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked == [None, "bytes=400000-", "bytes=700000-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(target: Path) -> None:
    with serving(CONTENT, Faults(break_after=[400_000, 0, 0, 0])) as server:
        with pytest.raises(FetchError, match="broke off after 400000 bytes"):
            download(wanted(server.address), target, anything, QUICK)
        assert not target.exists()
        download(wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT
    assert server.ranges_asked[-1] == "bytes=400000-"


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(target: Path) -> None:
    with serving(CONTENT, Faults(ranges=False, break_after=[400_000])) as server:
        download(wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT


def test_a_server_that_always_breaks_off_is_given_up(target: Path) -> None:
    with serving(CONTENT, Faults(ranges=False, break_after=[400_000] * 9)) as server, pytest.raises(FetchError, match="broke off"):
        download(wanted(server.address), target, anything, QUICK)
    assert len(server.ranges_asked) <= 2 * QUICK.attempts


def test_a_file_that_changed_in_between_is_fetched_anew(target: Path) -> None:
    with serving(noise(1_200_000, seed=1), Faults(break_after=[400_000, 0, 0, 0])) as server:
        with pytest.raises(FetchError):
            download(Wanted(server.address), target, anything, QUICK)
        server.content, server.faults.etag = CONTENT, '"two"'
        download(Wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT


def test_a_part_that_nothing_can_check_is_not_gone_on_with(target: Path) -> None:
    with serving(CONTENT, Faults(etag=None, break_after=[400_000, 0, 0, 0])) as server:
        with pytest.raises(FetchError):
            download(Wanted(server.address), target, anything, QUICK)
        download(Wanted(server.address), target, anything, QUICK)
    assert server.ranges_asked[-1] is None
    assert target.read_bytes() == CONTENT


def test_a_server_that_sends_another_part_than_asked_is_not_believed(target: Path) -> None:
    with serving(CONTENT, Faults(wrong_part=True, break_after=[400_000])) as server:
        download(wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT


def test_all_that_the_server_has_may_be_here_already(target: Path) -> None:
    part = target.with_name("archive.part")
    part.write_bytes(CONTENT)
    with serving(CONTENT) as server:
        part.with_name("archive.part.json").write_text(f'{{"sha256": "{SHA256}", "validator": "\\"one\\""}}')
        download(Wanted(server.address, sha256=SHA256), target, anything, QUICK)
    assert target.read_bytes() == CONTENT


def test_another_digest_is_refused_and_not_kept(target: Path) -> None:
    other = noise(len(CONTENT), seed=1)
    with serving(other) as server, pytest.raises(FetchError) as refusal:
        download(wanted(server.address), target, anything, QUICK)
    assert SHA256 in str(refusal.value)
    assert hashlib.sha256(other).hexdigest() in str(refusal.value)
    assert left_behind(target) == []


@pytest.mark.parametrize("size", [1000, 1_300_000])
def test_another_size_is_refused_before_it_is_downloaded(target: Path, size: int) -> None:
    with serving(noise(size)) as server, pytest.raises(FetchError, match=f"has {size} bytes, not the 1200000 expected"):
        download(wanted(server.address), target, anything, QUICK)
    assert left_behind(target) == []


def test_a_busy_server_is_asked_again(target: Path) -> None:
    with serving(CONTENT, Faults(statuses=[503, 429])) as server:
        download(wanted(server.address), target, anything, QUICK)
    assert target.read_bytes() == CONTENT


def test_a_refusal_is_final(target: Path) -> None:
    with serving(CONTENT, Faults(statuses=[404] * 9)) as server, pytest.raises(FetchError, match="404"):
        download(wanted(server.address), target, anything, QUICK)
    assert len(server.ranges_asked) == 1


def test_nothing_that_answers_is_said_in_words(target: Path) -> None:
    with serving(CONTENT) as server:
        address = server.address
    with pytest.raises(FetchError, match=r"cannot be reached"):
        download(wanted(address), target, anything, QUICK)


@pytest.mark.parametrize("address", ["http://[", "ftp://example.org/x", "http:///x"])
def test_an_address_that_is_none_is_refused(target: Path, address: str) -> None:
    with pytest.raises(FetchError):
        download(wanted(address), target, anything, QUICK)


def test_what_the_caller_does_not_accept_is_not_kept(target: Path) -> None:
    def refuse(path: Path) -> None:
        raise DataError("not an archive")

    with serving(CONTENT) as server, pytest.raises(DataError, match="not an archive"):
        download(wanted(server.address), target, refuse, QUICK)
    assert left_behind(target) == []
