"""Generated code compiled for this machine and called from Python, with every layer's rows as they are computed."""

import atexit
import ctypes
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.generate import plan_model
from edgeloop.codegen.portable.emit import Described, emit
from edgeloop.codegen.portable.kernels import kernel_sources, write_kernels
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.plan import Plan
from edgeloop.codegen.toolchain import Compiler

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion")
DSP = "-DEDGELOOP_EMULATE_DSP"
"""The kernels for Arm's DSP extension, their instructions written in C."""
RUNNER = """\
#include <string.h>
#include "{name}.h"
uint32_t faults;
#ifdef {upper}_STREAM_INPUT
static const uint8_t *image;
static uint32_t rows_read;
static void read_row(void *context, uint32_t row, void *pixels)
{{
    const uint32_t bytes = {upper}_INPUT_BYTES / {upper}_INPUT_HEIGHT;
    faults += context != &rows_read || row != rows_read;
    rows_read++;
    memcpy(pixels, image + row * bytes, bytes);
}}
#endif
void run(const void *input, void *output);
void run(const void *input, void *output)
{{
#ifdef {upper}_STREAM_INPUT
    image = input;
    rows_read = 0;
    {name}_run(read_row, &rows_read);
#else
    memcpy({name}_input(), input, {upper}_INPUT_BYTES);
    {name}_run();
    /* The result outlives the filling of the next input. */
    memset({name}_input(), 0x55, {upper}_INPUT_BYTES);
#endif
    memcpy(output, {name}_output(), {upper}_OUTPUT_BYTES);
}}
"""
OBSERVER = """\
#include <string.h>
#include "{name}.h"
extern uint32_t faults;
/* Where each layer's output goes, in the order of the table; how many of its rows have come. */
uint8_t *observed[{upper}_LAYERS];
uint32_t counts[{upper}_LAYERS];
static uint32_t running, begun;
static uint32_t row_bytes(uint32_t layer)
{{
    const {name}_layer_info *info = &{name}_layer_table[layer];
    return info->width * info->channels * ((info->format >> 7 & 127u) / 8u);
}}
void {name}_on_begin(uint32_t layer)
{{
    faults += running;
    running = 1;
    begun = layer;
}}
void {name}_on_end(uint32_t layer)
{{
    faults += running == 0 || begun != layer;
    running = 0;
}}
void {name}_on_rows(uint32_t layer, uint32_t first_row, uint32_t rows, const void *data)
{{
    faults += first_row != counts[layer];
    counts[layer] += rows;
    memcpy(observed[layer] + first_row * row_bytes(layer), data, rows * row_bytes(layer));
}}
"""


def generate_folder(model: Path, folder: Path, *, stream_input: bool = False, name: str = "network") -> tuple[Network, Plan]:
    """Write the generated code of a model, without measuring it."""
    network, plan = plan_model(model, stream_input=stream_input)
    folder.mkdir(parents=True)
    emit(network, plan, Described(name, model.name, hashlib.sha256(model.read_bytes()).hexdigest(), "this machine"), folder)
    return network, plan


class HostNetwork:
    """Generated code in this process."""

    def __init__(
        self, network: Network, folder: Path, compiler: Compiler, flags: Sequence[str] = (), *, name: str = "network", observed: bool = True
    ) -> None:
        self.network, self.folder, self.name = network, folder, name
        self._streamed = "STREAM_INPUT" in (folder / f"{name}.h").read_text(encoding="utf-8")
        self.layers: list[Layer] = network.computing
        self.observed = observed
        work = folder / ("observed" if observed else "plain")
        work.mkdir()
        sources = [folder / f"{name}.c", folder / f"{name}_data.c"]
        for stem, text in {"runner": RUNNER, **({"observer": OBSERVER} if observed else {})}.items():
            sources.append(work / f"{stem}.c")
            sources[-1].write_text(text.format(name=name, upper=name.upper()), encoding="utf-8")
        hooks = (f"-D{name.upper()}_OBSERVE",) if observed else ()
        objects = [work / f"{source.stem}.o" for source in sources]
        for source, target in zip(sources, objects, strict=True):
            compiler.compile(source, target, [*STRICT, "-O1", "-fPIC", f"-I{folder}", *hooks, *flags])
        compiler.link_shared([*objects, *_kernels(compiler, tuple(flags), tuple(kernel_sources()))], work / "network.so", flags)
        self._library = ctypes.CDLL(str(work / "network.so"))
        self._run = self._library.run
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._run.restype = None
        getattr(self._library, f"{name}_init")()

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """The output (height, width, channels) for one input in the model's own type."""
        pixels = np.ascontiguousarray(image)
        output = np.empty(self.network.output.shape, self.network.output.dtype)
        self.values = [np.zeros(layer.output.shape, layer.output.dtype) for layer in self.layers]
        if self.observed:
            pointers = (ctypes.c_void_p * len(self.values)).in_dll(self._library, "observed")
            for place, value in enumerate(self.values):
                pointers[place] = value.ctypes.data
            ctypes.memset(ctypes.addressof(self._counts()), 0, ctypes.sizeof(self._counts()))
        self._run(pixels.ctypes.data, output.ctypes.data)
        return output

    def check_rows(self) -> None:
        """Each row of each layer came once, in order, and no layer began within another."""
        assert self.faults == 0
        if self.observed:
            missing = [layer.output.height - count for layer, count in zip(self.layers, self._counts(), strict=True)]
            # A streamed row that nothing needs is not asked for, so the QUANTIZE that is folded into its reader has none either.
            assert missing[0] == 0 or self._streamed
            assert not any(missing[1:])

    def observed_values(self) -> list[tuple[Layer, NDArray[Any]]]:
        """Each layer with the rows that came, (rows, width, channels)."""
        if not self.observed:
            return []
        return [(layer, value[:count]) for layer, value, count in zip(self.layers, self.values, self._counts(), strict=True)]

    @property
    def faults(self) -> int:
        """Rows out of order, and layers that began within others."""
        return ctypes.c_uint32.in_dll(self._library, "faults").value

    def _counts(self) -> ctypes.Array[ctypes.c_uint32]:
        return (ctypes.c_uint32 * len(self.layers)).in_dll(self._library, "counts")


@cache
def _kernels(compiler: Compiler, flags: tuple[str, ...], names: tuple[str, ...]) -> list[Path]:
    """The kernels' objects: compiled once, as in a program of several networks."""
    folder = Path(tempfile.mkdtemp(prefix="edgeloop-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_kernels(folder)
    sources = [folder / name for name in names]
    objects = [folder / f"{source.stem}.o" for source in sources]
    for source, target in zip(sources, objects, strict=True):
        compiler.compile(source, target, [*STRICT, "-O1", "-fPIC", *flags])
    return objects
