"""What `validate` prints: on which device, how long, and how the outputs differ from the model's."""

import re
from collections.abc import Sequence

from edgeloop.codegen.stedgeai.numbers import decimal, integer
from edgeloop.records import ToolValidation, ValidationOutput

_MODE = re.compile(r"^\s*Running the ST\.AI c-model .*mode=(HOST|TARGET)")
_DEVICE = re.compile(r"^\s*device\.desc\s+:\s+(.*)$")
_SAMPLES = re.compile(r"^\s*nb sample\(s\)\s+:\s+(\d+)")
_DURATION = re.compile(r"^\s*duration\s+:\s+([\d.]+) ms by sample \(([\d.]+)/([\d.]+)/[\d.]+\)")
_CYCLES = re.compile(r"^\s*CPU cycles\s+:\s+\[?([\d, ]+)\]?\s*$")
_TABLE = re.compile(r"^\s*Output\s+acc\s+rmse\s")
_COMPARED = re.compile(r"^\s*((?:X-cross|HOST c-model|TARGET c-model|original model) #\d+)\s{2,}(.*)$")


def find_validation(lines: Sequence[str]) -> ToolValidation | None:
    """The last validation of a log or report; None where nothing was evaluated."""
    outputs = _outputs(lines)
    if not outputs:
        return None
    mode = _last(lines, _MODE)
    device, samples = _last(lines, _DEVICE), _last(lines, _SAMPLES)
    # Where the line that says so was lost, the device does.
    on_target = mode[1] == "TARGET" if mode else device is not None and device[1].startswith("stm32")
    duration = _last(lines, _DURATION) if on_target else None
    cycles = _last(lines, _CYCLES) if on_target else None
    return ToolValidation(
        mode="target" if on_target else "host",
        device=device[1].strip() if device else None,
        samples=int(samples[1]) if samples else None,
        duration_ms=float(duration[1]) if duration else None,
        duration_min_ms=float(duration[2]) if duration else None,
        duration_max_ms=float(duration[3]) if duration else None,
        cycles=[number for word in cycles[1].split() if (number := integer(word)) is not None] if cycles else None,
        outputs=outputs,
    )


def _last(lines: Sequence[str], pattern: re.Pattern[str]) -> re.Match[str] | None:
    return next((found for line in reversed(lines) if (found := pattern.match(line))), None)


def _outputs(lines: Sequence[str]) -> list[ValidationOutput]:
    """The rows of "Evaluation report (summary)"; its columns differ by version (snr since 4.0) and its heading names them."""
    columns: list[str] = []
    outputs: list[ValidationOutput] = []
    for line in lines:
        if _TABLE.match(line):
            columns, outputs = line.split()[1:], []
        found = _COMPARED.match(line) if columns else None
        if found:
            cells = dict(zip(columns, re.split(r"\s{2,}", found[2]), strict=False))
            outputs.append(output(found[1], cells))
    return outputs


def output(name: str, cells: dict[str, str]) -> ValidationOutput:
    """One compared output from its figures as text."""
    figures = {key: decimal(cells.get(key, "")) for key in ("acc", "rmse", "mae", "l2r", "nse", "cos")}
    return ValidationOutput(name=name, accuracy=figures.pop("acc"), **figures)
