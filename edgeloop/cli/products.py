"""The commands for a finished model: how it compares with another one, and what is handed over."""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cli.common import Command, name_or_path, path, project
from edgeloop.console import say

if TYPE_CHECKING:
    from edgeloop.boards.side_by_side import SideBySide
    from edgeloop.config import Params
    from edgeloop.evaluation.paired import Answers, Comparison
    from edgeloop.records import BenchmarkRecord
    from edgeloop.workspace import Workspace

FORMATS = ("float", "int8 per-channel", "int8 per-tensor")
ONE = "VARIANT[@REVISION]|MODEL.tflite|BENCHMARK[.json]"
RECORD = ".json"


def add(command: Command) -> None:
    compare = command("compare", _compare, "compare two models, revisions or boards, on the same images")
    compare.add_argument("a", type=name_or_path, metavar=ONE)
    compare.add_argument("b", type=name_or_path, metavar=ONE)
    text = "images that are test images of both, by their evaluations (common), or those of today, on which both are run (test)"
    compare.add_argument("--on", choices=("common", "test"), default="common", help=f"{text}; default: %(default)s")
    compare.add_argument("--format", choices=FORMATS, default=FORMATS[1], help="which file of a variant (default: %(default)s)")
    compare.add_argument("--json", type=path, metavar="OUT", help="write the result there")
    export = command("export", _export, "copy a finished variant to a folder to hand over: models, C code, labels, card, records")
    export.add_argument("variant")
    export.add_argument("-o", "--out", type=path, metavar="DIR", required=True, help="the folder to make, or to make anew")


def _compare(options: argparse.Namespace) -> None:
    from edgeloop.files import write_text

    found = _compared(options)
    if options.json:
        write_text(options.json, found.model_dump_json(indent=2) + "\n")
    say(found.in_words())


def _compared(options: argparse.Namespace) -> "Comparison | SideBySide":
    from edgeloop.boards.side_by_side import side_by_side
    from edgeloop.errors import InputError
    from edgeloop.evaluation.paired import compare
    from edgeloop.records import read_benchmark

    names = (options.a, options.b)
    if all(name.endswith(RECORD) for name in names):  # files need no project
        first, second = (read_benchmark(Path(name)) for name in names)
        return side_by_side(options.a, first, options.b, second)
    workspace, params = project()
    boards = [name for name in names if name in params.benchmarks or name.endswith(RECORD)]
    if not boards:
        return compare(*_answers(workspace, params, options))
    if len(boards) == 1 and options.a != options.b:
        raise InputError(f"{boards[0]} is a benchmark, and the other one is none.", "Compare two benchmarks, or two models.")
    first, second = (_benchmark(workspace, params, name) for name in names)
    return side_by_side(options.a, first, options.b, second)


def _benchmark(workspace: "Workspace", params: "Params", name: str) -> "BenchmarkRecord":
    from edgeloop.records import read_benchmark

    if name.endswith(RECORD):
        return read_benchmark(Path(name))
    declared = params.board_benchmark(name)
    return read_benchmark(params.variant(declared.variant).paths(workspace).benchmark_record(declared.board))


def _answers(workspace: "Workspace", params: "Params", options: argparse.Namespace) -> "list[Answers]":
    """What both models say. A model file is always run, on the test images of the other one's data set."""
    from edgeloop.errors import InputError
    from edgeloop.evaluation.answers import scored, written
    from edgeloop.tflite.formats import FILES

    names = (options.a, options.b)
    variants = {name: params.variant(name.partition("@")[0]) for name in names if not name.endswith(".tflite")}
    if not variants:
        raise InputError("Two model files: nothing says on which images.", "Compare one with a variant, or: edgeloop evaluate MODEL.")
    dataset = next(iter(variants.values())).dataset
    found = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeloop-compare-")))
        for place, name in enumerate(names):
            shown = f"{name}, {options.format}" if name in variants else name
            if name not in variants:
                found.append(scored(shown, Path(name), workspace, dataset))
                continue
            paths = variants[name].paths(workspace)
            wanted = paths.predictions if options.on == "common" else paths.quantized
            if revision := name.partition("@")[2]:
                from flows.past import take_from

                (folder / str(place)).mkdir()
                wanted = take_from(workspace, revision, wanted, folder / str(place))
            if options.on == "common":
                found.append(written(shown, wanted, options.format))
            else:
                found.append(scored(shown, wanted / f"{FILES[options.format]}.tflite", workspace, dataset))
    return found


def _export(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.store.export import export

    for line in export(workspace, params, options.variant, options.out):
        say(line)
