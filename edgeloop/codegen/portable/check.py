"""Whether a `Network` holds together: C code that reads and writes memory is generated from it without asking again.

Independent of where the network comes from: sizes are compared with sizes, and no operand is used before it exists.
"""

import math
from pathlib import Path

from edgeloop.codegen.portable.layer import Unfit
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.values import Value
from edgeloop.errors import ModelError

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "float32": (0, 0)}


def check(network: Network, path: Path) -> None:
    """Check every value, every layer and the order.

    Raises:
        ModelError: something does not fit together; the message names the layer.
    """
    try:
        _check_network(network)
    except Unfit as error:
        raise ModelError(f"{path} does not hold together: {error}.", "Convert the model again.") from error


def _check_network(network: Network) -> None:
    _check_value(network.input)
    known = {network.input.tensor: network.input}
    for layer in network.layers:
        for value in layer.inputs:
            layer.expect(known.get(value.tensor) is value, f"uses {value.name!r} before it is computed")
        layer.expect(layer.output.tensor not in known, "computes what is there already")
        _check_value(layer.output)
        layer.expect(len(layer.inputs) in layer.INPUTS, f"has {len(layer.inputs)} inputs")
        layer.check()
        known[layer.output.tensor] = layer.output
    if known.get(network.output.tensor) is not network.output or network.output is network.input:
        raise Unfit("no layer computes its output")
    positions = [(layer.position, layer.part) for layer in network.layers]
    if positions != sorted(set(positions)):
        raise Unfit("its layers are not in order")


def _check_value(value: Value) -> None:
    low, high = _RANGES[value.dtype]
    scaled = value.scale == 0 if value.dtype == "float32" else math.isfinite(value.scale) and value.scale > 0
    if min(value.shape) < 1 or not low <= value.zero_point <= high or not scaled:
        raise Unfit(f"the value {value.name!r} has the shape {value.shape}, scale {value.scale} and zero point {value.zero_point}")
