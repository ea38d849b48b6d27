"""A family card is published beside the cards that it is about, and only with those that it was made of."""

from pathlib import Path

import pytest
from card_records import Story

from edgeloop.cards.card import card
from edgeloop.cards.family_card import family_card
from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.store.family import publish_family
from edgeloop.store.publish import publish
from edgeloop.workspace import Workspace

VARIANT = "sample-fdmobilenet_0.25-96"


@pytest.fixture
def made(workspace: Workspace) -> tuple[Workspace, Params, Path]:
    """A project with a card, and the card of its network."""
    params = Story().write(workspace)
    card(workspace, params, VARIANT)
    folder = workspace.root / "cards" / "one"
    family_card(workspace, params, "fdmobilenet_0.25", folder)
    return workspace, params, folder


def test_it_is_refused_until_its_variants_are_published_as_it_states_them(made: tuple[Workspace, Params, Path]) -> None:
    workspace, params, folder = made
    with pytest.raises(InputError, match=f"edgeloop publish {VARIANT}"):
        publish_family(workspace, params, folder, to="public")
    publish(workspace, params, [VARIANT], to="public")
    page = Path(publish_family(workspace, params, folder, to="public"))
    assert page == workspace.root / "public" / "families" / "fdmobilenet_0.25" / "index.html"
    assert f'href="../../{VARIANT}/index.html"' in page.read_text(encoding="utf-8")
    assert (page.parent / "family.json").is_file()
    assert 'href="../../index.html">All cards' in page.read_text(encoding="utf-8")
    assert 'href="families/fdmobilenet_0.25/index.html">FdMobileNet 0.25' in (workspace.root / "public/index.html").read_text(
        encoding="utf-8"
    )
    Story(seed=6).write(workspace)
    card(workspace, params, VARIANT)
    publish(workspace, params, [VARIANT], to="public")
    with pytest.raises(InputError, match=r"made from another benchmarks/host\.json than the family card"):
        publish_family(workspace, params, folder, to="public")


def test_a_changed_file_is_not_published(made: tuple[Workspace, Params, Path]) -> None:
    workspace, params, folder = made
    publish(workspace, params, [VARIANT], to="public")
    (folder / "README.md").write_text("other", encoding="utf-8")
    with pytest.raises(InputError, match=r"README\.md is not the file"):
        publish_family(workspace, params, folder, to="public")
