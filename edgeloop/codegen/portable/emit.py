"""Writes a planned network as C99: the network, its constants, the kernels beside it, build fragments, README and picture.

Equal networks and plans give equal bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from edgeloop import __version__
from edgeloop.codegen.portable.kernels import kernel_sources, write_kernels
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.literals import array_lines, comment, real32, signed, string
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.parameters import Structure, initializer
from edgeloop.codegen.portable.picture import draw
from edgeloop.codegen.portable.plan import Plan
from edgeloop.codegen.portable.stages import StageWriter
from edgeloop.codegen.portable.values import Value, ValueType
from edgeloop.markup import one_line, text

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "float32": "float"}
FORMATS: dict[ValueType, int] = {"int8": 0x00840440, "uint8": 0x00040440, "float32": 0x00821040}
"""Format words of the serial validation protocol: sign, type and bits of an element."""


@dataclass(frozen=True)
class Described:
    """What generated code says about the model that it was made from."""

    name: str
    """Prefix of the C names."""
    model: str
    """The model's file name."""
    sha256: str
    target: str
    """The title of the target."""
    labelled: bool = False
    """Whether the names of the classes lie beside it,"""
    framed: bool = False
    """and the way from a frame to the input (`edgeloop.codegen.application`)."""


def emit(network: Network, plan: Plan, described: Described, folder: Path) -> None:
    """Write the generated files into an existing folder."""
    context = _Context(network, plan, replace(described, model=one_line(described.model))).values()
    name = described.name
    for template, file in (
        ("network.h", f"{name}.h"),
        ("network.c", f"{name}.c"),
        ("network_data.h", f"{name}_data.h"),
        ("network_data.c", f"{name}_data.c"),
        ("network.mk", f"{name}.mk"),
        ("network.cmake", f"{name}.cmake"),
        ("README.md", "README.md"),
    ):
        text = _templates().get_template(f"{template}.jinja").render(context)
        (folder / file).write_text(text, encoding="utf-8", newline="\n")
    write_kernels(folder)
    (folder / "plan.svg").write_text(draw(plan, context["picture_title"]), encoding="utf-8", newline="\n")


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("edgeloop.codegen.portable"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )


class _Context:
    """Collects what the templates print."""

    def __init__(self, network: Network, plan: Plan, described: Described) -> None:
        self._network, self._plan, self._described = network, plan, described
        self._writer = StageWriter(network.computing, plan, described.name)
        works = [(stage.work, plan.batch(place)) for place, stage in enumerate(plan.pipeline.stages) if stage.work]
        self._structures_of = {id(layer): structure for work, _ in works for layer, structure in work.structures()}
        self._observed_only = [layer for work, _ in works for layer in work.observed_only]
        self._observed_bytes = max(work.observed_row_bytes * batch.rows for work, batch in works)
        self._shows_between = any(work.SHOWS_BETWEEN for work, _ in works)

    def values(self) -> dict[str, Any]:
        network, plan, described = self._network, self._plan, self._described
        pipeline, places = plan.pipeline, range(len(plan.pipeline.stages))
        functions = [self._writer.lines(place) for place in places]
        output_rows = self._writer.value_rows(pipeline.output).name
        if not pipeline.streamed:
            self._writer.value_rows(pipeline.input)
        layers = network.computing
        source, output = (f"{value.shape_text} {value.dtype}" for value in (network.input, network.output))
        return {
            "name": described.name,
            "upper": described.name.upper(),
            "title": comment(f"{described.model}: {source} to {output}"),
            "model": text(described.model),
            "model_in_comment": comment(described.model),
            "sha256": described.sha256,
            "target": described.target,
            "version": __version__,
            "signature": f"0x{described.sha256[:16]}",
            "streamed": pipeline.streamed,
            "labelled": described.labelled,
            "framed": described.framed,
            "input": network.input,
            "input_scale": real32(network.input.scale),
            "input_zero_point": signed(network.input.zero_point),
            "input_format": _format(network.input),
            "output": network.output,
            "output_scale": real32(network.output.scale),
            "output_zero_point": signed(network.output.zero_point),
            "output_format": _format(network.output),
            "output_type": C_TYPES[network.output.dtype],
            "output_rows": output_rows,
            "activation_bytes": plan.arena_bytes,
            "weight_bytes": network.weight_bytes,
            "macs": network.macs,
            "layers": [_layer_row(layer) for layer in layers],
            "functions": functions,
            "calls": [self._writer.call_whole(part.last) for part in plan.segments],
            "buffers": list(self._writer.rows.values()),
            "structures": list(self._structures(layers)),
            "arrays": list(self._arrays(layers)),
            "folded_layer": next((self._writer.index(layer) for layer in self._observed_only), None),
            "observed_bytes": self._observed_bytes,
            "uses_between": self._shows_between,
            "uses_row_or_null": any(tap.padded for stage in pipeline.stages for tap in stage.taps),
            "uses_scratch": any(plan.batch(place).scratch_bytes for place in places),
            "uses_least": any(plan.batch(place).rows > 1 or plan.pulls(place) for place in places),
            "kernels": kernel_sources(),
            "picture_title": f"{described.model}: {plan.arena_bytes / 1024:.2f} KiB of activations",
        }

    def _structures(self, layers: list[Layer]) -> Iterator[dict[str, Any]]:
        for number, layer in enumerate(layers):
            structure = self._structures_of[id(layer)]
            yield {
                "title": comment(f"{layer.name}: {layer.inputs[0].shape_text} to {layer.output.shape_text}"),
                "type": structure.name,
                "name": f"layer_{number}",
                "fields": list(self._fields(structure, number)),
                "observed_only": layer in self._observed_only,
            }

    def _fields(self, structure: Structure, number: int) -> Iterator[tuple[str, str]]:
        for field, value in structure.fields():
            yield field.name, self._array(field.name, number) if isinstance(value, np.ndarray) else initializer(field, value)

    def _arrays(self, layers: list[Layer]) -> Iterator[dict[str, Any]]:
        for number, layer in enumerate(layers):
            for field, values in self._structures_of[id(layer)].fields():
                if isinstance(values, np.ndarray):
                    yield {
                        "type": field.type,
                        "name": self._array(field.name, number),
                        "size": values.size,
                        "lines": list(array_lines(values)),
                        "title": comment(f"{layer.name}, {field.name}"),
                    }

    def _array(self, field: str, number: int) -> str:
        return f"{self._described.name}_{field}_{number}"


def _format(value: Value) -> str:
    return f"0x{FORMATS[value.dtype]:08x}u"


def _layer_row(layer: Layer) -> dict[str, Any]:
    output = layer.output
    return {
        "name": string(layer.name),
        "type": f"0x{layer.NODE_TYPE:x}u",
        "position": layer.position,
        "operator": layer.operator,
        "shape": output.shape_text,
        "height": output.height,
        "width": output.width,
        "channels": output.channels,
        "format": _format(output),
        "scale": real32(output.scale),
        "zero_point": signed(output.zero_point),
        "macs": layer.macs,
        "weight_bytes": layer.weight_bytes,
    }
