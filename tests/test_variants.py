"""`build`, `variants` and `defaults` of params.yaml: what is declared, what is built, and what is refused with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeloop.config import Params, load_params
from edgeloop.config.old_form import new_lines
from edgeloop.errors import ConfigError, InputError
from edgeloop.graph import refresh
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import read_yaml

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = ("fdmobilenet_0.25", "fdmobilenet_0.5", "fdmobilenet_0.75", "fdmobilenet_1.0", "st_fdmobilenet_v1")
DATASETS = """\
datasets:
  one: {source: {drawn: {}}}
  two: {source: {drawn: {}}}
defaults: {prepare: {}, validate: {}, train: {}}
"""


def written(workspace: Workspace, text: str) -> Params:
    """A params.yaml with the data sets `one` and `two`."""
    workspace.params.write_text(text + DATASETS, encoding="utf-8")
    return load_params(workspace)


def refused(workspace: Workspace, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        written(workspace, text)
    return str(error.value)


def test_as_shipped_the_drawn_sample_alone_is_built_and_the_published_set_is_one_word(workspace: Workspace) -> None:
    params = load_params(workspace)
    assert params.built == params.trained == ["sample-fdmobilenet_0.25-96"]
    published = {f"{dataset}-{network}-{side}" for dataset in ("flowers", "plant", "food") for network in NETWORKS for side in (128, 224)}
    assert set(params.matching(["published"])) == published
    assert set(params.variants) == published | set(params.built)
    assert len(params.benchmarks) == 44
    assert params.matching(["flowers-*-128"]) == [f"flowers-{network}-128" for network in (NETWORKS[0], NETWORKS[4], *NETWORKS[1:4])]
    starts = {name: str(variant.start) for name, variant in params.variants.items()}
    assert starts["plant-st_fdmobilenet_v1-224"] == "models/backbones/st-food101-st_fdmobilenet_v1-224.yaml"
    assert starts["flowers-fdmobilenet_0.5-128"] == "models/food/fdmobilenet_0.5-128/train/model.keras"
    assert starts["food-fdmobilenet_0.5-128"] == "models/backbones/scratch.yaml"
    assert all((ROOT / path).is_file() for path in starts.values() if path.startswith("models/backbones/"))


def test_the_shipped_graph_is_what_the_shipped_params_ask_for(workspace: Workspace) -> None:
    workspace.graph.write_bytes((ROOT / "graph.yaml").read_bytes())
    assert refresh(workspace) is None


def test_an_own_data_set_takes_four_lines(workspace: Workspace) -> None:
    text = workspace.params.read_text(encoding="utf-8")
    for old, new in {
        "build: [sample]": "build: [sample, mine]",
        "datasets:\n": "datasets:\n  mine:\n    source: {folder: /photos/mine}\n",
        "variants:\n": "variants:\n  mine: {resolutions: [96, 128], start: st-food101}\n",
    }.items():
        assert old in text
        text = text.replace(old, new, 1)
    before = workspace.params.read_text(encoding="utf-8").splitlines()
    assert len(set(text.splitlines()) - set(before)) == 4
    workspace.params.write_text(text, encoding="utf-8")
    params = load_params(workspace)
    assert params.dataset("mine").source.folder == Path("/photos/mine")
    assert params.built == ["mine-fdmobilenet_0.25-96", "mine-fdmobilenet_0.25-128", "sample-fdmobilenet_0.25-96"]
    assert params.variant("mine-fdmobilenet_0.25-96").boards == ("host", "virtual-h7")


def test_a_data_set_without_rows_has_those_of_the_defaults(workspace: Workspace) -> None:
    params = written(workspace, "build: all\n")
    assert params.built == ["one-fdmobilenet_0.25-128", "two-fdmobilenet_0.25-128"]
    assert written(workspace, "build: all\nvariants: {two: []}\n").built == ["one-fdmobilenet_0.25-128"]


def test_what_a_stage_depends_on_is_the_key_that_holds_its_settings(workspace: Workspace) -> None:
    params = load_params(workspace)
    assert params.stated("sample", "prepare") == "defaults.prepare"
    assert params.stated("flowers", "prepare") == "datasets.flowers.prepare"
    assert params.model_copy(update={"build": ("all",)}).stated("sample", "train") == "datasets.sample.train"


def test_what_a_built_variant_starts_from_is_trained_and_no_more(workspace: Workspace) -> None:
    params = written(workspace, "build: [two]\nvariants: {two: {start: one}}\n")
    assert params.built == ["two-fdmobilenet_0.25-128"]
    assert params.trained == ["one-fdmobilenet_0.25-128", "two-fdmobilenet_0.25-128"]
    refresh(workspace)
    graph = read_graph(workspace)
    assert set(graph["datasets"]) == {"one", "two"} and set(graph["trained"]) == set(params.trained)
    assert set(graph["variants"]) == set(params.built)
    assert set(graph["benchmarks"]) == {"two-fdmobilenet_0.25-128-host"}
    assert params.standing_on("one") == params.built


def read_graph(workspace: Workspace) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(workspace.graph.read_text(encoding="utf-8"))["graph"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("build: [on]\n", "params.yaml:1: build.0: there is no variant, data set or set 'on' (did you mean 'one'?)"),
        (
            "build:\n  - one\n  - one-*-96\n",
            "params.yaml:3: build.1: no variant is named like 'one-*-96' (known: one, one-fdmobilenet_0.25-128, two",
        ),
        ("build: [one]\nvariants: {three: {}}\n", "params.yaml:2: variants.three: there is no data set 'three'"),
        ("build: []\nvariants:\n  one: {resolutions: [96, 96]}\n", "params.yaml:3: variants.one.0.resolutions: '96' is named twice"),
        (
            "build: []\nvariants:\n  one:\n    - {resolutions: [96, 128]}\n    - {resolutions: 96, start: st-food101}\n",
            "params.yaml:5: variants.one.1: one-fdmobilenet_0.25-96 is declared a second time; variants.one.0 has it",
        ),
        (
            "build: []\nvariants:\n  one: {start: two}\n  two: {start: one}\n",
            "params.yaml:3: variants.one.0: the starts go in a circle: one-",
        ),
        ("build: []\nvariants:\n  one: {start: one}\n", "the starts go in a circle"),
        (
            "build: []\nvariants:\n  one: {resolutions: 96, start: two}\n",
            "one-fdmobilenet_0.25-96 starts from models/two/fdmobilenet_0.25-96/train/model.keras, which no variant makes (did you mean",
        ),
        ("build: []\nvariants:\n  one: {boards: []}\n", "params.yaml:3: variants.one.0.boards: Value should have at least 1 item"),
        ("build: []\nvariants:\n  one: {resolution: 96}\n", "unknown key 'variants.one.0.resolution' (did you mean 'resolutions'?)"),
        ("build: []\nsets: {one: [two]}\n", "sets.one: a data set is called so"),
        ("build: []\nsets: {all: [two]}\n", "sets.all: it is the word for all of them"),
        ("build: []\nsets: {mine: [tow]}\n", "sets.mine.0: there is no variant, data set or set 'tow' (did you mean 'two'?)"),
        ("build: []\npin: [one-fdmobilenet_0.25-96]\n", "pin.0: there is no variant, data set or set 'one-fdmobilenet_0.25-96'"),
        ('build: []\nschedules: {retrain: {cron: "0 2 * * *", variants: [tow]}}\n', "schedules.retrain.variants.0: there is no variant"),
        (
            'build: []\nschedules: {retrain: {cron: "0 2 * * *", variants: []}}\n',
            "schedules.retrain.variants: Value should have at least 1",
        ),
        ("sets: {}\n", "the key 'build' is missing"),
        ("build: [[one]]\n", "build.0: Input should be a valid string"),
        ("build:\n\t- one\n", "is not valid YAML"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line_and_the_near_match(workspace: Workspace, text: str, said: str) -> None:
    assert said in refused(workspace, text)


def test_lines_that_end_as_on_windows_are_read(workspace: Workspace) -> None:
    workspace.params.write_bytes(("build: [one]\n" + DATASETS).replace("\n", "\r\n").encode())
    assert load_params(workspace).built == ["one-fdmobilenet_0.25-128"]


def test_a_board_that_the_lab_does_not_have_and_weights_that_are_not_there_are_said_with_the_line(workspace: Workspace) -> None:
    written(workspace, "build: [one]\nvariants:\n  one: {boards: [host, virtual-h8]}\n")
    with pytest.raises(ConfigError, match=r"params\.yaml:3: variants\.one: There is no board 'virtual-h8' .*did you mean 'virtual-h7'"):
        refresh(workspace)
    workspace.backbones.mkdir(parents=True)
    (workspace.backbones / "st-food101-fdmobilenet_0.25-128.yaml").write_text("kind: scratch\n", encoding="utf-8")
    written(workspace, "build: [one]\nvariants:\n  one: {start: st-food1O1}\n")
    with pytest.raises(ConfigError, match=r"params\.yaml:3: .*did you mean 'st-food101-fdmobilenet_0\.25-128\.yaml'"):
        refresh(workspace)
    assert not workspace.graph.exists()


def test_nothing_built_is_no_error_and_an_own_start_by_its_path_is_taken(workspace: Workspace) -> None:
    assert written(workspace, "build: []\nvariants: {one: {start: weights/mine.h5}}\n").built == []
    assert load_params(workspace).variant("one-fdmobilenet_0.25-128").start == Path("weights/mine.h5")
    refresh(workspace)
    assert read_graph(workspace)["variants"] == {}


def test_a_word_that_is_declared_and_not_built_is_answered_with_what_to_add(workspace: Workspace) -> None:
    params = written(workspace, "build: [one]\n")
    with pytest.raises(InputError, match=r"two is declared in params\.yaml, and not built\.\n.*build: \[…, two\]"):
        params.matching(["two"], among=params.built)
    with pytest.raises(InputError, match="did you mean 'two'"):
        params.matching(["tow"])


OLD: dict[str, Any] = {
    "datasets": {name: {"source": {"drawn": {}}, "prepare": {}, "validate": {}, "train": {}} for name in ("one", "two")},
    "variants": {
        "one-fdmobilenet_0.25-96": {"dataset": "one", "network": "fdmobilenet_0.25", "resolution": 96},
        "one-fdmobilenet_0.5-96": {"dataset": "one", "network": "fdmobilenet_0.5", "resolution": 96},
        "two-fdmobilenet_0.5-96": {
            "dataset": "two",
            "network": "fdmobilenet_0.5",
            "resolution": 96,
            "start": "models/one/fdmobilenet_0.5-96/train/model.keras",
        },
    },
    "benchmarks": {
        f"{dataset}-{network}-96-{board}": {"dataset": dataset, "network": network, "resolution": 96, "board": board, "runs": "quantized"}
        for dataset, network in (("one", "fdmobilenet_0.25"), ("one", "fdmobilenet_0.5"), ("two", "fdmobilenet_0.5"))
        for board in ("host", "virtual-h7")[: 2 - (dataset == "two")]
    },
}


def test_a_file_of_the_former_form_is_refused_with_the_lines_that_say_the_same(workspace: Workspace) -> None:
    workspace.params.write_text(json.dumps(OLD), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml:1: variants: each variant has a line of its own") as error:
        load_params(workspace)
    lines = new_lines(OLD)
    assert lines in str(error.value)
    assert lines.splitlines() == [
        "build: [one, two]",
        "variants:",
        "  one:",
        "    - {networks: [fdmobilenet_0.25, fdmobilenet_0.5], resolutions: 96, start: scratch, boards: [host, virtual-h7]}",
        "  two:",
        "    - {networks: fdmobilenet_0.5, resolutions: 96, start: one, boards: host}",
    ]
    params = written(workspace, f"{lines}\n")
    assert set(params.built) == set(OLD["variants"]) and set(params.benchmarks) == set(OLD["benchmarks"])
    assert read_yaml(workspace.params, Params).built == params.built
