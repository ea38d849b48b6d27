"""Times layer by layer on the CPU of a Linux board, as TensorFlow Lite's benchmark_model of the board prints them.

It is asked with `--enable_op_profiling=true`. The columns of its table are found by their names, and only the run order of the
regular runs is read: not the initialization, and not the same rows by their time.
"""

import re

from edgeloop.boards.mpu.answers import Tool
from edgeloop.records import LayerTimes, MeasuredLayer

PROGRAM = "benchmark_model"
PLACES = f"/usr/local/bin/tensorflow-lite-*/tools/{PROGRAM}"
"""Where X-LINUX-AI puts it; else it is looked for on the board's PATH."""
RUNS = 50
CLOCK = f"{PROGRAM} on the board"
_REGULAR = "Operator-wise Profiling Info for Regular Benchmark Runs"
_COUNT = re.compile(r"^count=(\d+) ", re.MULTILINE)
_TYPE, _TIME, _NAME = "[node type]", "[avg ms]", "[name]"


def profile_command(program: str, model: str, threads: int | None) -> list[str]:
    """The command for a model's file."""
    chosen = [f"--num_threads={threads}"] if threads else []
    return [program, f"--graph={model}", f"--num_runs={RUNS}", *chosen, "--enable_op_profiling=true"]


def layer_times(tool: Tool) -> tuple[LayerTimes | None, str]:
    """The mean time of each operator in the order of execution, or None and why there is none."""
    if failure := tool.failure(PROGRAM):
        return None, failure
    before, _, regular = tool.output.partition(_REGULAR)
    layers, counts = _rows(regular), _COUNT.findall(before)
    if not layers or not counts:
        return None, f"{PROGRAM} printed no table of its operators"
    return LayerTimes(runs=int(counts[-1]), statistic="mean", clock=CLOCK, layers=layers), ""


def _rows(text: str) -> list[MeasuredLayer]:
    """The rows of the first table."""
    heads: list[str] = []
    rows: list[MeasuredLayer] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("\t")]
        if [cell.lower() for cell in cells[1:2]] == [_TYPE]:
            if heads:
                break
            heads = [cell.lower() for cell in cells]
        elif heads and len(cells) == len(heads):
            row = dict(zip(heads, cells, strict=True))
            if (time_ms := _number(row.get(_TIME, ""))) is not None:
                name = row.get(_NAME) or row[_TYPE]
                rows.append(MeasuredLayer(name=name, position=len(rows), time_ms=time_ms, macs=None))
        elif heads and rows:
            break
    return rows


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(?:\.\d+)?", text) else None
