"""A bounded parallel map: results in order, and never more in memory than a given weight of items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_A_WORKER = 8


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, weight: Callable[[Item], int], max_weight: int
) -> Iterator[Result]:
    """`function` of each item, computed by `workers` threads, in the order of `items`.

    `items` is drawn from only while the items under way number less than `ITEMS_A_WORKER` a worker and weigh less than
    `max_weight` together; one alone may weigh more.
    """
    pending: deque[tuple[Future[Result], int]] = deque()
    weighing = 0
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                own = weight(item)
                while pending and (len(pending) >= workers * ITEMS_A_WORKER or weighing + own > max_weight):
                    result, freed = _first(pending)
                    weighing -= freed
                    yield result
                pending.append((pool.submit(function, item), own))
                weighing += own
            while pending:
                yield _first(pending)[0]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _first(pending: deque[tuple[Future[Result], int]]) -> tuple[Result, int]:
    future, weight = pending.popleft()
    return future.result(), weight
