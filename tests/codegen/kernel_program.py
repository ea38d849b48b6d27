"""A C program that runs kernels on given cases and says which one differs first; for this machine or an emulated one.

Every buffer is a variable of its own and just as large as it must be, so that a sanitizer sees any access outside; on the
emulated core, which has none, outputs and scratch memory lie between guard bytes.
"""

import subprocess
from collections.abc import Iterator, Sequence
from functools import singledispatch
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from kernel_cases import Case
from numpy.typing import NDArray

from edgeloop.boards.virtual import m55
from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import MPS2_AN500
from edgeloop.codegen.portable.kernels import kernel_sources, write_kernels
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.literals import array_lines, real32
from edgeloop.codegen.portable.operators import (
    AnyConvolution,
    AveragePool,
    Concatenation,
    Convolution,
    Dense,
    Depthwise,
    Dequantize,
    MaxPool,
    Mean,
    Pad,
    Rectify,
    Requantize,
    ResizeBilinear,
    ResizeNearest,
    RgbConvolution,
    Slice,
    Softmax,
)
from edgeloop.codegen.portable.operators.lookup import Lookup
from edgeloop.codegen.portable.operators.pairwise import Constant, Pairwise
from edgeloop.codegen.portable.operators.separable import separable_scratch_bytes
from edgeloop.codegen.portable.parameters import Structure, initializer
from edgeloop.codegen.toolchain import Compiler

Sliding = Depthwise | AnyConvolution | AveragePool | MaxPool
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion")
C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int32": "int32_t", "float32": "float", "float64": "double"}
GUARD_BYTES = 32
DEADLINE_S = 60.0

PRELUDE = f"""\
#include "edgeloop_kernels.h"
#ifdef __arm__
void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size) {{ char *at = to; while (size--) *at++ = (char)value; return to; }}
void *memcpy(void *to, const void *from, size_t size) {{ char *at = to; const char *by = from; while (size--) *at++ = *by++; return to; }}
#define GUARDED(type, name, count) static struct {{ uint8_t before[{GUARD_BYTES}]; type data[count]; uint8_t after[{GUARD_BYTES}]; }} name
/* Volatile: clang 22 makes vectors of this loop for a Cortex-M55 that it then cannot select. */
static uint32_t changed(const volatile uint8_t *guard)
{{
    for (int i = 0; i < {GUARD_BYTES}; i++) if (guard[i] != 0xa5) return 1;
    return 0;
}}
#define BEGIN(name) do {{ memset(&name, 0xa5, sizeof name); }} while (0)
#define DAMAGED(name) (changed(name.before) || changed(name.after))
#else
#include <string.h>
#define GUARDED(type, name, count) static struct {{ type *data; }} name; static type name##_data[count]
#define BEGIN(name) do {{ name.data = name##_data; memset(name##_data, 0xa5, sizeof name##_data); }} while (0)
#define DAMAGED(name) 0
#endif
static uint32_t differ(const void *a, const void *b, size_t size)
{{
    const volatile uint8_t *first = a, *second = b;
    for (size_t i = 0; i < size; i++) if (first[i] != second[i]) return 1;
    return 0;
}}
"""


def program_text(cases: Sequence[Case]) -> str:
    """`uint32_t run(void)` gives 0, or the number (from 1) of the first case whose output differs or whose guards are changed."""
    parts = [PRELUDE]
    for number, case in enumerate(cases):
        parts += _case(f"c{number}", case)
    calls = "\n".join(f"    if (c{number}()) return {number + 1};" for number in range(len(cases)))
    parts.append(f"uint32_t run(void);\nuint32_t run(void)\n{{\n{calls}\n    return 0;\n}}\n")
    parts.append("#ifndef __arm__\nint main(void) { return (int)run(); }\n#endif\n")
    return "\n".join(parts)


def run_on_host(cases: Sequence[Case], folder: Path, compiler: Compiler, flags: Sequence[str]) -> int:
    """Compile and run for this machine; 0, or the number of the first case that differs. What a sanitizer says is an error."""
    assert len(cases) < 255
    program = folder / "cases"
    compiler.link(_sources(cases, folder), program, [*STRICT, *flags, f"-I{folder}"])
    done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert not done.stderr, done.stderr
    return done.returncode


