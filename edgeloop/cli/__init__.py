"""The command line: `edgeloop STEP ID`. Everything heavy is imported by the command that needs it."""

import os
from collections.abc import Sequence

from edgeloop import __version__
from edgeloop.cli import boards, cards, code, completion, data, flows, models, products, promotion, removal, trust
from edgeloop.cli.common import Handler, Parser
from edgeloop.console import program

EPILOG = """\
A data set is a name under `datasets` in params.yaml, a variant a data set, a network and a resolution (flowers-fdmobilenet_0.25-128).
The stages of dvc.yaml call these commands; `dvc repro` runs what is out of date, `edgeloop run` does it under Prefect.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0, 1 for an error that is explained, 75 where it may pass by itself, 2 for wrong usage, 130 for Ctrl-C, 141 where
    nobody reads the output.
    """

    def body() -> None:
        options, unknown = command_line().parse_known_args(arguments)
        if unknown:
            options.parser.refuse(unknown)
        # TensorFlow's start-up notes are for its developers.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        handler: Handler = options.handler
        handler(options)

    return program(body)


def command_line() -> Parser:
    """All commands with their arguments."""
    parser = Parser(prog="edgeloop", description="Retrain, quantize, measure and publish, as one loop.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"edgeloop {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, handler: Handler, text: str) -> Parser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(handler=handler, parser=added)
        return added

    for area in (data, models, code, boards, cards, promotion, products, trust, flows, removal, completion):
        area.add(command)
    return parser
