"""A card states what the records state, shows only pictures that may be shown, and comes out the same every time."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from card_records import Story, card_folder
from huggingface_hub import ModelCard
from PIL import Image

from edgeloop.cards.card import card
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
    targets = text.partition("## Memory footprint and inference time on targets")[2].partition("\n## ")[0]
    assert "| MCU | STM32H7, STM32F7 and other Cortex-M | not measured | not measured |" in targets
    assert "6,354,644" not in targets
    assert "| quantize\\_0 | in the next | 0 |" in emulated
    assert "| \\<b\\>\\|layer | 7 | - |" in emulated


@pytest.mark.thorough
def test_a_linux_board_of_st_stands_among_the_targets(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(linux_board="stm32mp"))[1])
    targets = text.partition("## Memory footprint and inference time on targets")[2].partition("\n## ")[0]
    assert (
        "Measured on hardware: A board (2 x Cortex-A35, aarch64), stai\\_mpu 6.1.1, clock: perf\\_counter. Linux 6.6, v6.1.1; CPU clock:"
        in targets
    )
    assert "governor ondemand, 400 MHz to 1500 MHz" in targets
    assert "| 3.217 |" in targets
    assert "| 92.98 | 7.02 | 0 | 60 of 64, by 0.0117 at most | 63 of 64 | 93.8% of 64 (85.0% - 98.0%) |" in targets
    assert "| MPU | STM32MP1, STM32MP2 | not measured" not in targets
    assert "| MCU | STM32H7, STM32F7 and other Cortex-M | not measured | not measured |" in targets


def test_a_microcontroller_stands_among_the_targets_with_its_memory(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(mcu_board="h7"))[1])
    targets = text.partition("## Memory footprint and inference time on targets")[2].partition("\n## ")[0]
    assert "Inference time on desk (STM32H747I-DISCO)" in targets
    assert "Measured on hardware: STM32H747I-DISCO, 400 MHz, LiteRT 2.1.0" in targets
    assert "Device id 0x450; serial validation protocol 3.1. Code by stedgeai 4.0.1; firmware compiled May" in targets
    assert "| 4.321 | 0.011 | 4.271 - 4.721 | 350 | yes | 50.00 | not measured | 128.00 | not measured | 1,024 | not measured |" in targets
    assert "| 60 of 64, by 0.0117 at most | 63 of 64 | 93.8% of 64 (85.0% - 98.0%) |" in targets
    assert "2 protocol errors, 1 runs repeated" in targets
    assert "| MCU | STM32H7, STM32F7 and other Cortex-M | not measured" not in targets
    assert "| NPU | STM32N6 | not measured | not measured |" in targets


@pytest.mark.thorough
def test_an_npu_is_told_from_a_microcontroller_by_its_profile(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(mcu_board="n6", drift=0.03))[1])
    targets = text.partition("## Memory footprint and inference time on targets")[2].partition("\n## ")[0]
    assert "Code by stedgeai 4.0.1, Neural-ART profile default" in targets
    assert "| **no**: they drift by +3.0% from the first to the last |" in targets
    assert "| NPU | STM32N6 | not measured" not in targets
    assert "| MCU | STM32H7, STM32F7 and other Cortex-M | not measured | not measured |" in targets


def test_a_board_that_computes_something_else_stands_out(make: Callable[[Story], Made]) -> None:
    assert "**only 12 of 64**" in readme(make(Story(linux_board="stm32mp", same_class=12))[1])


@pytest.mark.thorough
def test_another_linux_machine_is_no_target(make: Callable[[Story], Made]) -> None:
    text = readme(make(Story(linux_board="linux"))[1])
    targets = text.partition("## Memory footprint and inference time on targets")[2].partition("\n## ")[0]
    assert "3.217" not in targets
    assert "| MPU | STM32MP1, STM32MP2 | not measured | not measured |" in targets
    machine = text.partition("## Inference time on mp2 (not a target)")[2].partition("\n## ")[0]
    assert "| 3.217 |" in machine
    assert "| not measured | not measured | not measured |" in machine
    assert "must not be compared with figures of one" in machine


@pytest.mark.thorough
def test_outputs_that_differ_stand_out(make: Callable[[Story], Made]) -> None:
    assert "**15 of 16**, by 0.125 at most" in readme(make(Story(generated=True, equal_outputs=15))[1])


def test_the_memory_of_generated_code_has_the_published_columns_and_its_picture(make: Callable[[Story], Made]) -> None:
    record, folder = make(Story(generated=True))
    text = readme(folder)
    memory = text.partition("## Memory of the generated code")[2].partition("\n## ")[0]
    assert (
        "| Activation RAM (KiB) | Runtime RAM (KiB) | Weights Flash (KiB) | Code Flash (KiB) | Total RAM (KiB) | Total Flash (KiB) |"
        in memory
    )
    assert "| 49.37 | 0.00 | 128.32 | 21.35 | 49.37 | 149.67 |" in memory
    assert "No board was involved." in memory
    assert "plots/plan.svg" in memory
    assert (folder / "plots" / "plan.svg").is_file()
    assert "data:image/svg+xml;base64," in (folder / "index.html").read_text()
    assert "generate.json" in record.records


def test_the_page_is_complete_in_itself(sample: Made) -> None:
    page = Addresses((sample[1] / "index.html").read_text(encoding="utf-8"))
    assert len(page.loaded) == 3
    assert all(address.startswith("data:image/") for address in page.loaded)
    assert "script" not in page.tags


def test_the_record_names_every_file_and_record(sample: Made) -> None:
    record, folder = sample
    assert sorted(record.files) == ["README.md", "index.html", "plots/confusion.png", "plots/history.png", "plots/samples.jpg"]
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


def test_equal_records_give_equal_bytes(sample: Made, make: Callable[[Story], Made]) -> None:
    assert make(Story())[0].files == sample[0].files


def test_no_host_name_and_no_path_is_published(sample: Made) -> None:
    text = readme(sample[1])
    assert "a-host" not in text
    assert str(sample[1].parents[3]) not in text


def test_drawn_pictures_are_said_to_be_drawn(sample: Made) -> None:
    assert "**Drawn pictures.**" in readme(sample[1])


@pytest.mark.thorough
def test_another_archive_makes_figures_incomparable(make: Callable[[Story], Made]) -> None:
    _, folder = make(Story(variant="flowers-fdmobilenet_0.25-128", origin="flowers.tgz", note="not the upstream archive"))
    assert "cannot be compared with figures published" in readme(folder)


@pytest.mark.thorough
def test_the_upstream_archive_needs_no_caveat(make: Callable[[Story], Made]) -> None:
    _, folder = make(Story(variant="flowers-fdmobilenet_0.25-128", origin="x", upstream=True, note="the upstream archive"))
    assert "\n> " not in readme(folder)


@pytest.mark.thorough
def test_the_license_of_the_starting_weights_is_inherited(make: Callable[[Story], Made]) -> None:
    _, folder = make(Story(variant="flowers-fdmobilenet_0.25-128", start=ST_WEIGHTS))
    data = ModelCard.load(folder / "README.md").data
    assert (data.license, data.license_name) == ("other", "sla0044")
    assert str(data.license_link).endswith("LICENSE.md")


@pytest.mark.thorough
def test_pictures_that_may_be_shown_are_credited(make: Callable[[Story], Made]) -> None:
    record, folder = make(Story(variant="flowers-fdmobilenet_0.25-128"))
    assert "plots/samples.jpg" in record.files
    assert "Pictures by their own authors, cc-by-2.0" in readme(folder)


@pytest.mark.thorough
def test_pictures_that_may_not_be_shown_are_left_out(make: Callable[[Story], Made]) -> None:
    record, folder = make(Story(variant="food-fdmobilenet_0.25-128"))
    assert "plots/samples.jpg" not in record.files
    assert "does not allow to publish them again" in readme(folder)


@pytest.mark.thorough
def test_broken_rules_and_quarantine_are_told(make: Callable[[Story], Made]) -> None:
    rule = RuleResult(
        name="sharp", description="few are blurred", severity="warning", holds=False, observed=0.25, expected="at most 0.1", failed_rows=7
    )
    _, folder = make(Story(quarantined={"does not decode": 3}, broken_rules=[rule]))
    assert "| `sharp` | few are blurred | 0.25 | at most 0.1 | 7 | warning |" in readme(folder)
    assert "| does not decode | 3 |" in readme(folder)


@pytest.mark.thorough
def test_pictures_outside_the_class_folders_are_told(make: Callable[[Story], Made]) -> None:
    outside = Outside(pictures=12, places={"set/more": 12}, left_out=30, hidden=1, empty_class_folders=[])
    _, folder = make(Story(outside=outside))
    assert "12 more outside the class folders, 30 more not below the declared folder" in readme(folder)


def test_hostile_class_names_stay_text(make: Callable[[Story], Made]) -> None:
    names = ["<script>alert(1)</script>", "a|b*c*", "$x^2", "back`tick", "花 [link](http://x)"]
    _, folder = make(Story(classes=names))
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "script" not in Addresses(page).tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<td>a|b*c*</td>" in page
    assert 'href="http://x"' not in page


@pytest.mark.thorough
def test_many_classes_show_top5_and_the_worst_classes(make: Callable[[Story], Made]) -> None:
    classes = [f"class {place:03}" for place in range(101)]
    _, folder = make(Story(variant="food-fdmobilenet_0.25-128", classes=classes, test_per_class=4, accuracy=0.6))
    text = readme(folder)
    assert "Top 5 Accuracy (%)" in text
    assert "The 10 classes with the lowest recall, of 101" in text
    with Image.open(folder / "plots" / "confusion.png") as plot:
        assert min(plot.size) > 1200


@pytest.mark.thorough
def test_without_a_benchmark_there_is_no_host_section(make: Callable[[Story], Made]) -> None:
    _, folder = make(Story(benchmark=False))
    assert "Inference time on the host" not in readme(folder)


@pytest.mark.parametrize("name", ["train.json", "evaluate.json", "history.csv", "predictions.parquet"])
def test_a_missing_input_is_named(name: str, workspace: Workspace) -> None:
    story = Story()
    params = story.write(workspace)
    folder = card_folder(workspace, params, story.variant)
    (folder.parent / name).unlink()
    with pytest.raises(InputError, match=name):
        card(workspace, params, story.variant)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "key"), [("train.json", "model_sha256"), ("quantize.json", "model_sha256"), ("validate.json", "manifest_sha256")]
)
def test_records_of_different_models_are_never_mixed(name: str, key: str, workspace: Workspace) -> None:
    story = Story()
    params = story.write(workspace)
    chosen = params.variant(story.variant)
    folder = workspace.dataset(chosen.dataset).folder if name == "validate.json" else card_folder(workspace, params, story.variant).parent
    change(folder / name, key, "00" * 32)
    with pytest.raises(InputError, match="does not know"):
        card(workspace, params, story.variant)


def test_a_benchmark_of_another_model_is_refused(workspace: Workspace) -> None:
    story = Story()
    params = story.write(workspace)
    path = card_folder(workspace, params, story.variant).parent / "benchmarks/host.json"
    record = json.loads(path.read_text())
    record["models"][0]["model_sha256"] = "00" * 32
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="another float model"):
        card(workspace, params, story.variant)


def test_an_unknown_kind_of_benchmark_is_refused(workspace: Workspace) -> None:
    story = Story()
    params = story.write(workspace)
    change(card_folder(workspace, params, story.variant).parent / "benchmarks/host.json", "kind", "benchmark-dream")
    with pytest.raises(InputError, match="benchmark-dream"):
        card(workspace, params, story.variant)


@pytest.mark.parametrize("name", ["generate.json", "benchmarks/virtual-h7.json"])
def test_generated_code_of_another_model_is_refused(name: str, workspace: Workspace) -> None:
    story = Story(generated=True)
    params = story.write(workspace)
    change(workspace.variant("sample", "fdmobilenet_0.25", 96).folder / name, "model_sha256", "12" * 32)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        card(workspace, params, story.variant)


@pytest.mark.thorough
def test_a_target_that_runs_the_model_file_itself_has_no_generated_code(workspace: Workspace) -> None:
    story = Story(generated=True)
    params = story.write(workspace)
    record = workspace.variant("sample", "fdmobilenet_0.25", 96).generate_record
    changed = CodegenRecord.read(record).model_copy(update={"backend": CodegenBackend(name="none", version=None)})
    changed.write(record)
    card(workspace, params, story.variant)
    assert "Memory of the generated code" not in readme(card_folder(workspace, params, story.variant))


@pytest.mark.thorough
def test_a_picture_of_other_code_is_refused(workspace: Workspace) -> None:
    story = Story(generated=True)
    params = story.write(workspace)
    header = workspace.variant("sample", "fdmobilenet_0.25", 96).generated / "network.h"
    header.write_text('#define NETWORK_SIGNATURE "0x0000000000000000"\n')
    with pytest.raises(InputError, match="different models"):
        card(workspace, params, story.variant)


def change(path: Path, key: str, value: str) -> None:
    record = json.loads(path.read_text())
    record[key] = value
    path.write_text(json.dumps(record))
