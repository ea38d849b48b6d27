"""A card states what the records state, shows only pictures that may be shown, and comes out the same every time."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from card_records import Story, card_folder
from huggingface_hub import ModelCard, ModelCardData, parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results
from matrix import first_is_short
from ruamel.yaml import YAML

from edgeloop.cards.card import card
from edgeloop.cards.gallery import CELL_PX, GAP_PX
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import CardRecord, CodegenBackend, CodegenRecord, EvaluateRecord, Outside, RuleResult, StartingWeights
from edgeloop.workspace import Workspace

ST_WEIGHTS = StartingWeights(kind="keras2_h5", origin="https://example.org/food.h5", sha256="6e" * 32, license="SLA0044", layers_loaded=54)
Made = tuple[CardRecord, Path]


@pytest.fixture
def make(workspace: Workspace) -> Callable[[Story], Made]:
    """Write a story's records and make its card: the record and the card's folder."""

    def made(story: Story) -> Made:
        params = story.write(workspace)
        return card(workspace, params, story.variant), card_folder(workspace, params, story.variant)

    return made


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The card of the sample variant, made once."""
    folder = tmp_path_factory.mktemp("sample project")
    (folder / "params.yaml").write_bytes((Path(__file__).parents[2] / "params.yaml").read_bytes())
    workspace, story = Workspace(folder), Story()
    params = story.write(workspace)
    return card(workspace, params, story.variant), card_folder(workspace, params, story.variant)


