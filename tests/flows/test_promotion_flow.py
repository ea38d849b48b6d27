"""A scheduled retraining promotes what passes its gates, and says in the UI why the rest stays out."""

import json
import sys

import pytest
from flows_in_miniature import FOLDER, ROOT, VARIANT, Project

from edgeloop.graph import refresh
from edgeloop.store.ledger import read_history
from edgeloop.store.target import FolderTarget
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
RETRAIN = "import sys; from flows.retrain import retrain; retrain(sys.argv[1], publish=True, scheduled=True)"
BUILD = """\
import json, pathlib, sys
sys.path.append({tests!r})
from card_records import Story
from edgeloop.cards.card import card
from edgeloop.workspace import Workspace
workspace = Workspace(pathlib.Path.cwd())
story = Story(generated=True, **json.loads(pathlib.Path("input.txt").read_text()))
card(workspace, story.write(workspace), story.variant)
"""
PIPELINE = f"""\
vars: [graph.yaml]
stages:
  card:
    foreach: ${{graph.variants}}
    do:
      cmd: python build.py
      deps: [input.txt]
      outs: ["{FOLDER}/card", "{FOLDER}/card.json"]
"""


def build_from(project: Project, **story: object) -> None:
    (project.root / "input.txt").write_text(json.dumps(story), encoding="utf-8")
    project.run("git", "commit", "--quiet", "--all", "--allow-empty", "--message", "New data")
    project.run(sys.executable, "-c", RETRAIN, str(project.root))


@pytest.fixture
def gated(served: Project) -> Project:
    params = served.root / "params.yaml"
    gates = "publish: {to: shelf}\ngates: {sample: {top1_at_least: 0.8, champion: {margin: 0.1}}}\n"
    params.write_text(params.read_text(encoding="utf-8") + gates, encoding="utf-8")
    files = {
        "dvc.yaml": PIPELINE,
        "build.py": BUILD.format(tests=str(ROOT / "tests")),
        ".gitignore": "/data\n/models\n/shelf\n/.edgeloop\n",
    }
    for name, text in files.items():
        (served.root / name).write_text(text, encoding="utf-8")
    refresh(Workspace(served.root))
    served.run("git", "add", "--all")
    return served


def test_a_scheduled_run_promotes_what_passes_and_shows_why_not(gated: Project) -> None:
    build_from(gated, seed=5, test_per_class=60)
    build_from(gated, seed=6, test_per_class=60, accuracy=0.4)
    history = read_history(FolderTarget(gated.root / "shelf"), VARIANT)
    (first,) = history.entries
    assert first.by is None and first.decision is not None and first.decision.passes
    log = gated.run("git", "log", "--format=%H %s").splitlines()
    assert f"{first.revision} Models: a scheduled retraining" == log[2]  # the commit that holds it, not the one before
    assert gated.run("git", "tag").split() == ["sample-fdmobilenet_0_25-96#champion#1", "sample-fdmobilenet_0_25-96@v1.0.0"]
    tables = [one for one in gated.of_runs("artifacts") if one["key"] == "gates"]
    assert {one["description"] for one in tables} == {f"promoted: {VARIANT}", f"refused, the champion stays: {VARIANT}"}
    (refused,) = (one for one in tables if one["description"].startswith("refused"))
    assert "shown to be worse" in refused["data"] and "**fails**" in refused["data"]
    # What is published stays there, champion or not.
    assert len(list((gated.root / "shelf" / VARIANT).glob("*/manifest.json"))) == 2
