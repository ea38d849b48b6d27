"""STRIDED_SLICE, SLICE, SPLIT and SPLIT_V: some rows, columns and channels of a value, at even distances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

MOST_OUTPUTS = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice(Layer):
    """What is read along rows, columns and channels; the output's shape says how many."""

    KERNEL = "edgeloop_slice"

    begins: tuple[int, int, int]
    steps: tuple[int, int, int]

    @classmethod
    def of_ranges(cls, node: Node, source: Value, ranges: Sequence[range]) -> Self:
        """The layer that takes these places along each dimension of the file, the batch included."""
        if any(len(places) == 0 for places in ranges) or ranges[0] != range(1):
            raise node.refuse("slices other than rows, columns and channels")
        output = node.of_shape(node.like(source), *(len(places) for places in ranges))
        missing = 4 - len(ranges)
        height, width, channels = [range(1)] * missing + [*ranges[1:]]
        begins = (height.start, width.start, channels.start)
        return cls(**node.ends(output, source), begins=begins, steps=(height.step, width.step, channels.step))

    def check(self) -> None:
        self.expect_int8()
        self.expect_same_scale()
        for size, count, begin, step in zip(self.inputs[0].shape, self.output.shape, self.begins, self.steps, strict=True):
            self.expect(begin >= 0 and step > 0 and begin + (count - 1) * step < size, "reads beyond its input")

    def parameters(self) -> Values:
        channels = self.inputs[0].channels
        return {
            "columns": self.output.width,
            "channels": self.output.channels,
            "first": self.begins[1] * channels + self.begins[2],
            "column_step": self.steps[1] * channels,
            "channel_step": self.steps[2],
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, 1, self.steps[0], -self.begins[0])

    def call(self, site: Site) -> list[str]:
        begin, step = self.begins[0], self.steps[0]
        row = ("y" if step == 1 else f"{step}u * y") + (f" + {begin}u" if begin else "")
        return [f"edgeloop_slice_row({site.structure(self)}, {site.row(site.taps[0], row)}, output);"]


@dataclass(frozen=True, eq=False, kw_only=True)
class StridedSlice(Slice):
    """Of a computed value; of shapes it is folded away (`shapes`)."""

    OPERATORS = ("STRIDED_SLICE",)
    OPTIONS = "StridedSliceOptions"

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(4, 4)
        source = node.int8(0)
        shape, numbers = node.shape(source), [node.integers(place, dimensions=1) for place in (1, 2, 3)]
        if any(len(each) != len(shape) for each in numbers) or min(numbers[2]) < 1:
            raise node.refuse(f"slices {shape} by {numbers}, and the kernel slices forwards along each dimension")
        if any(node.option(name) for name in ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask")):
            raise node.refuse("has an ellipsis, a new axis or one that is left out")
        begin_mask, end_mask = node.option("BeginMask"), node.option("EndMask")
        if node.options.get("Offset"):
            raise node.refuse("has ends that are relative to its beginnings")
        ranges = []
        for axis, (size, begin, end, step) in enumerate(zip(shape, *numbers, strict=True)):
            first, last = (None if mask >> axis & 1 else place for mask, place in ((begin_mask, begin), (end_mask, end)))
            ranges.append(range(size)[first:last:step])
        return cls.of_ranges(node, source, ranges)


@dataclass(frozen=True, eq=False, kw_only=True)
class PlainSlice(Slice):
    """Where it begins and how much it takes."""

    OPERATORS = ("SLICE",)

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(3, 3)
        source = node.int8(0)
        shape, begins, sizes = node.shape(source), node.integers(1, dimensions=1), node.integers(2, dimensions=1)
        if not len(shape) == len(begins) == len(sizes):
            raise node.refuse(f"slices {shape} from {begins} by {sizes}", "Convert the model again.")
        ranges = [range(begin, size if taken == -1 else begin + taken) for size, begin, taken in zip(shape, begins, sizes, strict=True)]
        if any(places.start < 0 or places.stop > size for places, size in zip(ranges, shape, strict=True)):
            raise node.refuse(f"slices {shape} from {begins} by {sizes}, beyond its input", "Convert the model again.")
        return cls.of_ranges(node, source, ranges)


@dataclass(frozen=True, eq=False, kw_only=True)
class Split(Slice):
    """One of the parts; each output of the operator is a layer of its own."""

    OPERATORS = ("SPLIT", "SPLIT_V")

    @classmethod
    def read_all(cls, node: Node) -> list[Layer]:
        return [*cls._parts(node)]

    @classmethod
    def read(cls, node: Node) -> Self:
        return cls._parts(node)[node.result]

    @classmethod
    def _parts(cls, node: Node) -> list[Self]:
        count = len(node.operator.outputs)
        node.expect_inputs(2, 3, outputs=range(1, MOST_OUTPUTS + 1))
        source, axis = node.int8(1 if node.operator.name == "SPLIT" else 0), 0
        shape = node.shape(source)
        (axis,) = node.integers(0 if node.operator.name == "SPLIT" else 2, elements=1)
        axis += len(shape) if axis < 0 else 0
        if not 0 < axis < len(shape):
            raise node.refuse(f"splits along dimension {axis} of {len(shape)}")
        sizes = cls._sizes(node, shape[axis], count)
        starts = [sum(sizes[:place]) for place in range(count)]
        parts = []
        for place, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            ranges = [range(start, start + size) if each == axis else range(whole) for each, whole in enumerate(shape)]
            parts.append(cls.of_ranges(replace(node, result=place), source, ranges))
        return parts

    @staticmethod
    def _sizes(node: Node, whole: int, count: int) -> list[int]:
        """How much each part takes."""
        if node.operator.name == "SPLIT":
            sizes = [whole // count] * count
        else:
            sizes = node.integers(1, dimensions=1)
            sizes = [whole - sum(size for size in sizes if size != -1) if size == -1 else size for size in sizes]
        if sum(sizes) != whole or len(sizes) != count or min(sizes) < 1:
            raise node.refuse(f"splits {whole} into {sizes}", "Convert the model again.")
        return sizes
