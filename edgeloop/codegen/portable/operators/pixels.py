"""The QUANTIZE of the network's uint8 pixels, folded into the convolution that reads them.

It only moves the zero point by 128, which the convolution's folded bias does as well; what it would compute is made for an
observer only.
"""

from edgeloop.codegen.portable.fusion import Fusion
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators.convolution import Convolution
from edgeloop.codegen.portable.operators.rescale import Requantize
from edgeloop.codegen.portable.parameters import Structure
from edgeloop.codegen.portable.pipeline import Batch, Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value


class Pixels(Fusion[Requantize, Convolution]):
    """A convolution that reads uint8."""

    KINDS = (Requantize, Convolution)

    @classmethod
    def fits(cls, first: Requantize, second: Convolution, network: Network) -> bool:  # noqa: ARG003
        source, output = first.inputs[0], first.output
        return (
            source.tensor == network.input.tensor
            and (source.dtype, output.dtype) == ("uint8", "int8")
            and source.scale == output.scale
            and source.zero_point - output.zero_point == 128
        )

    @property
    def observed_only(self) -> tuple[Layer, ...]:
        return (self.first,)

    @property
    def observed_row_bytes(self) -> int:
        return self.first.output.row_bytes

    def tap(self, buffer: int, value: Value) -> Tap:
        return self.second.tap(buffer, value)

    def batches(self) -> tuple[Batch, ...]:
        return self.second.batches()

    def structures(self) -> list[tuple[Layer, Structure]]:
        first, second = self.first, self.second
        return [*first.structures(), (second, second.structure(second.parameters_of_pixels(first.inputs[0])))]

    def statements(self, site: Site) -> list[str]:
        return self.second.statements(site)
