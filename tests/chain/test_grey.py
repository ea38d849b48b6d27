"""A grey data set whose images are not square, from a folder of pictures to the card; and foreign models of that kind."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.cards.card import card
from edgeloop.cli import main
from edgeloop.codegen.application.host import classify
from edgeloop.codegen.generate import generate
from edgeloop.codegen.toolchain import Cpu, arm_compilers
from edgeloop.config import Benchmark, load_params
from edgeloop.datasets.fetch import fetch
from edgeloop.datasets.manifest import ShardReader, manifest_color, read_manifest
from edgeloop.datasets.prepare import prepare
from edgeloop.evaluation.evaluate import evaluate
from edgeloop.evaluation.folder import evaluate_folder
from edgeloop.evaluation.predict import predict
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.quantize import quantize
from edgeloop.records import CodegenRecord, EmulatedBenchmark, EvaluateRecord, MeasuredBenchmark, PrepareRecord, QuantizeRecord, TrainRecord
from edgeloop.tflite.formats import FILES
from edgeloop.training.train import train
from edgeloop.validation.validate import validate
from edgeloop.workspace import VariantPaths, Workspace

pytestmark = pytest.mark.thorough
LABELS = ("bar", "ring")
VARIANT = "meter-mobilenet_v1_0.25-64x48"
SHAPE = (48, 64, 1)
QUICK = {"warmup_runs": 1, "windows": 5, "runs_per_window": 10, "images": 2}
NO_ARM = pytest.mark.skipif(not arm_compilers(Cpu("cortex-m7")), reason="there is no compiler for Arm here: pip install ziglang")


def draw(folder: Path, count: int, width: int = 80, height: int = 60) -> Path:
    """Grey PNGs of bars and rings, and one of each class in colours, in class folders."""
    rng = np.random.default_rng(width)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            image = rng.normal(90, 20, (height, width)).clip(0, 255).astype(np.uint8)
            centre = (int(rng.integers(width // 3, 2 * width // 3)), int(rng.integers(height // 3, 2 * height // 3)))
            if label == "ring":
                cv2.circle(image, centre, height // 4, 230, 4)
            else:
                cv2.rectangle(image, (centre[0] - width // 4, centre[1] - 3), (centre[0] + width // 4, centre[1] + 3), 230, -1)
            cv2.imwrite(str(folder / label / f"{number}.png"), image if number else cv2.applyColorMap(image, cv2.COLORMAP_JET))
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, VariantPaths]:
    """The data set and its variant, all steps done, as a user declares them."""
    folder = tmp_path_factory.mktemp("grey")
    workspace = Workspace(folder / "project")
    (workspace.backbones).mkdir(parents=True)
    (workspace.backbones / "scratch.yaml").write_text("kind: scratch\n", encoding="utf-8")
    phases = [
        {"mode": "scratch", "epochs": 1, "learning_rate": 0.005, "resolution": "48x36"},
        {"mode": "head", "epochs": 1, "learning_rate": 0.01},
    ]
    dataset = {"source": {"folder": str(draw(folder / "pictures", 16))}, "prepare": {"color": "grey"}, "license": "cc0-1.0"}
    tree = {
        "build": "meter",
        "datasets": {
            "meter": dataset | {"validate": {}, "train": {"phases": phases, "batch_size": 8, "final": "best_epoch", "weight_average": 0}}
        },
        "variants": {"meter": {"networks": "mobilenet_v1_0.25", "resolutions": "64x48", "boards": ["host", "virtual-h7"]}},
        "benchmark": QUICK,
    }
    workspace.params.write_text(json.dumps(tree), encoding="utf-8")
    params = load_params(workspace)
    for of_dataset in (fetch, prepare, validate):
        of_dataset(workspace, params, "meter")
    for of_variant in (train, quantize, evaluate, generate):
        of_variant(workspace, params, VARIANT)
    for board in params.variant(VARIANT).boards if arm_compilers(Cpu("cortex-m7")) else ("host",):
        benchmark(workspace, params, VARIANT, board)
    card(workspace, params, VARIANT)
    return workspace, params.variant(VARIANT).paths(workspace)


Built = tuple[Workspace, VariantPaths]


def test_what_is_stored_is_grey(built: Built) -> None:
    paths = built[0].dataset("meter")
    manifest = read_manifest(paths.manifest)
    assert manifest_color(paths.manifest) == PrepareRecord.read(paths.prepare_record).color == "grey"
    with ShardReader(paths.images) as shards:
        for stored in shards.read_rows(manifest):
            image = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_UNCHANGED)
            assert image is not None and image.ndim == 2
    assert set(manifest["mode"]) == {"L", "RGB"}


def test_records_and_card_say_size_and_colour(built: Built) -> None:
    _, paths = built
    trained, evaluated = TrainRecord.read(paths.train_record), EvaluateRecord.read(paths.evaluate_record)
    assert (trained.resolution, trained.color, evaluated.resolution, evaluated.color) == ("64x48", "grey") * 2
    assert QuantizeRecord.read(paths.quantize_record).resolution == "64x48"
    preprocessing = Preprocessing.read(paths.quantized / "preprocessing.json")
    assert preprocessing.shape == SHAPE
    text = (paths.card / "README.md").read_text(encoding="utf-8")
    assert "| (1, 48, 64, 1) | Single 64x48 grey image" in text
    assert "| MobileNet V1 0.25 | Int8 per-channel | 64x48x1 |" in text
    assert "1704.04861" in text


def test_the_code_is_of_that_image_and_says_what_predict_says(built: Built) -> None:
    workspace, paths = built
    assert CodegenRecord.read(paths.generate_record).macs == TrainRecord.read(paths.train_record).macs
    header = (paths.generated / "network_image.h").read_text(encoding="utf-8")
    for line in ("_WIDTH 64u", "_HEIGHT 48u", "_CHANNELS 1u"):
        assert f"#define NETWORK_IMAGE{line}" in header
    pictures = sorted((workspace.root.parent / "pictures").rglob("[01].png"))
    assert len(pictures) == 4
    found = predict(paths.quantized / "per_channel.tflite", pictures)
    assert {one.pixels.shape for one in found.pictures} == {SHAPE}
    said = classify(paths.quantized / "per_channel.tflite", found.preprocessing, [(one.image, one.frame) for one in found.pictures])
    assert said.rstrip() == found.in_words()


def test_the_host_runs_it(built: Built) -> None:
    measured = MeasuredBenchmark.read(built[1].benchmark_record("host"))
    assert measured.resolution == "64x48"
    assert [(one.format, one.compared.images) for one in measured.models] == [(form, QUICK["images"]) for form in FILES]


@NO_ARM
def test_the_emulated_board_gives_the_reference_outputs(built: Built) -> None:
    emulated = EmulatedBenchmark.read(built[1].benchmark_record("virtual-h7"))
    assert (emulated.equal_outputs, emulated.max_difference) == (emulated.images, 0) == (QUICK["images"], 0)


def foreign(path: Path) -> None:
    """A small classifier of 28x20 grey images, as somebody else's program saves it."""
    import keras

    keras.utils.set_random_seed(5)
    layers = [
        keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
        keras.layers.AveragePooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(2, activation="softmax"),
    ]
    keras.Sequential([keras.Input((20, 28, 1)), *layers]).save(path)