def run_on_core(cases: Sequence[Case], folder: Path, compiler: Compiler, flags: Sequence[str]) -> int:
    """Compile for a Cortex-M and run it on an emulated one with much memory."""
    program, script = folder / "cases.elf", folder / "cases.ld"
    flash, memory = MPS2_AN500.flash.start, MPS2_AN500.memory(MPS2_AN500.data).start
    script.write_text(
        f"ENTRY(run) SECTIONS {{ . = {flash:#x}; .text : {{ LONG(0) LONG(run) *(.text*) *(.rodata*) }} .ARM.exidx : {{ *(.ARM.exidx*) }}"
        f" . = {memory:#x}; .data : {{ *(.data*) }} .bss : {{ *(.bss*) *(COMMON) }} }}"
    )
    compiler.link(_sources(cases, folder), program, [*STRICT, *flags, f"-I{folder}", f"-Wl,-T,{script}"])
    return Core(MPS2_AN500, read_program(program)).call("run", deadline_s=DEADLINE_S)


def run_on_m55(cases: Sequence[Case], folder: Path, compiler: Compiler, flags: Sequence[str]) -> int:
    """Compile for a Cortex-M55 and run it on QEMU's."""
    assert len(cases) < 254
    program, script, start = folder / "cases.elf", folder / "cases.ld", folder / "start.c"
    script.write_text(
        f"ENTRY(reset) SECTIONS {{ . = {m55.FLASH.start:#x}; .text : {{ KEEP(*(.text*)) *(.rodata*) }} .ARM.exidx : {{ *(.ARM.exidx*) }}"
        f" . = {m55.RAM.start:#x}; .data : {{ *(.data*) }} .bss : {{ *(.bss*) *(COMMON) }} }}"
    )
    start.write_text("#include <stdint.h>\nuint32_t run(void);\nuint32_t start(void);\nuint32_t start(void) { return run(); }\n")
    compiler.link([*_sources(cases, folder), start, m55.START], program, [*STRICT, *flags, f"-I{folder}", f"-Wl,-T,{script}"])
    return m55.run_program(program, folder, DEADLINE_S)


def _sources(cases: Sequence[Case], folder: Path) -> list[Path]:
    main = folder / "cases.c"
    main.write_text(program_text(cases), encoding="utf-8")
    write_kernels(folder)
    return [main, *(folder / name for name in kernel_sources())]


def _case(name: str, case: Case) -> Iterator[str]:
    for index, structure in enumerate(case.structures):
        yield from _structure(f"{name}_layer{index}", structure)
    for index, values in enumerate(case.inputs):
        # A dense layer reads its input as one vector.
        for row, stored in enumerate(values[None] if isinstance(case.layers[0], Dense) else values):
            yield from _array(f"{name}_in{index}_{row}", stored)
    for index, values in enumerate(case.expected):
        yield from _array(f"{name}_expected{index}", values)
    last = case.expected[-1]
    yield f"GUARDED({C_TYPES[last.dtype.name]}, {name}_out, {last.size});"
    yield f"GUARDED(uint64_t, {name}_scratch, {max(1, -(-_scratch_bytes(case) // 8))});"
    if len(case.layers) > 1:
        yield f"GUARDED(int8_t, {name}_between, {case.expected[0].size});"
    yield f"static uint32_t {name}(void)\n{{"
    yield from _body(name, case)
    yield f"    return DAMAGED({name}_out) || DAMAGED({name}_scratch) || {_compared(name, len(case.expected) - 1, 'out', last)};\n}}\n"


def _body(name: str, case: Case) -> Iterator[str]:
    yield f"    BEGIN({name}_out);\n    BEGIN({name}_scratch);"
    if len(case.layers) > 1:
        yield from _separable(name, case)
    else:
        yield from calls(case.layers[0], name, case)


def _compared(name: str, index: int, buffer: str, values: NDArray[Any]) -> str:
    return f"differ({name}_{buffer}.data, {name}_expected{index}, {values.nbytes})"


def _scratch_bytes(case: Case) -> int:
    first = case.layers[0]
    if len(case.layers) > 1 and isinstance(first, Depthwise):
        return separable_scratch_bytes(first, first.output.height, first.tiles)
    return max(batch.scratch_bytes for batch in first.batches())


