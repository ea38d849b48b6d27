"""The memory plan as a picture: the arena's bytes upwards, the segments of one inference from left to right.

An SVG without scripts or fonts of its own, readable on light and dark ground.
"""

from collections.abc import Iterable
from html import escape

from edgeloop.codegen.portable.plan import Area, Plan

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 48, 84
LABEL_WIDTH_PX = 6.2
"""The width of one character of a label."""
LABEL_HEIGHT_PX = 13
LEGEND_STEP_PX = 100
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
KIND_TITLES = {"input": "input", "whole": "stored whole", "ring": "a few rows", "scratch": "scratch"}

STYLE = """\
.ground{fill:#fff}
text{font:11px system-ui,sans-serif;fill:#3c4754}
.title{font-size:14px;font-weight:600}
.axis{stroke:#8a96a3;stroke-width:1;fill:none}
.grid{stroke:#8a96a3;stroke-opacity:.3;stroke-width:1}
.input{fill:#e0a030;fill-opacity:.75;stroke:#9a6a10}
.whole{fill:#3f8fd2;fill-opacity:.7;stroke:#1f5f98}
.ring{fill:#35a67c;fill-opacity:.8;stroke:#1c6e50}
.scratch{fill:#9aa5b1;fill-opacity:.8;stroke:#66727f}
.inside{fill:#10181f}
@media (prefers-color-scheme:dark){text{fill:#c6d0da}.inside{fill:#fff}.ground{fill:#1a2128}}"""


def draw(plan: Plan, title: str) -> str:
    """The picture of a plan as the text of an SVG file."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
            f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>',
            *_legend({_kind(plan, area) for area in plan.areas}),
            *_grid(plan),
            *(line for area in _drawing_order(plan) for line in _area(plan, area)),
            *_time_axis(plan),
            "</svg>\n",
        )
    )


def stage_label(plan: Plan, stage: int) -> str:
    """A stage by the numbers of its layers in the file, e.g. `7+8`."""
    layers = plan.pipeline.stages[stage].layers
    return "+".join(str(layer.position) for layer in layers) if layers else "read"


def _kind(plan: Plan, area: Area) -> str:
    if area.buffer is None:
        return "scratch"
    if area.rows is not None:
        return "ring"
    return "input" if area.buffer == plan.pipeline.input else "whole"


def _drawing_order(plan: Plan) -> list[Area]:
    """Large areas first, so that small ones stay visible."""
    return sorted(plan.areas, key=lambda area: (-area.bytes, area.offset))


def _area(plan: Plan, area: Area) -> Iterable[str]:
    kind, corners = _kind(plan, area), _corners(plan, area)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    yield f'<polygon class="{kind}" points="{points}"><title>{escape(_described(plan, area))}</title></polygon>'
    yield from _inside(_label(plan, area), corners)


def _corners(plan: Plan, area: Area) -> Corners:
    """What is stored whole fills from below as it is written, and empties from below as it is read for the last time.

    Corners are: low at the left, high at the left, high at the right, low at the right.
    """
    left, right = _x(plan, area.first), _x(plan, area.last + 1)
    low, high = _y(plan, area.offset), _y(plan, area.offset + area.bytes)
    kind = _kind(plan, area)
    if kind not in ("whole", "input"):
        return (left, low), (left, high), (right, high), (right, low)
    filled = left if kind == "input" else _x(plan, area.first + 1)
    emptying = right if area.buffer == plan.pipeline.output else max(_x(plan, area.last), left)
    return (left, low), (filled, high), (right, high), (emptying, low)


def _inside(label: str, corners: Corners) -> Iterable[str]:
    """A label in the middle of an area, upright where it is high and narrow; none where it does not fit."""
    (low_left, low), (high_left, high), (high_right, _), (low_right, _) = corners
    left, right = (low_left + high_left) / 2, (low_right + high_right) / 2
    x, y, length = (left + right) / 2, (low + high) / 2, len(label) * LABEL_WIDTH_PX
    if right - left >= length and low - high >= LABEL_HEIGHT_PX:
        yield f'<text class="inside" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{escape(label)}</text>'
    elif right - left >= LABEL_HEIGHT_PX and low - high >= 2 * length:
        turned = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
        yield f'<text class="inside" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" {turned}>{escape(label)}</text>'


def _label(plan: Plan, area: Area) -> str:
    if area.buffer is None:
        return "scratch"
    value = plan.pipeline.buffers[area.buffer].value
    rows = "" if area.rows is None else f"{area.rows} rows of " if area.rows > 1 else "1 row of "
    return f"{rows}{value.height}×{value.width}×{value.channels}"


def _described(plan: Plan, area: Area) -> str:
    return f"{_label(plan, area)}: {area.bytes} bytes at {area.offset}"


def _grid(plan: Plan) -> Iterable[str]:
    step = next(step for step in (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 10_000, 1 << 40) if plan.arena_bytes <= step * 1024 * 8)
    for size in range(0, plan.arena_bytes // 1024 + 1, step):
        y = _y(plan, size * 1024)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{size} KiB</text>'


def _time_axis(plan: Plan) -> Iterable[str]:
    bottom = HEIGHT - BOTTOM
    yield f'<path class="axis" d="M{LEFT},{TOP}V{bottom}H{WIDTH - RIGHT}"/>'
    for number, part in enumerate(plan.segments):
        labels = [stage_label(plan, part.first)] + ([stage_label(plan, part.last)] if part.last > part.first else [])
        x = (_x(plan, number) + _x(plan, number + 1)) / 2
        text = " to ".join(labels)
        yield f'<text x="{x:.1f}" y="{bottom + 12}" text-anchor="end" transform="rotate(-45 {x:.1f} {bottom + 12})">{text}</text>'
    yield f'<text x="{LEFT}" y="{HEIGHT - 8}">operators of the model, in their order</text>'


def _legend(drawn: set[str]) -> Iterable[str]:
    """What is drawn; at the foot, where no title can run into it."""
    x = WIDTH - RIGHT - LEGEND_STEP_PX * len(drawn)
    for kind, title in ((kind, title) for kind, title in KIND_TITLES.items() if kind in drawn):
        yield f'<rect class="{kind}" x="{x}" y="{HEIGHT - 18}" width="12" height="12"/><text x="{x + 17}" y="{HEIGHT - 8}">{title}</text>'
        x += LEGEND_STEP_PX


def _x(plan: Plan, segment: int) -> float:
    """Where a segment begins; it is as wide as it has stages."""
    before = plan.pipeline.stages[: plan.segments[segment].first] if segment < len(plan.segments) else plan.pipeline.stages
    return LEFT + (WIDTH - LEFT - RIGHT) * len(before) / len(plan.pipeline.stages)


def _y(plan: Plan, offset: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * offset / max(plan.arena_bytes, 1)
