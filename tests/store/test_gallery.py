"""The gallery in headless Chromium, by clicking and by keyboard: from a folder without a server, and over HTTP from the local store."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chromium import ABSENT, PROGRAM, Page, chromium
from ledger_entries import enter

from edgeloop.services import Running
from edgeloop.store.index import update_index
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import S3Target, connect
from edgeloop.store.summary import Code, OnBoard, Summary, Top1
from edgeloop.store.target import FolderTarget, Target
from edgeloop.store.versions import make_current
from edgeloop.store.versions import show as tell
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.skipif(PROGRAM is None, reason=ABSENT)]

WIDTHS = (390, 768, 1200, 1920)
H7, VIRTUAL = "STM32H747I-DISCO, 400 MHz", "STM32H747XI, Cortex-M7"
IDS = "[...document.querySelectorAll('#models tbody input')].map(box => box.value)"
WIDER = """[...document.querySelectorAll('#models *, #filters *, #plot svg, main')]
  .filter(one => one.closest('thead')?.offsetWidth !== 1 && one.getBoundingClientRect().right > innerWidth + 0.5).length"""


def summary(dataset: str, network: str, top1: float, ram_kib: int | None, **board: Any) -> Summary:
    boards = []
    if "ms" in board:
        boards.append(OnBoard(board="h747", device=H7, how="measured", format="int8 per-channel", ms=board["ms"], mad_ms=0.011))
    if "instructions" in board:
        counted = board["instructions"]
        boards.append(OnBoard(board="vh7", device=VIRTUAL, how="emulated", format="int8 per-channel", instructions=counted))
    return Summary(
        variant=f"{dataset}-{network}-96",
        dataset=dataset,
        archive="upstream",
        network=network,
        resolution=96,
        split="test",
        accuracy=[Top1(format="int8 per-channel", top1=top1, n=734, ci95=(top1 - 0.02, top1 + 0.02))],
        weight_bytes={"int8 per-channel": 131_400},
        macs=3_848_448,
        commit="0123456789",
        evaluated="2026-11-20T10:20:30+00:00",
        code=None if ram_kib is None else Code(target="stm32h7", backend="portable", ram_bytes=1024 * ram_kib, flash_bytes=150_000),
        boards=boards,
    )


QUARTER, HALF, WHOLE, PLANT = (
    summary("flowers", "fdmobilenet_0.25", 0.80, 50, ms=4.5, instructions=6_354_644),
    summary("flowers", "fdmobilenet_0.5", 0.90, 100, ms=9.0),
    summary("flowers", "fdmobilenet_1.0", 0.85, 200, instructions=50_000_000),
    summary("plant", "fdmobilenet_0.25</script><b>", 0.70, None),
)
"""The third has less accuracy than the second and more RAM; the last has neither RAM nor board, and a name that is no markup."""


def fill(target: Target) -> None:
    """Publish what the pages tell, with cards that say no more than their name."""
    versions = [QUARTER.model_copy(update={"macs": 1}), QUARTER, HALF, WHOLE, PLANT]
    for number, one in enumerate(versions):
        page = f"{one.variant}/{number:016x}/index.html".replace("</script><b>", "")
        plain = one.model_copy(update={"variant": one.variant.replace("</script><b>", "")})
        target.put(page, f"<title>card</title><h1>Card {number} of {plain.variant}</h1>".encode())
        make_current(target, plain, f"{number:016x}", page)
    for version, action in ((0, "promote"), (1, "promote"), (0, "rollback")):
        enter(target, QUARTER.variant, f"{version:016x}", action)
    enter(target, HALF.variant, f"{2:016x}")
    for one in (QUARTER, HALF):
        tell(target, one.variant)
    target.put("families/fdmobilenet/index.html", b"<title>card</title><h1>Card of a family</h1>")
    target.put("families/fdmobilenet/family.json", b"{}")
    target.put("families/half/index.html", b"not completely published")
    update_index(target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a gallery in a folder."""
    made = tmp_path_factory.mktemp("published cards")
    fill(FolderTarget(made))
    return (made / "index.html").as_uri()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def gallery(page: Page, folder: str) -> Callable[..., Page]:
    """Opens the gallery as it is at first, at a width in pixels."""

    def opened(width: int = 1200, scheme: str = "light", choice: str = "") -> Page:
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        show(page, folder + choice)
        return page

    return opened


