"""How long a training still takes, reckoned from its own steps: nothing is run for it.

An epoch at another resolution than those that ran is reckoned by its pixels; a phase of mode `head` says nothing about the others.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from statistics import median_low
from typing import TypeVar

from edgeloop.resolution import Size
from edgeloop.times import in_words
from edgeloop.training.fold import Fold
from edgeloop.training.recipe import Recipe

Item = TypeVar("Item")
LONG_S = 180.0
"""Less is not worth a word."""
WATCHED_S = 10.0
"""Seconds of steps before the first estimate."""
FEWEST = 3
"""Steps before the first estimate: of one or two it cannot be told which one was a pause."""
PAUSE = 10.0
"""A step that took this many times as long as the median was held up: the virtual machine stood still, or other work took the cores."""
LATEST = 3
"""Timings whose median counts: one that a pause of the machine has made long says nothing."""
LEARNING = 3.0
"""A training step takes about three times the arithmetic of scoring the same image: forward, and the gradients of inputs and weights."""


@dataclass(frozen=True)
class Stretch:
    """The epochs of one phase of one fit."""

    purpose: str
    phase: int
    epochs: int
    resolution: int | str | None
    """Of the images that are trained on; None for a phase over features."""
    steps: int
    """The steps of an epoch."""
    step_work: float
    """Pixels that go forward through the network in a training step, those of the gradients included."""
    score_work: float
    """The same, of the images that an epoch ends with scoring."""
    may_stop: bool

    @property
    def epoch_work(self) -> float:
        """The work of one epoch."""
        return self.steps * self.step_work + self.score_work


def stretches(recipe: Recipe, resolution: int | str, fits: Sequence[tuple[str, Fold]]) -> list[Stretch]:
    """Those of a training of a variant of that resolution, in order; the fits behind the first repeat the last phase only."""
    found = []
    for place, (purpose, fold) in enumerate(fits):
        size = min(recipe.batch_size, len(fold.train))
        for number, phase in enumerate(recipe.phases):
            if place and number < len(recipe.phases) - 1:
                continue
            own = None if phase.mode == "head" else phase.resolution or resolution
            pixels, scored = (1, 1) if own is None else (Size.of(own).pixels, Size.of(resolution).pixels)
            work = LEARNING * size * pixels, float(len(fold.held) * scored)
            found.append(Stretch(purpose, number, phase.epochs, own, len(fold.train) // size, *work, bool(phase.early_stopping)))
    return found


class TimeLeft:
    """Reckons with seconds per work, by the resolution: the median of the latest timings."""

    def __init__(self, planned: Sequence[Stretch]) -> None:
        self._planned = planned
        self._timed: dict[int | str | None, deque[float]] = defaultdict(lambda: deque(maxlen=LATEST))
        self._latest: int | str | None = None

    def knows(self, purpose: str, phase: int) -> bool:
        """Whether something at the resolution of this phase has been timed."""
        return self._of(purpose, phase)[0].resolution in self._timed

    def took(self, purpose: str, phase: int, steps: int, seconds: float) -> None:
        """So many steps of this phase took so long."""
        stretch = self._of(purpose, phase)[0]
        self._timed[stretch.resolution].append(seconds / (steps * stretch.step_work))
        self._latest = self._latest if stretch.resolution is None else stretch.resolution

    def seconds(self, purpose: str, phase: int, epochs_done: int) -> float | None:
        """From behind so many epochs of this phase to the training's end; None where nothing like what is to come has run."""
        ahead = self._of(purpose, phase)
        works = [(stretch.resolution, stretch.epochs * stretch.epoch_work) for stretch in ahead]
        works[0] = ahead[0].resolution, (ahead[0].epochs - epochs_done) * ahead[0].epoch_work
        total = 0.0
        for size, work in works:
            rate = self._rate(size)
            if work and rate is None:
                return None
            total += work * (rate or 0.0)
        return total

    def _rate(self, size: int | str | None) -> float | None:
        """Seconds per work at that resolution, or else at the latest one; None where neither says anything."""
        timed = self._timed.get(size) or (None if None in (size, self._latest) else self._timed.get(self._latest))
        return median_low(timed) if timed else None

    def in_words(self, purpose: str, phase: int, epochs_done: int) -> str:
        """Such as "about 2 h 10 min left"; empty where it is not known, or not long."""
        left = self.seconds(purpose, phase, epochs_done)
        if left is None or left < LONG_S:
            return ""
        most = "at most " if any(stretch.may_stop for stretch in self._of(purpose, phase)) else ""
        return f"{most}about {in_words(left)} left"

    def _of(self, purpose: str, phase: int) -> list[Stretch]:
        """The stretch of this phase and those behind it."""
        return list(dropwhile(lambda stretch: (stretch.purpose, stretch.phase) != (purpose, phase), self._planned))


def watched(items: Iterator[Item], told: Callable[[int, float], None]) -> Iterator[Item]:
    """Pass on what each step takes; tell after some seconds, and at the end, how many steps took how long.

    The first is left out: TensorFlow compiles in it. So are pauses of the machine: steps that took far longer than others.
    """
    marks: list[float] = []
    waits = True
    for item in items:
        marks.append(time.perf_counter())
        if waits and marks[-1] - marks[0] >= WATCHED_S and len(took := _steps(marks)) >= FEWEST and sum(took) >= WATCHED_S:
            waits = False
            told(len(took), sum(took))
        yield item
    if took := _steps([*marks, time.perf_counter()]):
        told(len(took), sum(took))


def _steps(marks: Sequence[float]) -> list[float]:
    """What each step behind the first took, of times between steps; without pauses."""
    took = [end - begin for begin, end in pairwise(marks[1:])]
    most = PAUSE * median_low(took) if took else 0.0
    return [each for each in took if each <= most]
