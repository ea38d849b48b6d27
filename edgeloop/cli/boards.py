"""The commands about boards: benchmark, boards, doctor."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cli.common import FILE, Command, address_of, name_or_path, path, project, subject
from edgeloop.console import say

if TYPE_CHECKING:
    from edgeloop.records import EmulatedBenchmarkRecord, McuBenchmarkRecord, MpuMeasurement

STATES, PROBES = "the list of boards", "the list of probes"
SOMETHING_ELSE = "\n  It computes something else: update the runtime, or choose another; the time is not one of this model."


def add(command: Command) -> None:
    benchmark = command("benchmark", _benchmark, "run a model on a board: latency on this host, instruction counts on a virtual board")
    benchmark.add_argument("model", type=name_or_path, metavar="VARIANT|MODEL.tflite")
    benchmark.add_argument(
        "--board",
        default="host",
        help="host (LiteRT here, the default), virtual-h7, virtual-f4, a board of lab.yaml, or ssh://USER@HOST",
    )
    benchmark.add_argument(
        "--images", type=int, help="how many test images a microcontroller runs (default: 64; a virtual one: benchmark.images)"
    )
    benchmark.add_argument("--json", type=path, metavar="OUT", help="write the result there, too")
    boards = command("boards", _boards, "list the boards of lab.yaml: free, held by whom, or absent and why")
    boards.add_option_for(STATES, "--json", type=path, metavar="OUT", help="write the states there too")
    boards.add_option_for(PROBES, "--probes", action="store_true", help="list the attached debug probes with their serial numbers instead")
    actions = boards.add_subparsers(title="actions", metavar="ACTION")
    identify = actions.add_parser("identify", help="ask a board what it is", description="ask a board what it is")
    identify.add_argument("board", help="a board of lab.yaml")
    identify.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="how long to wait for its holder (default: 30)")
    identify.set_defaults(handler=_identify)
    doctor = command("doctor", _doctor, "look for what is broken or missing on this machine, with the fix")
    doctor.add_argument("--json", type=path, metavar="OUT", help="write the findings there too")
    doctor.add_argument("--all", action="store_true", help="show the checks that found nothing, too")


def _benchmark(options: argparse.Namespace) -> None:
    from edgeloop.boards.benchmark import benchmark, benchmark_model
    from edgeloop.files import write_text

    if options.json:
        # Whatever happens, an older result is not that of this run.
        options.json.unlink(missing_ok=True)
    if subject(options, ".tflite") == FILE:
        report = benchmark_model(Path(options.model), options.board, images=options.images)
        if options.json:
            write_text(options.json, report.model_dump_json(indent=2) + "\n")
        if report.kind == "benchmark-emulated":
            _print_emulated(report)
        elif report.kind == "benchmark-mcu":
            _print_mcu(report)
        elif report.kind == "benchmark-mpu-model":
            say(f"{report.board}, {report.device}: {_measured(report.measured)}")
        else:
            say(f"{report.device}: {_latency(report.latency.median_ms, report.latency.stable)}")
        return
    workspace, params = project()
    variant, board = options.model, options.board
    if (key := address_of("benchmark", variant)) is not None:
        declared = params.board_benchmark(key)
        variant, board = declared.variant, declared.board
    record = benchmark(workspace, params, variant, board, options.images)
    if options.json:
        write_text(options.json, record.model_dump_json(indent=2) + "\n")
    if record.kind == "benchmark-emulated":
        _print_emulated(record)
        return
    if record.kind == "benchmark-mcu":
        _print_mcu(record)
        return
    if record.kind == "benchmark-mpu":
        for entry in record.models:
            say(f"{entry.format} on {record.board} ({record.device}): {_measured(entry)}")
        return
    for model in record.models:
        say(f"{model.format} on {record.board} ({record.device}): {_latency(model.latency.median_ms, model.latency.stable)}")


def _print_emulated(record: "EmulatedBenchmarkRecord") -> None:
    counted = f"{record.instructions.median:,} instructions"
    per_mac = f" ({record.instructions.median / record.macs:.3f} for each multiply-accumulate)" if record.macs else ""
    say(f"{record.board} (emulated {record.part}): {counted}{per_mac}, {record.assumption}")
    say(f"outputs equal to the host's reference kernels: {record.equal_outputs} of {record.images}, by {record.max_difference:g} at most")
    say(f"activation RAM {record.activation_ram_bytes / 1024:.2f} KiB, weights {record.weight_bytes / 1024:.2f} KiB")


def _print_mcu(record: "McuBenchmarkRecord") -> None:
    board, latency, compared = record.board, record.latency, record.compared
    spread = f"{latency.min_ms:.3f} - {latency.max_ms:.3f} ms over {latency.runs} runs"
    say(f"{board.name} ({board.title}, {board.clock_hz / 1e6:g} MHz): median {latency.median_ms:.3f} ms, {spread}, measured on hardware")
    for reason in record.unstable:
        say(f"  unstable: {reason}")
    same = f"outputs equal to the host's: {compared.equal_outputs} of {compared.images}, same class: {compared.same_class}"
    found = f"; accuracy on the board {record.accuracy.value:.1%} of {record.accuracy.n}" if record.accuracy else ""
    say(f"{same}, by {compared.max_difference:g} at most{found}")
    code, disturbed = record.code, f", {record.protocol_errors} protocol errors" if record.protocol_errors else ""
    say(f"code by {code.backend} {code.backend_version or ''}, protocol {board.protocol}{disturbed}, {record.retries} retries")


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


def _boards(options: argparse.Namespace) -> None:
    from pydantic import TypeAdapter

    from edgeloop.boards.lab.config import load_lab
    from edgeloop.boards.lab.state import BoardState, render, states
    from edgeloop.boards.lab.usb import usb_devices
    from edgeloop.files import write_bytes
    from edgeloop.workspace import find_workspace

    options.parser.check_options(options, PROBES if options.probes else STATES)
    if options.probes:
        say("\n".join(str(device) for device in usb_devices() if device.probe) or "no probe of ST's is attached")
        return
    workspace = find_workspace()
    boards = states(load_lab(workspace), workspace.root)
    if options.json:
        write_bytes(options.json, TypeAdapter(list[BoardState]).dump_json(boards, indent=2) + b"\n")
    say(render(boards))


def _identify(options: argparse.Namespace) -> None:
    from edgeloop.boards.lab.config import load_lab
    from edgeloop.boards.lab.identify import identify, render
    from edgeloop.boards.lab.waiting import tell
    from edgeloop.workspace import find_workspace

    options.parser.check_options(options, "identify")
    workspace = find_workspace()
    say(render(identify(load_lab(workspace).board(options.board), workspace.root, options.wait, tell(options.board))))


def _doctor(options: argparse.Namespace) -> None:
    from edgeloop.doctor.report import examine, render
    from edgeloop.files import write_text

    report = examine()
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    say(render(report, everything=options.all))
    report.check()
