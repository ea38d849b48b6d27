"""Building a variant again from what its card states: in a worktree of its commit, with the data of its revision."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from built_variant import VARIANT, build
from flows_in_miniature import environment, first_data_revision
from once import Once

from edgeloop.cli import main
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import StartingWeights
from edgeloop.workspace import Workspace
from flows.bring import bring_data, bring_start
from flows.reproduce import reproduce

pytestmark = [pytest.mark.thorough, pytest.mark.slow]


@pytest.fixture
def built(once: Once, tmp_path: Path) -> Path:
    """A copy of a project with a built variant, and of what was exported of it."""
    return shutil.copytree(once("built variant", build), tmp_path / "copy", symlinks=True)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, env=environment(root.parent), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def files_of(bundle: Path) -> dict[str, bytes]:
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


def at_commit(files: dict[str, bytes], commit: str) -> dict[str, bytes]:
    """The same bundle, but its card was made at another commit."""
    card = json.loads(files["records/card.json"])
    card["provenance"]["git_commit"] = commit
    return files | {"records/card.json": json.dumps(card).encode()}


@pytest.mark.long
def test_a_variant_comes_out_again_without_its_data_and_models(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing but the commit is there: the pictures are drawn and prepared again."""
    root = built / "project"
    shutil.rmtree(root / "data")
    shutil.rmtree(root / "models" / "sample")
    monkeypatch.chdir(root)
    code = main(["reproduce", str(built / "bundle"), "--json", str(tmp_path / "found.json")])
    said = capsys.readouterr()
    found = {one["what"]: one["verdict"] for one in json.loads((tmp_path / "found.json").read_text())["compared"]}
    latencies = {what: found.pop(what) for what in [*found] if what.startswith("board host")}
    assert {*found} == {
        *("float weights", "float model", "int8 per-channel model", "int8 per-tensor model", "C code"),
        *(f"top-1 accuracy, {name}" for name in ("float", "int8 per-channel", "int8 per-tensor")),
    }
    assert {*found.values()} == {"equal"}, said.out
    assert len(latencies) == 3
    assert code == (1 if "differs" in latencies.values() else 0), "a busy machine is slower, and that is told"
    assert git(root, "worktree", "list").count("\n") == 0
    assert list((root / ".edgeloop" / "reproduce").iterdir()) == []


@pytest.mark.long
def test_another_recipe_is_seen_and_explained(built: Path) -> None:
    root = built / "project"
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("learning_rate: 0.01", "learning_rate: 0.02"))
    git(root, "commit", "--quiet", "--all", "--message", "another rate")
    files = at_commit(files_of(built / "bundle"), git(root, "rev-parse", "HEAD"))
    found = reproduce(Workspace(root), VARIANT, "a version", files, 1, lambda _: None)
    assert {"float weights", "int8 per-channel model"} <= {one.what for one in found.differs}
    assert any(said.startswith("settings: ") and "(train" in said for said in found.explained)


def test_a_commit_that_is_not_here_is_named(built: Path) -> None:
    files = at_commit(files_of(built / "bundle"), "0" * 40)
    with pytest.raises(InputError, match="lacks the commit 000000000000"):
        reproduce(Workspace(built / "project"), VARIANT, "a version", files, 1, lambda _: None)


def test_data_that_nothing_leads_to_are_named(built: Path) -> None:
    root = built / "project"
    shutil.rmtree(root / "data")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("seed: 5", "seed: 6"))
    git(root, "commit", "--quiet", "--all", "--message", "other pictures")
    files = at_commit(files_of(built / "bundle"), git(root, "rev-parse", "HEAD"))
    with pytest.raises(InputError, match="The data of sample cannot be had as they were"):
        reproduce(Workspace(root), VARIANT, "a version", files, 1, lambda _: None)
    assert git(root, "worktree", "list").count("\n") == 0


@pytest.mark.long
def test_data_come_from_the_revision_that_dvc_has(once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc"))
    here, there = Workspace(first_data_revision(once, tmp_path, "", "")), Workspace(tmp_path / "worktree")
    digest = sha256_file(here.dataset("sample").manifest)
    shutil.rmtree(here.root / "data")

    def run(*words: str) -> None:
        raise AssertionError(f"nothing has to be run, and {words} was")

    bring_data(here, there, "sample", digest, run)
    assert sha256_file(there.dataset("sample").manifest) == digest
    assert digest in there.dataset("sample").accepted.read_text()
    assert not (here.root / "data").exists()


def test_the_model_that_a_training_started_from_is_known_by_its_digest(tmp_path: Path) -> None:
    here, there = Workspace(tmp_path / "here"), Workspace(tmp_path / "there")
    origin = "models/food/a-128/train/model.keras"
    model = here.root / origin
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    (model.parent.parent / "train.json").write_text("{}")
    start = StartingWeights(kind="keras", origin=origin, sha256=sha256_file(model), license=None, layers_loaded=1)
    bring_start(here, there, start)
    assert (there.root / origin).read_bytes() == b"weights"
    assert (there.root / "models/food/a-128/train.json").is_file()
    model.write_bytes(b"trained again")
    with pytest.raises(InputError, match="that model is not here"):
        bring_start(here, there, start)
