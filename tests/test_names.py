"""Names of params.yaml and lab.yaml: one rule, kept before a name can become a path, a parameter or a word of a shell."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flows_in_miniature import Project, environment, initialised
from matrix import first_is_short

from edgeloop.boards.lab.config import load_lab
from edgeloop.cli import main
from edgeloop.config import load_params
from edgeloop.errors import ConfigError
from edgeloop.graph import refresh
from edgeloop.names import MOST_LETTERS, RULE, is_name
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
BAD = (
    *("flowers.v2", "my flowers", "a&b", "../up", "/up", "x;touch HACK", "$(touch HACK)", "`touch HACK`", "new\nline", "-rf", "_x", ""),
    *("Ärger", "x@y", "a'b\"c", "<script>", "a|b", "x\x1b[2J", "n" * (MOST_LETTERS + 1)),
)
GOOD = ("flowers", "Flowers_2", "2024-plants", "con", "n" * MOST_LETTERS)
SOURCE = {"folder": "/nowhere"}


def write(workspace: Workspace, name: str, **more: Any) -> None:
    """A params.yaml (JSON is YAML) of one data set and one variant, the name of the data set on line 3."""
    train = {"phases": [{"mode": "scratch", "epochs": 1, "learning_rate": 0.01}]}
    tree = {
        "datasets": {name: {"source": SOURCE, "prepare": {}, "validate": {}, "train": train}},
        "build": [],
        "variants": {name: {"networks": "fdmobilenet_0.25", "resolutions": 96}},
    }
    workspace.params.write_text(json.dumps(tree | more, indent=1, ensure_ascii=False), encoding="utf-8")


def refusal(workspace: Workspace) -> str:
    with pytest.raises(ConfigError) as refused:
        load_params(workspace)
    return str(refused.value)


@pytest.mark.parametrize("name", BAD)
def test_a_data_sets_name_is_refused_with_its_line_and_the_letters_allowed(workspace: Workspace, name: str) -> None:
    assert not is_name(name)
    write(workspace, name)
    said = refusal(workspace)
    assert f"{workspace.params}:3: " in said
    assert RULE in said
    assert repr(name) in said


@pytest.mark.parametrize("name", GOOD)
def test_a_name_of_letters_digits_and_dashes_is_taken(workspace: Workspace, name: str) -> None:
    write(workspace, name)
    assert list(load_params(workspace).datasets) == [name]


@pytest.mark.parametrize("name", ["x;touch HACK", "../up", "a.b"])
def test_pools_and_the_boards_of_benchmarks_follow_the_same_rule(workspace: Workspace, name: str) -> None:
    write(workspace, "sample", pools={name: ["train"]})
    assert RULE in refusal(workspace)
    write(workspace, "sample", variants={"sample": {"resolutions": 96, "boards": ["host", name]}})
    assert RULE in refusal(workspace)


@pytest.mark.parametrize("name", ["x;touch HACK", "../up", "a.b", "-x"])
def test_boards_and_labs_follow_the_same_rule(workspace: Workspace, name: str) -> None:
    for text in (f"boards:\n  {json.dumps(name)}: {{kind: host}}\n", f"boards:\n  b: {{kind: host, lab: {json.dumps(name)}}}\n"):
        workspace.lab.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as refused:
            load_lab(workspace)
        assert f"{workspace.lab}:2: " in str(refused.value)
        assert RULE in str(refused.value)


def test_names_that_differ_in_case_only_are_refused(workspace: Workspace) -> None:
    """Some file systems do not tell their folders apart."""
    write(workspace, "sample", pools={"train": ["train"], "Train": ["evaluate"]})
    assert "'train' differs from it in upper and lower case only" in refusal(workspace)
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    other = "  Sample: {source: {drawn: {}}, prepare: {}, validate: {}, train: {phases: [{mode: scratch, epochs: 1, learning_rate: 0.1}]}}"
    workspace.params.write_text(text.replace("datasets:\n", f"datasets:\n{other}\n", 1), encoding="utf-8")
    assert "'Sample' differs from it in upper and lower case only" in refusal(workspace)
    workspace.lab.write_text("boards:\n  n6: {kind: host}\n  N6: {kind: host}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"lab\.yaml:3: boards\.N6: 'n6' differs from it"):
        load_lab(workspace)


def test_a_data_set_does_not_take_the_folder_of_the_starting_weights(workspace: Workspace) -> None:
    write(workspace, "backbones")
    assert "models/backbones holds the starting weights" in refusal(workspace)


def test_a_number_is_a_name_in_quotes(workspace: Workspace) -> None:
    write(workspace, "2024")
    assert load_params(workspace).datasets
    workspace.params.write_text(workspace.params.read_text(encoding="utf-8").replace('"2024": {', "2024: {"), encoding="utf-8")
    assert "write the name in quotes" in refusal(workspace)


@pytest.mark.parametrize("name", ["../../params", "/etc/passwd", "a/b"])
def test_a_backbone_is_a_file_of_its_folder_and_no_other(
    workspace: Workspace, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace.root / "models" / "backbones").mkdir(parents=True)
    monkeypatch.chdir(workspace.root)
    assert main(["fetch", name]) == 1
    assert "There is no data set" in capsys.readouterr().err


@pytest.fixture
def pipeline(workspace: Workspace) -> Workspace:
    """A project with the repository's own dvc.yaml, under git and DVC."""
    shutil.copy(ROOT / "dvc.yaml", workspace.root / "dvc.yaml")
    initialised(Project(workspace.root, environment(workspace.root)))
    return workspace