def show(page: Page, address: str) -> None:
    page.open("about:blank")
    page.open(address)
    page.wait_for("performance.getEntriesByName('drawn').length")


def fill_in(page: Page, name: str, value: str) -> list[str]:
    """Set a filter as its user does; returns the variants that are left."""
    script = "(e => { e.value = %s; e.dispatchEvent(new Event('input', {bubbles: true})); })(document.forms.filters.elements[%s])"
    page.run(script % (json.dumps(value), json.dumps(name)))
    return ids(page)


def ids(page: Page) -> list[str]:
    shown: list[str] = page.run(IDS)
    return [one.removesuffix("-96").replace("fdmobilenet_", "") for one in shown]


def press(page: Page, key: str) -> None:
    text = {"text": "\r"} if key == "Enter" else {}
    code = {"Enter": 13, "ArrowRight": 39, "Escape": 27, "Home": 36}[key]
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **(text if kind == "keyDown" else {}))


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_and_the_page_never_scrolls_sideways(gallery: Callable[..., Page], width: int, scheme: str) -> None:
    page = gallery(width, scheme)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run(WIDER) == 0
    shown = page.text()
    assert all(one in shown for one in ("80.00 %", "50.00 KiB", "4.500 ms", "6.35 M", "not measured", "n = 734"))
    assert (page.complaints, page.foreign) == ([], set())
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(18, 23, 28)") == (scheme == "dark")


def test_the_table_sorts_with_what_was_not_measured_last(gallery: Callable[..., Page]) -> None:
    page = gallery()
    for head, order in (
        ("Top 1, int8", ["flowers-0.5", "flowers-1.0", "flowers-0.25", "plant-0.25"]),
        ("RAM", ["flowers-0.25", "flowers-0.5", "flowers-1.0", "plant-0.25"]),
        ("RAM ▴", ["flowers-1.0", "flowers-0.5", "flowers-0.25", "plant-0.25"]),
    ):
        page.click(head)
        assert ids(page) == order
    assert page.run("document.querySelector('th [value=ram]').closest('th').ariaSort") == "descending"


def test_filters_leave_what_passes_and_count_what_was_not_measured(gallery: Callable[..., Page]) -> None:
    page = gallery()
    assert fill_in(page, "ram", "120") == ["flowers-0.25", "flowers-0.5"]
    page.see("2 of 4 models; 1 left out")
    assert fill_in(page, "top1", "85") == ["flowers-0.5"]
    page.click("Clear")
    page.wait_for(f"{IDS}.length === 4")
    assert fill_in(page, "latency", "5") == ["flowers-0.25"]
    assert fill_in(page, "latency", "") != []
    assert fill_in(page, "dataset", "plant") == ["plant-0.25"]
    assert fill_in(page, "dataset", "") != []
    assert fill_in(page, "q", "flowers 1.0") == ["flowers-1.0"]


def test_rows_tell_the_champion_and_can_be_chosen_by_it(gallery: Callable[..., Page]) -> None:
    page = gallery()
    page.see("latest: 00000000, given up", "champion since 20")
    assert fill_in(page, "champion", "has") == ["flowers-0.25", "flowers-0.5"]
    assert fill_in(page, "champion", "none") == ["flowers-1.0", "plant-0.25"]
    assert fill_in(page, "champion", "later") == ["flowers-0.25"]
    assert "0.00 M" in page.text(), "the MACC are the champion's, not those of the version that was given up"
    page.run(f"document.querySelector('a[aria-label^=\"Latest version of {QUARTER.variant}\"]').click()")
    page.see(f"Card 1 of {QUARTER.variant}")


