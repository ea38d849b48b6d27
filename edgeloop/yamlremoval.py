"""Entries are taken out of a YAML file line by line, because a library drops or moves the comments that stand around them."""

from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from edgeloop.yamlfile import changed

Location = Sequence[str | int]


def without(text: str, location: Location) -> str:
    """The text without the entry at `location`; comments stay, but for those within it. What holds nothing else is left empty."""
    tree = YAML(typ="rt").load(text)
    holder = _at(tree, location[:-1])
    if not location[:-1] or holder.fa.flow_style() or _is_within_flow(tree, location[:-1]):
        return changed(text, lambda tree: _at(tree, location[:-1]).pop(location[-1]))
    lines = text.splitlines(keepends=True)
    if len(holder) == 1:
        first, last = _span(lines, _at(tree, location[:-2]), location[-2])
        head, empty = lines[first].partition(":")[0], "{}" if isinstance(holder, CommentedMap) else "[]"
        lines[first:last] = [f"{head}: {empty}\n"]
    else:
        first, last = _span(lines, holder, location[-1])
        del lines[first:last]
    return "".join(lines)


def _at(tree: Any, location: Location) -> Any:
    for part in location:
        tree = tree[part]
    return tree


def _is_within_flow(tree: Any, location: Location) -> bool:
    return any(_at(tree, location[:depth]).fa.flow_style() for depth in range(len(location)))


def _span(lines: Sequence[str], holder: Any, part: str | int) -> tuple[int, int]:
    """The first line of an entry, and the one behind its last: it goes on as long as lines are indented deeper than it begins.

    Empty lines behind it belong to what follows, unless nothing does.
    """
    is_item = not isinstance(holder, CommentedMap)
    first = int((holder.lc.item(part) if is_item else holder.lc.key(part))[0])
    indent = _indent(lines[first])
    last = first + 1
    for number in range(first + 1, len(lines)):
        line = lines[number]
        # The items of a list may stand no deeper than its key.
        if line.strip() and _indent(line) <= indent and (is_item or not (_indent(line) == indent and line.lstrip().startswith("- "))):
            break
        if line.strip():
            last = number + 1
    if _is_gap(lines, first - 1) or (first and lines[first - 1].rstrip().endswith(":")):
        while _is_gap(lines, last):
            last += 1
    return first, last


def _is_gap(lines: Sequence[str], number: int) -> bool:
    return 0 <= number < len(lines) and not lines[number].strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
