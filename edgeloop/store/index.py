"""The page that lists all published cards, to choose a model by."""

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from edgeloop.cards.names import network_title
from edgeloop.cards.page import html_page
from edgeloop.resolution import Size, image_text

DEPLOYED = "int8 per-channel"
FORMATS = ("float", "int8 per-channel", "int8 per-tensor")


def index_page(cards: Sequence[dict[str, Any]]) -> str:
    """A self-contained page; `cards` are what the `latest.json` files say."""
    accuracies = [f"{name.capitalize()} (%)" for name in FORMATS]
    heads = ["Data set", "Model", "Resolution", *accuracies, "n", "int8 weights (KiB)", "MACC (M)", "Archive", "Evaluated"]
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    rows = "\n".join(_row(one) for one in sorted(cards, key=lambda one: (one["dataset"], Size.of(one["resolution"]), one["network"])))
    note = (
        "Top 1 accuracy on the test split, with its 95 % interval. Accuracies on different archives cannot be compared, "
        "nor those that are not of the upstream archive with published ones."
    )
    table = f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
    return html_page("edgeloop", "Model cards", f"<p>{note}</p>\n{table}\n")


def _row(one: dict[str, Any]) -> str:
    by_format = {result["format"]: result for result in one["accuracy"]}
    link = f'<a href="{escape(quote(one["page"]))}">{escape(network_title(one["network"]))}</a>'
    cells = [
        escape(one["dataset"]),
        link,
        image_text(one["resolution"], one.get("color", "rgb")),
        *(_accuracy(by_format.get(name)) for name in FORMATS),
        str(max((result["n"] for result in one["accuracy"]), default=0)),
        _kib(one["weight_bytes"].get(DEPLOYED)),
        f"{one['macs'] / 1e6:.2f}",
        escape(one["archive"]),
        escape(one["evaluated"][:10]),
    ]
    return f'<tr>{"".join(f"<td>{cell}</td>" for cell in cells[:-2])}<td class="long">{cells[-2]}</td><td>{cells[-1]}</td></tr>'


def _kib(size: int | None) -> str:
    return "not measured" if size is None else f"{size / 1024:.2f}"


def _accuracy(result: dict[str, Any] | None) -> str:
    if result is None:
        return "not measured"
    low, high = result["ci95"]
    return f"<b>{100 * result['top1']:.2f}</b><br><small>({100 * low:.2f} - {100 * high:.2f})</small>"
