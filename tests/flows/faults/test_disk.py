"""A full disk and a read-only workspace: one clear error, nothing lost, and the same command completes afterwards."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flows_in_miniature import FOLDER, VARIANT, Project, small_project

from edgeloop.files import disk_error

pytestmark = pytest.mark.slow

SIZE_MIB = 16
FULL = "the disk has no room (it is full)"
READ_ONLY = "cannot be written: it is read-only"
AGAIN = "give the same command again"


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, timeout=30, check=False).returncode == 0


@pytest.fixture
def small(tmp_path: Path, server: dict[str, str]) -> Iterator[Project]:
    """A project on a small disk of its own; Prefect's server and DVC's site cache are elsewhere."""
    disk = tmp_path / "small disk"
    disk.mkdir()
    if os.getuid() != 0 or shutil.which("mount") is None or not mount("-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(disk)):
        pytest.skip("no small disk can be mounted here: that takes root")
    try:
        made = small_project(tmp_path, disk)
        yield Project(made.root, made.env | server)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], timeout=30, check=True)


def fill(project: Project) -> Path:
    """Take all the room there is."""
    ballast = project.root / "ballast"
    with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as file:
        while True:
            if file.write(bytes(1 << 16)) == 0:
                break
    return ballast


def refused(project: Project, *argv: str) -> str:
    """What a command says that must fail, at its end; never a trace of Python as the last word."""
    said = project.run(sys.executable, "-m", *argv, ok=False)
    last = said.rstrip().splitlines()[-3:]
    assert not any(line.startswith(("Traceback", "OSError")) for line in last), said
    return said


@pytest.mark.long
def test_a_full_disk_is_one_clear_error_and_the_same_command_completes_later(small: Project) -> None:
    ballast = fill(small)
    assert "No space left on device" in refused(small, "edgeloop", "fetch", "sample")
    assert "No space left on device" in refused(small, "dvc", "repro")
    for command in (("edgeloop", "run", "sample", "all", "all"), ("edgeloop", "up")):
        said = refused(small, *command)
        assert FULL in said
        assert AGAIN in said
    ballast.unlink()
    assert "4 of 4 stages built" in small.retrain()


@pytest.mark.long
def test_a_disk_that_fills_up_during_a_stage_loses_nothing_that_was_finished(small: Project) -> None:
    assert "4 of 4 stages built" in small.retrain()
    before = (small.root / "dvc.lock").read_text(encoding="utf-8")
    pipeline = small.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    greedy = f"head -c {2 * SIZE_MIB}M /dev/zero > ballast; rm -f ballast.done; test ! -e ballast"
    pipeline.write_text(text.replace("test ! -e broken", greedy), encoding="utf-8")
    said = small.retrain(ok=False)
    assert "No space left on device" in said
    assert f"Repeat it with: dvc repro train@{VARIANT}" in said
    assert (small.root / "dvc.lock").read_text(encoding="utf-8") == before
    (small.root / "ballast").unlink()
    pipeline.write_text(text, encoding="utf-8")
    again = small.retrain()
    assert "restored" in again or "up to date" in again
    assert (small.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8") == "oneone"
    assert "Data and pipelines are up to date" in small.run(sys.executable, "-m", "dvc", "status")


@pytest.mark.long
def test_a_read_only_workspace_is_one_clear_error_and_the_same_command_completes_later(small: Project) -> None:
    small.retrain()
    (small.root / "input.txt").write_text("two", encoding="utf-8")
    (small.root / "data" / "sample" / "other").unlink()
    assert mount("-o", "remount,ro", str(small.root))
    assert "Read-only file system" in refused(small, "dvc", "repro")
    for command in ("fetch sample", "run sample all all", "up", "ingest sample /tmp"):
        said = refused(small, "edgeloop", *command.split())
        assert READ_ONLY in said
        assert AGAIN in said
    assert mount("-o", "remount,rw", str(small.root))
    assert "4 of 4 stages built" in small.retrain()
    assert (small.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8") == "twotwo"


def test_what_is_no_matter_of_the_disk_keeps_its_own_error() -> None:
    assert disk_error(FileNotFoundError(2, "No such file or directory", "x")) is None
    assert disk_error(ConnectionRefusedError(111, "Connection refused")) is None
