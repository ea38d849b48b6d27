"""Around generated code: a frame becomes the very pixels of Python, classes have names, the example prints what `predict` prints."""

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from generated_code import STRICT
from matrix import first_is_short
from miniature import CLASSES, coloured
from random_models import red_or_not

from edgeloop.boards.benchmark import benchmark_model
from edgeloop.codegen.application.emit import RESIZE, write_labels_header
from edgeloop.codegen.application.host import classify
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.toolchain import Compiler, find_host_compiler, host_compilers
from edgeloop.config import Resize
from edgeloop.errors import InputError, ModelError
from edgeloop.evaluation.folder import evaluate_folder
from edgeloop.evaluation.predict import predict
from edgeloop.preprocessing import Preprocessing, colored, resize_pixels
from edgeloop.records import EmulatedBenchmark
from edgeloop.resolution import COLORS, Size
from edgeloop.tflite.labels import labels_beside, write_labels

ROOM = Path(__file__).resolve().parents[2] / "edgeloop" / "codegen" / "application"
RULES: tuple[Resize, ...] = ("area", "bilinear", "nearest")
FRAMES = 1000


class Frame(ctypes.Structure):
    """edgeloop_frame."""

    _fields_ = (
        ("pixels", ctypes.c_void_p),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("row_bytes", ctypes.c_uint32),
        ("pixel_bytes", ctypes.c_uint32),
    )


class Wanted(ctypes.Structure):
    """edgeloop_size."""

    _fields_ = (("width", ctypes.c_uint32), ("height", ctypes.c_uint32), ("channels", ctypes.c_uint32))


