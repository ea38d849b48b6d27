"""Pages that need nothing but themselves: one HTML file with its styles and pictures inside, light and dark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from edgeloop.console import printable

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Figure:
    """A key figure at the head of a page."""

    name: str
    value: str
    unit: str
    note: str


def html_page(kind: str, title: str, body: str, figures: Sequence[Figure] = (), style: str = "", script: str = "") -> str:
    """A complete page. `body` is HTML, `style` and `script` are its own, everything else is escaped."""
    from markupsafe import Markup

    css = Markup(_resource("page.css") + style)
    return (
        _environment(autoescape=True)
        .from_string(_resource("page.html.jinja"))
        .render(kind=kind, title=title, body=Markup(body), figures=figures, css=css, script=Markup(script))
    )


def markdown_page(template: str, filters: Mapping[str, Callable[[object], str]], **values: Any) -> str:
    """Fill a Markdown template; at most one empty line in a row is left."""
    environment = _environment(autoescape=False)
    environment.filters.update(filters)
    filled = environment.from_string(_resource(template)).render(**values)
    lines: list[str] = []
    for line in filled.splitlines():
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip() + "\n"


def shown(value: object) -> object:
    """A value of a template without characters that steer what shows it; what is markup already stays."""
    return printable(value) if type(value) is str else value


def _environment(*, autoescape: bool) -> "Environment":
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown)


def _resource(name: str) -> str:
    return (files("edgeloop.cards") / "templates" / name).read_text(encoding="utf-8")