def test_a_family_has_its_link_once_it_is_whole(gallery: Callable[..., Page]) -> None:
    page = gallery(390)
    assert page.run("[...document.querySelectorAll('.families a')].map(one => one.textContent)") == ["FdMobileNet"]
    page.run("document.querySelector('.families a').click()")
    page.see("Card of a family")


def test_an_emulated_board_has_instructions_and_no_latency(gallery: Callable[..., Page]) -> None:
    page = gallery()
    place = page.run("DATA.boards.findIndex(board => board.how === 'emulated')")
    assert fill_in(page, "board", str(place)) == ["flowers-0.25", "flowers-1.0"]
    page.see("Instructions at most (M)", f"emulated instructions (M): {VIRTUAL} (vh7)")
    assert "4.500 ms" not in page.text()
    assert fill_in(page, "latency", "10") == ["flowers-0.25"]


def test_the_pareto_front_is_of_one_data_set_and_is_marked_in_both(gallery: Callable[..., Page]) -> None:
    page = gallery()
    on_front = "[...document.querySelectorAll('#plot a.on-front')].map(one => one.dataset.id)"
    assert page.run(on_front) == [QUARTER.variant, HALF.variant]
    marked = "[...document.querySelectorAll('#models .badge')].filter(one => one.textContent === 'Pareto front').length"
    assert page.run(marked) == 2
    page.see("Not drawn, for want of a figure: 1.")


@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_a_point_opens_its_card(gallery: Callable[..., Page], how: str) -> None:
    page = gallery()
    if how == "click":
        middle = "(box => [box.x + box.width / 2, box.y + box.height / 2])"
        box = page.run(f"{middle}(document.querySelector('[data-id=\"{HALF.variant}\"]').getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            page.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
    else:
        page.run("document.querySelector('#plot a[tabindex=\"0\"]').focus()")
        press(page, "ArrowRight")
        page.see("90.00 % (88.00 - 92.00, n = 734), RAM (KiB) 100.00, Pareto front")
        press(page, "Enter")
    page.see(f"Card 2 of {HALF.variant}")


def test_two_are_shown_side_by_side(gallery: Callable[..., Page]) -> None:
    page = gallery(390)
    for one in (QUARTER, HALF):
        page.run(f"document.querySelector('#models input[value=\"{one.variant}\"]').click()")
    page.click("Side by side")
    shown = page.see("+10.00 points", "+100.0 %", "not emulated")
    assert "cannot be compared:" not in shown
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.run("(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))")
    press(page, "Escape")
    page.wait_for("!document.querySelector('dialog').open")
    chosen = gallery(1200, choice=f"#compare={QUARTER.variant}+{PLANT.variant.replace('</script><b>', '')}")
    chosen.click("Side by side")
    chosen.see("their accuracies cannot be compared.")


@pytest.mark.parametrize("width", [390, 1200])
def test_a_variants_versions_lead_to_their_cards(gallery: Callable[..., Page], width: int) -> None:
    page = gallery(width)
    page.click("2 versions")
    page.see("2 versions in the order published", "current given up", "80.00 %", "measured")
    page.see("version 1, by a roll-back: a test.")
    assert page.run("[...document.querySelectorAll('.badge')].map(one => one.textContent)") == ["current", "given up", "champion"]
    assert page.run("document.documentElement.scrollWidth") <= width
    page.run("document.querySelector('table tbody tr:last-child a').click()")
    page.see(f"Card 0 of {QUARTER.variant}")


def test_a_bucket_serves_the_same(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = Workspace(tmp_path_factory.mktemp("store"))
    store = local_store(workspace)
    try:
        running: Running = store.up()
        target = S3Target(
            connect(running.address, owner_credentials(workspace), "when_supported"), "gallery", "cards", running.address, browsable=True
        )
        target.prepare(create=True)
        fill(target)
        show(page, target.address("index.html"))
        assert len(ids(page)) == 4
        page.click("2 versions")
        page.see("in the order published")
        page.click("All cards".upper())
        page.wait_for(f"{IDS}.length === 4")
        assert page.foreign == set()
    finally:
        store.down()
