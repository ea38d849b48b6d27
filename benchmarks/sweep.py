"""What a multiply-accumulate costs by a layer's width and channels, on an emulated Cortex-M: whether there is a cliff anywhere.

    python benchmarks/sweep.py [--core cortex-m7] [--level -O2] [--picture docs/kernel-sweep.svg]

Each point is one layer of ROWS output rows, SAME padding (so the first and the last row have missing ones), run once with every
compiler for Arm that is here; its instructions are executed ones, exactly counted. Windows that mix channels make OUTPUTS of them.
A cliff is a point that costs over CLIFF times what a neighbour costs: one more or less column, or the next count of channels.
Returns 1 where there is one.
"""

import argparse
import dataclasses
import itertools
import math
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import MPS2_AN500
from edgeloop.cards.plots import figure_of, save
from edgeloop.codegen.portable.kernels import kernel_sources, write_kernels
from edgeloop.codegen.portable.operators import Convolution, Depthwise, RgbConvolution
from edgeloop.codegen.portable.parameters import Structure
from edgeloop.codegen.portable.values import Limits, Scaling, Value, Window
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers
from edgeloop.console import program

WIDTHS = range(1, 33)
CHANNELS = (*range(1, 9), 12, 15, 16, 17, 24, 31, 32, 33, 48, 64, 96, 128, 192, 256)
DRAWN = (1, 3, 4, 8, 16, 64, 256)
"""Channels that have a line in the picture."""
ROWS, OUTPUTS, CLIFF = 4, 8, 2.5
SCALING = Scaling(1 << 30, -9)


@dataclass(frozen=True)
class Kind:
    """A sort of layers."""

    title: str
    size: int
    stride: int
    depthwise: bool


KINDS = (
    *(Kind(f"depthwise {size}x{size}, stride {stride}", size, stride, True) for size in (3, 5) for stride in (1, 2)),
    *(Kind(f"{size}x{size} to {OUTPUTS}, stride {stride}", size, stride, False) for size in (3, 5) for stride in (1, 2)),
    Kind(f"1x1 to {OUTPUTS}", 1, 1, False),
    Kind(f"1x1 to {OUTPUTS}, stride 2", 1, 2, False),
)
Costs = dict[tuple[int, int], float]
"""Instructions for each multiply-accumulate, by output columns and input channels."""


