"""The commands about boards: benchmark, boards, doctor."""

import argparse
from pathlib import Path

from edgeloop.cli.common import FILE, Command, address_of, name_or_path, path, project, subject
from edgeloop.console import say

STATES, PROBES, FARM = "the list of boards", "the list of probes", "the list of ST's farm"


def add(command: Command) -> None:
    benchmark = command("benchmark", _benchmark, "run a model on a board: latency on this host, instruction counts on a virtual board")
    benchmark.add_argument("model", type=name_or_path, metavar="VARIANT|MODEL.tflite")
    benchmark.add_argument(
        "--board",
        default="host",
        help="host (LiteRT here, the default), virtual-h7, virtual-f4, a board of lab.yaml, or ssh://USER@HOST",
    )
    benchmark.add_argument(
        "--images", type=int, help="how many test images are compared (default: 64; on the host and virtual boards benchmark.images)"
    )
    benchmark.add_argument("--json", type=path, metavar="OUT", help="write the result there, too")
    boards = command("boards", _boards, "list the boards of lab.yaml: free, held by whom, or absent and why")
    boards.add_option_for(STATES, "--json", type=path, metavar="OUT", help="write the states there too")
    boards.add_option_for(PROBES, "--probes", action="store_true", help="list the attached debug probes with their serial numbers instead")
    boards.add_option_for(
        FARM, "--cloud", action="store_true", help="list the boards of ST Edge AI Developer Cloud instead (docs/cloud.md)"
    )
    actions = boards.add_subparsers(title="actions", metavar="ACTION")
    identify = actions.add_parser("identify", help="ask a board what it is", description="ask a board what it is")
    identify.add_argument("board", help="a board of lab.yaml")
    identify.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="how long to wait for its holder (default: 30)")
    identify.set_defaults(handler=_identify)
    text = "write an entry of lab.yaml for each board that is attached and has none"
    add_board = actions.add_parser("add", help=text, description=text)
    add_board.add_argument("name", nargs="?", metavar="NAME", help="what it is to be called (default: by its part, such as h747)")
    add_board.add_argument("--kind", help="which board it is, where its ST-LINK does not tell")
    add_board.add_argument("--probe", metavar="SERIAL", help="the serial number of its probe, where several are attached")
    add_board.set_defaults(handler=_add_boards)
    doctor = command("doctor", _doctor, "look for what is broken or missing on this machine, with the fix")
    doctor.add_argument("--json", type=path, metavar="OUT", help="write the findings there too")
    doctor.add_argument("--all", action="store_true", help="show the checks that found nothing, too")


def _benchmark(options: argparse.Namespace) -> None:
    from edgeloop.boards.benchmark import benchmark, benchmark_model

    if options.json:
        # Whatever happens, an older result is not that of this run.
        options.json.unlink(missing_ok=True)
    if subject(options, ".tflite") == FILE:
        record = benchmark_model(Path(options.model), options.board, images=options.images)
    else:
        workspace, params = project()
        variant, board = options.model, options.board
        if (key := address_of("benchmark", variant)) is not None:
            declared = params.board_benchmark(key)
            variant, board = declared.variant, declared.board
        record = benchmark(workspace, params, variant, board, options.images)
    if options.json:
        record.write(options.json)
    say(record.in_words())


def _boards(options: argparse.Namespace) -> None:
    from pydantic import TypeAdapter

    from edgeloop.boards.lab.config import load_lab
    from edgeloop.boards.lab.state import BoardState, render, states
    from edgeloop.boards.lab.usb import usb_devices
    from edgeloop.files import write_bytes
    from edgeloop.workspace import find_workspace

    options.parser.check_options(options, PROBES if options.probes else FARM if options.cloud else STATES)
    if options.cloud:
        from edgeloop.boards.cloud.listing import listed
        from edgeloop.boards.cloud.listing import render as render_farm

        say(render_farm(listed()))
        return
    if options.probes:
        say("\n".join(str(device) for device in usb_devices() if device.probe) or "no probe of ST's is attached")
        return
    workspace = find_workspace()
    boards = states(load_lab(workspace), workspace.root)
    if options.json:
        write_bytes(options.json, TypeAdapter(list[BoardState]).dump_json(boards, indent=2) + b"\n")
    say(render(boards))


def _identify(options: argparse.Namespace) -> None:
    from edgeloop.boards.identify import identify
    from edgeloop.boards.lab.config import load_lab
    from edgeloop.boards.lab.waiting import tell
    from edgeloop.workspace import find_workspace

    options.parser.check_options(options, "identify")
    workspace = find_workspace()
    say(identify(load_lab(workspace).board(options.board), workspace.root, options.wait, tell(options.board)).in_words())


def _add_boards(options: argparse.Namespace) -> None:
    from edgeloop.boards.lab.add import Wanted, add_boards
    from edgeloop.workspace import find_workspace

    options.parser.check_options(options, "add")
    there = add_boards(find_workspace(), Wanted(options.name, options.kind, options.probe))
    say("\n".join(board.in_words() for board in there))


def _doctor(options: argparse.Namespace) -> None:
    from edgeloop.doctor.report import examine, render
    from edgeloop.files import write_text

    report = examine()
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    say(render(report, everything=options.all))
    report.check()
