"""Writes class names, the way from a frame to the model's input, and an example beside generated code."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from edgeloop.codegen.portable.literals import comment, real32, signed, utf8
from edgeloop.errors import InputError
from edgeloop.preprocessing import FILE_NAME, Preprocessing
from edgeloop.resolution import CHANNELS
from edgeloop.tflite.encoding import LEVELS, Encoder
from edgeloop.tflite.inspect import TensorReport, inspect_model
from edgeloop.tflite.labels import labels_beside

RESIZE = ("edgeloop_resize.h", "edgeloop_resize.c")
RULES = {
    "area": "averages the pixels that each pixel of the result covers (bilinear where the frame is smaller)",
    "bilinear": "weighs the four nearest pixels; it does not average when it shrinks",
    "nearest": "takes the nearest pixel",
}
PER_LINE = 16


def write_application(
    folder: Path, name: str, model: Path, *, streamed: bool = False, kernels: Sequence[str] | None = None
) -> tuple[bool, bool]:
    """Write what the files beside the model (`labels.txt`, `preprocessing.json`) allow; `kernels`: those of a portable network.

    Returns whether the classes were written, and the way from a frame.

    Raises:
        InputError: these files belong to another model.
    """
    report = inspect_model(model)
    (source, *_), (output, *_) = report.inputs, report.outputs
    # One output is the sigmoid of the second of two classes.
    classes, described = labels_beside(model, max(2, math.prod(output.shape))), model.parent / FILE_NAME
    if classes is not None or described.is_file():
        folder.mkdir(exist_ok=True)
    if classes is not None:
        write_labels_header(folder, name, classes)
    framed = described.is_file() and write_image(folder, name, model, source, Preprocessing.read(described))
    if framed and kernels is not None:
        grey = source.shape[-1] == CHANNELS["grey"]
        write_example(folder, name, output, streamed=streamed, labelled=classes is not None, grey=grey, kernels=kernels)
    return classes is not None, framed


def write_labels_header(folder: Path, name: str, classes: Sequence[str]) -> None:
    """`NAME_labels.h`: the names of the classes in the order of the scores."""
    names = [{"literal": utf8(label), "comment": comment(label)} for label in classes]
    _write(folder, "network_labels.h", f"{name}_labels.h", name=name, upper=name.upper(), labels=names)


def write_image(folder: Path, name: str, model: Path, tensor: TensorReport, preprocessing: Preprocessing) -> bool:
    """`NAME_image.h` and `.c`: a frame resized and encoded as the model takes it; returns False for a model of float input.

    Raises:
        InputError: the preprocessing is of another size, colour or range than the model.
    """
    if tuple(tensor.shape[1:]) != preprocessing.shape:
        taken, made = ("x".join(map(str, shape)) for shape in (tensor.shape[1:], preprocessing.shape))
        raise InputError(
            f"{model} takes images of {taken} (height x width x channels), its {FILE_NAME} makes {made}.",
            "Put that of this very model beside it.",
        )
    if tensor.dtype == "float32":
        return False
    encoded = Encoder(model, tensor, preprocessing)(LEVELS.astype(np.uint8))
    lines = [", ".join(str(value) for value in encoded[start : start + PER_LINE]) for start in range(0, len(encoded), PER_LINE)]
    facts: dict[str, Any] = {
        "name": name,
        "upper": name.upper(),
        "size": preprocessing.size,
        "grey": preprocessing.color == "grey",
        "rule": preprocessing.resize,
        "rule_in_words": RULES[preprocessing.resize],
        "range": preprocessing.input_range,
        "type": f"{tensor.dtype}_t",
        "values": [] if np.array_equal(encoded, LEVELS) else lines,
    }
    for file in ("h", "c"):
        _write(folder, f"network_image.{file}", f"{name}_image.{file}", **facts)
    for source in RESIZE:
        (folder / source).write_bytes((Path(__file__).parent / source).read_bytes())
    return True


def write_example(
    folder: Path, name: str, output: TensorReport, *, streamed: bool, labelled: bool, grey: bool, kernels: Sequence[str]
) -> None:
    """`example/`: a program that classifies pictures on this machine, with a Makefile and a CMakeLists.txt."""
    example = folder / "example"
    example.mkdir()
    facts: dict[str, Any] = {
        "name": name,
        "upper": name.upper(),
        "streamed": streamed,
        "labelled": labelled,
        "grey": grey,
        "input": "image" if streamed else f"{name}_input()",
        "type": "float" if output.dtype == "float32" else f"{output.dtype}_t",
        "scale": None if output.dtype == "float32" else real32(output.scale or 1.0),
        "zero_point": signed(output.zero_point or 0),
        "one_sigmoid": math.prod(output.shape) == 1,
        "sources": [f"{name}.c", f"{name}_data.c", f"{name}_image.c", "edgeloop_resize.c", *kernels],
    }
    for file in ("main.c", "Makefile", "CMakeLists.txt"):
        _write(example, file, file, **facts)


def _write(folder: Path, template: str, file: str, **values: Any) -> None:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgeloop.codegen.application"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    (folder / file).write_text(environment.get_template(f"{template}.jinja").render(values), encoding="utf-8", newline="\n")
