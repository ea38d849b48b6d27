"""Write the generated parts of the pages, between the comments that name them: the doctor's faults and the commands.

python scripts/pages.py            # tests/test_documents.py says when it must be run
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from edgeloop.cards.markdown import Table, write_part
from edgeloop.cli import command_line
from edgeloop.doctor.finding import faults

DOCS = Path(__file__).resolve().parent.parent / "docs"


def generated() -> Iterator[tuple[Path, str, str]]:
    """Page, mark and text of each part."""
    causes = [(f"`{name}`", fault.level, fault.cause) for name, fault in faults().items()]
    yield DOCS / "doctor.md", "faults", f"{Table(('fault', 'level', 'cause'), causes)}\n"
    yield DOCS / "commands.md", "commands", f"{Table(('command', 'what', 'options'), list(_commands(command_line(), 'edgeloop')))}\n"


def _commands(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, str, str]]:
    """Each command as it is declared, those below another one behind it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                own = [one for one in inner._actions if not isinstance(one, argparse._HelpAction | argparse._SubParsersAction)]
                given = " ".join(_name(one) for one in own if not one.option_strings).replace("|", "\\|")
                options = " ".join(f"`{one.option_strings[-1]}`" for one in own if one.option_strings)
                yield f"`{name} {word} {given}`".replace(" `", "`"), inner.description or "", options
                yield from _commands(inner, f"{name} {word}")


def _name(argument: argparse.Action) -> str:
    if argument.metavar is None and argument.choices is not None:
        return "|".join(map(str, argument.choices))
    return str(argument.metavar or argument.dest.upper())


def main() -> int:
    """Write them; returns the exit code."""
    for page, mark, text in generated():
        write_part(page, mark, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
