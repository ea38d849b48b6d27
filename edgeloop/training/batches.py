"""Batches of an epoch, shuffled and augmented ahead of the training step in one thread."""

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels
from edgeloop.training.augment import Augmenter
from edgeloop.training.fold import Rows

Item = TypeVar("Item")
AHEAD = 4
# Nice value of the thread that prepares batches.
BEHIND = 10


@dataclass(frozen=True)
class Batch:
    """What one training step takes. `partner` and `share` say how images are blended (see `Augmenter.mixing`)."""

    inputs: NDArray[np.generic]
    """(n, height, width, channels) uint8 pixels, or (n, features) float32."""
    labels: NDArray[np.int32]
    partner: NDArray[np.int32]
    share: NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels, and how a batch of the inputs is augmented (None: not at all)."""

    inputs: NDArray[np.generic] | Rows
    labels: NDArray[np.int32]
    augmenter: Augmenter | None = None

    def epoch(self, seed: tuple[int, ...], batch_size: int) -> Iterator[Batch]:
        """One epoch in an order and with an augmentation that depend on `seed` alone.

        Batches have equal sizes: what is left over after the last full one is not used in this epoch.
        """
        size = min(batch_size, len(self.labels))
        order = np.random.default_rng([*seed, 0]).permutation(len(self.labels))
        for step in range(len(order) // size):
            yield self._batch(np.sort(order[step * size : (step + 1) * size]), np.random.default_rng([*seed, 1, step]))

    def steps(self, batch_size: int) -> int:
        """Batches in an epoch."""
        return max(1, len(self.labels) // batch_size)

    def _batch(self, chosen: NDArray[np.intp], rng: np.random.Generator) -> Batch:
        inputs, labels = self.inputs[chosen], self.labels[chosen]
        if self.augmenter is None:
            return Batch(inputs, labels, np.arange(len(chosen), dtype=np.int32), np.ones(len(chosen), np.float32))
        augmented = self.augmenter(_as_pixels(inputs), rng)
        return Batch(augmented, labels, *self.augmenter.mixing(len(chosen), rng))


def _as_pixels(inputs: NDArray[np.generic]) -> Pixels:
    return inputs.astype(np.uint8, copy=False)


def _give_way() -> None:
    """Let the training step's threads go before this one, which has batches in store: Linux has a priority for each thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Iterate in a thread of its own, a few items ahead. An exception there is raised here."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="batches", initializer=_give_way) as pool:
        pending = deque(pool.submit(next, items, end) for _ in range(AHEAD))
        try:
            while (item := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, items, end))
                yield cast(Item, item)
        finally:
            for future in pending:
                future.cancel()
