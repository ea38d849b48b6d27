"""One card over all variants of a family: from their records, with the published figures beside ours and never among them."""

import re
from pathlib import Path

import pytest
from card_records import Story
from chromium import ABSENT, PROGRAM, chromium
from huggingface_hub import ModelCard

from edgeloop.cards.card import card
from edgeloop.cards.family_card import family_card
from edgeloop.cards.markdown import Table
from edgeloop.cards.pareto import Drawing, Point
from edgeloop.cards.published import published
from edgeloop.cards.reference import merged
from edgeloop.cli import main
from edgeloop.config import Params, load_params
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import Accuracy, FamilyCardRecord
from edgeloop.workspace import Workspace

STORIES = (
    Story(variant="flowers-fdmobilenet_0.25-128", mcu_board="h7", generated=True, accuracy=0.86),
    Story(variant="flowers-st_fdmobilenet_v1-128", mcu_board="h7", generated=True, accuracy=0.93),
    Story(variant="food-fdmobilenet_0.25-128", mcu_board="n6", accuracy=0.6),
)


def built(workspace: Workspace) -> Params:
    """A project whose variants have cards; one of another network has none."""
    for story in STORIES:
        story.write(workspace)
    params = load_params(workspace)
    for story in STORIES:  # when the records of their common data set are written
        card(workspace, params, story.variant)
    return params


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, FamilyCardRecord, Path]:
    """The card of the family, made once."""
    folder = tmp_path_factory.mktemp("family project")
    (folder / "params.yaml").write_bytes((Path(__file__).parents[2] / "params.yaml").read_bytes())
    workspace = Workspace(folder)
    out = folder / "cards" / "fdmobilenet"
    return workspace, family_card(workspace, built(workspace), "fdmobilenet", out), out


