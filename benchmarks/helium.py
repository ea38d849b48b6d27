"""What the vector instructions of a Cortex-M55 (Helium) take off: executed instructions with them and without, in QEMU.

    python benchmarks/helium.py [--network NAME@RESOLUTION ...] [--level -O2]

Networks and weights are those of benchmarks/portable.py. Each is run once by QEMU's `mps3-an547`, built for `cortex-m55` and for
`cortex-m55+nomve`, by every compiler for Arm that is here. Outputs of all builds are compared. How instructions are counted:
edgeloop/boards/virtual/m55.py; a figure is right to 64 instructions. They are no time: most vector instructions take two cycles
of a Cortex-M55, neighbouring ones of different kinds overlap, and memory is not in them.
"""

import argparse
import dataclasses
import hashlib
import struct
import sys
import tempfile
from pathlib import Path

from portable import MEASURED, random_model

from edgeloop.boards.virtual import m55
from edgeloop.codegen.generate import plan_model
from edgeloop.codegen.portable.bare import link_bare
from edgeloop.codegen.portable.codesize import measure
from edgeloop.codegen.portable.emit import Described, emit
from edgeloop.codegen.toolchain import Compiler, arm_compilers
from edgeloop.console import program

CLASSES = 5
RUN = """\
#include "network.h"
int32_t host_open(const char *name, uint32_t to_write);
void host_write(int32_t file, const void *from, uint32_t bytes);
uint32_t ticks_since(uint32_t before);
uint32_t start(void);
uint32_t start(void)
{
    uint8_t *input = (uint8_t *)network_input();
    for (uint32_t i = 0, noise = 1; i < NETWORK_INPUT_BYTES; i++) {
        noise = noise * 1664525u + 1013904223u;
        input[i] = (uint8_t)(noise >> 24);
    }
    const uint32_t before = ticks_since(0);
    network_run();
    const uint32_t ticks = ticks_since(before);
    const int32_t file = host_open("ran", 1);
    host_write(file, &ticks, 4);
    host_write(file, network_output(), NETWORK_OUTPUT_BYTES);
    return 0;
}
"""


@dataclasses.dataclass(frozen=True)
class Ran:
    """One build of one network."""

    instructions: float
    code_kib: float
    output: bytes


def main() -> int:
    """Print the table; returns 1 where two builds differ in their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", default=[f"{name}@{resolution}" for name, resolution in MEASURED])
    parser.add_argument("--level", default="-O2", help="optimization level, as --level=-O2")
    options = parser.parse_args()
    print("| network | compiler | without, per MAC | with, per MAC | ratio | code without, KiB | with |\n|---|---|---|---|---|---|---|")
    differing = 0
    for chosen in options.network:
        name, _, resolution = chosen.partition("@")
        with tempfile.TemporaryDirectory(prefix="edgeloop-helium-") as folder:
            differing += not compare(name, int(resolution), options.level, Path(folder))
    return int(differing > 0)


def compare(name: str, resolution: int, level: str, folder: Path) -> bool:
    """Print a line for each compiler; whether all results are equal."""
    model, generated = folder / f"{name}-{resolution}.tflite", folder / "generated"
    model.write_bytes(random_model(name, resolution, CLASSES))
    network, plan = plan_model(model)
    generated.mkdir()
    emit(network, plan, Described("network", model.name, hashlib.sha256(model.read_bytes()).hexdigest(), "the benchmark"), generated)
    plain_compilers = arm_compilers(dataclasses.replace(m55.CPU, vectors=False))
    outputs = set()
    for compiler, plain in zip(arm_compilers(m55.CPU), plain_compilers, strict=True):
        without, vectors = (ran(generated, each, level, network.weight_bytes) for each in (plain, compiler))
        outputs |= {without.output, vectors.output}
        costs = [each.instructions / network.macs for each in (without, vectors)]
        cells = (f"{costs[0]:.3f}", f"{costs[1]:.3f}", f"{costs[0] / costs[1]:.2f}", f"{without.code_kib:.2f}", f"{vectors.code_kib:.2f}")
        print(f"| {name} @{resolution} | {compiler} | {' | '.join(cells)} |", flush=True)
    if len(outputs) > 1:
        print(f"{name} @{resolution}: results differ", file=sys.stderr)
    return len(outputs) == 1


def ran(generated: Path, compiler: Compiler, level: str, weight_bytes: int) -> Ran:
    """Build, run and measure one."""
    elf = generated / "counted.elf"
    start = m55.START.read_text(encoding="utf-8") + RUN
    link_bare(generated, "network", compiler, elf, flash=m55.FLASH, ram=m55.RAM, flags=(level,), extra=start, entry="reset")
    if status := m55.run_program(elf, generated):
        raise SystemExit(f"{elf} ended with status {status}.")
    content = (generated / "ran").read_bytes()
    (ticks,) = struct.unpack_from("<I", content)
    sizes = measure(generated, "network", compiler)
    return Ran(ticks * m55.INSTRUCTIONS_PER_TICK, (sizes.code + sizes.constants - weight_bytes) / 1024, content[4:])


if __name__ == "__main__":
    raise SystemExit(program(main))
