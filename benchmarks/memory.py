"""Activation RAM of the portable generator, beside the least that a row-by-row order needs and beside TensorFlow Lite Micro's arena.

    python -m venv ../tflm && ../tflm/bin/pip install --pre tflite-micro
    python benchmarks/memory.py [--tflm ../tflm/bin/python] [--network NAME ...]

TensorFlow Lite Micro's figure is what its interpreter recorded as allocated in its arena after one inference of the same file, on this
machine, where pointers have 8 bytes: on a microcontroller its structures, a part of that, are smaller. Without --tflm its column stays
empty. The bound is `rows_bytes` of edgeloop/codegen/portable/plan.py; docs/generate.md derives it. Weights are random; these figures do
not depend on them. Returns 1 where a goal is missed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from portable import random_model

from edgeloop.codegen.generate import plan_model
from edgeloop.codegen.portable.plan import rows_bytes
from edgeloop.console import program
from edgeloop.framework import load_tensorflow
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.convert import to_int8

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests" / room) for room in ("", "codegen")]

CLASSES, SEED = 5, 127
BOUND_GOAL, TFLM_GOAL = 1.03, 0.3
OF_TFLM = ("mobilenet_v2_0.35@144", "mobilenet_v2_0.35@96", "mlperf_vww@96", "mlperf_resnet8@32", "squeezenet@96")
"""Those that have the second goal; the arena of the others is hardly more than their input."""
DEADLINE_S = 120.0


def random_squeezenet() -> bytes:
    """SqueezeNet 1.1 at half its width, 96x96."""
    load_tensorflow()
    import keras
    from architectures import squeezenet

    keras.utils.set_random_seed(SEED)
    images = np.random.default_rng(SEED).integers(0, 256, (4, 96, 96, 3), np.uint8)
    return to_int8(squeezenet(), images, Preprocessing(resolution=96, resize="area", input_range=(-1.0, 1.0)), per_channel=True)


_BUILT = {
    "fdmobilenet_0.25": (224, 128, 96),
    "st_fdmobilenet_v1": (224, 128, 96),
    "mobilenet_v2_0.35": (144, 96),
    "mlperf_vww": (96,),
    "mlperf_resnet8": (32,),
}
NETWORKS: dict[str, Callable[[], bytes]] = {
    f"{name}@{resolution}": partial(random_model, name, resolution, CLASSES)
    for name, resolutions in _BUILT.items()
    for resolution in resolutions
} | {"squeezenet@96": random_squeezenet}
ON_TFLM = """\
import sys
import numpy
from tflite_micro.python.tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(open(sys.argv[1], "rb").read(), arena_size=8 << 20)
details = interpreter.get_input_details(0)
interpreter.set_input(numpy.zeros(details["shape"], details["dtype"]), 0)
interpreter.invoke()
interpreter.print_allocations()
"""
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")


@dataclass(frozen=True)
class Memory:
    """Bytes that one network takes."""

    name: str
    input: int
    bound: int
    resident: int
    stream_bound: int
    streamed: int
    tflm: int | None


def main() -> int:
    """Print the table; returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflm", help="a Python that has the package tflite-micro")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeloop-benchmark-") as folder:
        found = [measured(name, Path(folder), options.tflm) for name in options.network]
    print(
        f"{'bytes':<24}{'input':>9}{'bound':>9}{'arena':>9}{'ratio':>7}{'bound':>11}{'arena':>9}{'ratio':>7}{'TFLM':>11}{'arena/TFLM':>12}"
    )
    print(f"{'':<24}{'':>9}{'resident input':>25}{'streamed input':>27}")
    for one in found:
        of_bound, of_stream = one.resident / one.bound, one.streamed / one.stream_bound
        tflm = f"{one.tflm:>11,}{one.resident / one.tflm:>12.3f}" if one.tflm else f"{'-':>11}{'-':>12}"
        resident = f"{one.input:>9,}{one.bound:>9,}{one.resident:>9,}{of_bound:>7.3f}"
        print(f"{one.name:<24}{resident}{one.stream_bound:>11,}{one.streamed:>9,}{of_stream:>7.3f}{tflm}")
    missed = [f"{one.name}: {one.resident / one.bound:.3f} of the bound" for one in found if one.resident > BOUND_GOAL * one.bound]
    beside = [(one, one.resident / one.tflm) for one in found if one.tflm and one.name in OF_TFLM]
    missed += [f"{one.name}: {ratio:.3f} of TFLM's" for one, ratio in beside if ratio > TFLM_GOAL]
    print(f"\ngoals (at most {BOUND_GOAL} of the bound, {TFLM_GOAL} of TFLM's): {'missed:' if missed else 'met'}", *missed, sep="\n  ")
    return int(bool(missed))


def measured(name: str, folder: Path, tflm: str | None) -> Memory:
    """Plan one network, resident and streamed, and let TensorFlow Lite Micro run it."""
    model = folder / f"{name}.tflite"
    model.write_bytes(NETWORKS[name]())
    _, resident = plan_model(model)
    _, streamed = plan_model(model, stream_input=True)
    pipeline = resident.pipeline
    print(f"{name} done", file=sys.stderr, flush=True)
    return Memory(
        name,
        pipeline.buffers[pipeline.input].bytes,
        rows_bytes(pipeline),
        resident.arena_bytes,
        rows_bytes(streamed.pipeline),
        streamed.arena_bytes,
        tflm_arena(tflm, model) if tflm else None,
    )


def tflm_arena(python: str, model: Path) -> int:
    """Bytes of its arena that TensorFlow Lite Micro's interpreter uses for a model."""
    done = subprocess.run(
        [python, "-c", ON_TFLM, model], capture_output=True, text=True, timeout=DEADLINE_S, check=False, stdin=subprocess.DEVNULL
    )
    total = _TOTAL.search(done.stdout + done.stderr)
    if done.returncode or total is None:
        raise SystemExit(f"{python} did not run {model.name} with tflite-micro:\n{done.stderr[-2000:]}")
    return int(total[1])


if __name__ == "__main__":
    raise SystemExit(program(main))
