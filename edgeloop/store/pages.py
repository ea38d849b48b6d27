"""What the pages of the store are made of: their styles, their scripts, and templates filled with escaped values."""

from importlib.resources import files
from typing import Any

from edgeloop.cards.page import shown


def filled(template: str, **values: Any) -> str:
    """A template of `templates/` as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("edgeloop.store")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown, loader=loader
    )
    return environment.get_template(template).render(**values)


def part(*names: str) -> str:
    """Files of `templates/` as they are, one after the other."""
    folder = files("edgeloop.store") / "templates"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