def main() -> int:
    """Print the dearest, the cheapest and the steepest of each kind; returns 1 where there is a cliff."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", choices=("cortex-m4", "cortex-m7"), default="cortex-m7")
    parser.add_argument("--level", default="-O2")
    parser.add_argument("--picture", type=Path, help="an SVG of the first compiler's costs")
    options = parser.parse_args()
    cliffs = 0
    for number, compiler in enumerate(arm_compilers(Cpu(options.core))):
        swept = sweep(compiler, options.core, options.level)
        title = f"{options.core}, {compiler} {options.level}"
        print(f"\n{title:<42}{'least':>8}{'most':>8}{'at':>10}{'steepest':>10}{'at':>22}")
        for kind, costs in swept.items():
            (column, channel), dearest = max(costs.items(), key=lambda item: item[1])
            step, where = steepest(costs)
            cliffs += step > CLIFF
            print(f"{kind.title:<42}{min(costs.values()):>8.2f}{dearest:>8.2f}{f'{column} x {channel}':>10}{step:>10.2f}{where:>22}")
        if options.picture and number == 0:
            draw(swept, title, options.picture)
    print(f"\npoints above {CLIFF} times a neighbour: {'kinds with some: ' + str(cliffs) if cliffs else 'none'}")
    return int(cliffs > 0)


def sweep(compiler: Compiler, core: str, level: str) -> dict[Kind, Costs]:
    """Every kind at every width and count of channels."""
    with tempfile.TemporaryDirectory(prefix="edgeloop-benchmark-") as folder:
        bench = Bench(compiler, core, level, Path(folder))
    swept: dict[Kind, Costs] = {}
    for kind in KINDS:
        swept[kind] = {(width, channels): bench.cost(kind, width, channels) for width in WIDTHS for channels in CHANNELS}
        print(f"{compiler}: {kind.title} done", file=sys.stderr, flush=True)
    return swept


def steepest(costs: Costs) -> tuple[float, str]:
    """The largest ratio of a point to a neighbour, and where that is."""
    pairs = [((width, channels), (width + step, channels)) for width, channels in costs for step in (-1, 1)]
    for before, after in itertools.pairwise(CHANNELS):
        pairs += [((width, a), (width, b)) for width in WIDTHS for a, b in ((before, after), (after, before))]
    ratios = {(point, beside): costs[point] / costs[beside] for point, beside in pairs if beside in costs}
    (point, beside), ratio = max(ratios.items(), key=lambda item: item[1])
    return ratio, f"{point[0]} x {point[1]} / {beside[0]} x {beside[1]}"


class Bench:
    """The kernels alone on an emulated core with much memory; layers are written into it."""

    def __init__(self, compiler: Compiler, core: str, level: str, folder: Path) -> None:
        program, script = folder / "kernels.elf", folder / "kernels.ld"
        start = MPS2_AN500.flash.start
        script.write_text(
            f"ENTRY(edgeloop_convolution_row) SECTIONS {{ . = {start:#x}; .text : {{ LONG(0) LONG(0) KEEP(*(.text*)) *(.rodata*) }} "
            ".ARM.exidx : { *(.ARM.exidx*) } .data : { *(.data*) } .bss : { *(.bss*) } }"
        )
        write_kernels(folder)
        sources = [folder / name for name in kernel_sources()]
        compiler.link(sources, program, ["-std=c99", level, f"-I{folder}", f"-Wl,-T,{script}"])
        self._core = Core(dataclasses.replace(MPS2_AN500, core=core), read_program(program))
        self._memory = MPS2_AN500.memory(MPS2_AN500.data)
        self._next = self._memory.start

    def cost(self, kind: Kind, width: int, channels: int) -> float:
        """Instructions for each multiply-accumulate of one layer."""
        self._next = self._memory.start
        layer = depthwise(kind, width, channels) if kind.depthwise else convolution(kind, width, channels)
        structure = self._structure(layer.structure(layer.parameters()))
        rows = self._rows(layer)
        output = self._place(bytes(layer.output.bytes))
        before = self._core.instructions
        if isinstance(layer, Depthwise):
            scratch_bytes = layer.plane_bytes(ROWS, layer.tiles)
            scratch = self._place(bytes(scratch_bytes))
            self._core.call("edgeloop_depthwise_rows", structure, kind.stride, rows, ROWS, output, scratch_bytes, scratch)
        else:
            batch = layer.batches()[0]
            scratch = self._place(bytes(batch.scratch_bytes))
            for row in range(ROWS):
                to = output + row * layer.output.row_bytes
                at = rows + 4 * kind.stride * row
                if isinstance(layer, RgbConvolution):
                    self._core.call("edgeloop_rgb_convolution_row", structure, at, to, scratch)
                else:
                    self._core.call("edgeloop_convolution_row", structure, at, batch.width, to, scratch)
        return (self._core.instructions - before) / layer.macs

    def _place(self, content: bytes) -> int:
        """The address where some bytes are now."""
        address = self._next
        self._core.write(address, content)
        self._next += -(-len(content) // 8) * 8
        return address

    def _structure(self, structure: Structure) -> int:
        words = [self._word(value) for _, value in structure.fields()]
        return self._place(b"".join(words))

    def _word(self, value: object) -> bytes:
        if isinstance(value, np.ndarray):
            return struct.pack("<I", self._place(value.tobytes()))
        assert isinstance(value, int)
        return struct.pack("<I", value & 0xFFFF_FFFF)

    def _rows(self, layer: Convolution | Depthwise) -> int:
        """Pointers to the input rows under all windows, NULL above and below the input."""
        source, window = layer.inputs[0], layer.window
        first = self._place(bytes(source.bytes))
        count = (ROWS - 1) * window.stride_y + window.height
        inside = [0 <= row < source.height for row in range(-window.top, count - window.top)]
        rows = [first + (row - window.top) * source.row_bytes if is_there else 0 for row, is_there in enumerate(inside)]
        return self._place(struct.pack(f"<{count}I", *rows))


def depthwise(kind: Kind, width: int, channels: int) -> Depthwise:
    """A layer with ones for weights; costs do not depend on them."""
    source, output, window = ends(kind, width, channels, channels)
    weights = np.ones((kind.size, kind.size, channels), np.int8)
    return Depthwise(operator="", position=0, inputs=(source,), output=output, weights=weights, window=window, **scaled(channels))


def convolution(kind: Kind, width: int, channels: int) -> Convolution:
    source, output, window = ends(kind, width, channels, OUTPUTS)
    weights = np.ones((OUTPUTS, kind.size, kind.size, channels), np.int8)
    made = RgbConvolution if RgbConvolution.takes(weights.shape, kind.stride) else Convolution
    return made(operator="", position=0, inputs=(source,), output=output, weights=weights, window=window, **scaled(OUTPUTS))


def ends(kind: Kind, width: int, channels: int, outputs: int) -> tuple[Value, Value, Window]:
    """Input, output and window for ROWS times `width` outputs."""
    source = Value(0, "input", ROWS * kind.stride, width * kind.stride, channels, "int8", 1.0, 3)
    output = Value(1, "output", ROWS, width, outputs, "int8", 1.0, -128)
    before = (kind.size - kind.stride) // 2 if kind.size > kind.stride else 0
    return source, output, Window(kind.size, kind.size, kind.stride, kind.stride, before, before)


def scaled(outputs: int) -> dict[str, Any]:
    return {"bias": np.zeros(outputs, np.int32), "scalings": (SCALING,) * outputs, "limits": Limits()}


def draw(swept: dict[Kind, Costs], title: str, path: Path) -> None:
    """One small plot for each kind: costs by width, a line for some counts of channels."""
    with figure_of((10.0, 11.0)) as figure:
        panels = figure.subplots(math.ceil(len(swept) / 2), 2, sharex=True, sharey=True, squeeze=False)
        for axes, (kind, costs) in zip(panels.flat, swept.items(), strict=False):
            for number, channels in enumerate(DRAWN):
                colour = f"C{number}"
                axes.plot(WIDTHS, [costs[width, channels] for width in WIDTHS], color=colour, linewidth=1.2, label=str(channels))
            axes.set_title(kind.title, loc="left")
            axes.set_yscale("log", base=2)
            axes.set_yticks([0.5, 1, 2, 4, 8, 16, 32], ["½", "1", "2", "4", "8", "16", "32"])
            axes.grid(alpha=0.4)
        for axes in panels[-1]:
            axes.set_xlabel("output columns")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), title="channels", loc="outside right upper")
        figure.suptitle(f"instructions for each multiply-accumulate, {title}", x=0.02, ha="left")
        save(figure, path)


if __name__ == "__main__":
    raise SystemExit(program(main))