def made_for(workspace: Workspace, name: str) -> None:
    """A graph.yaml with a stage `fetch` of that name, which edgeloop would never write."""
    entry = {"prepare": "quantize", "validate": "quantize", "train": "quantize"}
    graph = {"form": 1, "datasets": {name: entry}, "trained": {}, "variants": {}, "benchmarks": {}}
    workspace.graph.write_text(json.dumps({"graph": graph}), encoding="utf-8")


def repro(workspace: Workspace, address: str, folder: str = ".") -> str:
    """What a `dvc repro` that fails says."""
    argv = [sys.executable, "-m", "dvc", "repro", address]
    env = environment(workspace.root.parent)
    done = subprocess.run(argv, cwd=workspace.root / folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", first_is_short(["x'$(touch HACK)\"`touch HACK`", "x;touch HACK", "my flowers", "x\ntouch HACK", "-rf"]))
def test_a_bare_dvc_repro_hands_no_name_to_a_shell(pipeline: Workspace, name: str) -> None:
    write(pipeline, name)
    made_for(pipeline, name)
    before = set(pipeline.root.iterdir())
    said = repro(pipeline, f"fetch@{name}")
    assert RULE in said
    assert set(pipeline.root.iterdir()) - before <= {pipeline.root / "data", pipeline.root / ".edgeloop"}
    assert not list(pipeline.root.rglob("HACK"))


def test_no_command_of_the_pipeline_holds_a_word_of_params_yaml() -> None:
    commands = [line.strip() for line in (ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines() if line.strip().startswith("cmd:")]
    assert len(commands) == 10
    assert not [command for command in commands if "${" in command]


def test_a_stages_command_finds_its_data_set_by_the_stages_address_of_another_folder_too(pipeline: Workspace) -> None:
    write(pipeline, "mine", build=["mine"])
    refresh(pipeline)
    (pipeline.root / "data" / "below").mkdir(parents=True)
    assert "/nowhere is not a folder" in repro(pipeline, "../../dvc.yaml:fetch@mine", "data/below")


def test_a_benchmarks_address_names_its_variant_and_its_board(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace.root)
    assert main(["benchmark", "benchmark@sample-fdmobilenet_0.25-96-hosts"]) == 1
    assert "did you mean 'sample-fdmobilenet_0.25-96-host'" in capsys.readouterr().err
    assert main(["benchmark", "benchmark@sample-fdmobilenet_0.25-96-virtual-h7"]) == 1
    assert "sample-fdmobilenet_0.25-96 is not quantized" in capsys.readouterr().err
