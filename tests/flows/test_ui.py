"""Prefect's UI in headless Chromium, on a real server: a run is watched from its plan to its results, and cancelled by a click.

The stages copy records and a card that the library made before; the board is the real lock, its queue the real queue.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from card_records import Story
from chromium import ABSENT, PROGRAM, Page, chromium
from flows_in_miniature import FOLDER, HANGS_S, PARAMS, VARIANT, Project, sleepers, until

from edgeloop.boards.lock import hold
from edgeloop.cards.card import card
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason=ABSENT)]

BOARD = "virtual-h7"
SECOND = VARIANT.replace("0.25", "0.5")
PIPELINE = f"""\
vars: [graph.yaml]
stages:
  prepare:
    foreach: ${{graph.datasets}}
    do:
      cmd: mkdir -p data/${{key}} && cp made/data/${{key}}/prepare.json data/${{key}}/prepare.json
      deps: [input.txt]
      outs: ["data/${{key}}/prepare.json"]
  validate:
    foreach: ${{graph.datasets}}
    do:
      cmd: cp made/data/${{key}}/validate.json data/${{key}}/validate.json
      deps: ["data/${{key}}/prepare.json"]
      outs: ["data/${{key}}/validate.json"]
  train:
    foreach: ${{graph.variants}}
    do:
      cmd: python stage.py train && mkdir -p models/${{key}} && cp data/sample/prepare.json models/${{key}}/model
      deps: [data/sample/validate.json]
      outs: ["models/${{key}}/model"]
  evaluate:
    foreach: ${{graph.variants}}
    do:
      cmd: python stage.py ${{key}} && touch models/${{key}}/evaluate
      deps: ["models/${{key}}/model"]
      outs: ["models/${{key}}/evaluate"]
  benchmark:
    foreach: ${{graph.variants}}
    do:
      cmd: python stage.py {BOARD} && touch models/${{key}}/benchmark
      meta: {{board: {BOARD}}}
      deps: ["models/${{key}}/model"]
      outs: ["models/${{key}}/benchmark"]
  card:
    foreach: ${{graph.variants}}
    do:
      cmd: mkdir -p {FOLDER} && cp -r made/{FOLDER}/card {FOLDER}/card
      deps: ["models/${{key}}/benchmark", "models/${{key}}/evaluate", "data/sample/validate.json"]
      outs: ["models/sample/${{item.network}}-96/card"]
"""
# Progress as the library writes it, and a board that is really held.
STAGE = """\
import sys, time
from edgeloop import progress
from edgeloop.boards.lab.waiting import tell
from edgeloop.boards.lock import hold
progress.LINE_EVERY_S = 0.0
what = sys.argv[1]
if what == "train":
    with progress.progress("train", 4, "epochs") as advance:
        for epoch in range(4):
            time.sleep(0.1)
            advance(1, f"val 0.8{epoch}0, best 0.8{epoch}0")
elif what.startswith("sample-fdmobilenet_0.5"):
    sys.exit("edgeloop: The drawing board is empty.\\n  Draw something.")
elif what.startswith("virtual"):
    with hold(what, "a benchmark", 100, tell(what)), progress.progress(f"benchmark on {what}", 3, "images") as advance:
        for image in range(3):
            time.sleep(0.3)
            advance(1, "2,187,000 instructions, emulated")
