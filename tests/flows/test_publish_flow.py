"""The flow `publish`, on a real Prefect server: cards that are there go to where params.yaml says, and nothing is built."""

import sys
from pathlib import Path

import pytest
from card_records import Story
from flows_in_miniature import ROOT, Project
from ruamel.yaml import YAML

from edgeloop.cards.card import card
from edgeloop.config import load_params
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
FLOW = "import sys; from flows.publish import publish; print(*publish(sys.argv[1], sys.argv[2:] or None), sep='\\n')"


@pytest.fixture
def publishing(served: Project) -> Project:
    """A project with the variants of the real one, whose cards go to a folder."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["publish"] = {"to": "shelf"}
    yaml.dump(params, served.root / "params.yaml")
    return served


def publish(project: Project, *variants: str, ok: bool = True) -> str:
    return project.run(sys.executable, "-c", FLOW, str(project.root), *variants, ok=ok)


def test_every_card_that_there_is_goes_out_and_where_there_is_none_that_is_said(publishing: Project) -> None:
    assert "There is no card to publish" in publish(publishing, ok=False)
    assert "sample-fdmobilenet_0.25-69" in publish(publishing, "sample-fdmobilenet_0.25-69", ok=False)
    workspace, story = Workspace(publishing.root), Story()
    story.write(workspace)
    card(workspace, load_params(workspace), story.variant)
    said = publish(publishing)
    published = [Path(line) for line in said.splitlines() if line.startswith(str(publishing.root / "shelf"))]
    assert published and all(path.exists() for path in published), said
    assert list((publishing.root / "shelf").rglob("README.md"))
