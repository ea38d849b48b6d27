"""Figures as the tool prints them."""

import pytest

from edgeloop.codegen.stedgeai.numbers import decimal, integer, leading_integer, size_bytes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5,345", 5_345),
        (" 0 ", 0),
        ("1,444,725,377", 1_444_725_377),
        ("", None),
        ("--", None),
        ("1.5", None),
        ("-3", None),
        ("²", None),
        ("9" * 5_000, None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert integer(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("20,748 B (20.26 KiB) (1 segment)", 20_748), ("93,180 (91.00 KiB) (0.83%)", 93_180), ("225 B", 225), ("n.a.", None), ("", None)],
)
def test_the_number_that_a_row_begins_with(text: str, number: int | None) -> None:
    assert leading_integer(text) == number


@pytest.mark.parametrize(
    ("number", "unit", "size"), [("12.031", "kB", 12_320), ("1.000", "MB", 1 << 20), ("225", "B", 225), ("207.626", "kB", 212_609)]
)
def test_all_units_are_of_1024(number: str, unit: str, size: int) -> None:
    assert size_bytes(number, unit) == size


@pytest.mark.parametrize(
    ("text", "number"), [("n.a.", None), ("100.00%", 1.0), ("0.5", 0.5), ("-1e-3", -0.001), ("nan", None), ("inf", None), ("", None)]
)
def test_decimals(text: str, number: float | None) -> None:
    assert decimal(text) == number
