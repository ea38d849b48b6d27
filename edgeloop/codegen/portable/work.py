"""What one stage computes: a layer, or two layers that are fused."""

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgeloop.codegen.portable.parameters import Structure
from edgeloop.codegen.portable.pipeline import Batch, Tap
from edgeloop.codegen.portable.values import Value

if TYPE_CHECKING:
    from edgeloop.codegen.portable.layer import Layer
    from edgeloop.codegen.portable.stages import Site


class Work(ABC):
    """How its rows are computed, and from which rows of its inputs."""

    KERNEL: ClassVar[str | None] = None
    """Name of its C: <KERNEL>.h and <KERNEL>.c lie beside its module, and <KERNEL>_mve.c where vectors take much of their own.
    None where it has none of its own."""
    READS_WHOLE: ClassVar[bool] = False
    """Whether its input must be stored whole."""
    SHOWS_BETWEEN: ClassVar[bool] = False
    """Whether a value between its layers is computed once more for an observer."""

    inputs: tuple[Value, ...]
    output: Value

    @property
    @abstractmethod
    def layers(self) -> "tuple[Layer, ...]":
        """In order."""

    @abstractmethod
    def tap(self, buffer: int, value: Value) -> Tap:
        """Which rows of an input are read."""

    @abstractmethod
    def batches(self) -> tuple[Batch, ...]:
        """How it can be computed, the best way first: rows at once, width, scratch memory. The last one is of one row and takes the
        least memory."""

    @abstractmethod
    def structures(self) -> "list[tuple[Layer, Structure]]":
        """The C structure of each layer."""

    @abstractmethod
    def statements(self, site: "Site") -> list[str]:
        """The C statements that compute the output rows of `site`."""

    @property
    def shown(self) -> "list[tuple[Layer, str]]":
        """The layers whose rows an observer is shown, and the C expression of where they are."""
        return [(self.layers[-1], "output")]

    @property
    def observed_only(self) -> "tuple[Layer, ...]":
        """Layers that are computed for an observer and else never."""
        return ()

    @property
    def observed_row_bytes(self) -> int:
        """The bytes of a row that is computed for an observer only."""
        return 0

    @classmethod
    def kernel_files(cls) -> tuple[Path, ...]:
        """Its header, its source, and what else of it is for some cores only."""
        room = Path(str(sys.modules[cls.__module__].__file__)).parent
        return (room / f"{cls.KERNEL}.h", room / f"{cls.KERNEL}.c", *sorted(room.glob(f"{cls.KERNEL}_mve.c"))) if cls.KERNEL else ()