def readme(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


class Addresses(HTMLParser):
    """Collects what a page would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "srcset") or (tag == "link" and name == "href")]


def test_hugging_face_reads_the_accuracy_of_every_format(sample: Made) -> None:
    data = ModelCard.load(sample[1] / "README.md").data
    assert data.pipeline_tag == "image-classification"
    assert data.license == "apache-2.0"
    results = {result.metric_name: result for result in data.eval_results or []}
    assert list(results) == ["Top 1 accuracy, Float", "Top 1 accuracy, Int8 per-channel", "Top 1 accuracy, Int8 per-tensor"]
    evaluated = EvaluateRecord.read(sample[1].parent / "evaluate.json")
    assert [result.metric_value for result in results.values()] == [round(one.top1.value, 6) for one in evaluated.formats]
    assert all(result.dataset_split == "test" and result.metric_args["n"] == 120 for result in results.values())


def test_every_result_goes_to_hugging_face_and_back(sample: Made) -> None:
    saved = ModelCard.load(sample[1] / "README.md").data
    again = ModelCardData(**{**saved.to_dict(), "eval_results": model_index_to_eval_results(saved.to_dict()["model-index"])[1]})
    assert again.eval_results == saved.eval_results
    evaluated = EvaluateRecord.read(sample[1].parent / "evaluate.json")
    assert [(one.metric_value, one.metric_args["n"], tuple(one.metric_args["ci95"])) for one in saved.eval_results or []] == [
        (round(one.top1.value, 6), one.top1.n, tuple(round(bound, 6) for bound in one.top1.ci95)) for one in evaluated.formats
    ]


def test_the_hubs_own_reader_takes_the_results_file(sample: Made) -> None:
    entries = parse_eval_result_entries(YAML(typ="safe").load(sample[1] / ".eval_results" / "sample.yaml"))
    evaluated = EvaluateRecord.read(sample[1].parent / "evaluate.json")
    assert [entry.value for entry in entries] == [round(one.top1.value, 6) for one in evaluated.formats]
    assert {(entry.dataset_id, entry.task_id, entry.date) for entry in entries} == {("sample", "test_top1", evaluated.provenance.time_utc)}
    assert all(
        f"{one.format}, n = {one.top1.n}, 95 % interval" in (entry.notes or "")
        for entry, one in zip(entries, evaluated.formats, strict=True)
    )


PUBLISHED_ORDER = [
    "## **Use case** : `Image classification`",
    "# Model description",
    "## Network information",
    "## Network inputs / outputs",
    "## Recommended platform",
    "# Performances",
    "## Metrics",
    "### Reference **MCU** memory footprints",
    "### Reference **MCU** inference time",
    "### Reference **MPU** inference time",
    "### Accuracy with Drawn flowers dataset",
    "## Retraining and Integration in a simple example",
    "# References",
]


def test_the_sections_of_the_published_cards_are_there_in_their_order(make: Callable[[Story], Made]) -> None:
    _, folder = make(Story(mcu_board="h7", linux_board="stm32mp"))
    headings = [line for line in readme(folder).splitlines() if line.startswith("#")]
    found = [next((place for place, line in enumerate(headings) if line.startswith(wanted)), None) for wanted in PUBLISHED_ORDER]
    assert None not in found
    assert found == sorted(found, key=lambda place: place or 0)


@pytest.mark.thorough
def test_a_platform_is_supported_where_a_record_speaks_of_it(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(generated=True, mcu_board="n6"))[1])
    platforms = text.partition("## Recommended platform")[2].partition("\n#")[0]
    rows = dict(re.findall(r"^\| (STM32\w+) \| \[x?\] \| (.*) \|$", platforms, re.MULTILINE))
    assert (rows["STM32H7"], rows["STM32N6"], rows["STM32MP2"]) == ("emulated", "measured", "no record")


def test_the_confidence_is_shown_by_bins_and_their_sum_is_the_calibration_error(sample: Made) -> None:
    best = EvaluateRecord.read(sample[1].parent / "evaluate.json").formats[1]
    section = readme(sample[1]).partition("## Confidence")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [\d.]+ - [\d.]+ \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", section, re.MULTILINE)
    assert sum(int(n) for n, _, _ in rows) == best.top1.n
    gap = sum(int(n) * abs(float(confidence) - float(accuracy)) for n, confidence, accuracy in rows) / best.top1.n
    assert gap == pytest.approx(100 * best.calibration_error, abs=0.01)
    assert f"**{100 * best.calibration_error:.2f} %** (n = {best.top1.n}, 15 bins)" in section


def test_the_hardest_mistakes_are_those_of_the_highest_confidence(sample: Made) -> None:
    answers = pd.read_parquet(sample[1].parent / "predictions.parquet")
    wrong = answers[answers["label"] != answers["per_channel_class"]].sort_values("per_channel_score", ascending=False)[:10]
    section = readme(sample[1]).partition("## Hardest mistakes")[2].partition("\n## ")[0]
    assert re.findall(r"\| ([\d.]+) \| `(.+)` \|$", section, re.MULTILINE) == [
        (f"{100 * score:.2f}", path) for score, path in zip(wrong["per_channel_score"], wrong["path"], strict=True)
    ]


def test_the_accuracy_table_has_the_published_columns_and_the_uncertainty(sample: Made) -> None:
    top1 = EvaluateRecord.read(sample[1].parent / "evaluate.json").formats[1].top1
    shares = [f"{100 * share:.2f}" for share in (top1.value, *top1.ci95)]
    row = f"| FdMobileNet 0.25 | Int8 per-channel | 96x96x3 | {shares[0]} | {shares[1]} - {shares[2]} | 120 |"
    assert "| Model | Format | Resolution | Top 1 Accuracy (%) | 95 % interval | n |" in readme(sample[1])
    assert row in readme(sample[1])


def test_it_says_how_int8_was_made_and_which_layers_lose_most(sample: Made) -> None:
    said = "bias correction, agrees with float on 98.00% (plain: 82.00%) of 50 images of val"
    assert said in readme(sample[1]).replace("\\", "")
    assert "| conv\\_pw\\_3 | `CONV_2D` | 17.2 |\n| conv1 | `CONV_2D` | 40.0 |" in readme(sample[1])


def test_host_latency_stands_apart_and_targets_are_not_measured(sample: Made) -> None:
    text = readme(sample[1])
    targets, host = text.split("## Inference time on the host (not a target)")
    assert "0.612" in host
    assert "0.612" not in targets
    assert "Measured on a machine that is no target: Some CPU @ 2.50GHz" in host
    assert "| NPU | STM32N6 | not measured | not measured |" in targets


TARGETS = "## Metrics"
WHOLE = ""
PUBLISHED = "Activation RAM | Runtime RAM | Weights Flash | Code Flash | Total RAM | Total Flash"
ON_FLOWERS = "on Drawn flowers dataset (see Accuracy for details on dataset)"
FLOWERS = "flowers-fdmobilenet_0.25-128"
BROKEN = RuleResult(
    name="sharp", description="few are blurred", severity="warning", holds=False, observed=0.25, expected="at most 0.1", failed_rows=7
)
OUTSIDE = Outside(pictures=12, places={"set/more": 12}, left_out=30, hidden=1, empty_class_folders=[])
NO_MCU = "| MCU | STM32H7, STM32F7 and other Cortex-M | not measured"
NO_MPU = "| MPU | STM32MP1, STM32MP2 | not measured"
NO_NPU = "| NPU | STM32N6 | not measured"
# What a story's card says, in which section, and what it does not say there.
SAID: dict[str, tuple[Story, str, list[str], list[str]]] = {
    "a microcontroller stands among the targets with its memory": (
        Story(mcu_board="h7"),
        TARGETS,
        [
            f"### Reference **MCU** memory footprints {ON_FLOWERS}",
            f"### Reference **MCU** inference time {ON_FLOWERS}",
            "* **desk (STM32H747I-DISCO)**: ",
            "Measured on hardware: STM32H747I-DISCO, 400 MHz, LiteRT 2.1.0",
            "Device id 0x450; serial validation protocol 3.1. Code by stedgeai 4.0.1; firmware compiled May",
            "| Board | Execution Engine | Frequency | Inference time (ms) | STM32Cube.AI version | STEdgeAI Core version |",
            "| STM32H747I-DISCO | CPU | 400 MHz | 4.321 | 12.0.1-RC2 | 4.0.1 | 0.011 | 4.271 - 4.721 | 350 | yes |",
            "| 60 of 64, by 0.0117 at most |",
            "2 protocol errors, 1 run repeated",
            f"| Series | {PUBLISHED} | STM32Cube.AI version | STEdgeAI Core version |",
            "| STM32H7 | 50.00 KiB | 2.00 KiB | 128.00 KiB | 40.00 KiB | 52.00 KiB | 168.00 KiB | 12.0.1-RC2 | 4.0.1 |",
            "takes 256.00 KiB of flash and 64.00 KiB of RAM. The most that an inference took of the stack: 1,024 bytes.",
            "Measured by the board (a counter), layer by layer: medians of 5 runs of their own, which observing makes longer",
            "](plots/layers-desk.svg)",
            "| conv\\_1 | 1.250 | 919,616 |",
            NO_NPU,
        ],
        [NO_MCU],
    ),
    "a Linux board of ST stands among the targets": (
        Story(linux_board="stm32mp"),
        TARGETS,
        [
            "Measured on hardware: A board (2 x Cortex-A35, aarch64), stai\\_mpu 6.1.1, clock: perf\\_counter.",
            "Linux 6.6, v6.1.1; CPU clock:",
            "governor ondemand, 400 MHz to 1500 MHz",
            "| Resolution | Quantization | Board | Execution Engine | Frequency | Inference time (ms) |",
            "| Inference time (ms) | %NPU | %GPU | %CPU | X-LINUX-AI version | Framework |",
            "| Int8 | 96x96x3 | per-tensor | A board (2 x Cortex-A35, aarch64) | OpenVX on the NPU | 1500 MHz | 3.217 |",
            "| 3.217 | 92.98 | 7.02 | 0 | v6.1.1 |",
            "| 60 of 64, by 0.0117 at most | 63 of 64 | 93.8% of 64 (85.0% - 98.0%) |",
            NO_MCU,
        ],
        [NO_MPU],
    ),
    "an NPU is told from a microcontroller by its profile": (
        Story(mcu_board="n6", drift=0.03),
        TARGETS,
        [
            "Code by stedgeai 4.0.1, Neural-ART profile default",
            "| **no**: they drift by +3.0% from the first to the last |",
            "| Series | Internal RAM (KiB) | External RAM (KiB) | Weights Flash (KiB) | STM32Cube.AI version | STEdgeAI Core version |",
            "| STM32N6 | 96.00 | 0.00 | 128.00 | 12.0.1-RC2 | 4.0.1 |",
            "| Board | Execution Engine | Inference time (ms) | Inf / sec | STM32Cube.AI version | STEdgeAI Core version | Frequency |",
            "| STM32N6570-DK | CPU | 4.321 | 231.43 | 12.0.1-RC2 | 4.0.1 | 800 MHz |",
            "No times of layers: it does not",
            NO_MCU,
        ],
        [NO_NPU],
    ),
    "a board that computes something else stands out": (Story(linux_board="stm32mp", same_class=12), WHOLE, ["**only 12 of 64**"], []),
    "outputs that differ stand out": (Story(generated=True, equal_outputs=15), WHOLE, ["**15 of 16**, by 0.125 at most"], []),
    "another archive makes figures incomparable": (
        Story(variant=FLOWERS, origin="flowers.tgz", note="not the upstream archive"),
        WHOLE,
        [
            "**Not the upstream archive**. The accuracy",
            "cannot be compared with figures published",
            "Dataset details: `flowers.tgz`, License cc-by-2.0",
            "Archive: `flowers.tgz`, not the upstream archive, 12,345,678 bytes",
        ],
        ["flower_photos.tgz"],
    ),
    "a folder that was given is said by its name, once": (
        Story(variant=FLOWERS, origin="/home/me/pictures", note="packed from a folder, not the upstream archive"),
        WHOLE,
        [
            "**Not the upstream archive** (packed from a folder). The accuracy",
            "Dataset details: `pictures`, packed from a folder, License cc-by-2.0",
            "Archive: `pictures`, packed from a folder, not the upstream archive, 12,345,678 bytes",
        ],
        ["flower_photos.tgz", "/home/me"],
    ),
    "the upstream archive needs no caveat": (
        Story(variant=FLOWERS, origin="x", upstream=True, note="the upstream archive"),
        WHOLE,
        [],
        ["\n> "],
    ),
    "pictures that may be shown are credited": (
        Story(variant=FLOWERS),
        WHOLE,
        ["plots/samples.svg", "Pictures by their own authors, cc-by-2.0; see `LICENSE.txt` in the archive"],
        [],
    ),
    "pictures that may not be shown are left out": (
        Story(variant="food-fdmobilenet_0.25-128"),
        WHOLE,
        ["does not allow to publish them again"],
        ["plots/samples.svg"],
    ),
    "broken rules and quarantine are told": (
        Story(quarantined={"does not decode": 3}, broken_rules=[BROKEN]),
        WHOLE,
        ["| `sharp` | few are blurred | 0.25 | at most 0.1 | 7 | warning |", "| does not decode | 3 |"],
        [],
    ),
    "pictures outside the class folders are told": (
        Story(outside=OUTSIDE),
        WHOLE,
        ["12 more outside the class folders, 30 more not below the declared folder"],
        [],
    ),
    "without a benchmark there is no host section": (Story(benchmark=False), WHOLE, [], ["Inference time on the host"]),
}


@pytest.mark.parametrize("what", first_is_short(SAID))
def test_a_card_says(what: str, make: Callable[[Story], Made]) -> None:
    story, title, said, unsaid = SAID[what]
    record, folder = make(story)
    section = readme(folder).partition(title)[2].partition("\n## ")[0] if title else readme(folder)
    assert [words for words in said if words not in section] == []
    assert [words for words in unsaid if words in section] == []
    assert ("plots/samples.svg" in record.files) == (folder / "plots" / "samples.svg").exists() == ("plots/samples.svg" in readme(folder))


@pytest.mark.thorough
def test_emulated_counts_stand_apart_and_no_target_is_measured_by_them(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(generated=True))[1])
    emulated = text.partition("## Emulated: executed instructions on virtual-h7")[2].partition("\n## ")[0]
    assert "Nothing here was measured on hardware." in emulated
    assert "6,354,644" in emulated
    assert "1.651" in emulated
    assert "16 of 16" in emulated
    assert "15.9 ms at 400 MHz, assumed 1 instruction per cycle" in emulated
    assert text.count(" ms") == text.count("ms at 400 MHz, assumed 1 instruction per cycle") == 1
    targets = text.partition(TARGETS)[2].partition("\n## ")[0]
    assert "| MCU | STM32H7, STM32F7 and other Cortex-M | not measured | not measured |" in targets
    assert "6,354,644" not in targets
    assert "| quantize\\_0 | in the next | 0 |" in emulated
    assert "| \\<b\\>\\|layer | 7 | - |" in emulated


@pytest.mark.thorough
def test_another_linux_machine_is_no_target(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(linux_board="linux"))[1])
    targets = text.partition(TARGETS)[2].partition("\n## ")[0]
    assert "3.217" not in targets
    assert "| MPU | STM32MP1, STM32MP2 | not measured | not measured |" in targets
    machine = text.partition("## Inference time on mp2 (not a target)")[2].partition("\n## ")[0]
    assert "| 3.217 |" in machine
    assert "| not measured | not measured | not measured |" in machine
    assert "must not be compared with figures of one" in machine


def test_the_memory_of_generated_code_has_the_published_columns_and_its_picture(make: Callable[[Story], Made]) -> None:
    record, folder = make(Story(generated=True))
    text = readme(folder)
    memory = text.partition("### Reference **MCU** memory footprints")[2].partition("\n### ")[0]
    assert f"| {PUBLISHED} |" in memory
    assert "| 49.37 KiB | 0.00 KiB | 128.32 KiB | 21.35 KiB | 49.37 KiB | 149.67 KiB | portable 0.1.0 |" in memory
    assert "| conv\\_1 | `CONV_2D` | 8x8x4 | 919,616 | 0.50 |" in text.partition("## Layers of the generated code")[2]
    assert "No board was involved." in memory
    assert "plots/plan.svg" in memory
    assert (folder / "plots" / "plan.svg").is_file()
    assert "data:image/svg+xml;base64," in (folder / "index.html").read_text()
    assert "generate.json" in record.records


def test_the_page_is_complete_in_itself(sample: Made) -> None:
    page = Addresses((sample[1] / "index.html").read_text(encoding="utf-8"))
    assert len(page.loaded) == 4
    assert all(address.startswith("data:image/") for address in page.loaded)
    assert "script" not in page.tags


def test_the_record_names_every_file_and_record(sample: Made) -> None:
    record, folder = sample
    plots = ["plots/calibration.svg", "plots/confusion.svg", "plots/history.svg", "plots/samples.svg"]
    assert sorted(record.files) == [".eval_results/sample.yaml", "README.md", "croissant.json", "index.html", *plots]
    assert all(sha256_file(folder / name) == digest for name, digest in record.files.items())
    assert set(record.records) == {
        "prepare.json",
        "validate.json",
        "train.json",
        "quantize.json",
        "evaluate.json",
        "benchmarks/host.json",
    }
    assert CardRecord.read(folder.parent / "card.json") == record


def test_a_card_that_comes_out_as_it_was_keeps_its_record(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each making would be another version of the same."""
    story = Story()
    params = story.write(workspace)
    path = params.variant(story.variant).paths(workspace).card_record
    card(workspace, params, story.variant)
    before = path.read_bytes()
    monkeypatch.setattr("sys.argv", ["edgeloop", "card", "given in other words"])
    assert card(workspace, params, story.variant) == CardRecord.read(path)
    assert path.read_bytes() == before
    path.write_text("{", encoding="utf-8")
    assert "other words" in card(workspace, params, story.variant).provenance.command
    declared = params.dataset("sample").model_copy(update={"license": "CC-BY-4.0"})
    other = params.model_copy(update={"datasets": {**params.datasets, "sample": declared}})
    assert (
        card(workspace, other, story.variant).provenance.params["license"]
        == "CC-BY-4.0"
        == CardRecord.read(path).provenance.params["license"]
    )


def test_equal_records_give_equal_bytes(sample: Made, make: Callable[[Story], Made]) -> None:
    assert make(Story())[0].files == sample[0].files


def test_no_host_name_and_no_path_is_published(sample: Made) -> None:
    text = readme(sample[1])
    assert "a-host" not in text
    assert str(sample[1].parents[3]) not in text


def test_drawn_pictures_are_said_to_be_drawn(sample: Made) -> None:
    assert "**Drawn pictures.**" in readme(sample[1])


@pytest.mark.thorough
def test_the_license_of_the_starting_weights_is_inherited(make: Callable[[Story], Made]) -> None:
    _, folder = make(Story(variant="flowers-fdmobilenet_0.25-128", start=ST_WEIGHTS))
    data = ModelCard.load(folder / "README.md").data
    assert (data.license, data.license_name) == ("other", "sla0044")
    assert str(data.license_link).endswith("LICENSE.md")


def test_hostile_class_names_stay_text(make: Callable[[Story], Made]) -> None:
    names = ["<script>alert(1)</script>", "a|b*c*", "$x^2", "back`tick", "花 [link](http://x)"]
    _, folder = make(Story(classes=names))
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "script" not in Addresses(page).tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<td>a|b*c*</td>" in page
    assert 'href="http://x"' not in page


def test_plots_have_a_light_and_a_dark_side_and_no_text_that_runs_into_other_text(make: Callable[[Story], Made]) -> None:
    names = ["W" * 40, "花びらが五枚ある黄色い花の写真その他", "تفاح أحمر", "tulip", "a leaf with the yellow curl virus, late stage"]
    _, folder = make(Story(classes=names, generated=True))
    for plot in ("confusion.svg", "history.svg", "samples.svg"):
        drawn = (folder / "plots" / plot).read_text(encoding="utf-8")
        ElementTree.fromstring(drawn)
        assert "@media (prefers-color-scheme:dark)" in drawn
        assert "var(--ground)" in drawn.replace("fill: var", "fill:var")
    confusion = (folder / "plots" / "confusion.svg").read_text(encoding="utf-8")
    assert "تفاح أحمر" in confusion, "as text, for the reader's fonts"
    gallery = ElementTree.fromstring((folder / "plots" / "samples.svg").read_text(encoding="utf-8"))
    svg = "{http://www.w3.org/2000/svg}"
    texts = [group.find(f"{svg}svg") for group in gallery.iter(f"{svg}g")]
    assert texts and all(text is not None and float(text.attrib["width"]) <= CELL_PX + GAP_PX for text in texts), "cut off at its picture"


@pytest.mark.thorough
def test_many_classes_show_top5_and_the_worst_classes(make: Callable[[Story], Made]) -> None:
    classes = [f"class {place:03}" for place in range(101)]
    _, folder = make(Story(variant="food-fdmobilenet_0.25-128", classes=classes, test_per_class=4, accuracy=0.6))
    text = readme(folder)
    assert "Top 5 Accuracy (%)" in text
    assert "The 10 classes with the lowest recall, of 101" in text
    assert "The most frequent confusions (int8 per-channel):" in text
    assert not (folder / "plots" / "confusion.svg").exists(), "10,201 cells cannot be read"
    pairs = (folder / "plots" / "confused.svg").read_text(encoding="utf-8")
    assert len(re.findall(r">class \d{3} → class \d{3}<", pairs)) == 20
    assert len(re.findall(r"^\| class \d{3} \| class \d{3} \| \d+ \| 4 \|", text, re.MULTILINE)) == 20


@pytest.mark.thorough
def test_a_target_that_runs_the_model_file_itself_has_no_generated_code(workspace: Workspace) -> None:
    story = Story(generated=True)
    params = story.write(workspace)
    record = workspace.variant("sample", "fdmobilenet_0.25", 96).generate_record
    changed = CodegenRecord.read(record).model_copy(update={"backend": CodegenBackend(name="none", version=None)})
    changed.write(record)
    card(workspace, params, story.variant)
    assert "memory footprint" not in readme(card_folder(workspace, params, story.variant))


OTHER = "00" * 32


def changed(key: str) -> Callable[[Path], None]:
    """Write another digest into a record."""
    return lambda path: replace_in(path, rf'"{key}": "\w+"', f'"{key}": "{OTHER}"')


def replace_in(path: Path, pattern: str, new: str) -> None:
    path.write_text(re.sub(pattern, new, path.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "damage", "match"),
    [
        ("train.json", Path.unlink, r"train\.json"),
        ("evaluate.json", Path.unlink, r"evaluate\.json"),
        ("history.csv", Path.unlink, r"history\.csv"),
        ("predictions.parquet", Path.unlink, r"predictions\.parquet"),
        ("train.json", changed("model_sha256"), "does not know"),
        ("quantize.json", changed("model_sha256"), "does not know"),
        ("../../../data/sample/validate.json", changed("manifest_sha256"), "does not know"),
        ("benchmarks/host.json", changed("model_sha256"), "another float model"),
        ("benchmarks/host.json", lambda path: replace_in(path, r'^  "kind": "[\w-]+"', '  "kind": "benchmark-dream"'), "benchmark-dream"),
        (
            "evaluate.json",
            lambda path: replace_in(path, r'"calibration_error": [\d.]+', '"calibration_error": 0.5'),
            "calibration error of",
        ),
        ("generate.json", changed("model_sha256"), r"generate\.json"),
        ("benchmarks/virtual-h7.json", changed("model_sha256"), r"benchmarks/virtual-h7\.json"),
        ("generated/network.h", lambda path: replace_in(path, "0x[0-9a-f]{16}", "0x0000000000000000"), "different models"),
    ],
)
def test_records_that_lack_or_are_of_another_model_are_refused(
    name: str, damage: Callable[[Path], None], match: str, workspace: Workspace
) -> None:
    story = Story(generated=True)
    params = story.write(workspace)
    folder = card_folder(workspace, params, story.variant)
    damage(folder.parent / name)
    with pytest.raises(InputError, match=match):
        card(workspace, params, story.variant)
    assert not folder.exists()
