"""The gallery: one page that lists all published cards, to choose a model by. It needs nothing but itself, and no server."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeloop.cards.page import html_page
from edgeloop.resolution import Size
from edgeloop.store.pages import filled, part
from edgeloop.store.row import Board, Row, boards_of, row_to_choose
from edgeloop.store.summary import Current

SCRIPTS = ("figures.js", "state.js", "table.js", "plot.js", "compare.js", "gallery.js")


@dataclass(frozen=True)
class Family:
    """A card over several variants."""

    title: str
    page: str
    """Its address, relative to the index."""


def index_page(cards: Sequence[Current], families: Sequence[Family] = ()) -> str:
    """The page of these cards, with links to those of the families."""
    boards = boards_of(one.champion or one for one in cards)
    rows = [row_to_choose(one, boards) for one in sorted(cards, key=lambda one: (one.dataset, Size.of(one.resolution), one.network))]
    body = filled(
        "gallery.html.jinja",
        rows=rows,
        families=families,
        datasets=sorted({one.dataset for one in rows}),
        boards=boards,
        data=_script_data({"boards": [_board(one) for one in boards], "rows": [_row(one) for one in rows]}),
    )
    return html_page("edgeloop", "Models to choose from", body, style=part("store.css", "gallery.css"), script=part(*SCRIPTS))


def _board(board: Board) -> dict[str, Any]:
    return asdict(board) | {"title": board.title}


def _row(one: Row) -> dict[str, Any]:
    return asdict(one) | {"formats": [each.model_dump() for each in one.formats]}


def _script_data(value: object) -> Any:
    """JSON that no text in it can end."""
    from markupsafe import Markup

    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))
