"""Generated code on the emulated Cortex-M7: the same observer as on this machine, its results read from the core's memory."""

import dataclasses
import struct
from pathlib import Path
from typing import Any

import numpy as np
from generated_code import OBSERVER, RUNNER
from numpy.typing import NDArray

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import STM32H747, Region
from edgeloop.codegen.portable.bare import Memory, link_bare
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.toolchain import Compiler

SDRAM = Region("SDRAM", 0xD000_0000, 16 << 20)
"""What is observed goes there, as to the external memory of a discovery board; the network itself has the part's own."""
FLASH = dataclasses.replace(STM32H747.flash, size=4 * STM32H747.flash.size)
"""FdMobileNet 1.0 does not fit into the part's own 2 MiB."""
PART = dataclasses.replace(STM32H747, flash=FLASH, memories=(*STM32H747.memories, SDRAM))
LIBRARY = "#include <stddef.h>\nvoid *memset(void *, int, size_t);\nvoid *memcpy(void *, const void *, size_t);"


class EmulatedNetwork:
    """Generated code, observed, on an STM32H747 with external memory."""

    def __init__(self, network: Network, folder: Path, compiler: Compiler, level: str = "-O2") -> None:
        self.layers: list[Layer] = network.computing
        self._output = network.output
        elf, data = folder / "emulated.elf", PART.memory(PART.data)
        observer = "".join(
            text.format(name="network", upper="NETWORK").replace("#include <string.h>", LIBRARY) for text in (RUNNER, OBSERVER)
        )
        link_bare(
            folder,
            "network",
            compiler,
            elf,
            flash=Memory(FLASH.start, FLASH.size),
            ram=Memory(data.start, data.size),
            flags=(level, "-DNETWORK_OBSERVE"),
            extra=observer,
        )
        self._core = Core(PART, read_program(elf))

    def run(self, image: NDArray[Any]) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """The output, and every layer's output (height, width, channels), for one input in the model's own type."""
        pixels = np.ascontiguousarray(image).tobytes()
        sizes = [len(pixels), self._output.bytes, *(layer.output.bytes for layer in self.layers)]
        taken, given, *observed = (SDRAM.start + int(offset) for offset in np.cumsum([0, *(-(-size // 8) * 8 for size in sizes)])[:-1])
        self._core.write(taken, pixels)
        self._core.write(self._address("observed"), struct.pack(f"<{len(observed)}I", *observed))
        self._core.write(self._address("counts"), bytes(4 * len(observed)))
        self._core.call("run", taken, given)
        self._check_rows()
        values = [self._read(place, layer.output.shape, layer.output.dtype) for place, layer in zip(observed, self.layers, strict=True)]
        return self._read(given, self._output.shape, self._output.dtype), values

    def _check_rows(self) -> None:
        assert self._read(self._address("faults"), (1,), "uint32")[0] == 0
        counts = self._read(self._address("counts"), (len(self.layers),), "uint32")
        assert counts.tolist() == [layer.output.height for layer in self.layers]

    def _read(self, place: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        return np.frombuffer(self._core.read(place, int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape)

    def _address(self, symbol: str) -> int:
        return self._core.program.symbols[symbol].address
