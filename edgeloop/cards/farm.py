"""What ST's farm measured, on a card: on hardware, but one figure, of ST's own run on its own data, which the card says beside it."""

from collections.abc import Callable, Iterator

from edgeloop.cards.layers import Layer, Layers
from edgeloop.cards.markdown import Table
from edgeloop.cards.memory import NOT_MEASURED, memory_table
from edgeloop.cards.performance import Family, Section, check_models, format_text, resolution_text
from edgeloop.cards.sources import Sources
from edgeloop.markup import text
from edgeloop.records import FarmBenchmark, FarmMeasurement

NOT_TOLD = "not told"
Column = tuple[str, Callable[[FarmMeasurement], str | None]]
"""None: the farm does not tell it."""
FIRST: tuple[Column, ...] = (
    ("Execution Engine", lambda one: text(one.engine) + (f", {one.cores} cores" if (one.cores or 1) > 1 else "")),
    ("Frequency", lambda one: f"{one.clock_hz / 1e6:g} MHz" if one.clock_hz else None),
    ("Inference time, one figure (ms)", lambda one: f"{one.latency_ms:.3f}"),
)
SHARES: tuple[Column, ...] = (
    ("%NPU", lambda one: f"{one.shares.npu_percent:g}" if one.shares else None),
    ("%GPU", lambda one: f"{one.shares.gpu_percent:g}" if one.shares else None),
    ("%CPU", lambda one: f"{one.shares.cpu_percent:g}" if one.shares else None),
)
LAST: tuple[Column, ...] = (
    ("Spread", lambda _: NOT_TOLD),
    ("Outputs equal to the host's", lambda _: "not compared"),
    ("Accuracy on the board", lambda _: NOT_MEASURED),
)


def farm_section(model: str, name: str, record: FarmBenchmark, sources: Sources) -> Section:
    """A table of its own: its time is no median, and never stands in a column of medians.

    Raises:
        InputError: it is about another model.
    """
    check_models(name, record, sources)
    board: Column = ("Board", lambda _: text(record.farm_board))
    columns = [board, *FIRST, *(SHARES if record.target == "MPU" else ()), *LAST]
    named = [[text(model), format_text(str(one.format)), resolution_text(sources)] for one in record.models]
    rows = [[*cells, *(cell(one) or NOT_TOLD for _, cell in columns)] for cells, one in zip(named, record.models, strict=True)]
    coded = [(cells, one.code) for cells, one in zip(named, record.models, strict=True) if one.code is not None]
    return Section(
        _family(record),
        f"{record.board} ({record.farm_board} of ST's farm)",
        f"Inference time on {record.board}",
        " ".join(_notes(record)),
        Table(["Model", "Format", "Resolution", *(head for head, _ in columns)], rows),
        _layers(record.board, record.models[0]),
        memory_table(coded),
    )


def _family(record: FarmBenchmark) -> Family:
    return "NPU" if record.target == "MCU" and any(one.engine == "NPU" for one in record.models) else record.target


def _notes(record: FarmBenchmark) -> Iterator[str]:
    one = record.models[0]
    device = f" ({text(one.device)})" if one.device else ""
    yield f"Measured on hardware, by ST: the board {text(record.farm_board)}{device} of ST Edge AI Developer Cloud, with {text(one.tool)}."
    yield (
        "The time is one figure of ST's own validation run on its own random data: how many inferences it stands for, and how they spread, "
        "is not told. Our images did not run there, so that outputs were not compared and the accuracy on the board is not known."
    )
    if one.code:
        yield "RAM and flash are those that ST's tool states of the code."
    if one.no_shares:
        yield f"No shares: {text(one.no_shares)}."
    if one.note:
        yield text(one.note)


def _layers(board: str, one: FarmMeasurement) -> list[Layers]:
    if not one.layers:
        return []
    each = [Layer(layer.name, layer.duration_ms, layer.macs or None) for layer in one.layers]
    return [Layers(board, "Time (ms)", 3, "Measured on hardware by ST's tool, layer by layer, an NPU by its epochs.", each)]
