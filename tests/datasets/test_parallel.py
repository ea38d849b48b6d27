"""The bounded map keeps order, draws no more than it may, and ends with its consumer."""

import threading
from collections.abc import Iterator

import pytest

from edgeloop.datasets.parallel import ITEMS_A_WORKER, map_in_order


def test_results_come_in_order_though_work_ends_in_another() -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later.wait(10)
        if item == 3:
            later.set()
        return item * item

    assert list(map_in_order(work, range(20), 4, lambda _: 1, 100)) == [item * item for item in range(20)]


@pytest.mark.parametrize(("weight", "most"), [(0, 2 * ITEMS_A_WORKER), (10, 3)])
def test_only_so_much_is_drawn_ahead(weight: int, most: int) -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for item in range(200):
            drawn += 1
            yield item

    for index, _ in enumerate(map_in_order(str, items(), 2, lambda _: weight, 30)):
        assert drawn - index <= most + 1


def test_an_item_heavier_than_allowed_passes_alone() -> None:
    assert list(map_in_order(str, [1, 100, 2], 2, lambda item: item, 10)) == ["1", "100", "2"]


def test_an_error_comes_out_and_nothing_is_left_running() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda item: 1 // item, [1, 0, 1], 2, lambda _: 1, 10))
    assert threading.active_count() == before
