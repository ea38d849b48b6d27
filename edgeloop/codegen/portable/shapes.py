"""Constants that follow from shapes: the SHAPE, STRIDED_SLICE, PACK chain by which an open batch feeds a RESHAPE.

With a batch of 1 every such number is known before anything runs.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.step import MOST_INTEGERS, Step

Integers = NDArray[np.int32]


def shape(step: Step) -> Integers:
    """SHAPE of a computed value, the batch included."""
    step.expect_inputs(1, 1)
    return np.array(step.graph.tensors[step.value(0).tensor].shape, np.int32)


def strided_slice(step: Step) -> Integers:
    """STRIDED_SLICE of a vector, along its only dimension."""
    step.expect_inputs(4, 4)
    numbers, begin, end, stride = (step.integers(place) for place in range(4))
    if not len(begin) == len(end) == len(stride) == 1 or stride[0] < 1:
        raise step.refuse("slices other than forwards along one dimension")
    if step.option("EllipsisMask") or step.option("NewAxisMask"):
        raise step.refuse("has an ellipsis or a new axis")
    first = None if step.option("BeginMask") & 1 else begin[0]
    if step.option("ShrinkAxisMask") & 1:
        place = first or 0
        if not -len(numbers) <= place < len(numbers):
            raise step.refuse(f"takes place {place} of {len(numbers)}")
        return np.array(numbers[place], np.int32)
    return np.array(numbers[first : None if step.option("EndMask") & 1 else end[0] : stride[0]], np.int32)


def pack(step: Step) -> Integers:
    """PACK of numbers to a vector."""
    step.expect_inputs(1, MOST_INTEGERS)
    if step.option("Axis") != 0:
        raise step.refuse("packs along another dimension than the first")
    parts = [step.integers(place) for place in range(len(step.operator.inputs))]
    if any(len(part) != 1 for part in parts):
        raise step.refuse("packs other than single numbers")
    return np.array([part[0] for part in parts], np.int32)


FOLDED: dict[str, Callable[[Step], Integers]] = {"SHAPE": shape, "STRIDED_SLICE": strided_slice, "PACK": pack}
