"""Generated code made wrong, by seed: one weight, one zero point, two channels swapped, no clamp, another rounding, ...

A wrong program may still give the right outputs on some images. Whether it does is not left to the benchmark that is tested:
the same wrong sources, compiled for this machine, say it (`host_outputs`).
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.toolchain import Compiler
from edgeloop.errors import ToolchainError
from edgeloop.tflite.interpreter import LiteModel

Wrong = Callable[[Random, Path], str]
"""Changes a folder of generated code; says what."""
ARRAY = re.compile(r"const \w+ network_(\w+?)_(\d+)\[\d+\][^=]*= \{\n(.*?)\};", re.DOTALL)
NUMBER = re.compile(r"-?\d+")
DEADLINE_S = 20.0
MAIN = """\
#include <stdio.h>
#include "network.h"
int main(void)
{
    network_init();
    while (fread(network_input(), 1, NETWORK_INPUT_BYTES, stdin) == NETWORK_INPUT_BYTES) {
        network_run();
        fwrite(network_output(), 1, NETWORK_OUTPUT_BYTES, stdout);
    }
    return 0;
}
"""
KERNELS = [
    ("edgeloop_fixed_point.h", "(INT64_C(1) << 30)", "0", "high product: no rounding"),
    ("edgeloop_fixed_point.h", "> threshold", ">= threshold", "rounded shift: halves towards zero"),
    ("edgeloop_fixed_point.h", "(mask >> 1) + (value < 0 ? 1 : 0)", "mask", "rounded shift: rounds down"),
    ("edgeloop_fixed_point.h", "value > high ? high : value", "value", "clamp: no upper limit"),
    ("edgeloop_fixed_point.h", "value < low ? low : value", "value", "clamp: no lower limit"),
    ("edgeloop_mean.c", "sums[channel] - layer->offset", "sums[channel]", "mean: zero point forgotten"),
    ("edgeloop_mean.c", "sums[channel] += *input++", "sums[channel] = *input++", "mean: only the last column"),
    ("edgeloop_softmax.c", "i < 7", "i < 6", "softmax: one factor of exp forgotten"),
    ("edgeloop_softmax.c", "i < 3; i++) {\n        const int32_t error", "i < 1; i++) {\n        const int32_t error", "softmax: one step"),
    ("edgeloop_softmax.c", "input[i] > result ? input[i] : result", "input[i]", "softmax: the last one for the largest"),
    ("edgeloop_add.c", "zero_point", "zero_point + 1", "add: a zero point off by one"),
    ("edgeloop_convolution.c", "(uint8_t)w->layer->input_zero_point", "0", "convolution: padding with 0"),
    ("edgeloop_softmax.c", "SUM_INTEGER_BITS - zeros + 31 - 8", "SUM_INTEGER_BITS - zeros + 31 - 7", "softmax: half the scale"),
]  # fmt: skip


def number_of(kind: str, change: Callable[[Random, int], int]) -> Wrong:
    """One number of one table of constants is another."""

    def wrong(chance: Random, folder: Path) -> str:
        data = folder / "network_data.c"
        text = data.read_text(encoding="utf-8")
        table = chance.choice([found for found in ARRAY.finditer(text) if found[1] == kind])
        number = chance.choice(list(NUMBER.finditer(text, table.start(3), table.end(3))))
        changed = change(chance, int(number[0]))
        data.write_text(text[: number.start()] + str(changed) + text[number.end() :], encoding="utf-8")
        return f"{kind} {table[2]}: {number[0]} is {changed}"

    return wrong


def swapped(chance: Random, folder: Path) -> str:
    """Two channels have each other's number."""
    data = folder / "network_data.c"
    text = data.read_text(encoding="utf-8")
    tables = [found for found in ARRAY.finditer(text) if len(set(NUMBER.findall(found[3]))) > 1]
    table = chance.choice(tables)
    numbers = list(NUMBER.finditer(text, table.start(3), table.end(3)))
    first, second = sorted(chance.sample(numbers, 2), key=lambda number: number.start())
    between = text[first.end() : second.start()]
    data.write_text(text[: first.start()] + second[0] + between + first[0] + text[second.end() :], encoding="utf-8")
    return f"{table[1]} {table[2]}: {first[0]} and {second[0]} swapped"


def setting(pattern: str, change: Callable[[Random, int], int]) -> Wrong:
    """One setting of one layer is another."""

    def wrong(chance: Random, folder: Path) -> str:
        network = folder / "network.c"
        text = network.read_text(encoding="utf-8")
        found = chance.choice(list(re.finditer(rf"\.({pattern}) = (-?\d+)", text)))
        changed = change(chance, int(found[2]))
        network.write_text(text[: found.start(2)] + str(changed) + text[found.end(2) :], encoding="utf-8")
        return f"{found[1]} {found[2]} is {changed}"

    return wrong


def kernel(chance: Random, folder: Path) -> str:
    """A kernel is wrong."""
    name, right, wrong, words = chance.choice(KERNELS)
    source = folder / name
    text = source.read_text(encoding="utf-8")
    assert right in text, f"{name} has no '{right}' any more"
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    return words


WRONGS: tuple[Wrong, ...] = (
    number_of("weights", lambda chance, value: max(-127, min(127, value + chance.choice((-64, -3, -1, 1, 3, 64))))),
    setting("(?:input_|output_)?zero_point", lambda chance, value: value + chance.choice((-1, 1))),
    swapped,
    kernel,
    kernel,
    number_of("bias", lambda chance, value: value + chance.choice((-5000, -300, 300, 5000))),
    number_of("multiplier", lambda chance, value: value // chance.choice((2, 3))),
    number_of("shift", lambda chance, value: value + chance.choice((-1, 1))),
    setting("low", lambda chance, _: chance.choice((-1000, 0))),
    setting("high", lambda chance, _: chance.choice((0, 1000))),
)


def make_wrong(seed: int, folder: Path) -> str:
    """Change one thing in a folder of generated code; every kind comes up in turn. Says what was changed."""
    return WRONGS[seed % len(WRONGS)](Random(seed), folder)


def host_outputs(folder: Path, compiler: Compiler, work: Path, inputs: NDArray[Any]) -> list[bytes] | None:
    """What the sources give on this machine for each input; None where they cannot be compiled, crash or do not end."""
    (work / "main.c").write_text(MAIN, encoding="utf-8")
    program = work / "program"
    try:
        sources = [*sorted(folder.glob("*.c")), work / "main.c"]
        compiler.link(sources, program, ["-std=c99", "-O1", "-DEDGELOOP_EMULATE_DSP", f"-I{folder}"])
        done = subprocess.run([program], input=inputs.tobytes(), capture_output=True, timeout=DEADLINE_S, check=False)
    except (ToolchainError, subprocess.TimeoutExpired):
        return None
    size, rest = divmod(len(done.stdout), len(inputs))
    if done.returncode != 0 or rest or not size:
        return None
    return [done.stdout[place * size : (place + 1) * size] for place in range(len(inputs))]


def reference_stored(model: Path, inputs: NDArray[Any]) -> NDArray[Any]:
    """What LiteRT's reference kernels give: (n, classes) in the output's own type."""
    loaded, outputs = LiteModel(model, reference=True), []
    for image in inputs:
        loaded.set_input(image[None])
        loaded.invoke()
        outputs.append(loaded.stored().copy())
    return np.concatenate(outputs)


def stored_bytes(outputs: NDArray[Any]) -> list[bytes]:
    """Each image's output as it lies in memory."""
    return [np.ascontiguousarray(output).tobytes() for output in outputs]
