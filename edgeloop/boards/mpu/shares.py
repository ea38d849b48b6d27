"""How an inference is shared by NPU, GPU and CPU, as x-linux-ai-benchmark of the board prints it.

Its table has the columns Model Name, Inference Time (ms), CPU %, GPU %, NPU % and Peak RAM (MB); only their names are
relied on, not their places or the lines around them. Figures that do not add up to 100 % are refused.
"""

import re
from pathlib import Path

from edgeloop.boards.mpu.answers import Tool
from edgeloop.records import EngineShares

PROGRAM = "x-linux-ai-benchmark"
TOLERANCE_PERCENT = 1.5
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def engine_shares(tool: Tool, model: str) -> tuple[EngineShares | None, str]:
    """The shares of a model (a file name), or None and why there are none."""
    if failure := tool.failure(PROGRAM):
        return None, failure
    row = _row(tool.output, model)
    if row is None:
        return None, f"{PROGRAM} printed no row for {model}"
    return _shares(row)


def _shares(row: dict[str, str]) -> tuple[EngineShares | None, str]:
    values = {name: _number(row.get(name, "")) for name in ("cpu %", "gpu %", "npu %", "inference time (ms)", "peak ram (mb)")}
    cpu, gpu, npu = values["cpu %"], values["gpu %"], values["npu %"]
    if cpu is None or gpu is None or npu is None:
        return None, f"{PROGRAM} printed no shares"
    if abs(cpu + gpu + npu - 100) > TOLERANCE_PERCENT:
        return None, f"the shares that {PROGRAM} printed add up to {cpu + gpu + npu:g} %"
    shares = EngineShares(
        npu_percent=npu,
        gpu_percent=gpu,
        cpu_percent=cpu,
        tool_inference_ms=values["inference time (ms)"],
        tool_peak_ram_mb=values["peak ram (mb)"],
        source=PROGRAM,
    )
    return shares, ""


def _row(output: str, model: str) -> dict[str, str] | None:
    """The cells of the model's row by lower-case column name."""
    heads: list[str] = []
    for line in ANSI.sub("", output).splitlines():
        cells = [cell.strip() for cell in re.split("[|│┃]", line)][1:-1]
        if any(cell.lower() == "model name" for cell in cells):
            heads = [cell.lower() for cell in cells]
        elif heads and len(cells) == len(heads):
            row = dict(zip(heads, cells, strict=True))
            if Path(row["model name"]).name in (model, Path(model).stem):
                return row
    return None


def _number(text: str) -> float | None:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", text)
    return float(found.group(1)) if found else None
