"""What a Keras file holds: inputs, outputs, layers, parameters and multiply-accumulates. It is read in a child, and not run."""

import math
import tempfile
from pathlib import Path
from typing import Any

from edgeloop.child import Limits, Tell, in_child
from edgeloop.errors import ModelError
from edgeloop.files import sha256_file
from edgeloop.networks.count import Shape, layer_macs, output_shape
from edgeloop.networks.files import read_model
from edgeloop.records import Part
from edgeloop.tflite.inspect import aligned

LIMITS = Limits(deadline_s=180.0, memory_bytes=16 << 30)


class LayerReport(Part):
    """One layer, in the order of the file."""

    name: str
    kind: str
    """Its class in Keras."""
    output_shape: Shape | None
    """Null where it has several outputs, or none."""
    macs: int | None
    """Multiply-accumulates of one inference: 0 where it has no kernel, null where its shape is open."""
    parameters: int


class KerasReport(Part):
    """What is in a Keras file."""

    file: str
    bytes: int
    sha256: str
    inputs: list[Shape]
    outputs: list[Shape]
    layers: list[LayerReport]
    parameters: int
    trainable: int
    macs: int | None

    def in_words(self) -> str:
        """Facts first, then one line for each layer."""
        facts = [
            ("file", f"{self.file}, {self.bytes:,} bytes"),
            ("sha256", self.sha256),
            *(("input", _words(shape)) for shape in self.inputs),
            *(("output", _words(shape)) for shape in self.outputs),
            ("parameters", f"{self.parameters:,}, {self.trainable:,} of them trainable"),
            ("MACs", "cannot be told (see the layers marked ?)" if self.macs is None else f"{self.macs:,}"),
        ]
        rows: list[tuple[str, ...]] = [("#", "layer", "kind", "output", "MACs", "parameters")]
        for number, layer in enumerate(self.layers):
            macs = "?" if layer.macs is None else f"{layer.macs:,}"
            rows.append((str(number), layer.name, layer.kind, _words(layer.output_shape), macs, f"{layer.parameters:,}"))
        return "\n".join([*(f"{name:<13} {value}" for name, value in facts), "", *aligned(rows)])


def inspect_keras(path: Path) -> KerasReport:
    """Read a `.keras` or `.h5` model and report what it holds.

    Raises:
        InputError: there is no such file.
        ModelError: it is damaged, or no model that Keras 3 can read.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloop-inspect-") as folder:
        target = Path(folder) / "report.json"
        in_child(
            store_report,
            path,
            target,
            limits=LIMITS,
            died=lambda how: ModelError(f"{path} cannot be read: Keras {how}.", "It is damaged, or too large for this machine."),
        )
        return KerasReport.model_validate_json(target.read_text(encoding="utf-8"))


def store_report(_: Tell, path: Path, target: Path) -> None:
    """The child's function of `inspect_keras`."""
    model = read_model(path)
    layers = [_layer(layer) for layer in model.layers]
    macs = [layer.macs for layer in layers]
    report = KerasReport(
        file=str(path),
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        inputs=[list(one.shape) for one in model.inputs],
        outputs=[list(one.shape) for one in model.outputs],
        layers=layers,
        parameters=model.count_params(),
        trainable=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        macs=None if None in macs else sum(one or 0 for one in macs),
    )
    target.write_text(report.model_dump_json(), encoding="utf-8")


def _layer(layer: Any) -> LayerReport:
    shape, kind = output_shape(layer), type(layer).__name__
    return LayerReport(name=layer.name, kind=kind, output_shape=shape, macs=layer_macs(layer, shape), parameters=layer.count_params())


def _words(shape: Shape | None) -> str:
    return "-" if shape is None else "x".join("?" if size is None else str(size) for size in shape)
