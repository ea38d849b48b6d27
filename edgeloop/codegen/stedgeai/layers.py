"""The table of layers in a report: which columns it has, and where, differs by version; its heading and its rules tell."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.records import CodegenLayer

_HEADING = re.compile(r"^\s*m_id\s+layer \(")
_RULE = re.compile(r"^\s*-{3,}[- ]*$")
_NAMED = re.compile(r"^(.*?)\s*\(([^()]*)\)$")
_DIMENSION = re.compile(r"(?:(\w+):)?(\d+)")
_SUMS = re.compile(r"^\s*model(?:/c-model)?:\s+macc=([\d,]+).*?\sweights=([\d,]+)")

Columns = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class LayerTable:
    """What the table states: `layers` in its order, or in words why they are left out; both None where there is no table."""

    layers: list[CodegenLayer] | None = None
    fault: str | None = None
    model_macs: int | None = None
    """Multiply-accumulates of the original model, by the line of sums: the generated code's are in the summary, and can differ sixfold."""


def find_layers(lines: Sequence[str]) -> LayerTable:
    """The first table (a console prints none by default).

    A table that lacks a row is told by its sums and by the layers that are connected to it: in every file that was seen the
    sums of the rows are those of the line below, `model/c-model: macc=a/b … weights=c/d` or `model: macc=a weights=c`.
    """
    start = next((number for number, line in enumerate(lines) if _HEADING.match(line)), None)
    macs, _ = _sums(lines)
    if start is None:
        return LayerTable(model_macs=macs)
    sums = _sums(lines[start:])
    if None in sums:
        return LayerTable(None, "has no end (its line of sums is missing)", macs)
    rows = [row for row in takewhile(lambda line: not _SUMS.match(line), lines[start + 1 :]) if not _RULE.match(row)]
    columns = _columns(lines[start], lines[start - 1] if start else "")
    layers, odd = _layers(rows, columns)
    fault = f"has a row that is not understood: {odd}" if odd else _fault(layers, sums, _sources(rows, columns))
    return LayerTable(None if fault else layers, fault, macs)


def _sums(lines: Iterable[str]) -> tuple[int | None, int | None]:
    """MACs and bytes of weights of the original model, by the first line of sums."""
    found = next((match for line in lines if (match := _SUMS.match(line))), None)
    return (integer(found[1]), integer(found[2])) if found else (None, None)


def _fault(layers: Sequence[CodegenLayer], sums: tuple[int | None, int | None], sources: set[str]) -> str | None:
    listed = sum(layer.macs or 0 for layer in layers), sum(layer.weight_bytes or 0 for layer in layers)
    if listed != sums:
        return f"lists {listed[0]:,} MACs and {listed[1]:,} B of weights, its last line states {sums[0]:,} and {sums[1]:,}"
    unlisted = sources - {layer.name for layer in layers}
    return f"lacks a layer that others are connected to: {min(unlisted)}" if unlisted else None


def _columns(heading: str, rule: str) -> Columns:
    """Where each column begins and ends: by the gaps of the rule above, else (one unbroken rule) by the heading's words."""
    gaps = [match.span() for match in re.finditer("-+", rule)] if _RULE.match(rule) else []
    if len(gaps) > 1:
        return {heading[start:end].strip(): (start, end) for start, end in gaps}
    words = list(re.finditer(r"\S+(?: \S+)*", heading))
    ends = [word.start() for word in words[1:]] + [10_000]
    return {word[0]: (word.start(), end) for word, end in zip(words, ends, strict=True)}


def _layers(rows: Iterable[str], columns: Columns) -> tuple[list[CodegenLayer], str | None]:
    """The rows' layers, and the first row that is neither a layer nor goes on with the one above (a second input)."""
    layers: list[CodegenLayer] = []
    position: int | None = None
    for row in rows:
        position = _number(row, columns, "m_id") if _cell(row, columns, "m_id") else position
        cell = _cell(row, columns, "layer (type,original)", "layer (original)")
        layer = _layer(row, cell, columns, position)
        if layer:
            layers.append(layer)
        elif cell:
            return layers, row.strip()
    return layers, None


def _sources(rows: Iterable[str], columns: Columns) -> set[str]:
    """The names of the layers that others take as inputs."""
    cells = {_cell(row, columns, "connected to").strip("| ") for row in rows}
    return cells - {""}


def _layer(row: str, cell: str, columns: Columns, position: int | None) -> CodegenLayer | None:
    named = _NAMED.match(cell)
    if named is None:
        return None
    kinds = [kind.strip() for kind in named[2].split(",")]
    return CodegenLayer(
        name=named[1],
        type=next((kind for kind in reversed(kinds) if kind), "Input"),
        position=position,
        output_shape=_shape(_cell(row, columns, "oshape")),
        macs=_number(row, columns, "macc"),
        weight_bytes=integer(_cell(row, columns, "param/size").partition("/")[2]),
    )


def _cell(line: str, columns: Columns, *names: str) -> str:
    for name in names:
        if name in columns:
            start, end = columns[name]
            return line[start:end].strip()
    return ""


def _number(line: str, columns: Columns, *names: str) -> int | None:
    return integer(_cell(line, columns, *names))


def _shape(text: str) -> list[int] | None:
    """`[b:1,h:64,w:64,c:3]` without the batch."""
    return [int(size) for name, size in _DIMENSION.findall(text) if name != "b"] or None
