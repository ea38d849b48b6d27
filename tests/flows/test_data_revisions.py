"""Corrections, history and the way back, with real git and DVC: each a revision, atomic, and of one data set alone."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flows_in_miniature import Project, first_data_revision
from once import Once

from edgeloop.datasets.manifest import read_manifest
from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, once: Once) -> Path:
    """A data set of 60 pictures, prepared, validated and committed; made once, and copied for each test."""
    never_built = "\n  train:\n    cmd: cp data/sample/accepted.json never\n    deps: [data/sample/accepted.json]\n    outs: [never]\n"
    return first_data_revision(once, tmp_path_factory.mktemp("first"), never_built, "/never\n")


@pytest.fixture
def mine(project: Project, first: Path) -> Project:
    shutil.rmtree(project.root)
    shutil.copytree(first, project.root, symlinks=True)
    return project


def edgeloop(project: Project, *arguments: str, ok: bool = True) -> str:
    return project.run(sys.executable, "-m", "edgeloop", *arguments, ok=ok)


def labels(project: Project) -> dict[str, tuple[str, str | None]]:
    rows = read_manifest(Workspace(project.root).dataset("sample").manifest)
    return {path: (label, split) for path, label, split in zip(rows["path"], rows["label"], rows["split"], strict=True)}


@pytest.mark.thorough
def test_a_correction_is_a_revision_and_restoring_one_leaves_everything_else_alone(mine: Project) -> None:
    before, head = labels(mine), mine.run("git", "rev-parse", "HEAD").strip()
    (mine.root / "note.txt").write_text("mine", encoding="utf-8")
    (mine.root / "input.txt").write_text("changed", encoding="utf-8")
    mine.run("git", "add", "note.txt")
    said = edgeloop(mine, "relabel", "sample", "cat/001.jpg", "--to", "dog", "--reason", "it barks")
    assert "1 image given another class" in said
    after = labels(mine)
    assert after == before | {"first/cat/001.jpg": ("dog", before["first/cat/001.jpg"][1])}
    assert {name.split("-")[0] for name in mine.run("git", "show", "--name-only", "--format=", "HEAD").split()} == {
        "additions/sample/00001",
        "additions/sample/00001.json",
        "dvc.lock",
    }
    newest, oldest = json.loads(edgeloop(mine, "revisions", "sample", "--json"))
    assert (newest["reason"], newest["differences"]) == ("1 image of sample relabelled: it barks", {"cat": -1, "dog": 1})
    assert (oldest["commit"], sum(oldest["splits"].values())) == (head, 60)
    edgeloop(mine, "restore", f"sample@{head[:8]}", "--reason", "it was a cat")
    assert labels(mine) == before
    assert mine.run("git", "log", "-1", "--format=%s%n%b").splitlines()[:3] == [
        f"Data: sample restored as in {head[:12]}",
        "Reason: it was a cat",
        "That was: First revision",
    ]
    assert set(mine.run("git", "status", "--porcelain").splitlines()) == {"A  note.txt", " M input.txt"}
    for stage in ("fetch", "prepare", "validate"):
        assert "up to date" in mine.run(sys.executable, "-m", "dvc", "status", f"{stage}@sample")
    assert "is at the revision" in edgeloop(mine, "restore", f"sample@{head[:8]}", ok=False)


@pytest.mark.long
def test_a_revision_is_whole_where_dvc_lock_has_other_changes_that_stay_uncommitted(mine: Project) -> None:
    mine.run(sys.executable, "-m", "dvc", "repro", "train")
    (mine.root / "note.txt").write_text("mine", encoding="utf-8")
    mine.run("git", "add", "note.txt")
    edgeloop(mine, "relabel", "sample", "cat/001.jpg", "--to", "dog", "--reason", "it barks")
    relabelled = labels(mine)
    assert "train:" not in mine.run("git", "show", "HEAD:dvc.lock")
    assert "train:" in (mine.root / "dvc.lock").read_text(encoding="utf-8")
    assert mine.run("git", "status", "--porcelain").splitlines() == [" M dvc.lock", "A  note.txt"]
    edgeloop(mine, "drop", "sample", "cat/002.jpg", "--reason", "blurred")
    assert [one["reason"] for one in json.loads(edgeloop(mine, "revisions", "sample", "--json"))][:2] == [
        "1 image of sample dropped: blurred",
        "1 image of sample relabelled: it barks",
    ]
    edgeloop(mine, "restore", "sample@HEAD~1")
    assert labels(mine) == relabelled
    assert "train:" in (mine.root / "dvc.lock").read_text(encoding="utf-8")
    assert mine.run("git", "status", "--porcelain").splitlines() == [" M dvc.lock", "A  note.txt"]


@pytest.mark.long
def test_what_is_not_in_the_cache_comes_from_the_remote_or_nothing_is_changed(mine: Project, tmp_path: Path) -> None:
    head = mine.run("git", "rev-parse", "HEAD").strip()
    mine.run(sys.executable, "-m", "dvc", "remote", "add", "--local", "-d", "other", str(tmp_path / "remote"))
    mine.run(sys.executable, "-m", "dvc", "push", "fetch@sample", "prepare@sample", "validate@sample")
    before = labels(mine)
    edgeloop(mine, "drop", "sample", "cat/001.jpg", "--reason", "blurred")
    after, status = labels(mine), mine.run("git", "status", "--porcelain")
    mine.run(sys.executable, "-m", "dvc", "gc", "--workspace", "--force")
    shutil.move(tmp_path / "remote", tmp_path / "away")
    assert "neither in DVC's cache nor in its remote" in edgeloop(mine, "restore", f"sample@{head}", ok=False)
    assert (labels(mine), mine.run("git", "status", "--porcelain")) == (after, status)
    shutil.move(tmp_path / "away", tmp_path / "remote")
    assert "they are pulled from the remote" in edgeloop(mine, "restore", f"sample@{head}")
    assert labels(mine) == before


@pytest.mark.long
@pytest.mark.parametrize("moment", ["additions/sample/*.dvc", "data/sample/.images.*", "additions/sample/*.json"])
def test_a_correction_that_is_killed_leaves_no_trace_after_the_next(mine: Project, moment: str) -> None:
    before = labels(mine)
    argv = [sys.executable, "-m", "edgeloop", "drop", "sample", "cat/001.jpg", "--reason", "killed"]
    running = subprocess.Popen(argv, cwd=mine.root, env=mine.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not list(mine.root.glob(moment)) and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    edgeloop(mine, "relabel", "sample", "cat/002.jpg", "--to", "dog", "--reason", "next")
    after = labels(mine)
    committed = "killed" in mine.run("git", "log", "--format=%b")
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"first/cat/002.jpg"} | ({"first/cat/001.jpg"} if committed else set())
    assert not mine.run("git", "status", "--porcelain")


@pytest.mark.long
@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0, 2.0])
def test_a_restore_that_is_killed_is_gone_on_with_by_the_same_command(mine: Project, after_s: float) -> None:
    before, head = labels(mine), mine.run("git", "rev-parse", "HEAD").strip()
    edgeloop(mine, "drop", "sample", "cat/001.jpg", "dog/002.jpg", "--reason", "blurred")
    argv = [sys.executable, "-m", "edgeloop", "restore", f"sample@{head}"]
    restoring = subprocess.Popen(argv, cwd=mine.root, env=mine.env, start_new_session=True, stdout=subprocess.DEVNULL)
    begun, deadline = mine.root / ".edgeloop" / "ingest" / "sample.restoring", time.monotonic() + 120
    while not begun.exists():
        assert restoring.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(after_s)
    assert restoring.poll() is None or after_s > 1
    restoring.send_signal(signal.SIGKILL)
    restoring.wait(timeout=10)
    said = mine.run(*argv, ok=mine.run("git", "rev-parse", "HEAD~1").strip() == head)
    assert "committed as" in said or "is at the revision" in said
    assert labels(mine) == before
    assert not begun.exists()
    assert not mine.run("git", "status", "--porcelain").strip()
    for stage in ("fetch", "prepare", "validate"):
        assert "up to date" in mine.run(sys.executable, "-m", "dvc", "status", f"{stage}@sample")


@pytest.mark.thorough
def test_a_fetch_by_hand_does_not_disturb_another_change_of_the_data_set(mine: Project) -> None:
    lock = mine.root / ".edgeloop" / "ingest" / "sample.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(lock, 5):
        assert "Another fetch, ingest or correction of sample runs." in edgeloop(mine, "fetch", "sample", ok=False)
    assert "packed from a folder" in edgeloop(mine, "fetch", "sample")


@pytest.mark.long
def test_what_no_commit_holds_is_not_overwritten_and_no_git_is_said(mine: Project) -> None:
    edgeloop(mine, "drop", "sample", "cat/001.jpg", "--reason", "blurred")
    params = mine.root / "params.yaml"
    declared = params.read_text(encoding="utf-8")
    params.write_text(declared.replace("prepare: {}", "prepare: {short_side: 100}"), encoding="utf-8")
    refused = edgeloop(mine, "restore", "sample@HEAD~1", ok=False)
    assert "params.yaml declares sample otherwise than the revision does" in refused
    assert "short_side" in refused
    params.write_text(declared, encoding="utf-8")
    record = mine.root / "data" / "sample" / "prepare.json"
    content = record.read_bytes()
    record.unlink()
    record.write_bytes(content + b"\n")
    assert "DVC's cache does not have them as they are: data/sample/prepare.json" in edgeloop(mine, "restore", "sample@HEAD~1", ok=False)
    assert record.read_bytes() == content + b"\n"
    (mine.root / ".git").rename(mine.root / "no git")
    assert "not a git repository" in edgeloop(mine, "revisions", "sample", ok=False)
    assert "not a git repository" in edgeloop(mine, "drop", "sample", "cat/002.jpg", "--reason", "x", ok=False)
