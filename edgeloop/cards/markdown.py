"""Markdown: tables, a page's generated part, and rendering as HTML with the pictures inside."""

import base64
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.errors import InputError
from edgeloop.files import read_text, write_text

if TYPE_CHECKING:
    from markdown_it.token import Token

LONG_CELL = 42
"""Longer cells may be broken into lines; the page keeps the others on one."""


@dataclass(frozen=True)
class Table:
    """A table of Markdown cells. Cells are Markdown: give foreign text through `edgeloop.markup`."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_part(page: str, mark: str, text: str) -> str:
    """The page with that text between its comments `<!-- MARK: begin -->` and `<!-- MARK: end -->`.

    Raises:
        InputError: it has no such comments.
    """
    begin, end = (f"<!-- {mark}: {edge} -->\n" for edge in ("begin", "end"))
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise InputError(
            f"The page has no comments {begin.strip()} and {end.strip()}; nothing was written.", "Put them where the text belongs."
        )
    return before + begin + text + end + after


def write_part(page: Path, mark: str, text: str) -> None:
    """Write that text between the page's comments of the mark.

    Raises:
        InputError: it has no such comments.
    """
    write_text(page, with_part(read_text(page), mark, text))


def to_html(markdown: str, folder: Path) -> str:
    """Render Markdown (no raw HTML) as HTML; pictures below `folder` are put into the page as data.

    Tables and pictures that are wider than the page scroll by themselves, with the keyboard, too; a table is named by the heading above it.
    """
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("table_open", lambda _, tokens, place, *__: _table_open(tokens[place].meta["heading"]))
    renderer.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens, heading = renderer.parse(markdown), ""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = _visible(tokens[place + 1].children or [])
        if token.type == "table_open":
            token.meta["heading"] = heading
        if token.type == "td_open" and len(_visible(tokens[place + 1].children or [])) > LONG_CELL:
            token.attrSet("class", "long")
        if token.type == "inline" and (picture := _only_picture(token.children or [])):
            _make_box(tokens[place - 1], tokens[place + 1], picture)
        for child in token.children or []:
            if child.type == "image":
                child.attrSet("src", _data_address(folder / str(child.attrGet("src"))))
    rendered: Any = renderer.renderer.render(tokens, renderer.options, {})
    return str(rendered)


def _table_open(heading: str) -> str:
    from html import escape

    return f'<div class="table" role="group" tabindex="0" aria-label="Table: {escape(heading)}"><table>\n'


def _only_picture(children: "Sequence[Token]") -> "Token | None":
    """The picture of a line that holds nothing else, linked or not."""
    pictures = [child for child in children if child.type == "image"]
    others = [child for child in children if child.type not in ("image", "link_open", "link_close")]
    return pictures[0] if len(pictures) == 1 and not others else None


def _make_box(opening: "Token", closing: "Token", picture: "Token") -> None:
    opening.tag = closing.tag = "div"
    opening.attrs = {"class": "plot", "role": "group", "tabindex": "0", "aria-label": f"Picture: {picture.content}"}


def _visible(children: "Sequence[Token]") -> str:
    """The text of a line."""
    return "".join(child.content for child in children)


def _data_address(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
