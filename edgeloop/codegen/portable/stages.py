"""The C functions of the stages: each computes its output rows up to a given one, and first those that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeloop.codegen.portable.literals import comment, unsigned
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.plan import Plan
from edgeloop.codegen.portable.values import Value

if TYPE_CHECKING:
    from edgeloop.codegen.portable.layer import Layer
    from edgeloop.codegen.portable.work import Work

INDENT = "    "


@dataclass(frozen=True)
class Rows:
    """A row_buffer of the generated code: one value as one of its readers or its writer sees it."""

    name: str
    offset: int
    row_bytes: int
    stored: int
    """Rows that there is room for."""
    height: int
    text: str


class StageWriter:
    """Writes the functions of a plan's stages; `rows` tells afterwards what they refer to."""

    def __init__(self, layers: "list[Layer]", plan: Plan, name: str) -> None:
        self.plan, self.pipeline, self.upper = plan, plan.pipeline, name.upper()
        self._index = {id(layer): number for number, layer in enumerate(layers)}
        self.rows: dict[str, Rows] = {}

    def index(self, layer: "Layer") -> int:
        """A layer's place in the table of layers."""
        return self._index[id(layer)]

    def function(self, place: int) -> str:
        """The name of the function that computes a stage's rows."""
        layers = self.pipeline.stages[place].layers
        return f"layer_{self.index(layers[-1])}_until" if layers else "input_until"

    def call_whole(self, place: int) -> str:
        """The statement that computes all rows of a stage."""
        height = self.pipeline.buffers[self.pipeline.stages[place].output].height
        return f"{self.function(place)}({unsigned(height)});"

    def value_rows(self, buffer: int) -> Rows:
        """A buffer as its writer sees it."""
        return self.rows_of(buffer, self.pipeline.buffers[buffer].value)

    def rows_of(self, buffer: int, value: Value) -> Rows:
        """A buffer as a reader sees it that takes it for `value`."""
        own, area = self.pipeline.buffers[buffer], self.plan.buffer(buffer)
        producer = self.pipeline.producer(buffer)
        layers = self.pipeline.stages[producer].layers if producer is not None else ()
        name = f"value_{self.index(layers[-1])}" if layers else "value_input"
        stored = value.height if area.rows is None else area.rows
        if (value.height, value.row_bytes) != (own.height, own.row_bytes):
            name = f"{name}_as_{value.height}_rows"
        found = Rows(name, area.offset, value.row_bytes, stored, value.height, value.shape_text)
        return self.rows.setdefault(name, found)

    def lines(self, place: int) -> list[str]:
        """The function of one stage."""
        work = self.pipeline.stages[place].work
        body = [*self._pulls(place), *self._compute(place, work)] if work else self._read_input()
        counter, rows = self._counter(place), self.plan.batch(place).rows
        count = [] if rows == 1 else [f"const uint32_t count = least({unsigned(rows)}, rows - y);"]
        return [
            f"/* {self._title(place)} */",
            f"static void {self.function(place)}(uint32_t rows)",
            "{",
            f"{INDENT}while ({counter} < rows) {{",
            *(INDENT * 2 + line for line in [f"const uint32_t y = {counter};", *count, *body]),
            f"{INDENT * 2}{counter} = y + {'1u' if rows == 1 else 'count'};",
            f"{INDENT}}}",
            "}",
        ]

    def _counter(self, place: int) -> str:
        """The variable that counts a stage's rows."""
        layers = self.pipeline.stages[place].layers
        return f"done[{self.index(layers[-1])}]" if layers else "input_done"

    def _title(self, place: int) -> str:
        stage = self.pipeline.stages[place]
        if not stage.layers:
            return "The input's rows, from the application."
        operators = " and ".join(f"{layer.operator} (operator {layer.position})" for layer in stage.layers)
        shapes = ", ".join(dict.fromkeys(tap.value.shape_text for tap in stage.taps))
        return comment(f"{operators}: {shapes} to {self.pipeline.buffers[stage.output].value.shape_text}.")

    def _pulls(self, place: int) -> Iterator[str]:
        """What must be computed before: rows of values of which only a few are stored."""
        last = "y" if self.plan.batch(place).rows == 1 else "(y + count - 1u)"
        for producer, tap in self.plan.pulls(place):
            layer = self.pipeline.stages[place].layers[-1]
            yield f"{self.function(producer)}({_end(tap, last, f'layer_{self.index(layer)}')});"

    def _compute(self, place: int, work: "Work") -> list[str]:
        site = Site(self, place)
        output = self.value_rows(self.pipeline.stages[place].output).name
        shown = [f"{self.upper}_ROWS({self.index(layer)}u, y, {site.count}, {where});" for layer, where in work.shown]
        return [f"void *output = row(&{output}, y);", *work.statements(site), *shown]

    def _read_input(self) -> list[str]:
        rows = self.value_rows(self.pipeline.input).name
        return ["void *output = row(&" + rows + ", y);", "input_reader(input_context, y, output);", "OBSERVE_INPUT(y, output);"]


