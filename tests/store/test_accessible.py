"""Every published page, and the card of a family, in headless Chromium: axe finds nothing, and nothing is wider than screen or paper."""

from collections.abc import Callable, Iterator
from pathlib import Path

import axe
import pytest
from card_records import Story
from chromium import ABSENT, PROGRAM, Page, chromium
from once import Once

from edgeloop.cards.card import card
from edgeloop.cards.family_card import family_card
from edgeloop.store.family import publish_family
from edgeloop.store.publish import publish
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.skipif(PROGRAM is None, reason=ABSENT), pytest.mark.skipif(axe.NPM is None, reason=axe.ABSENT)]

VARIANT = "flowers-fdmobilenet_0.25-128"
PAPER_PX = 688
"""A4 without its margins of 14 mm, at 96 pixels an inch."""
PAGES = ("card", "family", "gallery", "versions")
FIRST = [PAGES[0], *(pytest.param(name, marks=pytest.mark.thorough) for name in PAGES[1:])]
WIDER = """[...document.querySelectorAll('main *')].filter(one => !one.closest('.table, .plot, [hidden], .list thead')
  && one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML.slice(0, 100))"""
TABLES = "[...document.querySelectorAll('.table')].filter(one => one.scrollWidth > one.clientWidth + 1).length"

HINT = """(box => {
  const style = getComputedStyle(box), pen = document.createElement('canvas').getContext('2d');
  pen.font = style.font;
  return [box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), pen.measureText(box.placeholder).width];
})(document.querySelector('[name=q]'))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two variants, one of them in two versions, published to a folder; and the card of their family."""
    root = tmp_path_factory.mktemp("published project")
    (root / "params.yaml").write_bytes((Path(__file__).parents[2] / "params.yaml").read_bytes())
    workspace = Workspace(root)
    first, again = (Story(variant=VARIANT, mcu_board="h7", linux_board="stm32mp", generated=True, seed=seed) for seed in (5, 6))
    for story in (first, Story(generated=True), again):
        params = story.write(workspace)
        card(workspace, params, story.variant)
        address, index = publish(workspace, params, [story.variant], to="public")
    published = Path(index).parent
    family_card(workspace, params, "fdmobilenet", root / "cards" / "fdmobilenet")
    family = publish_family(workspace, params, root / "cards" / "fdmobilenet", to="public")
    return {
        "card": Path(address),
        "family": Path(family),
        "gallery": published / "index.html",
        "versions": published / VARIANT / "index.html",
    }


@pytest.fixture(scope="module")
def rules(once: Once) -> Path:
    """The folder that axe-core is in."""
    return once("axe", axe.install)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def show(browser: Page, pages: dict[str, Path]) -> Callable[..., Page]:
    """Opens a page at a width in pixels, on a light or dark screen, or as it is printed."""

    def shown(name: str, width: int, scheme: str = "light", media: str = "screen") -> Page:
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        browser.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open("about:blank")
        browser.open(pages[name].as_uri())
        browser.wait_for("location.protocol === 'file:' && document.readyState === 'complete'")
        return browser

    return shown


@pytest.mark.parametrize("name", FIRST)
def test_axe_finds_nothing(name: str, show: Callable[..., Page], rules: Path) -> None:
    for width, scheme in ((390, "light"), (390, "dark"), (1300, "light"), (1300, "dark")):
        assert axe.violations(show(name, width, scheme), rules) == [], f"{name} at {width} pixels, {scheme}"


def test_axe_would_find_a_fault(show: Callable[..., Page], rules: Path) -> None:
    page = show("card", 1300)
    page.run("document.querySelector('main img').removeAttribute('alt')")
    assert any("image-alt" in line for line in axe.violations(page, rules))


@pytest.mark.parametrize("name", FIRST)
def test_a_narrow_page_never_scrolls_sideways(name: str, show: Callable[..., Page]) -> None:
    page = show(name, 390)
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.run(WIDER) == []
    assert page.foreign == set()


@pytest.mark.parametrize("name", FIRST)
def test_nothing_is_cut_off_on_paper(name: str, show: Callable[..., Page]) -> None:
    page = show(name, PAPER_PX, "dark", "print")
    assert page.run("document.documentElement.scrollWidth") <= PAPER_PX
    assert page.run(TABLES) == 0
    assert page.run("getComputedStyle(document.querySelector('main')).backgroundColor") in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    assert page.run("getComputedStyle(document.querySelector('main')).color") == "rgb(31, 41, 51)", "dark on light, whatever the screen"


@pytest.mark.thorough
def test_wide_tables_scroll_by_the_keyboard(show: Callable[..., Page]) -> None:
    page = show("card", 390)
    table = "[...document.querySelectorAll('.table')].find(one => one.scrollWidth > one.clientWidth)"
    assert page.run(f"(one => {{ one.focus(); return document.activeElement === one && one.getAttribute('aria-label') }})({table})") == (
        "Table: Network information"
    )
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    page.wait_for(f"({table}).scrollLeft > 0")


def test_a_card_leads_to_its_versions_and_to_all_cards(show: Callable[..., Page]) -> None:
    page = show("card", 1300)
    page.click("VERSIONS")
    page.see("2 versions in the order published")
    page = show("card", 1300)
    page.click("ALL CARDS")
    page.see("Models to choose from")


@pytest.mark.thorough
def test_a_family_card_leads_to_the_versions_of_its_variants(show: Callable[..., Page]) -> None:
    page = show("family", 1300)
    page.click(VARIANT)
    page.see("2 versions in the order published")


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 768, 1200, 1300, 1920])
def test_the_gallerys_search_shows_its_whole_hint(width: int, show: Callable[..., Page]) -> None:
    page = show("gallery", width)
    page.wait_for("performance.getEntriesByName('drawn').length")
    room, wanted = page.run(HINT)
    assert wanted <= room