def frames(rule: Resize) -> Iterator[tuple[Size, Size]]:
    """Sizes, wanted and of a frame: cameras', whole multiples, larger, smaller, thin, and equal ones."""
    rng = np.random.default_rng(RULES.index(rule))
    for number in range(FRAMES // len(RULES) + 1):
        wanted = Size.of((32, 96, 128, 224, 28, "160x120", "96x128", "33x17")[int(rng.integers(8))])
        width, height = wanted
        yield (
            wanted,
            (
                Size(width * int(rng.integers(1, 4)), height * int(rng.integers(1, 4))),
                Size(640, 480),
                Size(int(rng.integers(1, 60)), int(rng.integers(1, 60))),
                Size(width, int(rng.integers(height, 400))),
                Size(int(rng.integers(width, 420)), int(rng.integers(height, 420))),
            )[number % 5],
        )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("compiler", first_is_short(host_compilers()), ids=str)
def test_a_frame_is_resized_to_the_bytes_of_python(tmp_path: Path, rule: Resize, compiler: Compiler) -> None:
    library = tmp_path / "resize.so"
    compiler.link_shared([ROOM / "edgeloop_resize.c"], library, [*STRICT, "-O2"])
    resize = getattr(ctypes.CDLL(str(library)), f"edgeloop_resize_{rule}")
    rng = np.random.default_rng(7)
    for number, (wanted, (width, height)) in enumerate(frames(rule)):
        frame_channels, channels = ((3, 3), (3, 1), (1, 1))[number % 3]
        frame = rng.integers(0, 256, (height, width + 1, frame_channels), np.uint8)  # rows with a gap between them
        pixels, columns = np.zeros((wanted.height, wanted.width, channels), np.uint8), (ctypes.c_uint8 * (64 * wanted.width))()
        given, size = Frame(frame.ctypes.data, width, height, frame.strides[0], frame_channels), Wanted(*wanted, channels)
        resize(ctypes.byref(given), ctypes.byref(size), columns, pixels.ctypes.data_as(ctypes.c_void_p))
        seen = np.ascontiguousarray(frame[:, :width])
        expected = resize_pixels(colored(seen, COLORS[channels]) if frame_channels == 3 else seen, wanted.resolution, rule)
        assert np.array_equal(pixels, expected), f"{width} x {height} x {frame_channels} to {wanted} x {channels}"


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """One of each class, larger than the model's input, and one that is smaller."""
    made = []
    for number, label in enumerate(CLASSES):
        made.append(tmp_path / f"{label}.png")
        cv2.imwrite(str(made[-1]), coloured(label, number, (61, 47))[..., ::-1])
    made.append(tmp_path / "small.png")
    cv2.imwrite(str(made[-1]), coloured(CLASSES[0], 9, (11, 9))[..., ::-1])
    return made


@pytest.fixture
def model(tmp_path: Path, miniatures: Path, request: pytest.FixtureRequest) -> Path:
    """A model in a folder of its own, with its preprocessing and the names of its classes."""
    folder = tmp_path / "model folder"
    folder.mkdir()
    for name in (f"{request.param}.tflite", "preprocessing.json"):
        shutil.copy(miniatures / name, folder)
    write_labels(folder, CLASSES)
    return folder / f"{request.param}.tflite"


@pytest.mark.parametrize("model", first_is_short(["per_channel", "int8"]), indirect=True)
@pytest.mark.parametrize("rule", first_is_short(RULES))
def test_the_generated_code_says_what_predict_says(model: Path, rule: Resize, pictures: list[Path]) -> None:
    found = predict(model, pictures, resize=rule)
    assert [one.best[0][0] for one in found.pictures] == [*CLASSES, CLASSES[0]]
    said = classify(model, found.preprocessing, [(one.image, one.frame) for one in found.pictures])
    assert said.rstrip() == found.in_words()


@pytest.mark.parametrize("ending", ["sigmoid", "logits"])
def test_two_classes_come_as_one_sigmoid_or_as_logits(ending: str, pictures: list[Path], tmp_path: Path) -> None:
    """`red` is the second one: the one that a sigmoid is the probability of."""
    path = tmp_path / "model.tflite"
    path.write_bytes(red_or_not(ending))
    Preprocessing(resolution=16, resize="area", input_range=None).write(tmp_path / "preprocessing.json")
    write_labels(tmp_path, ["other", "red"])
    found = predict(path, pictures)
    assert [one.best[0][0] for one in found.pictures] == ["red" if picture.stem == "red" else "other" for picture in pictures]
    scores = np.array([[score for _, score in one.best] for one in found.pictures])
    assert scores.shape[1] == 2 and (ending == "logits" or np.allclose(scores.sum(axis=1), 1))
    assert classify(path, found.preprocessing, [(one.image, one.frame) for one in found.pictures]).rstrip() == found.in_words()


def test_one_sigmoid_is_evaluated_as_two_classes(pictures: list[Path], tmp_path: Path) -> None:
    path, images = tmp_path / "model.tflite", tmp_path / "images"
    path.write_bytes(red_or_not("sigmoid"))
    for picture in pictures:
        folder = images / ("red" if picture.stem == "red" else "other")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder)
    record = evaluate_folder(path, images, resize="area")
    assert (record.classes, record.confusion) == (["other", "red"], [[3, 0], [0, 1]])


