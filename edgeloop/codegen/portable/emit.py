"""Writes a planned network as C99: the network, its constants, the kernels beside it, build fragments, README and picture.

Equal networks and plans give equal bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2

from edgeloop import __version__
from edgeloop.codegen.portable.kernels import kernel_files
from edgeloop.codegen.portable.kernels.parameters import Number, Parameters, convolution_of_pixels, parameters
from edgeloop.codegen.portable.literals import array_lines, comment, real, real32, signed, string, unsigned
from edgeloop.codegen.portable.lowering import computing_layers
from edgeloop.codegen.portable.network import Convolution, Layer, Network, Requantize, Value
from edgeloop.codegen.portable.picture import draw
from edgeloop.codegen.portable.plan import Plan
from edgeloop.codegen.portable.stages import StageWriter, folded_input
from edgeloop.codegen.portable.tables import FORMATS, layer_name, node_type, shape_text, weight_bytes
from edgeloop.markup import one_line, text

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "float32": "float"}
ARRAY_TYPES = {"int8": "int8_t", "int32": "int32_t", "float64": "double"}
_SIGNED = ("zero_point", "offset", "multiplier", "shift", "low", "high", "fill", "lowest_difference")
"""How the names of int32_t fields end; all other integers are uint32_t."""


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
    for kernel in kernel_files():
        (folder / kernel.name).write_bytes(kernel.read_bytes())
    (folder / "plan.svg").write_text(draw(plan, context["picture_title"]), encoding="utf-8", newline="\n")


def network_weight_bytes(network: Network) -> int:
    """int8 weights and int32 biases of a network."""
    return sum(weight_bytes(layer) for layer in network.layers)


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
        self._writer = StageWriter(network, plan, described.name)
        self._folded = {id(folded): folded for stage in plan.pipeline.stages if (folded := folded_input(network, stage))}

    def values(self) -> dict[str, Any]:
        network, plan, described = self._network, self._plan, self._described
        pipeline = plan.pipeline
        functions = [self._writer.lines(place) for place in range(len(pipeline.stages))]
        output_rows = self._writer.value_rows(pipeline.output).name
        if not pipeline.streamed:
            self._writer.value_rows(pipeline.input)
        body = "\n".join(line for lines in functions for line in lines)
        folded = next(iter(self._folded.values()), None)
        layers = computing_layers(network)
        taken, given = (f"{shape_text(value)} {value.dtype}" for value in (network.input, network.output))
        return {
            "name": described.name,
            "upper": described.name.upper(),
            "title": comment(f"{described.model}: {taken} to {given}"),
            "model": text(described.model),
            "model_in_comment": comment(described.model),
            "sha256": described.sha256,
            "target": described.target,
            "version": __version__,
            "signature": f"0x{described.sha256[:16]}",
            "streamed": pipeline.streamed,
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
            "frame_bytes": network.input.bytes,
            "weight_bytes": network_weight_bytes(network),
            "macs": network.macs,
            "layers": [_layer_row(layer) for layer in layers],
            "functions": functions,
            "calls": [self._writer.call_whole(part.last) for part in plan.segments],
            "buffers": list(self._writer.rows.values()),
            "structures": list(self._structures(layers)),
            "arrays": list(self._arrays(layers)),
            "folded_layer": None if folded is None else self._writer.index(folded),
            "observed_bytes": max(self._writer.observed_bytes, folded.output.row_bytes if folded is not None else 0),
            "uses_between": "SHOW_BETWEEN" in body,
            "uses_row_or_null": "row_or_null(" in body,
            "uses_scratch": "scratch(" in body,
            "uses_least": "least(" in body,
            "kernels": [path.name for path in kernel_files() if path.suffix == ".c"],
            "picture_title": f"{described.model}: {plan.arena_bytes / 1024:.2f} KiB of activations",
        }

    def _parameters(self, layer: Layer) -> Parameters:
        if isinstance(layer, Convolution):
            for folded in self._folded.values():
                if folded.output.tensor == layer.inputs[0].tensor:
                    return convolution_of_pixels(layer, folded.inputs[0])
        return parameters(layer)

    def _structures(self, layers: list[Layer]) -> Iterator[dict[str, Any]]:
        for number, layer in enumerate(layers):
            found = self._parameters(layer)
            fields = [(field, f"{self._described.name}_{field}_{number}") for field in found.arrays]
            yield {
                "title": comment(f"{layer_name(layer)}: {shape_text(layer.inputs[0])} to {shape_text(layer.output)}"),
                "type": found.structure,
                "name": f"layer_{number}",
                "fields": [*fields, *((field, _number(field, value)) for field, value in found.numbers.items())],
                "observed_only": isinstance(layer, Requantize) and id(layer) in self._folded,
            }

    def _arrays(self, layers: list[Layer]) -> Iterator[dict[str, Any]]:
        for number, layer in enumerate(layers):
            for field, values in self._parameters(layer).arrays.items():
                yield {
                    "type": ARRAY_TYPES[values.dtype.name],
                    "name": f"{self._described.name}_{field}_{number}",
                    "size": values.size,
                    "lines": list(array_lines(values)),
                    "title": comment(f"{layer_name(layer)}, {field}"),
                }


def _format(value: Value) -> str:
    return f"0x{FORMATS[value.dtype]:08x}u"


def _layer_row(layer: Layer) -> dict[str, Any]:
    output = layer.output
    return {
        "name": string(layer_name(layer)),
        "type": f"0x{node_type(layer):x}u",
        "position": layer.position,
        "operator": layer.operator,
        "shape": shape_text(output),
        "height": output.height,
        "width": output.width,
        "channels": output.channels,
        "format": _format(output),
        "scale": real32(output.scale),
        "zero_point": signed(output.zero_point),
        "macs": layer.macs,
        "weight_bytes": weight_bytes(layer),
    }


def _number(field: str, value: Number) -> str:
    """A field's initializer: sizes are unsigned, what may be negative is signed."""
    if isinstance(value, tuple):
        return f"{{{', '.join(signed(item) for item in value)}}}"
    if isinstance(value, float):
        return real(value)
    return signed(value) if field.endswith(_SIGNED) else unsigned(value)
