"""The pictures of Prefect's UI in docs/ui, of the real loop on drawn flowers.

They are made anew with: EDGELOOP_SCREENSHOTS=docs/ui pytest tests/flows/test_screenshots.py
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chromium import ABSENT, PROGRAM, Page, chromium
from flows_in_miniature import HANGS_S, ROOT, Project, environment, initialised, until
from PIL import Image
from ruamel.yaml import YAML

FOLDER = os.environ.get("EDGELOOP_SCREENSHOTS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not FOLDER, reason="EDGELOOP_SCREENSHOTS names no folder for the pictures"),
    pytest.mark.skipif(PROGRAM is None, reason=ABSENT),
]
NETWORKS = ("fdmobilenet_0.25", "fdmobilenet_0.5")
MOST_BYTES = 300_000
BENCHMARK = "import sys; from flows.benchmark import benchmark; benchmark(sys.argv[1], slots=2)"
RUN = ("-m", "edgeloop", "run", "sample", "all", "all", "--slots", "2")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: dict[str, str]) -> Project:
    """The real project, with two variants of the drawn flowers."""
    home = tmp_path_factory.mktemp("home")
    root = home / "edgeloop"
    root.mkdir()
    for name in ("dvc.yaml", "lab.yaml", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "models" / "backbones", root / "models" / "backbones")
    declare(root, broken=False)
    made = initialised(Project(root, environment(home) | server))
    for command in ("git add -A", "git commit --quiet -m all"):
        made.run(*command.split())
    return made


def declare(root: Path, broken: bool) -> None:
    """Write params.yaml with two variants; `broken` declares a class that there is not."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["datasets"] = {"sample": params["datasets"]["sample"]}
    if broken:
        params["datasets"]["sample"]["validate"]["classes"].append("rose")
    params["variants"] = {"sample": {"networks": list(NETWORKS), "resolutions": 96}}
    params["sets"] = {}
    with (root / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path / "profile", 1500, 900) as opened:
        yield opened


def show(project: Project, page: Page, path: str, *wanted: str) -> None:
    """Open a page of the UI."""
    page.open(project.env["PREFECT_API_URL"].removesuffix("/api") + path)
    page.see(*wanted)


def show_artifact(project: Project, page: Page, key: str, *wanted: str) -> None:
    until(lambda: bool(newest(project, key)), HANGS_S)
    show(project, page, f"/artifacts/artifact/{newest(project, key)[0]['id']}", *wanted)


def newest(project: Project, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.ask(
        "/artifacts/filter", {"sort": "CREATED_DESC", "limit": 1, "artifacts": {"key": {"any_": [key]}}}
    )
    return found


def keep(page: Page, name: str) -> None:
    """Keep a picture, once the page has come to rest: with few colours, as few bytes."""
    folder = ROOT / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    time.sleep(4)
    page.picture(folder / f"{name}.png")
    page.open("about:blank")  # the graph of a run is drawn without end
    with Image.open(folder / f"{name}.png") as picture:
        few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(folder / f"{name}.png", optimize=True)
    assert (folder / f"{name}.png").stat().st_size < MOST_BYTES


@contextmanager
def running(project: Project, *arguments: str) -> Iterator[str]:
    """A flow in a process of its own; its run, once it runs."""
    argv = [sys.executable, *arguments]
    flow = subprocess.Popen(argv, cwd=project.root, env=project.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wanted = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    try:
        until(lambda: bool(project.ask("/flow_runs/filter", wanted)), HANGS_S)
        yield str(project.ask("/flow_runs/filter", wanted)[0]["id"])
        flow.wait(timeout=400)
    finally:
        flow.kill()
        flow.wait(timeout=10)


def rows_of(project: Project, key: str) -> list[dict[str, Any]]:
    found = newest(project, key)
    rows: list[dict[str, Any]] = json.loads(found[0]["data"]) if found else []
    return rows


def trains(project: Project) -> Callable[[], bool]:
    """Whether a training is some epochs old."""
    wanted = {"artifacts": {"type": {"any_": ["progress"]}, "key": {"like_": "train-%"}}}
    return lambda: any("val 0." in artifact["description"] for artifact in project.ask("/artifacts/filter", wanted))


def test_pictures(project: Project, page: Page) -> None:
    with running(project, *RUN) as run:
        until(trains(project), 300)
        show(project, page, f"/runs/flow-run/{run}", "Running", "epochs")
        keep(page, "training")
    show(project, page, f"/runs/flow-run/{run}", "Completed")
    keep(page, "run")
    show_artifact(project, page, "results", "ran", "took")
    keep(page, "results")
    show_artifact(project, page, "validation-sample", "rules hold")
    keep(page, "validation")
    show_artifact(project, page, "card-sample-fdmobilenet-0-25-96", "Drawn flowers")
    keep(page, "card")
    with running(project, "-c", BENCHMARK, str(project.root)):
        until(lambda: {"1", "at work"} <= {row["place"] for row in rows_of(project, "boards")}, 200)
        show_artifact(project, page, "boards", "at work")
        keep(page, "boards")
    declare(project.root, broken=True)
    with running(project, *RUN):
        pass
    show_artifact(project, page, "plan", "cached", "run if changed")
    keep(page, "plan")
    show_artifact(project, page, "failures", "repeat it with")
    keep(page, "failures")
