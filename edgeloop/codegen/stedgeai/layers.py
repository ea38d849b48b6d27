"""The table of layers in a report: which columns it has, and where, differs by version; its heading and its rules tell."""

import re
from collections.abc import Iterator, Sequence

from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.records import CodegenLayer

_HEADING = re.compile(r"^\s*(m_id|id)\s+layer \(")
_RULE = re.compile(r"^\s*-{3,}[- ]*$")
_NAMED = re.compile(r"^(.*?)\s*\(([^()]*)\)$")
_DIMENSION = re.compile(r"(?:(\w+):)?(\d+)")
_END = re.compile(r"^\s*(model|\S+ p=\d)")

Columns = dict[str, tuple[int, int]]


def find_layers(lines: Sequence[str]) -> list[CodegenLayer] | None:
    """The layers of the first such table, in its order; None where there is none (a console prints none by default)."""
    for number, line in enumerate(lines):
        if _HEADING.match(line):
            columns = _columns(line, lines[number - 1] if number else "")
            layers = list(_rows(lines[number + 1 :], columns))
            return layers or None
    return None


def _columns(heading: str, rule: str) -> Columns:
    """Where each column begins and ends: by the gaps of the rule above, else (one unbroken rule) by the heading's words."""
    gaps = [match.span() for match in re.finditer("-+", rule)] if _RULE.match(rule) else []
    if len(gaps) > 1:
        return {heading[start:end].strip(): (start, end) for start, end in gaps}
    words = list(re.finditer(r"\S+(?: \S+)*", heading))
    ends = [word.start() for word in words[1:]] + [10_000]
    return {word[0]: (word.start(), end) for word, end in zip(words, ends, strict=True)}


def _rows(lines: Sequence[str], columns: Columns) -> Iterator[CodegenLayer]:
    position: int | None = None
    for line in lines:
        if _END.match(line):
            return
        if _RULE.match(line):
            continue
        position = _number(line, columns, "m_id", "id") if _cell(line, columns, "m_id", "id") else position
        layer = _layer(line, columns, position)
        if layer:
            yield layer


def _layer(line: str, columns: Columns, position: int | None) -> CodegenLayer | None:
    """A row's layer; None for one that only goes on with the row above (a second input)."""
    named = _NAMED.match(_cell(line, columns, "layer (type,original)", "layer (original)", "layer (type)"))
    if named is None:
        return None
    kinds = [kind.strip() for kind in named[2].split(",")]
    return CodegenLayer(
        name=named[1],
        type=next((kind for kind in reversed(kinds) if kind), "Input"),
        position=position,
        output_shape=_shape(_cell(line, columns, "oshape", "output shape")),
        macs=_number(line, columns, "macc"),
        weight_bytes=_weights(line, columns),
    )


def _cell(line: str, columns: Columns, *names: str) -> str:
    for name in names:
        if name in columns:
            start, end = columns[name]
            return line[start:end].strip()
    return ""


def _number(line: str, columns: Columns, *names: str) -> int | None:
    return integer(_cell(line, columns, *names))


def _weights(line: str, columns: Columns) -> int | None:
    """Bytes: behind the stroke of `param/size`, or the column `rom` of the oldest reports."""
    both = _cell(line, columns, "param/size").partition("/")
    return integer(both[2]) if both[1] else _number(line, columns, "rom")


def _shape(text: str) -> list[int] | None:
    """`[b:1,h:64,w:64,c:3]` without the batch, or `(30, 1, 12)`."""
    return [int(size) for name, size in _DIMENSION.findall(text) if name != "b"] or None
