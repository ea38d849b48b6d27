"""Progress of long work: a bar with a rate on a terminal; now and then an event where somebody listens, else a line (DVC's logs)."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO, TypeVar

from edgeloop import events
from edgeloop.console import courtesy

LINE_EVERY_S = 5.0
Item = TypeVar("Item")


class Advance(Protocol):
    """Report that `steps` more units are done; `note` is a short text shown behind the rate."""

    def __call__(self, steps: int = 1, note: str = "") -> None: ...


@contextmanager
def progress(
    what: str, total: int | None, unit: str, stream: TextIO | None = None, *, done: int = 0, tells_time: bool = False
) -> Iterator[Advance]:
    """Show the progress of `total` units of work (None: unknown) on `stream`, by default stderr.

    `unit` is the plural noun of what is counted; `bytes` is shown in MB. `done` of them were done before, and do not count for the
    rate. `tells_time`: they do not all take the same, and the notes say how long it still takes.
    """
    out = stream or sys.stderr
    with (_bar if out.isatty() else _lines)(what, _Meter(total, unit, done), out, tells_time) as advance:
        yield advance


def tracked(items: Iterable[Item], what: str, total: int | None, unit: str) -> Iterator[Item]:
    """Yield `items` one by one and show the progress."""
    with progress(what, total, unit) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def _bar(what: str, meter: "_Meter", out: TextIO, tells_time: bool) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}")]
    columns += [] if tells_time else [TimeRemainingColumn()]
    with Progress(*columns, console=Console(file=out)) as bars:
        task = bars.add_task(what, total=meter.total, completed=meter.before, rate="")

        def advance(steps: int = 1, note: str = "") -> None:
            meter.advance(steps)
            bars.update(task, advance=steps, rate=meter.text(note))

        yield advance


@contextmanager
def _lines(what: str, meter: "_Meter", out: TextIO, _: bool) -> Iterator[Advance]:
    last, latest = time.monotonic(), ""

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal last, latest
        meter.advance(steps)
        latest = note or latest
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            tell(meter.text(note))

    def tell(text: str) -> None:
        if not events.tell(events.Progress(what, meter.done, meter.total, f"{what}: {text}")):
            courtesy(f"{what}: {text}", out)

    yield advance
    took = f"in {meter.elapsed_s:.1f} s"
    tell(f"{meter.text('')} {took}{', ' + latest if latest else ''}")


class _Meter:
    """Counts units and words the count with its rate."""

    def __init__(self, total: int | None, unit: str, before: int) -> None:
        self.total, self.unit, self.before, self.done = total, unit, before, before
        self.started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def advance(self, steps: int) -> None:
        self.done += steps

    def text(self, note: str) -> str:
        scale, unit = (1e6, "MB") if self.unit == "bytes" else (1.0, self.unit)
        digits = 1 if scale > 1 else 0
        total = "" if self.total is None else f"/{self.total / scale:.{digits}f}"
        rate = (self.done - self.before) / scale / max(self.elapsed_s, 1e-9)
        counted = f"{self.done / scale:.{digits}f}{total} {unit}, {rate:.{1 if rate < 100 else 0}f} {unit}/s"
        return f"{counted}, {note}" if note else counted
