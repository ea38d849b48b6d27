"""`edgeloop remove`: the lines, files and lock entries of a data set or a variant go, after it was said what goes and what comes back."""

import sys
from pathlib import Path

import pytest
from flows_in_miniature import Project, environment, initialised

from edgeloop.cli import main
from edgeloop.config import load_params
from edgeloop.config.removal import text_without
from edgeloop.errors import ConfigError, InputError
from edgeloop.graph import refresh
from edgeloop.workspace import Workspace
from flows.removal import removal_of

PARAMS = """\
# Head.
build: [one, mine, two-*]   # the short list
sets:
  # Words.
  ours: [mine]
pin:
  - mine-fdmobilenet_0.25-96
  - one

datasets:
  one: {source: {drawn: {}}}

  mine:
    # Inside.
    source: {folder: /photos}

  two:
    source: {drawn: {}}

# Behind the data sets.
variants:
  one: {resolutions: 96}
  mine:
    - {networks: [fdmobilenet_0.25, fdmobilenet_0.5], resolutions: [96, 128]}
    - {networks: fdmobilenet_1.0, resolutions: 96}   # the big one
  two: {resolutions: 96, start: one}

# Behind the variants.
defaults: {prepare: {}, validate: {}, train: {}}
schedules:
  retrain: {cron: "0 2 * * *", variants: [ours]}
  benchmark: {cron: "0 3 * * *", variants: [one, mine-*-96]}
ingest:
  # From the camera.
  mine: {from: /new}
"""
WITHOUT_MINE = """\
# Head.
build: [one, two-*]         # the short list
sets: {}
pin:
  - one

datasets:
  one: {source: {drawn: {}}}

  two:
    source: {drawn: {}}

# Behind the data sets.
variants:
  one: {resolutions: 96}
  two: {resolutions: 96, start: one}

# Behind the variants.
defaults: {prepare: {}, validate: {}, train: {}}
schedules:
  retrain: off
  benchmark: {cron: "0 3 * * *", variants: [one]}
ingest: {}
"""
PIPELINE = """\
vars: [graph.yaml]
stages:
  fetch:
    foreach: ${graph.datasets}
    do:
      cmd: mkdir -p data/${key}/archive && echo ${key} > data/${key}/archive/a && echo ${key} 2 > data/${key}/archive/b
      outs: ["data/${key}/archive"]
  train:
    foreach: ${graph.trained}
    do:
      cmd: mkdir -p ${item.folder} && cat data/${item.dataset}/archive/a > ${item.folder}/model && echo ${key} >> ${item.folder}/model
      deps: ["data/${item.dataset}/archive"]
      outs: ["${item.folder}/model"]
"""


def written(workspace: Workspace, text: str = PARAMS) -> Workspace:
    workspace.params.write_text(text, encoding="utf-8")
    return workspace


def without(workspace: Workspace, name: str) -> str:
    text = workspace.params.read_text(encoding="utf-8")
    return text_without(text, workspace.params, load_params(workspace), name)


def test_a_data_sets_lines_go_and_every_other_line_and_comment_stays(workspace: Workspace) -> None:
    assert without(written(workspace), "mine") == WITHOUT_MINE


def test_of_each_shipped_data_set_nothing_but_its_lines_goes(workspace: Workspace) -> None:
    before = workspace.params.read_text(encoding="utf-8").splitlines()
    for name in ("sample", "flowers", "plant"):
        after = without(workspace, name).splitlines()
        assert not [line for line in before if line.startswith("#") and line not in after]
        assert len([line for line in after if line not in before]) == 1  # of `build` or `sets`, which name it


@pytest.mark.parametrize(
    ("variant", "rows"),
    [
        (
            "mine-fdmobilenet_0.5-128",
            [
                "    - {networks: fdmobilenet_0.25, resolutions: [96, 128]}",
                "    - {networks: fdmobilenet_0.5, resolutions: 96}",
                "    - {networks: fdmobilenet_1.0, resolutions: 96}   # the big one",
            ],
        ),
        ("mine-fdmobilenet_1.0-96", ["    - {networks: [fdmobilenet_0.25, fdmobilenet_0.5], resolutions: [96, 128]}"]),
    ],
)
def test_a_variant_goes_out_of_its_row(workspace: Workspace, variant: str, rows: list[str]) -> None:
    text = without(written(workspace), variant)
    assert text.split("  mine:\n")[2].split("  two:")[0].splitlines() == rows
    left = set(load_params(workspace).variants)
    assert set(load_params(written(workspace, text)).variants) == left - {variant}
    assert "# Behind the variants." in text and "# the short list" in text


def test_the_last_variant_of_a_data_set_that_has_the_default_rows_goes_too(workspace: Workspace) -> None:
    written(workspace, "build: one\ndatasets:\n  one: {source: {drawn: {}}}\ndefaults: {prepare: {}, validate: {}, train: {}}\n")
    text = without(workspace, "one-fdmobilenet_0.25-128")
    params = load_params(written(workspace, text))
    assert (params.built, params.variants, list(params.datasets)) == ([], {}, ["one"])