def text_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_it_lists_every_variant_and_links_its_card(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    _, record, folder = made
    assert sorted(record.variants) == sorted(story.variant for story in STORIES)
    assert record.networks == ["fdmobilenet_0.25", "st_fdmobilenet_v1"]
    links = set(re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", text_of(folder), re.MULTILINE))
    assert len(links) == 3
    assert all((folder / link).is_file() for link in links)
    assert FamilyCardRecord.read(folder / "family.json") == record
    assert all(sha256_file(folder / name) == digest for name, digest in record.files.items())


def test_published_figures_stand_beside_ours_with_their_file(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    text = text_of(made[2])
    ours = text.partition("Food-101 dataset")[0]
    (row,) = re.findall(r"^\| FdMobileNet 0.25 \| Int8 per-channel \| 128x128x3 \| .* n not stated .*$", ours, re.MULTILINE)
    assert row.endswith("| 84.2, n not stated | the card links none |")
    npu = text.partition("### Reference **NPU** inference time on Food-101 dataset")[2].partition("\n### ")[0]
    ours, theirs = npu.split("**Published** by ST, not measured here:")
    assert "| STM32N6570-DK | CPU | 4.321 |" in ours and "4.321" not in theirs
    assert "| STM32N6570-DK | NPU/MCU | 0.93 | 1075.27 | 10.0.0 | 2.0.0 | [`fdmobilenet_0.25_128_tfs_int8.tflite`](https://" in theirs
    assert "0.93 |" not in ours and "ST FdMobileNet v1" not in theirs, "only networks that are here"


def test_the_shipped_figures_are_the_whole_card() -> None:
    """8 rows of the NPU, 10 of microcontrollers, 12 of processors, 24 accuracies; every row has a cell for each column."""
    tables = published().tables
    counts = {kind: sum(len(one.rows) for one in tables if one.kind.startswith(kind)) for kind in ("npu", "mcu", "mpu", "accuracy")}
    assert counts == {"npu": 8, "mcu": 10, "mpu": 12, "accuracy": 24}
    assert all(len(row.cells) == len(one.columns) for one in published().tables for row in one.rows)


def test_the_footnote_of_a_published_table_stands_below_its_marked_rows(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    mpu = text_of(made[2]).partition("### Reference **MPU** inference time")[2].partition("\n### ")[0]
    assert mpu.count(r"per-channel\*\* | STM32MP257F-DK2 |") == 4 and "per-channel | STM32MP157F-DK2" in mpu
    assert r"\*\* To get the most out of MP25 NPU hardware acceleration, please use per-tensor quantization" in mpu
    assert text_of(made[2]).count("per-tensor quantization") == 1


def test_what_is_not_there_is_not_spoken_of(workspace: Workspace) -> None:
    """One variant of a data set that ST's card does not have: no published figure, no commit, and references that count on."""
    story = Story(git_dirty=True)
    card(workspace, story.write(workspace), story.variant)
    family_card(workspace, load_params(workspace), "fdmobilenet", workspace.root / "out")
    page = text_of(workspace.root / "out")
    assert "Published" not in page and "1 variant of this family" in page
    assert "so the commit on its card does not" in page and "named below" not in page
    assert re.findall(r"^(\d)\. ", page.partition("# References")[2], re.MULTILINE) == ["1", "2"]


def test_references_are_numbered_in_order(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    assert re.findall(r"^(\d)\. ", text_of(made[2]).partition("# References")[2], re.MULTILINE) == ["1", "2", "3", "4"]


@pytest.mark.shared
def test_they_are_those_of_the_published_card(shared: object) -> None:
    assert callable(shared)
    page = shared("facts/published-fdmobilenet-card.md").read_text(encoding="utf-8").replace(" ms |", " |")
    rows = [[cell.strip() for cell in line.strip("| ").split("|")][1:] for line in page.splitlines() if line.startswith("|")]
    assert [row.cells for one in published().tables for row in one.rows if row.cells not in rows] == []


def test_hugging_face_reads_every_result(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    results = ModelCard.load(made[2] / "README.md").data.eval_results or []
    assert len(results) == 3 * len(STORIES)
    assert {(one.dataset_type, one.metric_args["n"]) for one in results} == {("flowers", 120), ("food", 120)}


def test_the_page_needs_nothing_else(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    page = (made[2] / "index.html").read_text(encoding="utf-8")
    assert all(address.startswith("data:image/svg") for address in re.findall(r'src="([^"]+)"', page))
    assert "<script" not in page


@pytest.mark.skipif(PROGRAM is None, reason=ABSENT)
def test_plots_scroll_in_their_own_box_on_a_narrow_screen(made: tuple[Workspace, FamilyCardRecord, Path], tmp_path: Path) -> None:
    """So that their text is no smaller than 8 pixels: 9 points of a drawing that is 9.6 inches wide."""
    with chromium(tmp_path / "profile") as page:
        page.call("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=False)
        page.open((made[2] / "index.html").as_uri())
        page.see("License")
        widths = page.run("[...document.querySelectorAll('.plot')].map(one => [one.querySelector('img').clientWidth, one.clientWidth])")
        assert len(widths) == len(list((made[2] / "plots").iterdir()))
        assert all(shown > 640 and box < 390 for shown, box in widths)
        assert page.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.thorough
def test_equal_records_give_equal_bytes(made: tuple[Workspace, FamilyCardRecord, Path]) -> None:
    workspace, record, _ = made
    again = family_card(workspace, load_params(workspace), "fdmobilenet", workspace.root / "cards" / "again")
    assert again.files == record.files


@pytest.mark.thorough
def test_the_command_makes_the_card_of_one_network(
    made: tuple[Workspace, FamilyCardRecord, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made[0].root)
    assert main(["family", "st_fdmobilenet_v1"]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == made[0].root / "cards" / "st_fdmobilenet_v1" / "index.html"
    assert "ST FdMobileNet v1" in page.read_text(encoding="utf-8") and "food-" not in page.read_text(encoding="utf-8")
    assert main(["family", "st_fdmobilenet"]) == 0
    assert "FdMobileNet 0.25" not in Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8").partition("Published")[0]
    assert main(["family", "mobilenet_v2"]) == 1
    assert "No variant of mobilenet_v2 has a card" in capsys.readouterr().err
    assert main(["family", "fdmobilnet"]) == 1
    assert "fdmobilenet" in capsys.readouterr().err


@pytest.mark.thorough
def test_variants_of_different_data_are_refused(workspace: Workspace) -> None:
    params = built(workspace)
    paths = params.variant(STORIES[0].variant).paths(workspace)
    evaluated = paths.evaluate_record.read_text(encoding="utf-8")
    paths.evaluate_record.write_text(re.sub(r'"data_revision": "\w+"', f'"data_revision": "{"00" * 32}"', evaluated), encoding="utf-8")
    with pytest.raises(InputError, match=r"evaluate\.json speaks of data"):
        family_card(workspace, params, "fdmobilenet", workspace.root / "out")
    assert not (workspace.root / "out").exists()


@pytest.mark.parametrize("file", ["evaluate.json", "prepare.json"])
def test_a_record_that_the_card_was_not_made_with_is_refused(file: str, workspace: Workspace) -> None:
    """As publishing does, and before anything is overwritten."""
    story, out = Story(), workspace.root / "out"
    params = story.write(workspace)
    card(workspace, params, story.variant)
    family_card(workspace, params, "fdmobilenet", out)
    before = text_of(out)
    chosen = params.variant(story.variant)
    paths = {"evaluate.json": chosen.paths(workspace).evaluate_record, "prepare.json": workspace.dataset(chosen.dataset).prepare_record}
    with paths[file].open("a", encoding="utf-8") as record:
        record.write("\n")
    with pytest.raises(InputError, match="is not the file that the card of") as refused:
        family_card(workspace, params, "fdmobilenet", out)
    assert str(paths[file]) in refused.value.what and refused.value.remedy == f"Build the card again: dvc repro card@{story.variant}"
    assert text_of(out) == before


def point(variant: str, hits: int, cost: float, dataset: str = "flowers") -> Point:
    return Point(variant, "", variant, dataset, "int8 per-channel", Accuracy.of(hits, 100), cost, f"{cost:g}")


def test_the_front_is_what_no_other_of_its_data_set_beats() -> None:
    points = [point("a", 80, 1), point("b", 90, 2), point("c", 85, 3), point("d", 90, 2), point("e", 70, 9, "food")]
    assert Drawing("", "KiB", "", points, []).front == {"a", "b", "d", "e"}


def test_tables_are_merged_by_their_columns_only() -> None:
    one, other, more = Table(["a"], [["1"]]), Table(["b"], [["2"]]), Table(["a"], [["3"]])
    assert merged([one, other, more]) == [Table(("a",), [["1"], ["3"]]), Table(("b",), [["2"]])]
