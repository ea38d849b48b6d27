"""What one Keras layer takes: multiply-accumulates, and parameters once normalisation is folded into it."""

import math
from typing import Any

Shape = list[int | None]
"""Null where it is open."""


def layer_macs(layer: Any, shape: Shape | None) -> int | None:
    """Multiply-accumulates of a layer with this output: each element of a kernel is used once at each position of it.

    A layer of layers counts them at their own outputs. 0 where there is no kernel, null where the shape is open.
    """
    if inner := getattr(layer, "layers", None):
        counts = [layer_macs(one, output_shape(one)) for one in inner]
        return None if None in counts else sum(one or 0 for one in counts)
    kernels: list[tuple[int, ...]] = [weight.shape for weight in layer.weights if "kernel" in weight.name]
    if not kernels:
        return 0
    positions = shape[1:-1] if shape else [None]
    if None in positions:
        return None
    return sum(math.prod(kernel) for kernel in kernels) * math.prod(size or 0 for size in positions)


def output_shape(layer: Any) -> Shape | None:
    """Null where it has several outputs, or none."""
    output = getattr(layer, "output", None)
    return None if output is None or isinstance(output, list | tuple | dict) else list(output.shape)


def layer_parameters_folded(layer: Any) -> int:
    """The kernel and a bias for each channel of the output, which a normalisation behind the layer becomes; 0 without a kernel."""
    kernels = [weight.shape for weight in layer.weights if weight.name == "kernel"]
    return sum(math.prod(kernel) + int(layer.output.shape[-1]) for kernel in kernels)