class Site:
    """Where a stage's statements stand: `y` is its first output row to be computed, `output` where that lies."""

    def __init__(self, writer: StageWriter, place: int) -> None:
        self._writer, self._batch = writer, writer.plan.batch(place)
        self.taps = writer.pipeline.stages[place].taps
        area = writer.plan.scratch(place)
        self.count = "1u" if self._batch.rows == 1 else "count"
        """How many output rows are computed."""
        self.width = unsigned(self._batch.width)
        """Columns of them that are computed together, where the kernel is told."""
        self.scratch_bytes = unsigned(self._batch.scratch_bytes)
        self.scratch = f"scratch({unsigned(area.offset)})" if area is not None and self._batch.scratch_bytes else "NULL"

    def structure(self, layer: "Layer") -> str:
        """A pointer to what the kernel is told about a layer."""
        return f"&layer_{self._writer.index(layer)}"

    def field(self, layer: "Layer", name: str) -> str:
        """A field of what the kernel is told about a layer."""
        return f"layer_{self._writer.index(layer)}.{name}"

    def tap(self, value: Value) -> Tap:
        """How an input is read; one that is used twice is read through one tap."""
        return next(tap for tap in self.taps if tap.value is value)

    def row(self, tap: Tap, row: str = "") -> str:
        """A pointer to a row of an input: `row`, or the one of the output's own number; NULL where that is a missing one."""
        rows = self._writer.rows_of(tap.buffer, tap.value).name
        if not tap.padded:
            return f"row(&{rows}, {row or 'y'})"
        index = f"(int32_t)({row})" if row else "(int32_t)y"
        return f"row_or_null(&{rows}, {index}{f' - {tap.top}' if tap.top else ''})"

    def window(self, kind: str) -> list[str]:
        """Collects pointers to the rows of the windows of all output rows in `input`."""
        tap = self.taps[0]
        most = (self._batch.rows - 1) * tap.stride + tap.rows
        count = unsigned(tap.rows) if self._batch.rows == 1 else _window_rows(tap)
        first = "y" if tap.stride == 1 else f"{unsigned(tap.stride)} * y"
        return [
            f"{kind} *input[{most}];",
            f"for (uint32_t i = 0; i < {count}; i++) {{",
            f"{INDENT}input[i] = {self.row(tap, f'{first} + i')};",
            "}",
        ]

    def marked(self, layer: "Layer", statements: list[str]) -> list[str]:
        """The statements of one layer, between marks for an observer."""
        writer, index = self._writer, self._writer.index(layer)
        return [f"{writer.upper}_BEGIN({index}u);", *statements, f"{writer.upper}_END({index}u);"]


def _end(tap: Tap, row: str, structure: str) -> str:
    """One past the last input row that an output row needs, in C; `structure` is that of the layer that reads it."""
    if tap.starts is not None:
        return f"least((uint32_t){structure}.rows[{row}] + {unsigned(tap.rows)}, {unsigned(tap.value.height)})"
    if tap.stride == 0:
        return unsigned(tap.end(0))
    beyond = tap.rows - tap.top
    scaled = row if tap.stride == 1 else f"{unsigned(tap.stride)} * {row}"
    height = unsigned(tap.value.height)
    if beyond >= 0:
        return f"least({scaled} + {unsigned(beyond)}, {height})"
    return f"{scaled} < {unsigned(-beyond)} ? 0u : least({scaled} - {unsigned(-beyond)}, {height})"


def _window_rows(tap: Tap) -> str:
    """Input rows under the windows of `count` output rows, in C."""
    if tap.stride == 1:
        return f"count + {unsigned(tap.rows - 1)}"
    return f"(count - 1u) * {unsigned(tap.stride)} + {unsigned(tap.rows)}"
