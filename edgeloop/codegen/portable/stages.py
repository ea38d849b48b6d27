"""The C functions of the stages: each computes its output rows up to a given one, and first those that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgeloop.codegen.portable.literals import comment, unsigned
from edgeloop.codegen.portable.lowering import computing_layers
from edgeloop.codegen.portable.network import (
    Add,
    AveragePool,
    Convolution,
    Dense,
    Depthwise,
    Dequantize,
    Layer,
    Mean,
    Network,
    Pad,
    Requantize,
    Softmax,
    Value,
)
from edgeloop.codegen.portable.pipeline import Stage, Tap
from edgeloop.codegen.portable.plan import Plan
from edgeloop.codegen.portable.tables import shape_text

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
    """Writes the functions of a plan's stages; `rows` and `used` tell afterwards what they refer to."""

    def __init__(self, network: Network, plan: Plan, name: str) -> None:
        self._plan, self._pipeline = plan, plan.pipeline
        self._index = {id(layer): number for number, layer in enumerate(computing_layers(network))}
        self._prefix, self._upper = name, name.upper()
        self.rows: dict[str, Rows] = {}
        self.observed_bytes = 0
        """Of the rows that are computed for observation only."""

    def index(self, layer: Layer) -> int:
        """A layer's place in the table of layers."""
        return self._index[id(layer)]

    def function(self, place: int) -> str:
        """The name of the function that computes a stage's rows."""
        layers = self._pipeline.stages[place].layers
        return f"layer_{self.index(layers[-1])}_until" if layers else "input_until"

    def counter(self, place: int) -> str:
        """The variable that counts a stage's rows."""
        layers = self._pipeline.stages[place].layers
        return f"done[{self.index(layers[-1])}]" if layers else "input_done"

    def call_whole(self, place: int) -> str:
        """The statement that computes all rows of a stage."""
        height = self._pipeline.buffers[self._pipeline.stages[place].output].height
        return f"{self.function(place)}({unsigned(height)});"

    def value_rows(self, buffer: int) -> Rows:
        """A buffer as its writer sees it."""
        return self._rows(buffer, self._pipeline.buffers[buffer].value)

    def lines(self, place: int) -> list[str]:
        """The function of one stage."""
        stage = self._pipeline.stages[place]
        body = [*self._pulls(place), *self._compute(place)] if stage.layers else self._read_input()
        counter, rows = self.counter(place), self._plan.batch(place).rows
        count = [] if rows == 1 else [f"const uint32_t count = least({unsigned(rows)}, rows - y);"]
        return [
            f"/* {self._title(place)} */",
            f"static void {self.function(place)}(uint32_t rows)",
            "{",
            f"{INDENT}while ({counter} < rows) {{",
            *(line if line.startswith("#") else INDENT * 2 + line for line in [f"const uint32_t y = {counter};", *count, *body]),
            f"{INDENT * 2}{counter} = y + {'1u' if rows == 1 else 'count'};",
            f"{INDENT}}}",
            "}",
        ]

    def _title(self, place: int) -> str:
        stage = self._pipeline.stages[place]
        if not stage.layers:
            return "The input's rows, from the application."
        operators = " and ".join(f"{layer.operator} (operator {layer.position})" for layer in stage.layers)
        shapes = ", ".join(dict.fromkeys(shape_text(tap.value) for tap in stage.taps))
        output = self._pipeline.buffers[stage.output].value
        return comment(f"{operators}: {shapes} to {shape_text(output)}.")

    def _pulls(self, place: int) -> Iterator[str]:
        """What must be computed before: rows of values of which only a few are stored."""
        inner = self._plan.segment(place)
        last = "y" if self._plan.batch(place).rows == 1 else "(y + count - 1u)"
        for tap in self._pipeline.stages[place].taps:
            producer = self._pipeline.producer(tap.buffer)
            if producer is not None and producer >= inner.first:
                yield f"{self.function(producer)}({_end(tap, last)});"

    def _compute(self, place: int) -> list[str]:
        stage = self._pipeline.stages[place]
        layers, output = stage.layers, self.value_rows(stage.output).name
        window, *calls = self._call(place)
        work = [line for lines in calls for line in lines]
        if not _is_separable(stage):
            work = self._between_marks(layers[-1], work)
        return [f"void *output = row(&{output}, y);", *window, *work, *self._observe(place)]

    def _between_marks(self, layer: Layer, work: list[str]) -> list[str]:
        """The statements of one layer, for the observer to know."""
        return [f"{self._upper}_BEGIN({self.index(layer)}u);", *work, f"{self._upper}_END({self.index(layer)}u);"]

    def _observe(self, place: int) -> Iterator[str]:
        stage = self._pipeline.stages[place]
        count = "1u" if self._plan.batch(place).rows == 1 else "count"
        if _is_separable(stage):
            yield f"{self._upper}_ROWS({self.index(stage.layers[0])}u, y, {count}, BETWEEN);"
        yield f"{self._upper}_ROWS({self.index(stage.layers[-1])}u, y, {count}, output);"

    def _call(self, place: int) -> tuple[list[str], list[str]]:
        """Statements that collect input rows, and those that compute."""
        stage = self._pipeline.stages[place]
        last = stage.layers[-1]
        layer, tap = f"&layer_{self.index(last)}", stage.taps[0]
        scratch = self._scratch(place)
        if _is_separable(stage):
            return self._window(place, "const int8_t"), self._separable(place, layer, scratch)
        if isinstance(last, Convolution):
            return self._window(place, "const void"), [f"edgeloop_convolution_row({layer}, input, output, {scratch});"]
        if isinstance(last, Depthwise | AveragePool):
            kernel = "edgeloop_depthwise_row" if isinstance(last, Depthwise) else "edgeloop_average_pool_row"
            return self._window(place, "const int8_t"), [f"{kernel}({layer}, input, output);"]
        if isinstance(last, Mean):
            return [], self._mean(layer, tap, scratch)
        if isinstance(last, Pad):
            return [], [f"edgeloop_pad_row({layer}, {self._row_or_null(tap, 'y')}, output);"]
        if isinstance(last, Dense):
            return [], [f"edgeloop_dense_row({layer}, row(&{self._tap_rows(tap)}, 0u), output);"]
        if isinstance(last, Add):
            taps = [tap, stage.taps[-1]]
            return [], [f"edgeloop_add_row({layer}, {', '.join(self._row(each) for each in taps)}, output);"]
        kernel = "softmax" if isinstance(last, Softmax) else "dequantize" if isinstance(last, Dequantize) else "rescale"
        return [], [f"edgeloop_{kernel}_row({layer}, {self._row(tap)}, output);"]

    def _separable(self, place: int, layer: str, scratch: str) -> list[str]:
        """Both halves; the observer is shown the rows between them, which are computed for it alone."""
        stage = self._pipeline.stages[place]
        first, last, stride = stage.layers[0], stage.layers[-1], unsigned(stage.taps[0].stride)
        self.observed_bytes = max(self.observed_bytes, first.output.row_bytes * self._plan.batch(place).rows)
        depthwise = f"&layer_{self.index(first)}"
        count = "1u" if self._plan.batch(place).rows == 1 else "count"
        return [
            f"SHOW_BETWEEN({depthwise}, {stride}, input, {count});",
            *self._between_marks(first, [f"edgeloop_separable_depthwise({depthwise}, {stride}, input, {count}, {scratch});"]),
            *self._between_marks(last, [f"edgeloop_separable_pointwise({depthwise}, {layer}, {count}, output, {scratch});"]),
        ]

    def _window(self, place: int, kind: str) -> list[str]:
        """Collects pointers to the rows of the window."""
        tap, batch = self._pipeline.stages[place].taps[0], self._plan.batch(place)
        most = (batch.rows - 1) * tap.stride + tap.rows
        count = unsigned(tap.rows) if batch.rows == 1 else _window_rows(tap)
        first = "y" if tap.stride == 1 else f"{unsigned(tap.stride)} * y"
        return [
            f"{kind} *input[{most}];",
            f"for (uint32_t i = 0; i < {count}; i++) {{",
            f"{INDENT}input[i] = {self._row_or_null(tap, f'{first} + i')};",
            "}",
        ]

    def _mean(self, layer: str, tap: Tap, scratch: str) -> list[str]:
        rows = self._tap_rows(tap)
        return [
            f"int32_t *sums = {scratch};",
            f"for (uint32_t c = 0; c < {unsigned(tap.value.channels)}; c++) {{",
            f"{INDENT}sums[c] = 0;",
            "}",
            f"for (uint32_t i = 0; i < {unsigned(tap.value.height)}; i++) {{",
            f"{INDENT}edgeloop_mean_add_row({layer}, row(&{rows}, i), sums);",
            "}",
            f"edgeloop_mean_finish({layer}, sums, output);",
        ]

    def _read_input(self) -> list[str]:
        rows = self.value_rows(self._pipeline.input).name
        return ["void *output = row(&" + rows + ", y);", "input_reader(input_context, y, output);", "OBSERVE_INPUT(y, output);"]

    def _row(self, tap: Tap) -> str:
        return f"row(&{self._tap_rows(tap)}, y)"

    def _row_or_null(self, tap: Tap, row: str) -> str:
        index = f"(int32_t)({row})" if row != "y" else "(int32_t)y"
        return f"row_or_null(&{self._tap_rows(tap)}, {index}{f' - {tap.top}' if tap.top else ''})"

    def _tap_rows(self, tap: Tap) -> str:
        return self._rows(tap.buffer, tap.value).name

    def _rows(self, buffer: int, value: Value) -> Rows:
        own, area = self._pipeline.buffers[buffer], self._plan.buffer(buffer)
        producer = self._pipeline.producer(buffer)
        layers = self._pipeline.stages[producer].layers if producer is not None else ()
        name = f"value_{self.index(layers[-1])}" if layers else "value_input"
        stored = value.height if area.rows is None else area.rows
        if (value.height, value.row_bytes) != (own.height, own.row_bytes):
            name = f"{name}_as_{value.height}_rows"
        found = Rows(name, area.offset, value.row_bytes, stored, value.height, shape_text(value))
        return self.rows.setdefault(name, found)

    def _scratch(self, place: int) -> str:
        area = self._plan.scratch(place)
        return f"scratch({unsigned(area.offset)})" if area is not None and self._plan.batch(place).scratch_bytes else "NULL"


def folded_input(network: Network, stage: Stage) -> Requantize | None:
    """The QUANTIZE of the network's input that is computed with the stage's convolution."""
    first = stage.layers[0] if len(stage.layers) == 2 else None
    return first if isinstance(first, Requantize) and first.inputs[0].tensor == network.input.tensor else None


def _is_separable(stage: Stage) -> bool:
    """Whether it is a depthwise layer and the 1x1 convolution behind it."""
    return isinstance(stage.layers[0], Depthwise) and len(stage.layers) == 2


def _end(tap: Tap, row: str) -> str:
    """One past the last input row that an output row needs, in C."""
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
