"""A real Prefect server, and a small project to run flows in."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flows_in_miniature import PARAMS, PIPELINE, Project, environment

from edgeloop.workspace import Workspace
from flows.services import client_environment, prefect_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a client of a real Prefect server."""
    workspace = Workspace(tmp_path_factory.mktemp("prefect"))
    service = prefect_server(workspace)
    try:
        yield dict(client_environment(workspace, service.up()))
    finally:
        service.down()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project, initialised with git and DVC; no Prefect server."""
    root = tmp_path / "a project"
    root.mkdir()
    for name, text in {"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "input.txt": "one", ".gitignore": "/data\n/models\n"}.items():
        (root / name).write_text(text, encoding="utf-8")
    made = Project(root, environment(tmp_path))
    made.run("git", "init", "--quiet")
    made.run(sys.executable, "-m", "dvc", "init", "--quiet")
    return made


@pytest.fixture
def served(project: Project, server: dict[str, str]) -> Project:
    """The small project, its flows on the real server."""
    return Project(project.root, project.env | server)
