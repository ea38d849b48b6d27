"""The whole loop, as a user runs it: on the drawn sample set, and on real photographs where they lie beside the checkout."""

import json
import re
import shutil
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flows_in_miniature import ROOT, Project, environment, initialised

from edgeloop.records import (
    CardRecord,
    CodegenRecord,
    EmulatedBenchmark,
    EvaluateRecord,
    FetchRecord,
    PrepareRecord,
    TrainRecord,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SAMPLE = "sample-fdmobilenet_0.25-96"
FOLDER = "models/sample/fdmobilenet_0.25-96"
FLOWERS = "flowers-fdmobilenet_0.25-128"


def clone(folder: Path) -> Project:
    """The project's own pipeline in a folder of its own, initialised with git and DVC."""
    root = folder / "a clone"
    root.mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml", "graph.yaml", "dvc.lock", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "models" / "backbones", root / "models" / "backbones")
    made = initialised(Project(root, environment(folder)))
    made.run("git", "add", ".")
    made.run("git", "commit", "--quiet", "--message", "start")
    return made


def edgeloop(project: Project, *arguments: str, ok: bool = True, timeout: float = 600) -> str:
    return project.run(sys.executable, "-m", "edgeloop", *arguments, ok=ok, timeout=timeout)


def change(project: Project, old: str, new: str) -> None:
    """Change a part of params.yaml that is there."""
    params = project.root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    assert old in text
    params.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, server: dict[str, str]) -> Iterator[tuple[Project, str]]:
    """The sample set from archive to published card, through the flow and with the local store; and what was printed."""
    project = clone(tmp_path_factory.mktemp("sample"))
    change(project, "mode: scratch, epochs: 40", "mode: scratch, epochs: 24")
    project.run("git", "commit", "--quiet", "--all", "--message", "Fewer epochs")
    served = Project(project.root, project.env | server)
    edgeloop(served, "store", "up")
    try:
        yield served, edgeloop(served, "run", "sample", "all", "all", "--publish")
    finally:
        edgeloop(served, "store", "down")


def test_every_step_has_run(sample: tuple[Project, str]) -> None:
    _, said = sample
    assert "11 of 11 stages built" in said
    steps = re.findall(r"^ +ran +(\w+)@", said, re.MULTILINE)
    assert sorted(steps) == [
        "benchmark",
        "benchmark",
        "card",
        "evaluate",
        "fetch",
        "generate",
        "prepare",
        "quantize",
        "train",
        "validate",
    ]


def test_the_trained_network_is_over_90_percent_on_test(sample: tuple[Project, str]) -> None:
    folder = sample[0].root / FOLDER
    record = EvaluateRecord.read(folder / "evaluate.json")
    for result in record.formats:
        assert result.top1.n == 120
        assert result.top1.value > 0.9, result.format
    trained = TrainRecord.read(folder / "train.json")
    assert trained.parameters_folded == 125_477
    assert trained.provenance.git_commit is not None
    assert trained.provenance.data_revision == record.provenance.data_revision


def test_the_generated_code_gives_the_reference_outputs_on_the_emulated_board(sample: tuple[Project, str]) -> None:
    folder = sample[0].root / FOLDER
    emulated = EmulatedBenchmark.read(folder / "benchmarks" / "virtual-h7.json")
    generated = CodegenRecord.read(folder / "generate.json")
    assert (emulated.equal_outputs, emulated.max_difference) == (emulated.images, 0)
    assert generated.macs is not None
    assert emulated.instructions.min > generated.macs
    assert "Emulated" in (folder / "card" / "README.md").read_text(encoding="utf-8")


def test_the_card_is_published_and_a_browser_may_read_it(sample: tuple[Project, str]) -> None:
    project, said = sample
    address = next(line for line in re.findall(r"http://\S+index\.html", said) if SAMPLE in line)
    with urllib.request.urlopen(address, timeout=30) as answer:
        page = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/html")
    assert "FdMobileNet 0.25" in page
    assert re.search(r"""(src|href)=["']?https?://""", page.replace('href="https://arxiv', "").replace("href='https://arxiv", "")) is None
    folder = project.root / FOLDER
    assert CardRecord.read(folder / "card.json").files.keys() >= {"README.md", "index.html"}


def test_a_second_run_does_nothing(sample: tuple[Project, str]) -> None:
    project, _ = sample
    lock = (project.root / "dvc.lock").read_bytes()
    begun = time.monotonic()
    assert "up to date in" in edgeloop(project, "run", "sample", "all", "all")
    assert time.monotonic() - begun < 60
    assert "up to date" in project.run(sys.executable, "-m", "dvc", "repro", f"card@{SAMPLE}")
    assert (project.root / "dvc.lock").read_bytes() == lock
    assert project.run("git", "status", "--short") == " M dvc.lock\n"