def test_lines_that_dvc_indented_otherwise_do_not_hide_what_goes(workspace: Workspace) -> None:
    initialised(Project(workspace.root, environment(workspace.root)))
    indented = PARAMS.replace("    - {networks: fdmobilenet_1.0", "  - {networks: fdmobilenet_1.0").replace(
        "    - {networks: [", "  - {networks: ["
    )
    workspace.params.write_text(indented.replace("  - mine-fdm", "- mine-fdm").replace("  - one\n", "- one\n"), encoding="utf-8")
    lines = removal_of(workspace, load_params(workspace), "mine-fdmobilenet_0.5-96").lines
    assert lines[-1] == "other lines are indented otherwise, and nothing else"
    assert len(lines) <= 5, lines


def test_what_others_start_from_is_refused_and_an_anchor_that_others_use_as_well(workspace: Workspace) -> None:
    written(workspace)
    with pytest.raises(InputError, match=r"one is needed: two-fdmobilenet_0\.25-96 starts from one-fdmobilenet_0\.25-96"):
        removal_of(workspace, load_params(workspace), "one")
    with pytest.raises(InputError, match="did you mean 'mine'"):
        removal_of(workspace, load_params(workspace), "mein")
    text = PARAMS.replace("{folder: /photos}", "&photos {folder: /photos}").replace(
        "two:\n    source: {drawn: {}}", "two:\n    source: *photos"
    )
    written(workspace, text)
    with pytest.raises(ConfigError, match="nothing was changed"):
        without(workspace, "mine")


def test_line_ends_as_on_windows_stay(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = built.root / "params.yaml"
    path.write_bytes(PARAMS.replace("\n", "\r\n").encode())
    monkeypatch.chdir(built.root)
    assert main(["remove", "mine", "--yes"]) == 0
    assert path.read_bytes() == WITHOUT_MINE.replace("\n", "\r\n").encode()


@pytest.fixture
def built(tmp_path: Path) -> Project:
    """The three data sets, built and committed."""
    root = tmp_path / "project"
    root.mkdir()
    for name, text in {"params.yaml": PARAMS, "dvc.yaml": PIPELINE, ".gitignore": "/data/*/\n/models/*/\n"}.items():
        (root / name).write_text(text, encoding="utf-8")
    refresh(Workspace(root))
    made = initialised(Project(root, environment(tmp_path)))
    made.run(sys.executable, "-m", "dvc", "repro")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "Built")
    return made


def test_a_data_set_goes_as_was_said_and_comes_back(
    built: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built.root)
    assert main(["remove", "mine"]) == 1  # nobody is there to be asked
    said = capsys.readouterr()
    assert "To do it: edgeloop remove mine --yes" in said.err
    assert (built.root / "data/mine/archive/a").is_file()
    assert main(["remove", "mine", "--yes"]) == 0
    said = capsys.readouterr()
    for line in (
        "params.yaml  -   mine: {from: /new}",
        "files        data/mine  (2 files, 12 bytes)",
        "files        models/mine  (5 files, 149 bytes)",
        "dvc.lock     fetch@mine, train@mine-",
        "It comes back by git and `dvc checkout`",
    ):
        assert line in said.out
    assert (built.root / "params.yaml").read_text(encoding="utf-8") == WITHOUT_MINE
    assert not (built.root / "data/mine").exists() and not (built.root / "models/mine").exists()
    lock = (built.root / "dvc.lock").read_text(encoding="utf-8")
    assert "mine" not in lock and "train@two-fdmobilenet_0.25-96" in lock
    assert "up to date" in built.run(sys.executable, "-m", "dvc", "status")
    built.run("git", "checkout", ".")
    built.run(sys.executable, "-m", "dvc", "checkout")
    assert (built.root / "models/mine/fdmobilenet_1.0-96/model").read_text(encoding="utf-8") == "mine\nmine-fdmobilenet_1.0-96\n"


def test_what_does_not_come_back_is_named(built: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (built.root / "data/mine/notes.txt").write_text("mine alone", encoding="utf-8")
    model = built.root / "models/mine/fdmobilenet_1.0-96/model"
    model.unlink()
    model.write_text("changed by hand", encoding="utf-8")
    monkeypatch.chdir(built.root)
    assert main(["remove", "mine"]) == 1
    said = capsys.readouterr().out
    assert said.split("Nothing brings back")[1].splitlines()[1:] == ["  data/mine/notes.txt", "  models/mine/fdmobilenet_1.0-96/model"]
    assert model.read_text(encoding="utf-8") == "changed by hand"


def test_a_variant_goes_alone(built: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(built.root)
    assert main(["remove", "mine-fdmobilenet_0.5-128", "--yes"]) == 0
    assert "dvc.lock     train@mine-fdmobilenet_0.5-128\n" in capsys.readouterr().out
    assert not (built.root / "models/mine/fdmobilenet_0.5-128").exists()
    assert (built.root / "models/mine/fdmobilenet_0.5-96/model").is_file() and (built.root / "data/mine/archive").is_dir()
    assert "mine-fdmobilenet_0.5-128" not in (built.root / "graph.yaml").read_text(encoding="utf-8")