def _separable(name: str, case: Case) -> Iterator[str]:
    """Row by row, then all rows at once; and what lies between, all rows at once."""
    depthwise, pointwise = case.layers
    assert isinstance(depthwise, Depthwise)
    height, stride = depthwise.output.height, depthwise.window.stride_y
    yield _rows(name, case, depthwise)
    rows, row = "(const int8_t *const *)rows", pointwise.output.row_bytes
    least, most = separable_scratch_bytes(depthwise, 1, 1), _scratch_bytes(case)
    first = f"    edgeloop_separable_depthwise(&{name}_layer0, {stride}, {rows}"
    second = f"    edgeloop_separable_pointwise(&{name}_layer0, &{name}_layer1"
    for y in range(height):
        yield f"{first} + {y * stride}, 1, {least}, {name}_scratch.data);"
        yield f"{second}, 1, {name}_out.data + {y * row}, {name}_scratch.data);"
    yield f"    if (DAMAGED({name}_out) || DAMAGED({name}_scratch) || {_compared(name, 1, 'out', case.expected[1])}) return 1;"
    yield f"    BEGIN({name}_out);"
    yield f"{first}, {height}, {most}, {name}_scratch.data);"
    yield f"{second}, {height}, {name}_out.data, {name}_scratch.data);"
    yield f"    if (DAMAGED({name}_out) || DAMAGED({name}_scratch) || {_compared(name, 1, 'out', case.expected[1])}) return 1;"
    yield f"    BEGIN({name}_between);"
    yield f"    edgeloop_depthwise_rows(&{name}_layer0, {stride}, {rows}, {height}, {name}_between.data, {most}, {name}_scratch.data);"
    yield f"    if (DAMAGED({name}_between) || DAMAGED({name}_scratch) || {_compared(name, 0, 'between', case.expected[0])}) return 1;"


@singledispatch
def calls(layer: Layer, name: str, case: Case) -> Iterator[str]:
    """The statements that compute a layer."""
    raise NotImplementedError(type(layer))


@calls.register(Convolution)
def _(layer: Convolution, name: str, case: Case) -> Iterator[str]:
    yield _rows(name, case, layer)
    widths = [batch.width for batch in layer.batches()]
    for y, width in zip(range(layer.output.height), cycle(widths)):
        rows, out = f"rows + {y * layer.window.stride_y}", f"{name}_out.data + {y * layer.output.row_bytes}"
        yield f"    edgeloop_convolution_row(&{name}_layer0, {rows}, {width}, {out}, {name}_scratch.data);"


@calls.register(RgbConvolution)
def _(layer: RgbConvolution, name: str, case: Case) -> Iterator[str]:
    yield _rows(name, case, layer)
    for y in range(layer.output.height):
        rows, out = f"rows + {y * layer.window.stride_y}", f"{name}_out.data + {y * layer.output.row_bytes}"
        yield f"    edgeloop_rgb_convolution_row(&{name}_layer0, {rows}, {out}, {name}_scratch.data);"


@calls.register(Depthwise)
def _(layer: Depthwise, name: str, case: Case) -> Iterator[str]:
    yield _rows(name, case, layer)
    sizes = [batch.scratch_bytes for batch in layer.batches()]
    for y, size in zip(range(layer.output.height), cycle(sizes)):
        rows = f"(const int8_t *const *)rows + {y * layer.window.stride_y}"
        out = f"{name}_out.data + {y * layer.output.row_bytes}, {size}, {name}_scratch.data"
        yield f"    edgeloop_depthwise_rows(&{name}_layer0, 1, {rows}, 1, {out});"


@calls.register(AnyConvolution)
@calls.register(AveragePool)
@calls.register(MaxPool)
def _(layer: Sliding, name: str, case: Case) -> Iterator[str]:
    yield _rows(name, case, layer)
    for y in range(layer.output.height):
        rows = f"(const int8_t *const *)rows + {y * layer.window.stride_y}"
        yield f"    {layer.KERNEL}_row(&{name}_layer0, {rows}, {name}_out.data + {y * layer.output.row_bytes});"


@calls.register(Dense)
def _(layer: Dense, name: str, case: Case) -> Iterator[str]:
    yield f"    edgeloop_dense_row(&{name}_layer0, {name}_in0_0, {name}_out.data);"


@calls.register(Mean)
def _(layer: Mean, name: str, case: Case) -> Iterator[str]:
    yield f"    memset({name}_scratch.data, 0, {layer.scratch_bytes()});"
    for y in range(layer.inputs[0].height):
        yield f"    edgeloop_mean_add_row(&{name}_layer0, {name}_in0_{y}, (int32_t *){name}_scratch.data);"
    yield f"    edgeloop_mean_finish(&{name}_layer0, (const int32_t *){name}_scratch.data, {name}_out.data);"


