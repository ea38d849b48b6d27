"""The table of results in README.md: what each variant of a project reaches on test, and what it takes on each board, from its records.

    python benchmarks/table.py [--project FOLDER] [--note TEXT] [--write README.md]

A board must have run a file that `evaluate` tested. Flash (weights and code) and RAM (activations) are those of the generated code that an
emulated board ran.
"""

import argparse
import sys
from pathlib import Path

from edgeloop.cards.markdown import Table, write_part
from edgeloop.console import program
from edgeloop.records import EvaluateRecord
from edgeloop.records.benchmarks import EmulatedBenchmark, MeasuredBenchmark, read_benchmark
from edgeloop.tflite.formats import Format
from edgeloop.workspace import VariantPaths

MARK = "table"
CHOSEN: Format = "int8 per-channel"
HEAD = ("variant", "float (%)", "int8 (%), 95 % interval", "n", "flash", "RAM", "emulated", "measured")


def main() -> int:
    options = _options()
    folders = sorted(path.parent for path in (options.project / "models").glob("*/*/evaluate.json"))
    rows = [_row(VariantPaths(folder)) for folder in folders]
    if not rows:
        sys.exit(f"no variant below {options.project / 'models'} has been tested")
    made = f"{Table(HEAD, rows)}\n" + (f"\n{options.note}\n" if options.note else "")
    print(made, end="")
    if options.write:
        write_part(options.write, MARK, made)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--note", help="stands below the table")
    parser.add_argument("--write", type=Path, help="a page with the comments of the mark `table`")
    return parser.parse_args()


def _row(paths: VariantPaths) -> tuple[str, ...]:
    tested = EvaluateRecord.read(paths.evaluate_record)
    by_format = {result.format: result for result in tested.formats}
    by_digest = {result.sha256: result for result in tested.formats}
    memory, emulated, measured = ("-", "-"), list[str](), list[str]()
    for path in sorted(paths.benchmarks.glob("*.json")):
        record = read_benchmark(path)
        if strangers := record.digests - by_digest.keys():
            sys.exit(f"{path}: {len(strangers)} models are not those that were tested. Make both anew.")
        if isinstance(record, EmulatedBenchmark):
            memory = (_kib(record.weight_bytes + (record.code_flash_bytes or 0)), _kib(record.activation_ram_bytes))
            emulated.append(f"{record.instructions.median / 1e6:.1f} M instructions ({path.stem})")
        elif isinstance(record, MeasuredBenchmark):
            measured += [f"{one.latency.median_ms:.2f} ms ({path.stem})" for one in record.models if one.format == CHOSEN]
        else:
            measured += [f"{one.latency_ms:.2f} ms ({path.stem}, ST's farm)" for one in record.models if one.format == CHOSEN]
    chosen = by_format[CHOSEN]
    low, high = (_percent(edge) for edge in chosen.top1.ci95)
    return (
        f"{tested.dataset}-{tested.network}-{tested.resolution}",
        _percent(by_format["float"].top1.value),
        f"{_percent(chosen.top1.value)} ({low} to {high})",
        str(chosen.top1.n),
        *memory,
        ", ".join(emulated) or "-",
        ", ".join(measured) or "-",
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _kib(size: int) -> str:
    return f"{size / 1024:.0f} KiB"


if __name__ == "__main__":
    sys.exit(program(main))
