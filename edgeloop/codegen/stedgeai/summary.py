"""The block "Exec/report summary (generate)": rows `key : value`, in the report of a Cortex-M and on the console of all targets.

A log may hold several. `validate` prints one for the generic C model, which is not what runs on an NPU: memory comes from
`generate` or `analyze`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgeloop.codegen.stedgeai.numbers import integer, leading_integer
from edgeloop.codegen.stedgeai.source import Memory
from edgeloop.codegen.stedgeai.text import missing

_HEADING = re.compile(r"^\s*Exec/report summary \((\w+)")
_ELAPSED = re.compile(r"^\s*elapsed time \((\w+)\)", re.IGNORECASE)
_ROW = re.compile(r"^\s*([A-Za-z][\w()/# .]*?)\s+:\s+(.*)$")
_TEXTS = {"c_name", "compression", "optimization", "target/series", "model_fmt", "model_name", "model_hash"}
_FIGURES = {"macc", "weights (ro)", "activations (rw)", "ram (total)"}
_RAM_PARTS = re.compile(r"=\s*([\d,]+)\s*\+\s*([\d,]+)\s*\+\s*([\d,]+)")


@dataclass(frozen=True)
class Summary:
    """The rows of one block; `step` is generate, analyze or validate."""

    step: str
    rows: dict[str, str]

    def text(self, key: str) -> str | None:
        """A row's value; None where the version does not print it, or prints None."""
        value = self.rows.get(key, "").strip()
        return value if value and value != "None" else None

    def number(self, key: str, where: str) -> int:
        """The whole number that a row begins with.

        Raises:
            StedgeaiUnreadable: there is no such row, or it holds no number; the message names it.
        """
        found = leading_integer(self.rows.get(key, ""))
        if found is None:
            raise missing(f"the row '{key}' of the summary ({self.step})", where)
        return found

    def memory(self, where: str) -> Memory:
        """RAM and weights; `ram (total) : T = activations + inputs + outputs` tells what inputs and outputs take besides.

        Raises:
            StedgeaiUnreadable: as for `number`.
        """
        parts = _RAM_PARTS.search(self.rows.get("ram (total)", ""))
        inputs, outputs = (integer(parts[2]), integer(parts[3])) if parts else (None, None)
        io = None if inputs is None or outputs is None else inputs + outputs
        return Memory(self.number("activations (rw)", where), self.number("weights (ro)", where), io)


def find_summaries(lines: Sequence[str]) -> list[Summary]:
    """Every block, in order; one whose heading was cut off is named by the `elapsed time (…)` line behind it."""
    found: list[tuple[str, dict[str, str]]] = [("", {})]
    for line in lines:
        heading, elapsed, row = _HEADING.match(line), _ELAPSED.match(line), _ROW.match(line)
        if heading:
            found.append((heading[1], {}))
        elif elapsed and not found[-1][0]:
            found[-1] = (elapsed[1].lower(), found[-1][1])
        elif row and row[1] in _TEXTS | _FIGURES:
            # The first of each: a C-graph summary further down repeats some keys in other words.
            found[-1][1].setdefault(row[1], row[2].strip())
    return [Summary(step, rows) for step, rows in found if "c_name" in rows or (step and _FIGURES & rows.keys())]
