"""CONV_2D of 3x3 windows over three channels, moved by two columns: the usual first layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.operators.convolution import Convolution
from edgeloop.codegen.portable.operators.scaled import ROUND_EXACT
from edgeloop.codegen.portable.operators.tiles import aligned
from edgeloop.codegen.portable.parameters import Values, read_fields
from edgeloop.codegen.portable.pipeline import Batch
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

SIZE, CHANNELS, STRIDE = 3, 3, 2
_PAIRS = 5
"""Words that hold the nine values of a row of the window."""
_PLANES_BYTES = SIZE * 3 * 17 * 4
"""Of edgeloop_rgb_convolution.c: rows, planes, words in each."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RgbConvolution(Convolution):
    """Convolution hands over what this takes."""

    OPERATORS = ()
    KERNEL = "edgeloop_rgb_convolution"

    @staticmethod
    def takes(shape: tuple[int, ...], stride_x: int) -> bool:
        """Whether weights of this shape, moved by so many columns, have this kernel."""
        return (*shape[1:], stride_x) == (SIZE, SIZE, CHANNELS, STRIDE)

    def check(self) -> None:
        super().check()
        self.expect(self.takes(self.weights.shape, self.window.stride_x), "is no 3x3 window over three channels, moved by two columns")

    def parameters_of(self, source: Value) -> Values:
        rows = self.weights.reshape(self.output.channels, -1)
        fields = dict(super().parameters_of(source))
        # Doubled, sums need not be for fast rounding, which leaves them a bit of room for it.
        factor = 1 if fields["rounding"] == ROUND_EXACT else 2
        fields["weights"] = _pairs_of_words(rows.astype(np.int16) * factor)
        fields["scaling"] = _scaling(fields, factor)
        # The others are the same of every such layer, or in the scaling.
        return {field.name: fields[field.name] for field in read_fields(self.kernel_files()[0], str(self.KERNEL))}

    def batches(self) -> tuple[Batch, ...]:
        """The pixels under some columns, as 16-bit values."""
        return (Batch(1, aligned(_PLANES_BYTES)),)

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_rgb_convolution_row({site.structure(self)}, input, output, {site.scratch});"]


def _pairs_of_words(rows: NDArray[np.int16]) -> NDArray[np.int32]:
    """The weights of each output channel in the order and with the zeros that edgeloop_rgb_convolution.h states."""
    whole = np.zeros((aligned(len(rows), 2), SIZE, _PAIRS * 2), np.int16)
    whole[: len(rows), :, : SIZE * CHANNELS] = rows.reshape(len(rows), SIZE, -1)
    # A whole number of vectors.
    words = np.pad(whole.reshape(len(whole), -1), ((0, 0), (0, 2))).reshape(-1, 2, SIZE * _PAIRS + 1, 2).transpose(0, 2, 1, 3)
    return np.frombuffer(words.astype("<i2").tobytes(), "<i4").astype(np.int32)


def _scaling(fields: Values, factor: int) -> NDArray[np.int32]:
    """Bias, multiplier, offset and shift of each pair of channels, as edgeloop_rgb_convolution.h states them."""
    bias, multiplier, shift = (np.asarray(fields[name], np.int64) for name in ("bias", "multiplier", "shift"))
    zero_point = int(np.asarray(fields["output_zero_point"]))
    # edgeloop_fast_offset: half a unit, and the zero point.
    offset = (2 * zero_point + 1) << np.maximum(-shift - 1, 0) if factor == 2 else np.zeros_like(bias)
    whole = np.zeros((4, aligned(len(bias), 2)), np.int64)
    whole[:, : len(bias)] = bias * factor, multiplier, offset, -shift
    words = whole.reshape(4, -1, 2).transpose(1, 0, 2).reshape(-1)
    return (words & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