@calls.register(Pairwise)
def _(layer: Pairwise, name: str, case: Case) -> Iterator[str]:
    for y in range(layer.output.height):
        computed, rows = 0, []
        for operand in layer.operands:
            row = y if operand.shape[0] > 1 else 0
            if isinstance(operand, Constant):
                rows.append(f"{name}_layer0.constant + {row * operand.shape[1] * operand.shape[2]}")
            else:
                rows.append(f"{name}_in{computed}_{row}")
                computed += 1
        yield f"    {layer.KERNEL}_row(&{name}_layer0, {', '.join(rows)}, {name}_out.data + {y * layer.output.row_bytes});"


@calls.register(Concatenation)
def _(layer: Concatenation, name: str, case: Case) -> Iterator[str]:
    start = 0
    for place, values in enumerate(case.inputs):
        for y in range(len(values)):
            at = start + y * layer.output.row_bytes
            count = values.shape[2] if layer.axis == 2 else values[y].size
            yield f"    edgeloop_concatenation_row(&{name}_layer0, {name}_in{place}_{y}, {count}, {name}_out.data + {at});"
        start += values.size // (1, len(values), values.shape[0] * values.shape[1])[layer.axis]


@calls.register(ResizeNearest)
@calls.register(ResizeBilinear)
def _(layer: ResizeNearest | ResizeBilinear, name: str, case: Case) -> Iterator[str]:
    for y, row in enumerate(layer.rows):
        inputs = f"{name}_in0_{row}"
        if isinstance(layer, ResizeBilinear):
            fraction = layer.row_fractions[y]
            inputs += f", {name}_in0_{row + (fraction > 0)}, {fraction}"
        yield f"    {layer.KERNEL}_row(&{name}_layer0, {inputs}, {name}_out.data + {y * layer.output.row_bytes});"


@calls.register(Slice)
def _(layer: Slice, name: str, case: Case) -> Iterator[str]:
    for y in range(layer.output.height):
        source = f"{name}_in0_{layer.begins[0] + y * layer.steps[0]}"
        yield f"    edgeloop_slice_row(&{name}_layer0, {source}, {name}_out.data + {y * layer.output.row_bytes});"


@calls.register(Pad)
def _(layer: Pad, name: str, case: Case) -> Iterator[str]:
    for y in range(layer.output.height):
        row = y - layer.top
        source = f"{name}_in0_{row}" if 0 <= row < layer.inputs[0].height else "NULL"
        yield f"    edgeloop_pad_row(&{name}_layer0, {source}, {name}_out.data + {y * layer.output.row_bytes});"


@calls.register(Rectify)
@calls.register(Requantize)
@calls.register(Softmax)
@calls.register(Dequantize)
@calls.register(Lookup)
def _(layer: Layer, name: str, case: Case) -> Iterator[str]:
    width = layer.output.width * layer.output.channels
    for y in range(layer.output.height):
        yield f"    {layer.KERNEL}_row(&{name}_layer0, {name}_in0_{y}, {name}_out.data + {y * width});"


def _rows(name: str, case: Case, layer: Convolution | Sliding) -> str:
    """Pointers to all rows that any window covers, padding included; output row y begins at y * stride."""
    window, rows = layer.window, len(case.inputs[0])
    count = (layer.output.height - 1) * window.stride_y + window.reach_y
    items = [f"{name}_in0_{y}" if 0 <= y < rows else "NULL" for y in range(-window.top, count - window.top)]
    return f"    static const void *const rows[{count}] = {{{', '.join(items)}}};"


def _structure(name: str, structure: Structure) -> Iterator[str]:
    items = []
    for field, value in structure.fields():
        if isinstance(value, np.ndarray):
            yield from _array(f"{name}_{field.name}", value)
        items.append(f"{name}_{field.name}" if isinstance(value, np.ndarray) else initializer(field, value))
    yield f"static const {structure.name} {name} = {{{', '.join(items)}}};"


def _array(name: str, values: NDArray[Any]) -> Iterator[str]:
    # Not static: a stride may step over rows, which then are not used.
    yield f"const {C_TYPES[values.dtype.name]} {name}[{values.size}] = {{"
    if values.dtype == np.float32:
        yield ", ".join(real32(float(item)) for item in values.reshape(-1))
    else:
        yield from array_lines(values)
    yield "};"
