"""The portable generator's figures: memory, instructions on an emulated Cortex-M7 and M4, code size.

    python benchmarks/portable.py [--classes 5] [--network NAME@RESOLUTION ...] [--level -O2 ...]

Networks are the published ones of ST, and those of MLPerf Tiny (mlperf_tiny.py).

Weights are random (figures do not depend on them). Instructions are executed ones of one `network_run`, exactly counted;
they are no time: dual issue, flash wait states and caches are not in them. Every compiler for Arm that is here is used.
Published figures: STM32 model zoo, image classification, FdMobileNet on STM32H747I-DISCO with X-CUBE-AI 10.0.0 (activation RAM
and weights flash; ../shared/facts/published-fdmobilenet-card.md where it lies beside the checkout).
"""

import argparse
import dataclasses
import hashlib
import itertools
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlperf_tiny import RESOLUTIONS, build_mlperf

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import STM32H747
from edgeloop.codegen.generate import plan_model
from edgeloop.codegen.portable.bare import Memory, link_bare
from edgeloop.codegen.portable.codesize import measure
from edgeloop.codegen.portable.emit import Described, emit
from edgeloop.codegen.targets import find_target, portable_cpu
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers
from edgeloop.console import program
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.convert import to_int8

SEED = 127
CORES = ("cortex-m7", "cortex-m4")
RAM_GOAL, STREAM_GOAL_KIB, INSTRUCTIONS_GOAL = 0.96, 48.0, 1.25


@dataclass(frozen=True)
class Published:
    """What ST publishes for a network on STM32H7, in KiB."""

    activation_ram_kib: float
    weights_kib: float


PUBLISHED = {
    ("fdmobilenet_0.25", 224): Published(157.03, 128.32),
    ("fdmobilenet_0.25", 128): Published(56.16, 128.32),
    ("st_fdmobilenet_v1", 224): Published(211.64, 144.93),
    ("st_fdmobilenet_v1", 128): Published(74.23, 144.93),
}
MEASURED = (
    *((name, resolution) for name in ("fdmobilenet_0.25", "st_fdmobilenet_v1") for resolution in (224, 128, 96)),
    *RESOLUTIONS.items(),
)


@dataclass
class Figures:
    """What one network takes."""

    name: str
    resolution: int
    macs: int
    weights_kib: float
    ram_kib: float
    stream_ram_kib: float
    instructions: dict[str, int] = field(default_factory=dict)
    """By core, compiler and level."""
    stream_instructions: dict[str, int] = field(default_factory=dict)
    code_kib: dict[str, float] = field(default_factory=dict)


def main() -> int:
    """Print the table; returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--network", nargs="+", default=[f"{name}@{resolution}" for name, resolution in MEASURED])
    parser.add_argument("--level", nargs="+", default=["-O2"], help="optimization levels, each as --level=-O2")
    options = parser.parse_args()
    figures = []
    for chosen in options.network:
        name, _, resolution = chosen.partition("@")
        with tempfile.TemporaryDirectory(prefix="edgeloop-benchmark-") as folder:
            figures.append(measured(name, int(resolution), options.classes, options.level, Path(folder)))
    print_table(figures)
    return print_goals(figures)


def measured(name: str, resolution: int, classes: int, levels: list[str], folder: Path) -> Figures:
    """Generate one network, resident and streamed, and run it once with each compiler."""
    model = folder / f"{name}-{resolution}.tflite"
    model.write_bytes(random_model(name, resolution, classes))
    resident, plan = plan_model(model)
    streamed, stream_plan = plan_model(model, stream_input=True)
    figures = Figures(
        name, resolution, resident.macs, resident.weight_bytes / 1024, plan.arena_bytes / 1024, stream_plan.arena_bytes / 1024
    )
    described = Described("network", model.name, hashlib.sha256(model.read_bytes()).hexdigest(), "the benchmark")
    for kind, made, chosen in (("resident", resident, plan), ("streamed", streamed, stream_plan)):
        (folder / kind).mkdir()
        emit(made, chosen, described, folder / kind)
        counts = figures.instructions if kind == "resident" else figures.stream_instructions
        for core, level in itertools.product(CORES, levels):
            for compiler in arm_compilers(Cpu(core)):
                counts[f"{core}, {compiler} {level}"] = executed(folder / kind, compiler, level)
                print(f"{name} {resolution} {kind}: {core} {compiler} {level} done", file=sys.stderr, flush=True)
    for compiler in arm_compilers(portable_cpu(find_target("stm32h7"))):
        sizes = measure(folder / "resident", "network", compiler)
        figures.code_kib[str(compiler)] = (sizes.code + sizes.constants) / 1024 - figures.weights_kib
    return figures


def random_model(name: str, resolution: int, classes: int) -> bytes:
    """The network with fresh weights, in int8; its normalisation fits the images, so that no layer dies out."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(SEED)
    images = np.random.default_rng(SEED).integers(0, 256, (8, resolution, resolution, 3), np.uint8)
    preprocessing = Preprocessing(resolution=resolution, resize="area", input_range=(-1.0, 1.0))
    if name in RESOLUTIONS:
        model = build_mlperf(name, resolution, batch_norm_momentum=0.0)
    else:
        model = build(network(name), resolution, classes, batch_norm_momentum=0.0)
    model(preprocessing.normalised(images), training=True)
    return to_int8(model, images, preprocessing, per_channel=True)


