"""Random small pipelines for the planner: chains, branches, additions, reshapes and vectors, of odd sizes."""

import random

from edgeloop.codegen.portable.pipeline import Batch, Buffer, Pipeline, Stage, Tap
from edgeloop.codegen.portable.values import Value, ValueType


def value(height: int, width: int, channels: int, dtype: ValueType = "int8") -> Value:
    """A value of that shape; the planner looks at nothing else."""
    return Value(0, "", height, width, channels, dtype, 1.0, 0)


def random_pipeline(seed: int, *, streamed: bool) -> Pipeline:
    """A pipeline of up to nine stages; equal seeds give equal pipelines."""
    return _Builder(random.Random(seed), streamed).build()


class _Builder:
    def __init__(self, rng: random.Random, streamed: bool) -> None:
        self.rng = rng
        self.values = [value(rng.randint(1, 14), rng.randint(1, 9), rng.randint(1, 4))]
        self.whole = {0: False}
        self.stages = [Stage(None, (), 0)] if streamed else []

    def build(self) -> Pipeline:
        for _ in range(self.rng.randint(1, 9)):
            self.rng.choice(
                (
                    self.window,
                    self.window,
                    self.window,
                    self.elementwise,
                    self.add,
                    self.stretch,
                    self.cut,
                    self.join,
                    self.resize,
                    self.vector,
                )
            )()
        buffers = tuple(Buffer(made, self.whole[place]) for place, made in enumerate(self.values))
        return Pipeline(buffers, tuple(self.stages), 0, len(buffers) - 1)

    def source(self) -> int:
        """Mostly the newest buffer, at times an older one."""
        return self.rng.choice((len(self.values) - 1, len(self.values) - 1, self.rng.randrange(len(self.values))))

    def made(self, output: Value, *taps: Tap) -> None:
        self.values.append(output)
        self.whole[len(self.values) - 1] = False
        single = Batch(1, self.rng.choice((0, 3, 24)))
        batches = ((single,), (Batch(2, 40), single), (Batch(output.height, 100), Batch(3, 30), single))
        self.stages.append(Stage(None, taps, len(self.values) - 1, self.rng.choice(batches)))

    def window(self) -> None:
        source, rows, stride = self.source(), self.rng.choice((1, 3, 3, 5)), self.rng.choice((1, 1, 2))
        taken = self.values[source]
        top = self.rng.randint(0, rows // 2)
        height = -(-taken.height // stride) if top or rows == 1 else max(1, (taken.height - rows) // stride + 1)
        if (height - 1) * stride - top + rows < taken.height:
            self.whole[source] = True
        self.made(
            value(height, -(-taken.width // stride), self.rng.randint(1, 6)),
            Tap(source, taken, rows, stride, top, read_first=self.rng.choice((True, False))),
        )

    def elementwise(self) -> None:
        source = self.source()
        self.made(self.values[source], Tap(source, self.values[source], 1, in_place=True))

    def add(self) -> None:
        source = self.source()
        like = [place for place, other in enumerate(self.values) if other.shape == self.values[source].shape]
        other = self.rng.choice(like)
        self.made(self.values[source], *(Tap(place, self.values[place], 1, in_place=True) for place in dict.fromkeys((source, other))))

    def stretch(self) -> None:
        """One row of a buffer, for every row of another one."""
        source, row = self.source(), self.rng.randrange(len(self.values))
        taken, one = self.values[source], self.values[row]
        self.whole[row] = self.whole[row] or one.height > 1
        self.made(taken, Tap(source, taken, 1, in_place=True), Tap(row, one, 1, stride=0))

    def cut(self) -> None:
        """Some rows, at even distances."""
        source = self.source()
        taken, step = self.values[source], self.rng.randint(1, 3)
        begin = self.rng.randrange(taken.height)
        height = self.rng.randint(1, -(-(taken.height - begin) // step))
        if begin + (height - 1) * step + 1 < taken.height:
            self.whole[source] = True
        self.made(value(height, self.rng.randint(1, taken.width), taken.channels), Tap(source, taken, 1, step, -begin))

    def join(self) -> None:
        """The rows of two buffers, one behind the other."""
        first, second = self.source(), self.rng.randrange(len(self.values))
        if first == second:
            self.elementwise()
            return
        one, other = self.values[first], self.values[second]
        self.made(value(one.height + other.height, 4, 3), Tap(first, one, 1), Tap(second, other, 1, top=one.height))

    def resize(self) -> None:
        """One or two rows of a buffer for each row, at uneven distances."""
        source = self.source()
        taken = self.values[source]
        starts = tuple(sorted(self.rng.randrange(taken.height) for _ in range(self.rng.randint(1, 14))))
        tap = Tap(source, taken, self.rng.choice((1, 2)), starts=starts)
        if tap.end(len(starts) - 1) < taken.height:
            self.whole[source] = True
        self.made(value(len(starts), self.rng.randint(1, 9), taken.channels), tap)

    def vector(self) -> None:
        source = self.source()
        self.whole[source] = True
        taken = self.values[source]
        self.made(value(1, 1, self.rng.randint(1, 9)), Tap(source, value(1, 1, taken.elements), 1))