def test_a_foreign_grey_model_goes_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, pictures = tmp_path / "model.keras", draw(tmp_path / "pictures", 4, 28, 20)
    foreign(model)
    out = tmp_path / "quantized"
    given = ["quantize", str(model), "--images", str(pictures), "--out", str(out), "--resolution", "28x20"]
    assert main(given) != 0
    assert "takes grey images (channels: 1)" in capsys.readouterr().err
    assert main([*given, "--color", "grey"]) == 0
    int8 = out / "per_channel.tflite"
    assert Preprocessing.read(out / "preprocessing.json").shape == (20, 28, 1)
    assert evaluate_folder(int8, pictures).n == 8
    found = predict(int8, sorted(pictures.rglob("*.png")))
    said = classify(int8, found.preprocessing, [(one.image, one.frame) for one in found.pictures])
    assert said.rstrip() == found.in_words()
    assert isinstance(benchmark_model(int8, settings=Benchmark(**QUICK)), MeasuredBenchmark)
    if arm_compilers(Cpu("cortex-m7")):
        emulated = benchmark_model(int8, "virtual-h7", Benchmark(**QUICK))
        assert isinstance(emulated, EmulatedBenchmark)
        assert (emulated.equal_outputs, emulated.max_difference) == (QUICK["images"], 0)


def test_preprocessing_of_another_image_is_refused(built: Built, tmp_path: Path) -> None:
    for wrong in ({"resolution": "48x64", "color": "grey"}, {"resolution": "64x48"}):
        (tmp_path / "model.tflite").write_bytes((built[1].quantized / "per_channel.tflite").read_bytes())
        (tmp_path / "preprocessing.json").write_text(json.dumps(wrong | {"resize": "area", "input_range": [0, 1]}), encoding="utf-8")
        assert main(["predict", str(tmp_path / "model.tflite"), str(next(built[0].root.parent.rglob("*.png")))]) != 0
        assert main(["generate", str(tmp_path / "model.tflite"), "-o", str(tmp_path / "code")]) != 0
