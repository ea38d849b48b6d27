"""A virtual board as a process: `python -m edgeloop.boards.virtual --part stm32h747 --elf FIRMWARE [--tcp PORT] [--fault …]`.

It prints one line of JSON with the names of its lines when it is ready, and ends when its standard input is closed (so that
it never outlives who started it) or when it is told to.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.faults import parse_fault
from edgeloop.boards.virtual.lines import Listener, Terminal
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.parts import find_part
from edgeloop.boards.virtual.server import Server
from edgeloop.errors import EdgeloopError
from edgeloop.firmware.board import parts

FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Be a board; the exit status is 1 where it cannot be one, or its firmware faults (then standard error says how)."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        machine = Machine(find_part(options.part), read_program(options.elf))
        machine.boot()
        faults = [parse_fault(text) for text in options.fault]
        listener = None if options.tcp is None else Listener(options.tcp)
        terminal = Terminal()
        lines = {"pty": terminal.name, "tcp": listener.address if listener else None, "pid": os.getpid()}
        sys.stdout.write(json.dumps(lines) + "\n")
        sys.stdout.flush()
        Server(machine, faults, terminal, listener).serve(sys.stdin.fileno())
    except EdgeloopError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edgeloop.boards.virtual", description=__doc__)
    parser.add_argument("--part", required=True, help=f"one of: {', '.join(parts())}")
    parser.add_argument("--elf", required=True, type=Path, help="the firmware, from build_firmware")
    parser.add_argument("--tcp", type=int, metavar="PORT", help="listen on this port of 127.0.0.1, too; 0: any free one")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND[:after=N][:times=N][:every=N][:seconds=S]")
    return parser


def _end(_number: int, _frame: FrameType | None) -> None:
    # At once, wherever the emulator is: there is nothing to put away that the kernel does not.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
