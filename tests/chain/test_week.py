"""The page "A week with edgeloop": its commands, in order, in a clone of their own; each prints what the page says, but for numbers."""

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flows_in_miniature import ROOT, Project, environment, initialised

from edgeloop.cli import command_line

PAGE = ROOT / "docs" / "week.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIES = re.compile(r"\b[0-9a-f]{12}\b|\b\d{4}-\d\d-\d\d +\d\d:\d\d|[+-]?\d+\.\d+|\b(?:\d+ h )?(?:\d+ min )?\d+ s\b|(?<=127\.0\.0\.1):\d+")
"""Digests, times, measured figures, ports; counts do not vary."""


@dataclass(frozen=True)
class Command:
    """What is typed, and the lines that the page says it prints."""

    typed: str
    printed: list[str]


def blocks() -> list[tuple[str, str]]:
    """The page's blocks of code, in order: kind and text."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        typed, _, printed = part.partition("\n")
        yield Command(typed, printed.splitlines())


def edited(text: str, block: str) -> str:
    """params.yaml with the entries of a block: each takes the place of the one with its name, or comes first below its key."""
    for part in re.split(r"^(?=\w)", block, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        key = head.partition(":")[0]
        if not body:
            text = re.sub(rf"^{key}:.*$", head, text, flags=re.MULTILINE)
        else:
            name = body.partition(":")[0]
            above, begin, below = text.partition(f"\n{key}:\n")
            below = re.sub(rf"^{name}:.*\n(?:    .*\n)*", "", below, count=1, flags=re.MULTILINE)
            text = above + begin + body + below
    return text


def alike(line: str) -> str:
    """A line without what differs from run to run."""
    return _VARIES.sub("#", line).rstrip()


def missing(printed: list[str], wanted: list[str]) -> str | None:
    """The first wanted line that was not printed in its place; `...` stands for any lines."""
    at, free = 0, True
    for line in wanted:
        if line.strip() == "...":
            free = True
            continue
        found = next((number for number in range(at, len(printed)) if alike(printed[number]) == alike(line)), None)
        if found is None or (not free and found != at):
            return line
        at, free = found + 1, False
    return None


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    root = tmp_path / "edgeloop"
    root.mkdir()
    for name in ("params.yaml", "dvc.yaml", "graph.yaml", "dvc.lock", ".gitignore", "prefect.yaml", "lab.yaml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("models/backbones", "docs/ui"):
        shutil.copytree(ROOT / name, root / name)
    (root / "flows").symlink_to(ROOT / "flows")
    made = initialised(Project(root, environment(tmp_path) | {"GIT_AUTHOR_NAME": "Ann"}))
    made.run("git", "add", ".")
    made.run("git", "commit", "--quiet", "--message", "start")
    return made


def test_each_command_of_edgeloops_is_one_that_there_is() -> None:
    """The whole week runs in `make test-long`; a command or an option that went is seen at once."""
    typed = [command.typed for kind, block in blocks() if kind == "console" for command in commands(block)]
    own = [shlex.split(line)[1:] for line in typed if line.startswith("edgeloop ")]
    assert len(own) > 20
    for arguments in own:
        assert command_line().parse_known_args(arguments)[1] == []


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_each_command_of_the_week_prints_what_the_page_says(clone: Project) -> None:
    log = clone.root.with_name("week.log")
    try:
        for kind, block in blocks():
            if kind == "yaml":
                params = clone.root / "params.yaml"
                params.write_text(edited(params.read_text(encoding="utf-8"), block), encoding="utf-8")
            for command in commands(block) if kind == "console" else ():
                printed = clone.run("bash", "-c", f"{command.typed} 2>&1", timeout=600).replace(str(clone.root.parent), "/home/ann")
                with log.open("a") as lines:
                    lines.write(f"$ {command.typed}\n{printed}")
                line = missing(printed.splitlines(), command.printed)
                assert line is None, f"$ {command.typed}\ndoes not print\n{line}\nbut\n{printed}"
    finally:
        clone.run("edgeloop", "down")
