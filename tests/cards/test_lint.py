"""A card says what its records hold, and nothing else: each fault of its text is refused with the number, or the column, named."""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from card_records import Story, card_folder

from edgeloop.cards import tables
from edgeloop.cards.card import card
from edgeloop.cards.facts import EMULATED, MEASURED, NUMBER, STATED, Facts, facts_of
from edgeloop.cards.lint import check_text
from edgeloop.cards.sources import read_sources
from edgeloop.errors import InputError
from edgeloop.records import read_benchmark
from edgeloop.workspace import Workspace

STORY = Story(generated=True, mcu_board="h7", linux_board="stm32mp")
SAID = ["Drawn flowers", "apache-2.0", "sample-fdmobilenet_0.25-96"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Facts]:
    """The text of a card below its metadata, and what it may say."""
    folder = tmp_path_factory.mktemp("lint")
    (folder / "params.yaml").write_bytes((Path(__file__).parents[2] / "params.yaml").read_bytes())
    workspace = Workspace(folder)
    params = STORY.write(workspace)
    card(workspace, params, STORY.variant)
    text = (card_folder(workspace, params, STORY.variant) / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]
    # Without the answers: its sections on confidence and mistakes are left out.
    sources = read_sources(workspace.dataset("sample"), params.variant(STORY.variant).paths(workspace))
    before, _, rest = text.partition("## Confidence")
    return before + rest[rest.index("## Emulated") :], facts_of(sources, SAID, [], [])


def test_the_card_as_it_is_passes(made: tuple[str, Facts]) -> None:
    check_text(*made)


def test_every_number_of_the_tables_is_checked(made: tuple[str, Facts]) -> None:
    """Whichever is replaced: another number there is refused, and named."""
    text, facts = made
    rows = [match.span() for match in re.finditer(r"^\| .*$", text, re.MULTILINE)]
    places = [(a + found.start(), a + found.end()) for a, b in rows for found in NUMBER.finditer(text[a:b])]
    assert len(places) > 300
    for start, end in places[::7]:
        before = text[max(0, start - 12) : start]
        if before.endswith(("Top ", "/", "(1, ", "alpha=")) or text[end : end + 4] == " % i":
            continue
        changed = text[:start] + "98765.432" + text[end:]
        with pytest.raises(InputError, match=r"98765\.432"):
            check_text(changed, facts)


@pytest.mark.parametrize(
    ("what", "new", "match"),
    [
        ("| 4.321 |", "| 4.322 |", r"4\.322, which no record holds: \| FdMobileNet"),
        ("125,477", "125,478", "125,478, which no record holds"),
        ("**93.33 %**", "**93.34 %**", r"93\.34, which no record holds"),
        ("`0123456789ab`", "`0123456789ac`", "0123456789ac, which no record holds"),
        ("Device id 0x450", "Device id 0x451", "0x451, which no record holds"),
        ("| n | Calibration", "| images | Calibration", r"accuracy of .* without n"),
        ("| 400 MHz | 4.321 |", "| 400 MHz | 6,354,644 |\n| a | b | c | d | e | f | 4.321 |", "would mix what is emulated with 4.321"),
    ],
)
def test_a_fault_is_refused_and_named(made: tuple[str, Facts], what: str, new: str, match: str) -> None:
    text, facts = made
    assert what in text
    changed = text.replace(what, new, 1)
    with pytest.raises(InputError, match=match):
        check_text(changed, facts)


def shaken(value: Any, random: Random, key: str = "") -> Any:
    """A record's JSON with other figures of any size; what holds it together stays."""
    if isinstance(value, dict):
        kept = ("provenance", "resolution", "accuracy")
        return {name: one if name in kept else shaken(one, random, name) for name, one in value.items()}
    if isinstance(value, list):
        return [shaken(one, random, key) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    scaled = abs(value) * 10 ** random.uniform(-4, 4)
    return scaled if isinstance(value, float) else max(1, int(scaled))


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(4))
def test_whatever_boards_measure_the_card_may_say_it(seed: int, workspace: Workspace) -> None:
    """No false alarm: figures from millionths to millions, unstable and wrong boards, doubtful models."""
    random = Random(seed)
    story = Story(
        mcu_board=random.choice(["h7", "n6"]),
        linux_board=random.choice(["stm32mp", "linux"]),
        generated=True,
        seed=seed,
        accuracy=random.uniform(0.2, 1),
        drift=random.uniform(-0.5, 0.5),
        same_class=random.randint(0, 64),
        equal_outputs=random.randint(0, 16),
        phases=["head", "full"],
    )
    params = story.write(workspace)
    paths = params.variant(story.variant).paths(workspace)
    for path in [*paths.benchmarks.glob("*.json"), paths.generate_record]:
        path.write_text(json.dumps(shaken(json.loads(path.read_text(encoding="utf-8")), random)), encoding="utf-8")
    card(workspace, params, story.variant)


def test_measured_and_emulated_are_never_in_one_column() -> None:
    facts = Facts()
    facts.add(MEASURED, 4.321)
    facts.add(EMULATED, 6_354_644)
    with pytest.raises(
        InputError, match=r"column 'Inference time \(ms\)' would mix what is measured on a target with 6,354,644, which is emulated"
    ):
        check_text("| Inference time (ms) |\n| --- |\n| 4.321 |\n| 6,354,644 |", facts)
    facts.add(MEASURED, 6_354_644)
    check_text("| Inference time (ms) |\n| --- |\n| 4.321 |\n| 6,354,644 |", facts)


def test_an_accuracy_without_n_is_refused() -> None:
    facts = Facts()
    facts.add(STATED, 0.9333, 120)
    check_text("| Top 1 Accuracy (%) | n |\n| --- | --- |\n| 93.33 | 120 |", facts)
    check_text("| Accuracy on the board |\n| --- |\n| 93.33 % of 120 |\n| not measured |", facts)
    for table in ("| Accuracy (%) |\n| --- |\n| 93.33 |", "| Top 1 Accuracy (%) | n |\n| --- | --- |\n| 93.33 | - |"):
        with pytest.raises(InputError, match="without n"):
            check_text(table, facts)


def test_the_step_itself_refuses(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that rounds wrongly makes no card."""
    monkeypatch.setattr(tables, "interval", lambda accuracy: f"{100 * accuracy.ci95[0] + 0.4:.2f} - {100 * accuracy.ci95[1]:.2f}")
    params = STORY.write(workspace)
    with pytest.raises(InputError, match="which no record holds"):
        card(workspace, params, STORY.variant)
    assert not card_folder(workspace, params, STORY.variant).exists()


@pytest.mark.parametrize("name", ["evaluate.json", "benchmarks/desk.json", "generate.json"])
def test_a_record_of_another_data_revision_is_refused(name: str, workspace: Workspace) -> None:
    params = STORY.write(workspace)
    path = params.variant(STORY.variant).paths(workspace).folder / name
    path.write_text(
        re.sub(r'"data_revision": "\w+"', f'"data_revision": "{"00" * 32}"', path.read_text(encoding="utf-8")), encoding="utf-8"
    )
    with pytest.raises(InputError, match=rf"{re.escape(name)} speaks of data that prepare\.json does not know"):
        card(workspace, params, STORY.variant)


def test_estimated_cycles_are_no_emulated_ones(workspace: Workspace) -> None:
    params = STORY.write(workspace)
    record = read_benchmark(params.variant(STORY.variant).paths(workspace).benchmark_record("virtual-h7"))
    facts = Facts()
    facts.take(EMULATED, record.model_copy(update={"estimated": {"cycles": 7_654_321}}))
    assert facts.numbers["6354644"] == {EMULATED}
