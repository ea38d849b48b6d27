"""A layer: one operator of the file that computes something.

Each kind of layer is a room of `operators`, which holds all that is known of it: what it reads of the file, its checks,
what its kernel is told, which rows of its inputs it needs, its scratch memory, and the statements that call the kernel.
"""

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from edgeloop.codegen.portable.parameters import Structure, Values
from edgeloop.codegen.portable.pipeline import Batch, Tap
from edgeloop.codegen.portable.values import Limits, Scaling, Value
from edgeloop.codegen.portable.work import Work

if TYPE_CHECKING:
    from edgeloop.codegen.portable.node import Node
    from edgeloop.codegen.portable.stages import Site

OTHER_NODE_TYPE = 0x107
"""What has no node type of its own in ST's tools is shown as a nonlinearity."""


class Unfit(Exception):
    """What does not fit together, without the file's name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer(Work):
    """One operator of the file that computes something; a stage computes it alone unless a fusion takes it."""

    OPERATORS: ClassVar[tuple[str, ...]]
    """Names in the file of the operators that are such a layer."""
    OPTIONS: ClassVar[str] = ""
    """The options table of these operators in the file."""
    NODE_TYPE: ClassVar[int] = OTHER_NODE_TYPE
    """By which ST's tools show it."""
    INPUTS: ClassVar[range] = range(1, 2)
    """How many computed values it may read."""

    position: int
    """Its place among the operators of the file."""
    operator: str
    """Its name in the file, e.g. CONV_2D."""
    part: int = 0
    """Which of its operator's outputs it computes."""
    inputs: tuple[Value, ...]
    output: Value

    @classmethod
    def kind_of(cls, node: "Node") -> "type[Layer]":  # noqa: ARG003
        """Which kind of layer the operator becomes: this one, or another that takes what this one does not."""
        return cls

    @classmethod
    @abstractmethod
    def read(cls, node: "Node") -> Self:
        """The layer of an operator of the file.

        Raises:
            ModelError: it is damaged, or the kernel does not take it.
            ValueError: a scale has no multiplier.
        """

    @classmethod
    def read_all(cls, node: "Node") -> "Sequence[Layer]":
        """A layer for each output of an operator; as `read`."""
        return [cls.read(node)]

    @abstractmethod
    def check(self) -> None:
        """Whether it holds together, wherever it comes from.

        Raises:
            Unfit: it does not.
        """

    def parameters(self) -> Values:
        """The fields of the structure that its kernel is called with, in any order."""
        return {}

    def call(self, site: "Site") -> list[str]:  # noqa: ARG002
        """The C statements that compute its output rows."""
        return []

    @property
    def name(self) -> str:
        """Its operator and its place in the file, e.g. conv_2d_3."""
        return f"{re.sub('[^a-z0-9]+', '_', self.operator.lower())}_{self.position}" + (f"_part_{self.part}" if self.part else "")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference; biases and scaling are not counted."""
        return 0

    @property
    def weight_bytes(self) -> int:
        """int8 weights and int32 biases."""
        return 0

    @property
    def scaled_channels(self) -> int:
        """Output channels that have a scaling of their own."""
        return 0

    def tap(self, buffer: int, value: Value) -> Tap:
        """Which rows of an input it reads: unless it says otherwise the one of the output's own number."""
        return Tap(buffer, value, 1, in_place=value.row_bytes == self.output.row_bytes)

    def scratch_bytes(self) -> int:
        """Memory that its kernel works in for one row."""
        return 0

    def gather(self, site: "Site") -> list[str]:  # noqa: ARG002
        """The C statements before the call, which collect input rows."""
        return []

    @property
    def layers(self) -> tuple["Layer", ...]:
        return (self,)

    def structure(self, values: Values) -> Structure:
        """The kernel's structure with these values."""
        return Structure(str(self.KERNEL), self.kernel_files()[0], values)

    def structures(self) -> list[tuple["Layer", Structure]]:
        return [(self, self.structure(self.parameters()))] if self.KERNEL else []

    def batches(self) -> tuple[Batch, ...]:
        return (Batch(1, self.scratch_bytes()),)

    def statements(self, site: "Site") -> list[str]:
        return [*self.gather(site), *site.marked(self, self.call(site))]

    # For `check`.

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            raise Unfit(f"layer {self.position} ({self.operator}) {what}")

    def expect_int8(self) -> None:
        self.expect(all(value.dtype == "int8" for value in (*self.inputs, self.output)), "works on other than int8")

    def expect_same_shape(self) -> None:
        self.expect(self.inputs[0].shape == self.output.shape, "changes the shape")

    def expect_same_scale(self) -> None:
        source, output = self.inputs[0], self.output
        self.expect((source.scale, source.zero_point) == (output.scale, output.zero_point), "changes the scale")

    def expect_limits(self, limits: Limits) -> None:
        self.expect(-128 <= limits.low <= limits.high <= 127, f"has the limits {limits.low} and {limits.high}")

    def expect_scaling(self, scaling: Scaling, lowest: int = 1 << 30) -> None:
        multiplier = scaling.multiplier
        self.expect(multiplier == 0 or lowest <= multiplier < 1 << 31, f"has the multiplier {multiplier}")
        self.expect(-31 <= scaling.shift <= 30, f"has the shift {scaling.shift}")