"""
HARMLESS = ("favicon.ico", "ico/undefined.svg")
"""What the UI asks for in vain, whatever is shown."""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path / "profile", height=2400) as opened:
        yield opened


@pytest.fixture
def drawn(served: Project) -> Project:
    """The small project with the pipeline above, and what its stages copy."""
    made = Workspace(served.root / "made")
    made.root.mkdir()
    declared = PARAMS.replace("networks: fdmobilenet_0.25", "networks: [fdmobilenet_0.25, fdmobilenet_0.5]")
    for folder in (made.root, served.root):
        (folder / "params.yaml").write_text(declared, encoding="utf-8")
    story = Story()
    card(made, story.write(made), story.variant)
    (served.root / "stage.py").write_text(STAGE, encoding="utf-8")
    (served.root / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    return served


@contextmanager
def started(project: Project) -> Iterator["subprocess.Popen[str]"]:
    """A run of everything, as from a terminal; it does not outlive this."""
    argv = [sys.executable, "-m", "edgeloop", "run", "sample", "all", "all", "--slots", "3"]
    flow = subprocess.Popen(argv, cwd=project.root, env=project.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield flow
    finally:
        flow.kill()
        flow.communicate(timeout=10)


def running(project: Project) -> str:
    """The id of the flow run, once it runs."""
    found: list[str] = []

    def runs() -> bool:
        found[:] = [run["id"] for run in project.flow_runs() if run["state_type"] == "RUNNING"]
        return bool(found)

    until(runs, HANGS_S)
    return found[0]


def artifacts(project: Project, run: str) -> dict[str, dict[str, Any]]:
    """Those of the run, by key."""
    found = project.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
    return {artifact["key"]: artifact for artifact in found}


def address(project: Project, path: str) -> str:
    return project.env["PREFECT_API_URL"].removesuffix("/api") + path


def open_artifact(project: Project, page: Page, run: str, key: str, *wanted: str) -> str:
    """Show it, and wait until the page shows what is wanted."""
    page.open(address(project, f"/artifacts/artifact/{artifacts(project, run)[key]['id']}"))
    return page.see(*wanted)


def waits_outside(project: Project, run: str) -> bool:
    """Whether the table of boards says that a stage waits in a queue of the machine."""
    shown = artifacts(project, run).get("boards")
    return shown is not None and "waiting for virtual-h7" in shown["data"]


@pytest.mark.thorough
def test_a_run_is_watched_in_the_browser_from_its_plan_to_its_results(drawn: Project, page: Page) -> None:
    with started(drawn) as flow:
        run = watched_while_it_waits(drawn, page)
        said = flow.communicate(timeout=100)[0]
    assert "1 of 10 stages failed" in said, said
    watched(drawn, page, run)
    assert_graph_is_that_of_dvc(drawn, run)
    assert not [complaint for complaint in page.complaints if not complaint.rstrip().endswith(HARMLESS)]
    assert not page.foreign, "the UI works offline"


def watched_while_it_waits(drawn: Project, page: Page) -> str:
    """What is shown while somebody else has the board; returns the run."""
    with hold(BOARD, "somebody else's work", 5):
        run = running(drawn)
        until(lambda: waits_outside(drawn, run), HANGS_S)
        open_artifact(drawn, page, run, "boards", "place 1 in the queue", "somebody else's work", "waits for it")
        page.open(address(drawn, f"/runs/flow-run/{run}"))
        page.see("Running", "Cancel", "2 variants")
    return run


def watched(drawn: Project, page: Page, run: str) -> None:
    """What each page of the run shows when it is over."""
    train = f"train@{VARIANT}"
    page.open(address(drawn, f"/runs/flow-run/{run}"))
    page.see("Failed", "10 Task runs", "python stage.py train")
    page.wait_for("document.querySelector('canvas') !== null")
    page.click("Task Runs")
    page.see(train, f"card@{VARIANT}", "validate@sample", "Completed", "NotRun", "Failed")
    page.click("Artifacts")
    page.see("plan", "results", "failures", "boards", "validation-sample", "Card of", "Confusion matrix of")
    open_artifact(drawn, page, run, "plan", "10 stages: 10 to run", train, "it was not built yet")
    results = open_artifact(drawn, page, run, "results", train, "took", "validation report", "confusion matrix", "not run")
    assert "8 ran" in results
    open_artifact(drawn, page, run, "failures", f"dvc repro evaluate@{SECOND}", "The drawing board is empty")
    open_artifact(drawn, page, run, "boards", "1 board, 2 benchmarks: 0 at work, 0 waiting in a queue, 2 done")
    open_artifact(drawn, page, run, "validation-sample", "accepted", "rules hold", "Observed", "sunflower")
    key = VARIANT.replace("_", "-").replace(".", "-")
    open_artifact(drawn, page, run, f"train-{key}", "train: 4/4 epochs", "val 0.830, best 0.830", "100%")
    open_artifact(drawn, page, run, f"benchmark-{key}", "benchmark on virtual-h7: 3/3 images", "instructions, emulated")
    for kind, pictures in (("card", 2), ("confusion", 1)):
        open_artifact(drawn, page, run, f"{kind}-{key}", "FdMobileNet 0.25" if kind == "card" else "Confusion matrix")
        page.wait_for(f"[...document.querySelectorAll('img')].filter(img => img.naturalWidth > 100).length >= {pictures}")


def assert_graph_is_that_of_dvc(drawn: Project, run: str) -> None:
    """Every edge of `dvc dag` is one between task runs, and no other."""
    nodes = dict(drawn.ask(f"/flow_runs/{run}/graph-v2")["nodes"])
    names = {node: shown["label"] for node, shown in nodes.items()}
    shown = {(names[parent["id"]], names[node]) for node, entry in nodes.items() for parent in entry["parents"]}
    program = "from dvc.repo import Repo\nfor a, b in Repo('.').index.graph.edges: print('edge', b.name, a.name)"
    lines = [line.split() for line in drawn.run(sys.executable, "-c", program).splitlines()]
    declared = {(line[1], line[2]) for line in lines if line[0] == "edge"}
    assert shown == declared
    assert sorted(names.values()) == sorted({name for edge in declared for name in edge})


@pytest.mark.long
def test_the_button_in_the_ui_cancels_a_run_that_was_started_in_a_terminal(drawn: Project, page: Page) -> None:
    pipeline = drawn.root / "dvc.yaml"
    pipeline.write_text(
        pipeline.read_text(encoding="utf-8").replace("python stage.py train", "touch train.here; sleep 987.1"), encoding="utf-8"
    )
    with started(drawn) as flow:
        until((drawn.root / "train.here").exists, HANGS_S)
        page.open(address(drawn, f"/runs/flow-run/{running(drawn)}"))
        page.see("Running")
        page.click("Cancel")
        page.click("Confirm")
        until(lambda: not sleepers(drawn.root), 10)
        page.see("Cancelled", seconds=30)
        flow.communicate(timeout=30)
        assert flow.returncode == 130
