"""The result of another machine, taken over from the run cache of the store: that very one, or none; nothing is run for it."""

import sys
from pathlib import Path

import pytest
from flows_in_miniature import Project, environment

from edgeloop.errors import StageError
from flows.commands import Done, ignore, run
from flows.stage import entry_of, outcome_of, stage_command
from flows.transfer import TAKE, transfer

# Like a measurement: what comes out differs each time. One output is kept in git.
PIPELINE = """\
stages:
  up: {cmd: cp input.txt up, deps: [input.txt], outs: [up]}
  measure:
    cmd: echo run >> ../ran; mkdir -p out; cat up ../ran > out/result; cp up note
    deps: [up]
    outs: [out]
    metrics: [{note: {cache: false}}]
"""
DVC = (sys.executable, "-m", "dvc")


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Project, Project]:
    """The one that did the stage, and the one that wants the result."""
    origin = Project(tmp_path / "origin", environment(tmp_path))
    origin.root.mkdir()
    for file, text in {"dvc.yaml": PIPELINE, "input.txt": "one\n", ".gitignore": "/up\n/out\n"}.items():
        (origin.root / file).write_text(text, encoding="utf-8")
    origin.run("git", "init", "--quiet")
    origin.run(*DVC, "init", "--quiet")
    origin.run(*DVC, "remote", "add", "--default", "store", str(tmp_path / "store"))
    origin.run("git", "add", "--all")
    origin.run("git", "commit", "--quiet", "--message", "All")
    there, here = (Project(tmp_path / name / "clone", environment(tmp_path)) for name in ("there", "here"))
    for one in (there, here):
        origin.run("git", "clone", "--quiet", str(origin.root), str(one.root))
        one.run(*DVC, "repro", "up")
    return there, here


def measure(there: Project) -> str:
    """Do it, by force, and push the result; returns the entry of the run cache."""
    done = run(stage_command("measure", force=True, pull=True), there.root, there.env, ignore, lambda: False)
    assert outcome_of(done, "measure") == "ran"
    transfer(["push", "--run-cache", "measure"], there.root, there.env, ignore, lambda: False)
    return entry_of(done, "measure")


def take(here: Project, entry: str) -> None:
    transfer([TAKE, "measure", entry], here.root, here.env, ignore, lambda: False)


def result(project: Project) -> str:
    return (project.root / "out" / "result").read_text(encoding="utf-8")


@pytest.mark.thorough
def test_of_several_results_the_named_one_is_taken_and_none_where_something_changed_meanwhile(machines: tuple[Project, Project]) -> None:
    there, here = machines
    first, second = measure(there), measure(there)
    assert first != second
    for entry, text in ((first, "one\nrun\n"), (second, "one\nrun\nrun\n")):
        take(here, entry)
        assert result(here) == text
        assert (here.root / "note").read_text(encoding="utf-8") == "one\n"
    assert "up to date" in here.run(*DVC, "status")
    assert (here.root / "dvc.lock").read_bytes() == (there.root / "dvc.lock").read_bytes()
    assert not (here.root.parent / "ran").exists(), "nothing was run here"
    (here.root / "input.txt").write_text("two\n", encoding="utf-8")
    here.run(*DVC, "repro", "up")
    before = (here.root / "dvc.lock").read_bytes()
    with pytest.raises(StageError, match="What measure depends on was changed here"):
        take(here, first)
    assert (here.root / "dvc.lock").read_bytes() == before
    assert not (here.root.parent / "ran").exists()


def test_a_stage_whose_result_the_run_cache_cannot_hold_is_refused() -> None:
    with pytest.raises(StageError, match="cannot hold the result of fetch@sample"):
        entry_of(Done(0, [], []), "fetch@sample")
