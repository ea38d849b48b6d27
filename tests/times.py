"""Write the table of docs/development.md: what each group of tests costs, by the times of the last `make test` and its kin.

python tests/times.py
"""

import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from pathlib import Path

from edgeloop.cards.markdown import Table, write_part

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "development.md"
RUNS = {"short": "test", "rest": "test-rest", "long": "test-long"}
"""The parts of scripts/test.sh."""


def times(run: str) -> Path:
    """What pytest wrote in the last run of a part."""
    return ROOT / ".venv" / f"tests-{run}.xml"


def groups(run: str) -> tuple[Counter[str], dict[str, float]]:
    """The tests that ran and their seconds, by folder of tests/."""
    count: Counter[str] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(times(run)).iter("testcase"):
        if case.find("skipped") is None:
            parts = case.attrib["classname"].split(".")
            group = parts[1] if len(parts) > 2 else "(other)"
            count[group] += 1
            seconds[group] += float(case.attrib["time"])
    return count, seconds


def table() -> Table:
    """One row a folder, one column a run, the dearest first."""
    parts = {run: name for run, name in RUNS.items() if times(run).is_file()}
    runs = [groups(run) for run in parts]
    order = sorted({group for count, _ in runs for group in count}, key=lambda group: -sum(seconds[group] for _, seconds in runs))
    rows = [[group, *(cell(count[group], seconds[group]) for count, seconds in runs)] for group in order]
    total = ["all", *(cell(count.total(), sum(seconds.values())) for count, seconds in runs)]
    return Table(["tests/", *(f"`make {name}`" for name in parts.values())], [*rows, total])


def cell(count: int, seconds: float) -> str:
    """What a group costs in a run."""
    return f"{count} in {seconds:,.0f} s" if count else ""


if __name__ == "__main__":
    write_part(PAGE, "times", f"{table()}\n")
