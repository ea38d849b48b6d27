"""A real Prefect server, and small projects whose stages are shell commands to run flows in."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from datasets_in_miniature import fill, two_classes
from once import Once, common_folder

from edgeloop.graph import refresh
from edgeloop.workspace import Workspace
from flows.api import Server
from flows.server import client_environment, prefect_server

ROOT = Path(__file__).resolve().parent.parent
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
VARIANT = "sample-fdmobilenet_0.25-96"
FOLDER = "models/sample/fdmobilenet_0.25-96"
HANGS_S = 400
"""Guards against what hangs: longer than any command or flow of these tests takes, also on a slow machine that does much else."""

PIPELINE = f"""\
vars: [graph.yaml]
stages:
  prepare:
    cmd: mkdir -p data/sample && cp input.txt data/sample/prepared
    deps: [input.txt]
    outs: [data/sample/prepared]
  train:
    foreach: ${{graph.variants}}
    do:
      cmd: test ! -e broken && mkdir -p {FOLDER} && cat data/sample/prepared > {FOLDER}/model
      deps: [data/sample/prepared]
      params: [quantize]
      outs: ["{FOLDER}/model"]
  other:
    cmd: cp data/sample/prepared data/sample/other
    deps: [data/sample/prepared]
    outs: [data/sample/other]
  card:
    foreach: ${{graph.variants}}
    do:
      cmd: mkdir -p {FOLDER}/card && cat {FOLDER}/model data/sample/other > {FOLDER}/card/README.md
      deps: ["{FOLDER}/model", data/sample/other]
      outs: ["{FOLDER}/card"]
"""

PARAMS = """\
build: [sample]
defaults: {prepare: {}, validate: {}, train: {}}
datasets:
  sample:
    source: {drawn: {}}
    train: {phases: [{mode: scratch, epochs: 1, learning_rate: 0.01}], augmentation: [], final: best_epoch}
variants:
  sample: {networks: fdmobilenet_0.25, resolutions: 96}
quantize: {calibration_images: 10}
"""


@dataclass(frozen=True)
class Project:
    """A small project, and how commands and flows are run in it."""

    root: Path
    env: dict[str, str]

    def run(self, *argv: str, ok: bool = True, timeout: float = HANGS_S) -> str:
        """Run a command; returns both its streams."""
        done = subprocess.run(
            argv, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    def retrain(self, ok: bool = True) -> str:
        """`edgeloop run sample all all`."""
        return self.run(sys.executable, "-m", "edgeloop", "run", "sample", "all", "all", ok=ok)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the Prefect server answers; posts where there is a body."""
        return Server(self.env["PREFECT_API_URL"], {}).ask("GET" if body is None else "POST", path, body)

    def flow_runs(self) -> list[dict[str, Any]]:
        """This project's runs, the newest first: other tests use the same server."""
        found = self.ask("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 200})
        return [run for run in found if run["parameters"].get("root") == str(self.root)]

    def of_runs(self, kind: str) -> list[dict[str, Any]]:
        """The `artifacts` or `task_runs` of this project's runs."""
        runs = [run["id"] for run in self.flow_runs()]
        wanted = {"artifacts": {"artifacts": {"flow_run_id": {"any_": runs}}}, "task_runs": {"flow_runs": {"id": {"any_": runs}}}}
        found: list[dict[str, Any]] = self.ask(f"/{kind}/filter", {"limit": 200, **wanted[kind]}) if runs else []
        return found


def environment(home: Path) -> dict[str, str]:
    """An environment in which DVC and Prefect keep to `home`, and this checkout's code is found; compilers keep what they have."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "DVC_SITE_CACHE_DIR": str(home / "dvc"), "DVC_NO_ANALYTICS": "1", "HOME": str(home)}
    own["XDG_CACHE_HOME"] = CACHE
    git = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@localhost", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@localhost"}
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | own | git


def served_from(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Where the session's Prefect server keeps its data."""
    return Workspace(common_folder(tmp_path_factory) / "prefect")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a client of a real Prefect server: one for all processes of the session, which the first one starts."""
    workspace = served_from(tmp_path_factory)
    workspace.root.mkdir(exist_ok=True)
    return dict(client_environment(workspace, prefect_server(workspace).up()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the server once all processes of the session have ended, on Ctrl-C too."""
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]  # pytest names no public way
    if "PYTEST_XDIST_WORKER" not in os.environ and (workspace := served_from(factory)).root.is_dir():
        prefect_server(workspace).down()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project; no Prefect server."""
    return small_project(tmp_path)


def small_project(home: Path, root: Path | None = None) -> Project:
    """A small project below `home` (or in `root`), initialised with git and DVC."""
    root = root or home / "a project"
    root.mkdir(exist_ok=True)
    files = {"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "input.txt": "one", ".gitignore": "/data\n/models\n"}
    fill(root, {name: text.encode() for name, text in {**files, "models/backbones/scratch.yaml": "kind: scratch\n"}.items()})
    refresh(Workspace(root))
    return initialised(Project(root, environment(home)))


def first_data_revision(once: Once, home: Path, other_stages: str, ignored: str) -> Path:
    """A data set of 60 pictures by the data stages of this checkout's dvc.yaml and others: prepared, validated and committed."""
    made = Project(home / "a project", environment(home))
    shutil.copytree(once("pictures", prepare_pictures) / "a project", made.root, symlinks=True)
    with (made.root / "dvc.yaml").open("a", encoding="utf-8") as pipeline:
        pipeline.write(other_stages)
    with (made.root / ".gitignore").open("a", encoding="utf-8") as ignore:
        ignore.write(ignored)
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "First revision")
    return made.root


def prepare_pictures(home: Path) -> None:
    """The project of that revision, before it is committed, with the data stages alone."""
    home.mkdir()
    made = small_project(home)
    fill(made.root, two_classes(30, "first"))
    (made.root / "params.yaml").write_text(PARAMS.replace("{drawn: {}}", "{folder: first}"), encoding="utf-8")
    data_stages = (ROOT / "dvc.yaml").read_text(encoding="utf-8").split("\n  train:\n")[0]
    (made.root / "dvc.yaml").write_text(data_stages, encoding="utf-8")
    refresh(Workspace(made.root))
    (made.root / ".gitignore").write_text("/data/*/\n/models/*/\n/.edgeloop/\n.*.part-*\n/first/\n", encoding="utf-8")
    made.run(sys.executable, "-m", "dvc", "repro", "validate@sample")


def initialised(project: Project) -> Project:
    """The same, under git and DVC."""
    shutil.copytree(repository(), project.root, dirs_exist_ok=True)
    return project


@cache
def repository() -> Path:
    """An empty folder that git and DVC have initialised, to copy."""
    home = Path(tempfile.mkdtemp(prefix="edgeloop-repository-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "project").mkdir()
    made = Project(home / "project", environment(home))
    made.run("git", "init", "--quiet")
    made.run(sys.executable, "-m", "dvc", "init", "--quiet")
    return made.root


@pytest.fixture
def served(project: Project, server: dict[str, str]) -> Project:
    """The small project, its flows on the real server."""
    return Project(project.root, project.env | server)


def until(holds: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def sleepers(root: Path) -> list[str]:
    """Processes that still sleep (987.1 seconds) for a stage of this project."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"987.1" in (folder / "cmdline").read_bytes() and (folder / "cwd").resolve() == root.resolve():
                found.append(folder.name)
    return found
