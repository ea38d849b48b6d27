"""`edgeloop compare`: variants, revisions, model files and boards."""

import json
from pathlib import Path

import pytest
from card_records import Story
from flows_in_miniature import Project, environment, initialised

from edgeloop.cli import main
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace
from flows.past import take_from

VARIANT = "sample-fdmobilenet_0.25-96"


@pytest.fixture
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    Story(generated=True).write(workspace)
    monkeypatch.chdir(workspace.root)
    return workspace


def test_two_formats_of_two_evaluations_are_paired(here: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    out = here.root / "out.json"
    assert main(["compare", VARIANT, VARIANT, "--json", str(out)]) == 0
    assert "on 120 images that both have\nb - a: +0.00 points" in capsys.readouterr().out
    assert json.loads(out.read_text(encoding="utf-8"))["n"] == 120


def test_boards_are_put_side_by_side_and_nothing_measured_is_divided_by_something_emulated(
    here: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", f"{VARIANT}-host", f"{VARIANT}-virtual-h7"]) == 0
    said = capsys.readouterr().out
    assert "One is measured and the other emulated: no ratio is given." in said
    assert "b / a" not in said
    record = here.variant("sample", "fdmobilenet_0.25", 96).benchmark_record("virtual-h7")
    assert main(["compare", f"{VARIANT}-virtual-h7", str(record)]) == 0
    assert "instructions: " in (said := capsys.readouterr().out)
    assert "b / a = 1.000" in said


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("a.tflite", "b.tflite", "nothing says on which images"),
        (f"{VARIANT}-host", VARIANT, "is a benchmark, and the other one is none"),
        (VARIANT, "sample-fdmobilenet_0.25-69", "did you mean"),
        (VARIANT, "flowers-fdmobilenet_0.25-128", "is not evaluated"),
    ],
)
def test_what_cannot_be_compared_is_said(here: Workspace, capsys: pytest.CaptureFixture[str], a: str, b: str, wanted: str) -> None:
    assert main(["compare", a, b]) == 1
    assert wanted in capsys.readouterr().err


def test_files_of_a_revision_come_from_git_and_dvc_and_the_checkout_stays(tmp_path: Path) -> None:
    root = tmp_path / "a project"
    root.mkdir()
    (root / "params.yaml").write_text("{}", encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {make: {cmd: cp in out, deps: [in], outs: [out]}}\n", encoding="utf-8")
    project = initialised(Project(root, environment(tmp_path)))
    for text in ("first", "second"):
        (root / "in").write_text(text, encoding="utf-8")
        project.run("dvc", "repro", "--quiet")
        project.run("git", "add", "--all")
        project.run("git", "commit", "--quiet", "--message", text)
    folder = tmp_path / "taken"
    folder.mkdir()
    taken = take_from(Workspace(root), "HEAD~1", root / "out", folder)
    assert (taken.read_text(encoding="utf-8"), (root / "out").read_text(encoding="utf-8")) == ("first", "second")
    assert project.run("git", "status", "--porcelain") == ""
    with pytest.raises(InputError, match="git knows no revision 'nowhere'"):
        take_from(Workspace(root), "nowhere", root / "out", folder)
    with pytest.raises(InputError, match="neither in DVC's cache here nor in a remote"):
        take_from(Workspace(root), "HEAD~1", root / "other", folder)
