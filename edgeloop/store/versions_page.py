"""The page of a variant: its versions in the order published, their accuracy drawn and all figures in a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote

from edgeloop.cards.memory import NOT_MEASURED, kib
from edgeloop.cards.names import network_title
from edgeloop.cards.page import html_page
from edgeloop.store.ledger import History
from edgeloop.store.pages import filled, part
from edgeloop.store.row import Board, Figure, Row, boards_of, row
from edgeloop.store.summary import Published, Top1

HEIGHT, BELOW, ABOVE = 260, 34, 14
"""Of the drawing, in pixels, and its margins; it is as wide as its page."""
MOST_DRAWN = 60
LABELS = 12


@dataclass(frozen=True)
class Line:
    """A row of the table, in words."""

    number: int
    page: str
    version: str
    published: str
    marks: list[str]
    """What it is among the others, in words."""
    accuracy: str
    interval: str
    ram: str
    flash: str
    weights: str
    measured: list[str]
    emulated: list[str]
    commit: str


@dataclass(frozen=True)
class Point:
    """A version in the drawing: per cent of its width, and pixels from above."""

    x: float
    y: float
    low: float
    high: float
    line: Line
    label: str
    """Empty where there is no room for it."""


def versions_page(versions: Sequence[Published], history: History) -> str:
    """The page of these versions of one variant, the oldest first, and of which of them have been champion."""
    from markupsafe import Markup

    boards, current = boards_of(versions), versions[-1]
    rows = [row(one, boards) for one in versions]
    marks = [_marks(one, current, history) for one in versions]
    lines = [_line(number, *one, boards) for number, one in enumerate(zip(versions, rows, marks, strict=True), 1)]
    drawn = [(line, shown.accuracy) for line, shown in zip(lines, rows, strict=True)][-MOST_DRAWN:]
    low, high = _range([found for _, found in drawn if found])
    points = _points(drawn, low, high)
    body = filled(
        "versions.html.jinja",
        lines=lines[::-1],
        champion=history.champion,
        place=next((line for line in lines[::-1] if history.champion and line.version == history.champion.version), None),
        archives=sorted({one.archive for one in versions}),
        points=points,
        pairs=list(pairwise(points)),
        ticks=[(_y(value, low, high), f"{100 * value:.{_decimals(low, high)}f}") for value in _ticks(low, high)],
        height=HEIGHT,
        floor=HEIGHT - BELOW,
        format=rows[-1].format or "int8",
    )
    title = f"{network_title(current.network)} · {current.dataset} · {rows[-1].resolution}"
    kind = Markup('<a href="../index.html">All cards</a> · Versions')
    return html_page(kind, title, body, style=part("store.css", "versions.css"))


def _marks(one: Published, current: Published, history: History) -> list[str]:
    champion = history.champion
    found = {
        "current": one is current,
        "champion": champion is not None and champion.version == one.version,
        "given up": one.version in history.given_up,
    }
    return [mark for mark, holds in found.items() if holds]


def _line(number: int, one: Published, shown: Row, marks: list[str], boards: Sequence[Board]) -> Line:
    found = shown.accuracy
    named = [(boards[figure.board], figure) for figure in shown.boards]
    return Line(
        number=number,
        page=f"{quote(one.version)}/index.html",
        version=one.version,
        published=one.published[:16].replace("T", " ") if one.published else "before times were kept",
        marks=marks,
        accuracy=f"{100 * found.top1:.2f} %" if found else NOT_MEASURED,
        interval=f"{100 * found.ci95[0]:.2f} - {100 * found.ci95[1]:.2f}, n = {found.n}" if found else "",
        ram=_kib(shown.ram),
        flash=_kib(shown.flash),
        weights=_kib(shown.weights),
        measured=[_time(board, figure) for board, figure in named if board.how in ("measured", "farm")],
        emulated=[f"{figure.value:,.0f} on {board.title}{_doubt(figure)}" for board, figure in named if board.how == "emulated"],
        commit=(one.commit or "unknown")[:10],
    )


def _kib(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{kib(size)} KiB"


def _time(board: Board, figure: Figure) -> str:
    farm = ", one figure of ST's farm" if board.how == "farm" else ""
    return f"{figure.value:.3f} ms on {board.title}{farm}{_doubt(figure)}"


def _doubt(figure: Figure) -> str:
    notes = [note for note in (figure.other_format, figure.doubt) if note]
    return f" ({', '.join(notes)})" if notes else ""


def _range(found: Sequence[Top1]) -> tuple[float, float]:
    """What the drawing reaches over: the intervals, and a little more."""
    low, high = min((one.ci95[0] for one in found), default=0.0), max((one.ci95[1] for one in found), default=1.0)
    margin = max(0.002, 0.06 * (high - low))
    return max(0.0, low - margin), min(1.0, high + margin)


def _ticks(low: float, high: float) -> list[float]:
    steps = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    step = next((step for step in steps if (high - low) / step <= 5), 0.5)
    first = int(low / step) + 1
    return [place * step for place in range(first, int(high / step) + 1)]


def _decimals(low: float, high: float) -> int:
    return 1 if high - low < 0.05 else 0


def _y(value: float, low: float, high: float) -> float:
    return round(ABOVE + (high - value) / (high - low) * (HEIGHT - BELOW - ABOVE), 1)


def _points(drawn: Sequence[tuple[Line, Top1 | None]], low: float, high: float) -> list[Point]:
    every = -(-len(drawn) // LABELS)
    return [
        Point(
            x=round(100 * (place + 0.5) / len(drawn), 2),
            y=_y(found.top1, low, high),
            low=_y(found.ci95[0], low, high),
            high=_y(found.ci95[1], low, high),
            line=line,
            label=str(line.number) if place % every == 0 else "",
        )
        for place, (line, found) in enumerate(drawn)
        if found
    ]