@pytest.mark.thorough
@pytest.mark.parametrize("ending", ["sigmoid", "logits"])
def test_a_board_gives_the_scores_of_both_classes(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(red_or_not(ending))
    result = benchmark_model(path, "virtual-h7", images=2)
    assert isinstance(result, EmulatedBenchmark)
    assert (result.images, result.equal_outputs, result.max_difference) == (2, 2, 0.0)


def test_several_active_classes_are_refused(pictures: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(red_or_not("labels"))
    for refusing in (lambda: predict(path, pictures), lambda: generate_file(path, tmp_path / "code", Options(backend="portable"))):
        with pytest.raises(ModelError, match=r"a sigmoid over 2 values: several classes can be active(.|\n)*one sigmoid for two classes"):
            refusing()


@pytest.mark.parametrize("model", ["per_channel"], indirect=True)
@pytest.mark.parametrize(("stream_input", "tool"), first_is_short([(False, "make"), (True, "make"), (False, "cmake")]))
def test_the_example_builds_by_itself(model: Path, tmp_path: Path, pictures: list[Path], stream_input: bool, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    folder = tmp_path / "generated code"
    generate_file(model, folder, Options(backend="portable", stream_input=stream_input))
    example = folder / "example"
    commands = [["make", "CFLAGS=-std=c99 -Wall -Wextra -Werror"]]
    program = example / "classify"
    if tool == "cmake":
        commands, program = [["cmake", "-B", "build"], ["cmake", "--build", "build"]], example / "build" / "classify"
    for command in commands:
        subprocess.run(command, cwd=example, check=True, timeout=120, capture_output=True)
    found = predict(model, pictures)
    ppm = tmp_path / "picture.ppm"
    for one in found.pictures:
        ppm.write_bytes(b"P6\n# a comment\n%d %d\n255\n" % (one.frame.shape[1], one.frame.shape[0]) + one.frame.tobytes())
        said = subprocess.run([program, ppm], capture_output=True, text=True, timeout=60, check=True).stdout
        assert said.splitlines()[1:] == one.in_words().splitlines()[1:]
    wrong = subprocess.run([program, pictures[0]], capture_output=True, text=True, timeout=60, check=False)
    assert (wrong.returncode, "binary PPM" in wrong.stderr) == (1, True)


@pytest.mark.parametrize("model", ["per_channel"], indirect=True)
def test_what_is_not_known_is_not_generated(model: Path, tmp_path: Path) -> None:
    for file in (model.parent / "preprocessing.json", model.parent / "labels.txt"):
        file.unlink()
    folder = tmp_path / "generated"
    generate_file(model, folder, Options(backend="portable"))
    assert not {"network_image.c", "network_labels.h", "example", *RESIZE} & {path.name for path in folder.iterdir()}
    assert "preprocessing.json" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", ["per_channel"], indirect=True)
def test_labels_of_another_model_are_refused(model: Path, tmp_path: Path) -> None:
    write_labels(model.parent, [*CLASSES, "one more"])
    with pytest.raises(InputError, match="names 4 classes"):
        generate_file(model, tmp_path / "generated", Options(backend="portable"))


def test_names_of_classes_of_any_letters_reach_c_and_back(tmp_path: Path) -> None:
    names = ['a "quoted" one', "back\\slash", "what??!", "Gänseblümchen", "菊", "*/ ends", "7 up"]
    write_labels_header(tmp_path, "network", names)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "network_labels.h"\n'
        "int main(void) { for (unsigned i = 0; i < NETWORK_LABELS; i++) { puts(network_labels[i]); } return 0; }\n"
    )
    find_host_compiler().link([tmp_path / "main.c"], tmp_path / "program", STRICT)
    said = subprocess.run([tmp_path / "program"], capture_output=True, timeout=60, check=True).stdout
    assert said.decode().splitlines() == names


def test_a_line_break_in_a_class_name_does_not_make_two(tmp_path: Path) -> None:
    write_labels(tmp_path, ["one\ntwo", "three"])
    assert labels_beside(tmp_path / "model.tflite") == ("one two", "three")


@pytest.mark.parametrize("model", ["per_channel"], indirect=True)
def test_the_command_writes_what_the_model_saw(model: Path, tmp_path: Path, pictures: list[Path]) -> None:
    command = [
        sys.executable,
        "-m",
        "edgeloop",
        "predict",
        str(model),
        str(pictures[1]),
        "--pixels",
        str(tmp_path / "seen"),
        "--json",
        "out.json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[1].split()[1] == CLASSES[1]
    (seen,) = (tmp_path / "seen").iterdir()
    side = Preprocessing.read(model.parent / "preprocessing.json").resolution
    pixels = cv2.imread(str(seen))
    assert pixels is not None and pixels.shape == (side, side, 3)
    assert (tmp_path / "out.json").is_file()
    wrong = subprocess.run(
        [*command[:5], str(tmp_path / "none.png")], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (wrong.returncode, "cannot be read" in wrong.stderr) == (1, True)