def test_a_change_rebuilds_only_what_it_touches(sample: tuple[Project, str]) -> None:
    project, _ = sample
    change(project, "runs_per_window: 50", "runs_per_window: 51")
    planned = edgeloop(project, "plan")
    assert sorted(re.findall(r"^ *run +(\w+)@", planned, re.MULTILINE)) == ["benchmark", "benchmark"]
    assert f"run if changed  card@{SAMPLE}" in planned
    change(project, "runs_per_window: 51", "runs_per_window: 50")
    change(project, "title: Drawn flowers", "title: Flowers that are drawn")
    said = edgeloop(project, "run", "sample", "all", "all")
    assert "2 of 11 stages built" in said
    assert re.findall(r"^ +ran +(\w+)@", said, re.MULTILINE) == ["card"]
    assert "Flowers that are drawn" in (project.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8")


def test_without_an_archive_and_offline_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    project = clone(tmp_path)
    change(project, "http://download.tensorflow.org/example_images/flower_photos.tgz", "http://127.0.0.1:9/flower_photos.tgz")
    said = edgeloop(project, "fetch", "flowers", ok=False)
    assert "edgeloop fetch flowers --from" in said
    assert "Traceback" not in said


def reduced(project: Project, backbone: Path) -> None:
    """Few epochs, from a trained backbone given as a file."""
    change(project, "build: [sample]", f"build: [{FLOWERS}]")
    phases = "[{mode: head, epochs: 6, learning_rate: 0.01}, {mode: full, epochs: 4, learning_rate: 0.006}]"
    change(project, "train: {}", f"train: {{phases: {phases}}}")
    edgeloop(project, "fetch", "st-food101-fdmobilenet_0.25-128", "--from", str(backbone))


@pytest.mark.shared
@pytest.mark.long
def test_real_photographs_from_archive_to_card(tmp_path: Path, shared: Callable[[str], Path], server: dict[str, str]) -> None:
    project = clone(tmp_path)
    project = Project(project.root, project.env | server)
    reduced(project, shared("pretrained/food-101_fdmobilenet_0.25_128.h5"))
    edgeloop(project, "fetch", "flowers", "--from", str(shared("datasets/flower_photos.tgz")))
    said = edgeloop(project, "run", "flowers", "fdmobilenet_0.25", "128")
    assert re.findall(r"^ +ran +(\w+)@", said, re.MULTILINE)[0] == "fetch"

    data, folder = project.root / "data" / "flowers", project.root / "models" / "flowers" / "fdmobilenet_0.25-128"
    fetched, prepared = FetchRecord.read(data / "fetch.json"), PrepareRecord.read(data / "prepare.json")
    assert (fetched.upstream, fetched.note) == (False, "not the upstream archive")
    assert prepared.classes == ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
    assert sum(split.images for split in prepared.splits.values()) + sum(prepared.quarantined.values()) == 3268
    trained = TrainRecord.read(folder / "train.json")
    assert (trained.start.kind, trained.start.license, [phase.mode for phase in trained.fits[0].phases]) == (
        "keras2_h5",
        "sla0044",
        ["head", "full"],
    )
    results = {result.format: result for result in EvaluateRecord.read(folder / "evaluate.json").formats}
    assert results["float"].top1.value > 0.7
    assert (results["int8 per-channel"].agreement_with_float or 0) > 0.9
    card = (folder / "card" / "README.md").read_text(encoding="utf-8")
    assert "not the upstream archive" in card
    assert "sla0044" in card

    assert "up to date" in project.run(sys.executable, "-m", "dvc", "repro", f"evaluate@{FLOWERS}")


@pytest.mark.thorough
@pytest.mark.shared
@pytest.mark.parametrize(
    ("dataset", "archive", "classes"),
    [("plant", "plant_village.zip", 24), pytest.param("food", "food-101-64px.tar.gz", 101, marks=pytest.mark.long)],
)
def test_the_other_archives_are_prepared_too(
    tmp_path: Path, shared: Callable[[str], Path], dataset: str, archive: str, classes: int
) -> None:
    project = clone(tmp_path)
    change(project, "build: [sample]", f"build: [{dataset}-fdmobilenet_0.25-128]")
    edgeloop(project, "graph")
    edgeloop(project, "fetch", dataset, "--from", str(shared(f"datasets/{archive}")))
    project.run(sys.executable, "-m", "dvc", "repro", f"prepare@{dataset}")
    record = PrepareRecord.read(project.root / "data" / dataset / "prepare.json")
    assert len(record.classes) == classes
    assert min(split.images for split in record.splits.values()) > 0


def test_metrics_are_for_dvc_to_compare(sample: tuple[Project, str]) -> None:
    project, _ = sample
    file = f"{FOLDER}/metrics.json"
    shown = json.loads(project.run(sys.executable, "-m", "dvc", "metrics", "show", "--json", file))
    assert 0.9 < shown[""]["data"][file]["data"]["per_channel"]["top1"] <= 1