READER = """\
#include "network.h"
static void read_row(void *context, uint32_t row, void *pixels)
{
    uint8_t *to = pixels;
    (void)context;
    for (uint32_t i = 0; i < NETWORK_INPUT_BYTES / NETWORK_INPUT_HEIGHT; i++) {
        to[i] = (uint8_t)(row * 31u + i * 7u);
    }
}
void run_streamed(void);
void run_streamed(void)
{
    network_run(read_row, 0);
}
"""
"""A camera that costs little, but not nothing: its instructions are in the streamed figures."""


def executed(folder: Path, compiler: Compiler, level: str) -> int:
    """Instructions of one inference on the emulated STM32H747, or on one with another core."""
    streamed = folder.name == "streamed"
    elf = folder / "bare.elf"
    memory = STM32H747.memory(STM32H747.data)
    link_bare(
        folder,
        "network",
        compiler,
        elf,
        flash=Memory(STM32H747.flash.start, STM32H747.flash.size),
        ram=Memory(memory.start, memory.size),
        flags=(level,),
        extra=READER if streamed else "",
    )
    name = compiler.cpu.name if compiler.cpu else STM32H747.core
    core = Core(dataclasses.replace(STM32H747, core=name), read_program(elf))
    if not streamed:
        pixels = np.random.default_rng(SEED).integers(0, 256, 1 << 20, np.uint8).tobytes()
        plan_input = core.call("network_input")
        core.write(plan_input, pixels[: min(len(pixels), memory.end - plan_input)])
    before = core.instructions
    core.call("run_streamed" if streamed else "network_run")
    return core.instructions - before


def print_table(figures: list[Figures]) -> None:
    """One column for each network."""
    row("", *(f"{one.name} @{one.resolution}" for one in figures))
    row("MACs", *(f"{one.macs:,}" for one in figures))
    row("weights and biases, KiB", *(f"{one.weights_kib:.2f}" for one in figures))
    row("  published weights flash, KiB", *(shown(published(one), "weights_kib") for one in figures))
    row("activation RAM, KiB", *(f"{one.ram_kib:.2f}" for one in figures))
    row("  published, KiB", *(shown(published(one), "activation_ram_kib") for one in figures))
    row("  ratio to published", *(ratio(one) for one in figures))
    row("activation RAM, input streamed, KiB", *(f"{one.stream_ram_kib:.2f}" for one in figures))
    for compiler in figures[0].instructions:
        row(f"instructions, {compiler}", *(f"{one.instructions[compiler]:,}" for one in figures))
        row("  per MAC", *(f"{one.instructions[compiler] / one.macs:.3f}" for one in figures))
        row("  per MAC, input streamed", *(f"{one.stream_instructions[compiler] / one.macs:.3f}" for one in figures))
    for compiler in figures[0].code_kib:
        row(f"code and scaling, {compiler} -O2, KiB", *(f"{one.code_kib[compiler]:.2f}" for one in figures))


def print_goals(figures: list[Figures]) -> int:
    """Whether the goals are met; 1 when one is missed."""
    missed = [
        f"{one.name} @{one.resolution}: RAM {one.ram_kib:.2f} KiB"
        for one in figures
        if (known := published(one)) and one.ram_kib > RAM_GOAL * known.activation_ram_kib
    ]
    missed += [
        f"{one.name} @{one.resolution}: {count / one.macs:.3f} instructions per MAC with {compiler}"
        for one in figures
        for compiler, count in one.instructions.items()
        if count > INSTRUCTIONS_GOAL * one.macs
    ]
    missed += [
        f"{one.name} @{one.resolution}: streamed RAM {one.stream_ram_kib:.2f} KiB"
        for one in figures
        if (one.name, one.resolution) == ("fdmobilenet_0.25", 224) and one.stream_ram_kib >= STREAM_GOAL_KIB
    ]
    goals = f"RAM at most {RAM_GOAL:.2f} of published; FD 0.25 @224 streamed < {STREAM_GOAL_KIB:.0f} KiB"
    state = "missed:" if missed else "met"
    print(f"\ngoals ({goals}; at most {INSTRUCTIONS_GOAL} instructions per MAC): {state}", *missed, sep="\n  ")
    return int(bool(missed))


def published(figures: Figures) -> Published | None:
    """ST's figures, where the network has some."""
    return PUBLISHED.get((figures.name, figures.resolution))


def shown(known: Published | None, figure: str) -> str:
    """A published figure."""
    return "-" if known is None else f"{getattr(known, figure):.2f}"


def ratio(figures: Figures) -> str:
    """Our RAM to the published one."""
    known = published(figures)
    return "-" if known is None else f"{figures.ram_kib / known.activation_ram_kib:.3f}"


def row(title: str, *cells: str) -> None:
    """One line of the table."""
    print(f"{title:<46}", *(f"{cell:>23}" for cell in cells))


if __name__ == "__main__":
    raise SystemExit(program(main))
