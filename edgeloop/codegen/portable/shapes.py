"""Constants that follow from shapes: the SHAPE, STRIDED_SLICE, PACK chain by which an open batch feeds a RESHAPE.

With a batch of 1 every such number is known before anything runs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.node import MOST_INTEGERS, Node

Integers = NDArray[np.int32]


def shape(node: Node) -> Integers:
    """SHAPE of a computed value, the batch included."""
    node.expect_inputs(1, 1)
    return np.array(node.graph.tensors[node.value(0).tensor].shape, np.int32)


def strided_slice(node: Node) -> Integers:
    """STRIDED_SLICE of a vector, along its only dimension."""
    node.expect_inputs(4, 4)
    numbers, begin, end, stride = (node.integers(place) for place in range(4))
    if not len(begin) == len(end) == len(stride) == 1 or stride[0] < 1:
        raise node.refuse("slices other than forwards along one dimension")
    if node.option("EllipsisMask") or node.option("NewAxisMask"):
        raise node.refuse("has an ellipsis or a new axis")
    first = None if node.option("BeginMask") & 1 else begin[0]
    if node.option("ShrinkAxisMask") & 1:
        place = first or 0
        if not -len(numbers) <= place < len(numbers):
            raise node.refuse(f"takes place {place} of {len(numbers)}")
        return np.array(numbers[place], np.int32)
    return np.array(numbers[first : None if node.option("EndMask") & 1 else end[0] : stride[0]], np.int32)


def pack(node: Node) -> Integers:
    """PACK of numbers to a vector."""
    node.expect_inputs(1, MOST_INTEGERS)
    if node.option("Axis") != 0:
        raise node.refuse("packs along another dimension than the first")
    parts = [node.integers(place) for place in range(len(node.operator.inputs))]
    if any(len(part) != 1 for part in parts):
        raise node.refuse("packs other than single numbers")
    return np.array([part[0] for part in parts], np.int32)


FOLDED: dict[str, tuple[str, Callable[[Node], Integers]]] = {
    "SHAPE": ("ShapeOptions", shape),
    "STRIDED_SLICE": ("StridedSliceOptions", strided_slice),
    "PACK": ("PackOptions", pack),
}
"""Each with its options table in the file."""
