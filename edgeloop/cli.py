"""The command line: `edgeloop STEP ID`. Everything heavy is imported by the command that needs it."""

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edgeloop import __version__
from edgeloop.errors import EdgeloopError

if TYPE_CHECKING:
    from edgeloop.config import Params
    from edgeloop.records import EmulatedBenchmarkRecord, MpuMeasurement
    from edgeloop.workspace import Workspace

GENERATE = ("target", "backend", "name", "stream_input", "profile", "tool", "analyze")
"""The options of `generate` that are passed on where they are given."""

Handler = Callable[[argparse.Namespace], None]

EPILOG = """\
A data set is a name under `datasets` in params.yaml, a variant one under `variants` (flowers-fdmobilenet_0.25-128).
The stages of dvc.yaml call these commands; `dvc repro` runs what is out of date, `edgeloop run` does it under Prefect.
"""


SOMETHING_ELSE = "\n  It computes something else: update the runtime, or choose another; the time is not one of this model."


class Parser(argparse.ArgumentParser):
    """Argument errors end with the near match of a mistyped word."""

    def error(self, message: str) -> NoReturn:
        known = [name for action in self._actions for name in (action.choices or ())]
        wrong = message.split("invalid choice: ")[1].split("'")[1] if "invalid choice: '" in message else ""
        close = difflib.get_close_matches(wrong, [str(name) for name in known], n=1) if wrong else []
        hint = f"\n  Did you mean '{close[0]}'?" if close else f"\n  See: {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}{hint}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 for an error that is explained, 2 for wrong usage, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    # TensorFlow's start-up notes are for its developers.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    handler: Handler = options.handler
    try:
        handler(options)
    except EdgeloopError as error:
        print(f"edgeloop: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("edgeloop: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(prog="edgeloop", description="Retrain, quantize, measure and publish, as one loop.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"edgeloop {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, handler: Handler, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(handler=handler)
        return added

    _add_data(command)
    _add_models(command)
    _add_publishing(command)
    _add_lab(command)
    return parser


def _add_data(command: Callable[[str, Handler, str], argparse.ArgumentParser]) -> None:
    fetch = command("fetch", _fetch, "get the archive of a data set, or the file of a backbone")
    fetch.add_argument("name", help="a data set, or a file of models/backbones/ without .yaml")
    fetch.add_argument("--from", dest="given", metavar="PATH|URL", help="take this archive, or folder of class folders, instead")
    command("prepare", _prepare, "decode an archive into shards and a manifest").add_argument("dataset")
    ingest = command("ingest", _ingest, "add new images to a data set as a data revision, and build again what stands on it")
    ingest.add_argument("dataset")
    ingest.add_argument("origin", nargs="?", metavar="FOLDER|s3://BUCKET/PREFIX", help="class folders (default: `ingest` of params.yaml)")
    ingest.add_argument("--again", action="store_true", help="look once more at files that were quarantined before")
    ingest.add_argument("--no-retrain", action="store_true", help="stop at the new data revision")
    ingest.add_argument("--publish", action="store_true", help="publish the cards at the end")
    command("validate", _validate, "check a prepared data set against its declared rules").add_argument("dataset")


def _add_models(command: Callable[[str, Handler, str], argparse.ArgumentParser]) -> None:
    command("train", _train, "train a variant").add_argument("variant")
    quantize = command("quantize", _quantize, "convert a trained model to int8")
    quantize.add_argument("model", metavar="VARIANT|MODEL.keras")
    quantize.add_argument("--images", type=Path, help="a folder of images to calibrate with (for a model file)")
    quantize.add_argument("--out", type=Path, help="the folder to write to (for a model file)")
    quantize.add_argument("--resolution", type=int, help="the model's input side, where no preprocessing.json lies beside it")
    _add_preprocessing(quantize)
    evaluate = command("evaluate", _evaluate, "read the accuracy on the test split, or of a model file on a folder")
    evaluate.add_argument("model", metavar="VARIANT|MODEL.tflite")
    evaluate.add_argument("--images", type=Path, help="a folder of class folders (for a model file)")
    evaluate.add_argument("--classes", type=Path, help="the model's classes, one a line (default: the folders' names, sorted)")
    evaluate.add_argument("--json", type=Path, metavar="OUT", help="write the result there")
    _add_preprocessing(evaluate)
    generate = command("generate", _generate, "generate C code of an int8 model")
    generate.add_argument("model", metavar="VARIANT|MODEL.tflite")
    generate.add_argument("--target", help="what the code is for, e.g. stm32h7 (for a variant: by default that of params.yaml)")
    generate.add_argument("--backend", help="portable (edgeloop's own), stedgeai (ST Edge AI Core), or auto: the latter where it is")
    generate.add_argument("--profile", metavar="NAME[@FILE]", help="Neural-ART profile (for stm32n6, by ST Edge AI Core)")
    generate.add_argument("--tool", type=Path, metavar="PATH", help="ST Edge AI Core's program or root (default: it is searched for)")
    generate.add_argument("--analyze", action="store_true", default=None, help="run ST Edge AI Core's analyze as well, and keep its report")
    generate.add_argument("-o", "--out", type=Path, metavar="DIR", help="the folder to write to (for a model file)")
    generate.add_argument("--name", help="prefix of the C names and files (for a model file; default: network)")
    generate.add_argument("--stream-input", action="store_true", default=None, help="read the input row by row, and hold no frame")
    benchmark = command("benchmark", _benchmark, "run a model on a board: latency on this host, instruction counts on a virtual board")
    benchmark.add_argument("model", metavar="VARIANT|MODEL.tflite")
    benchmark.add_argument(
        "--board",
        default="host",
        help="host (LiteRT here, the default), virtual-h7, virtual-f4, a Linux board of lab.yaml, or ssh://USER@HOST",
    )
    benchmark.add_argument(
        "--images", type=int, help="how many test images a virtual board runs (default: benchmark.images of params.yaml)"
    )
    benchmark.add_argument("--json", type=Path, metavar="OUT", help="write the result there (for a model file)")
    inspect = command("inspect", _inspect, "print what a .tflite file, or an output of ST Edge AI Core, holds")
    inspect.add_argument("model", type=Path, metavar="MODEL.tflite|PATH", help="a model; or an output folder, a report, a c_info.json")
    inspect.add_argument("--json", type=Path, metavar="OUT", help="write the report there")
    command("card", _card, "make a variant's model card from its records").add_argument("variant")


def _add_preprocessing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resize", choices=("nearest", "bilinear", "area"), help="how images become the model's size")
    parser.add_argument("--input-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="what 0..255 is mapped to for a float model")


def _add_publishing(command: Callable[[str, Handler, str], argparse.ArgumentParser]) -> None:
    publish = command("publish", _publish, "publish model cards to object storage or a folder")
    publish.add_argument("variants", nargs="+", metavar="VARIANT")
    publish.add_argument("--to", metavar="s3://BUCKET/PREFIX|FOLDER", help="instead of publish.to of params.yaml")
    store = command("store", _store, "the local object storage (SeaweedFS on loopback)")
    store.add_argument("action", choices=("up", "down", "status"))
    run = command("run", _run, "run the flow `retrain` under Prefect")
    run.add_argument("dataset", help="a data set, or all")
    run.add_argument("network", help="a network, or all")
    run.add_argument("resolution", help="a resolution, or all")
    run.add_argument("--publish", action="store_true", help="publish the cards at the end")
    run.add_argument("--slots", type=_count, metavar="N", help="CPU slots that stages share (default: one a core)")
    command("up", _up, "start the local services: object storage, Prefect's server, a worker; make the deployments")
    command("down", _down, "stop the local services")
    command("status", _status, "say which services run, and which flow runs there are")


def _add_lab(command: Callable[[str, Handler, str], argparse.ArgumentParser]) -> None:
    boards = command("boards", _boards, "list the boards of lab.yaml: free, held by whom, or absent and why")
    boards.add_argument("--json", type=Path, metavar="OUT", help="write the states there too")
    boards.add_argument("--probes", action="store_true", help="list the attached debug probes with their serial numbers instead")
    actions = boards.add_subparsers(title="actions", metavar="ACTION")
    identify = actions.add_parser("identify", help="ask a board what it is", description="ask a board what it is")
    identify.add_argument("board", help="a board of lab.yaml")
    identify.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="how long to wait for its holder (default: 30)")
    identify.set_defaults(handler=_identify)
    doctor = command("doctor", _doctor, "look for what is broken or missing on this machine, with the fix")
    doctor.add_argument("--json", type=Path, metavar="OUT", help="write the findings there too")
    doctor.add_argument("--all", action="store_true", help="show the checks that found nothing, too")


def _count(text: str) -> int:
    """A number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _project() -> "tuple[Workspace, Params]":
    """The workspace and its params.yaml, read before anything heavy is imported."""
    from edgeloop.config import load_params
    from edgeloop.workspace import find_workspace

    workspace = find_workspace()
    return workspace, load_params(workspace)


def _fetch(options: argparse.Namespace) -> None:
    workspace, params = _project()
    from edgeloop.datasets.fetch import fetch
    from edgeloop.training.start import fetch_named_backbone, is_backbone

    if options.name not in params.datasets and is_backbone(workspace, options.name):
        print(fetch_named_backbone(workspace, options.name, Path(options.given) if options.given else None))
        return
    record = fetch(workspace, params, options.name, given=options.given)
    print(f"{workspace.dataset(options.name).archive}: {record.bytes / 1e6:.1f} MB from {record.origin}, {record.note}")


def _prepare(options: argparse.Namespace) -> None:
    workspace, params = _project()
    from edgeloop.datasets.prepare import prepare

    record = prepare(workspace, params, options.dataset)
    splits = ", ".join(f"{name} {split.images}" for name, split in record.splits.items())
    print(f"{record.images} images of {len(record.classes)} classes ({splits}); {sum(record.quarantined.values())} quarantined")


def _validate(options: argparse.Namespace) -> None:
    workspace, params = _project()
    from edgeloop.validation.validate import validate

    record = validate(workspace, params, options.dataset)
    broken = [result for result in record.results if not result.holds]
    for result in broken:
        print(f"{result.severity}: {result.description}: {result.observed}, expected {result.expected}")
    print(f"{len(record.results) - len(broken)} of {len(record.results)} rules hold; report: {workspace.dataset(options.dataset).report}")


def _train(options: argparse.Namespace) -> None:
    workspace, params = _project()
    from edgeloop.training.train import train

    record = train(workspace, params, options.variant)
    print(f"val accuracy {record.val_accuracy:.4f} (n = {record.val_images}) in epoch {record.best_epoch}")


def _quantize(options: argparse.Namespace) -> None:
    if Path(options.model).suffix in (".keras", ".h5"):
        _quantize_file(options)
        return
    workspace, params = _project()
    from edgeloop.quantization.quantize import quantize

    for model in quantize(workspace, params, options.model).models:
        print(f"{model.file}: {model.bytes} bytes, {model.weight_bytes / 1024:.2f} KiB of weights")


def _quantize_file(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.preprocessing import Preprocessing
    from edgeloop.quantization.quantize import quantize_file

    if options.images is None or options.out is None:
        raise InputError("A model file is calibrated on images and written to a folder.", "Add --images FOLDER and --out FOLDER.")
    preprocessing = None
    if options.resolution is not None:
        preprocessing = Preprocessing(
            resolution=options.resolution, resize=options.resize or "bilinear", input_range=tuple(options.input_range or (0, 1))
        )
    for model in quantize_file(Path(options.model), options.images, options.out, preprocessing=preprocessing):
        print(f"{options.out / model.file}: {model.bytes} bytes, {model.weight_bytes / 1024:.2f} KiB of weights")


def _evaluate(options: argparse.Namespace) -> None:
    if Path(options.model).suffix == ".tflite":
        _evaluate_file(options)
        return
    workspace, params = _project()
    from edgeloop.evaluation.evaluate import evaluate

    record = evaluate(workspace, params, options.model)
    for result in record.formats:
        low, high = result.top1.ci95
        print(f"{result.format}: top-1 {result.top1.value:.4f} (n = {result.top1.n}, 95 % {low:.4f} to {high:.4f})")


def _evaluate_file(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.evaluation.folder import evaluate_folder
    from edgeloop.files import write_text

    if options.images is None:
        raise InputError("A model file is evaluated on images.", "Add --images FOLDER, a folder of class folders.")
    report = evaluate_folder(
        Path(options.model),
        options.images,
        resize=options.resize,
        input_range=tuple(options.input_range) if options.input_range else None,
        classes=options.classes,
    )
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    print(f"top-1 {report.top1:.4f} (n = {report.n}, 95 % {report.ci95[0]:.4f} to {report.ci95[1]:.4f}), {len(report.skipped)} skipped")


def _generate(options: argparse.Namespace) -> None:
    from edgeloop.codegen.generate import Options, generate, generate_file
    from edgeloop.errors import InputError

    given = {key: value for key in GENERATE if (value := getattr(options, key)) is not None}
    if Path(options.model).suffix == ".tflite":
        if options.out is None:
            raise InputError("The code of a model file is written to a folder.", "Add -o FOLDER.")
        record = generate_file(Path(options.model), options.out, Options(**given))
        folder = options.out
    else:
        if options.out is not None or options.name is not None:
            raise InputError("The code of a variant has its own folder and names.", "Leave -o and --name away, or give the .tflite file.")
        workspace, params = _project()
        variant = params.variant(options.model)
        folder = workspace.variant(variant.dataset, variant.network, variant.resolution).generated
        settings = params.generate
        record = generate(workspace, params, options.model, Options(**(settings.model_dump() | given)))
    print(f"{folder}: {_kib(record.weight_bytes)} of weights, {_kib(record.activation_ram_bytes)} of activations, ", end="")
    print(f"{_kib(record.code_flash_bytes)} of code")


def _kib(size: int | None) -> str:
    return "an unknown size" if size is None else f"{size / 1024:.2f} KiB"


def _benchmark(options: argparse.Namespace) -> None:
    from edgeloop.boards.benchmark import benchmark, benchmark_model
    from edgeloop.files import write_text

    if Path(options.model).suffix == ".tflite":
        report = benchmark_model(Path(options.model), options.board, images=options.images)
        if options.json:
            write_text(options.json, report.model_dump_json(indent=2) + "\n")
        if report.kind == "benchmark-emulated":
            _print_emulated(report)
        elif report.kind == "benchmark-mpu-model":
            print(f"{report.board}, {report.device}: {_measured(report.measured)}")
        else:
            print(f"{report.device}: {_latency(report.latency.median_ms, report.latency.stable)}")
        return
    workspace, params = _project()
    record = benchmark(workspace, params, options.model, options.board, options.images)
    if record.kind == "benchmark-emulated":
        _print_emulated(record)
        return
    if record.kind == "benchmark-mpu":
        for entry in record.models:
            print(f"{entry.format} on {record.board} ({record.device}): {_measured(entry)}")
        return
    for model in record.models:
        print(f"{model.format} on {record.board} ({record.device}): {_latency(model.latency.median_ms, model.latency.stable)}")


def _print_emulated(record: "EmulatedBenchmarkRecord") -> None:
    counted = f"{record.instructions.median:,} instructions"
    per_mac = f" ({record.instructions.median / record.macs:.3f} for each multiply-accumulate)" if record.macs else ""
    print(f"{record.board} (emulated {record.part}): {counted}{per_mac}, {record.assumption}")
    print(f"outputs equal to the host's reference kernels: {record.equal_outputs} of {record.images}, by {record.max_difference:g} at most")
    print(f"activation RAM {record.activation_ram_bytes / 1024:.2f} KiB, weights {record.weight_bytes / 1024:.2f} KiB")


def _measured(on_board: "MpuMeasurement") -> str:
    compared, latency = on_board.compared, on_board.latency
    shares = on_board.shares
    engines = f", NPU {shares.npu_percent:g} %, GPU {shares.gpu_percent:g} %, CPU {shares.cpu_percent:g} %" if shares else ""
    return (
        f"median {latency.median_ms:.3f} ms{'' if latency.stable else ' (unstable: the board was busy, or its clock moved)'} on "
        f"{on_board.engine} with {on_board.runtime}{engines}; outputs equal to the host's: {compared.equal_outputs} of {compared.images}, "
        f"same class: {compared.same_class}, by {compared.max_difference:g} at most" + ("" if compared.agrees else SOMETHING_ELSE)
    )


def _latency(median_ms: float, stable: bool) -> str:
    return f"median {median_ms:.3f} ms{'' if stable else ' (unstable: the machine was busy)'}, measured on this host"


def _inspect(options: argparse.Namespace) -> None:
    from edgeloop.files import write_text

    if options.model.suffix != ".tflite":
        from edgeloop.codegen.stedgeai.inspect import inspect_output
        from edgeloop.codegen.stedgeai.render import render_record

        record = inspect_output(options.model)
        if options.json:
            record.write(options.json)
        print(render_record(record))
        return
    from edgeloop.tflite.inspect import inspect_model, render

    report = inspect_model(options.model)
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    print(render(report))


def _card(options: argparse.Namespace) -> None:
    workspace, params = _project()
    from edgeloop.cards.card import card

    name = options.variant
    card(workspace, params, name)
    variant = params.variant(name)
    print(workspace.variant(variant.dataset, variant.network, variant.resolution).card / "index.html")


def _publish(options: argparse.Namespace) -> None:
    workspace, params = _project()
    from edgeloop.store.publish import publish

    for address in publish(workspace, params, options.variants, to=options.to):
        print(address)


def _store(options: argparse.Namespace) -> None:
    from edgeloop.store.local import local_store
    from edgeloop.workspace import find_workspace

    store = local_store(find_workspace())
    if options.action == "up":
        running = store.up()
        print(*running.notes, f"object storage {'was running' if running.was_running else 'started'}: {running.address}", sep="\n")
    elif options.action == "down":
        print("object storage stopped" if store.down() else "object storage was not running")
    else:
        found = store.status()
        print(f"object storage runs: {found.address}" if found else "object storage does not run")


def _boards(options: argparse.Namespace) -> None:
    from pydantic import TypeAdapter

    from edgeloop.boards.lab.config import load_lab
    from edgeloop.boards.lab.state import BoardState, render, states
    from edgeloop.boards.lab.usb import usb_devices
    from edgeloop.files import write_bytes
    from edgeloop.workspace import find_workspace

    if options.probes:
        print("\n".join(str(device) for device in usb_devices() if device.probe) or "no probe of ST's is attached")
        return
    workspace = find_workspace()
    boards = states(load_lab(workspace), workspace.root)
    if options.json:
        write_bytes(options.json, TypeAdapter(list[BoardState]).dump_json(boards, indent=2) + b"\n")
    print(render(boards))


def _identify(options: argparse.Namespace) -> None:
    from edgeloop.boards.lab.config import load_lab
    from edgeloop.boards.lab.identify import identify, render
    from edgeloop.boards.lab.waiting import tell
    from edgeloop.workspace import find_workspace

    workspace = find_workspace()
    print(render(identify(load_lab(workspace).board(options.board), workspace.root, options.wait, tell(options.board))))


def _doctor(options: argparse.Namespace) -> None:
    from edgeloop.doctor.report import examine, render
    from edgeloop.files import write_text

    report = examine()
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    print(render(report, everything=options.all))
    report.check()


def _run(options: argparse.Namespace) -> None:
    slots = ["--slots", str(options.slots)] if options.slots else []
    _flows("flows.run", options.dataset, options.network, options.resolution, *slots, *(["--publish"] if options.publish else []))


def _ingest(options: argparse.Namespace) -> None:
    flags = [f"--{flag.replace('_', '-')}" for flag in ("again", "no_retrain", "publish") if getattr(options, flag)]
    _flows("flows.take", options.dataset, *([options.origin] if options.origin else []), *flags)


def _up(_: argparse.Namespace) -> None:
    _flows("flows.services", "up")


def _down(_: argparse.Namespace) -> None:
    _flows("flows.services", "down")


def _status(_: argparse.Namespace) -> None:
    _flows("flows.services", "status")


def _flows(module: str, *arguments: str) -> NoReturn:
    """Go on as a program of flows/: the library itself knows nothing of Prefect."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
