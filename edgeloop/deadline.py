"""A point in time until which something must have happened: whoever waits is given one, and asks it how long is left."""

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Deadline:
    """Made by `after`; steps that share one do not begin it anew."""

    at: float
    """As `time.monotonic` tells it."""
    seconds: float
    """How long it was in all, for messages."""

    @classmethod
    def after(cls, seconds: float) -> Self:
        return cls(time.monotonic() + seconds, seconds)

    def later(self, seconds: float) -> "Deadline":
        """The same, prolonged."""
        return Deadline(self.at + seconds, self.seconds + seconds)

    @property
    def left_s(self) -> float:
        """Never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at
