"""The pieces of a card: which samples are shown, which licenses allow it, and how foreign text becomes Markdown."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edgeloop.cards.gallery import COLUMNS, choose_samples, read_samples
from edgeloop.cards.licenses import may_show, model_license
from edgeloop.cards.markdown import Table, to_html
from edgeloop.cards.plots import columns, shortened
from edgeloop.errors import InputError
from edgeloop.markup import code, text
from edgeloop.records import StartingWeights

LINE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="\x85"), min_size=1, max_size=30).filter(
    lambda line: bool(line.strip())
)


def predictions(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["path", "label", "per_channel_class", "per_channel_score"])


def test_the_most_confident_mistakes_are_shown() -> None:
    rows = [(f"{place:02}.jpg", "a", "b", place / 20) for place in range(20)]
    shown = choose_samples(read_samples(predictions(rows), "int8 per-channel"))
    assert [one.path for one in shown] == ["19.jpg", "18.jpg", "17.jpg", "16.jpg", "15.jpg", "14.jpg"]


def test_right_answers_are_spread_over_the_classes_whatever_their_confidence() -> None:
    rows = [(f"{label}{place}.jpg", label, label, 1.0) for label in "aaaaaaaabcdef" for place in range(3)]
    shown = choose_samples(read_samples(predictions(rows), "int8 per-channel"))
    assert sorted(one.label for one in shown) == list("abcdef")
    assert len(shown) == COLUMNS


def test_the_choice_does_not_depend_on_the_order_of_rows() -> None:
    rows = [(f"{place}.jpg", "a", "ab"[place % 2], 0.5) for place in range(40)]
    forwards, backwards = (read_samples(predictions(order), "int8 per-channel") for order in (rows, rows[::-1]))
    assert choose_samples(forwards) == choose_samples(backwards)


def test_predictions_without_the_format_are_refused() -> None:
    with pytest.raises(InputError, match="float_class"):
        read_samples(predictions([]), "float")


@pytest.mark.parametrize("name", ["apache-2.0", "cc0-1.0", "cc-by-2.0", "CC-BY-4.0", "mit"])
def test_open_licenses_allow_thumbnails(name: str) -> None:
    assert may_show(name)


@pytest.mark.parametrize("name", [None, "other", "cc-by-nc-4.0", "cc-by-nd-4.0", "proprietary"])
def test_other_licenses_do_not(name: str | None) -> None:
    assert not may_show(name)


def test_a_model_from_random_weights_takes_over_the_license_of_its_data() -> None:
    scratch = StartingWeights(kind="scratch", origin="scratch", sha256=None, license=None, layers_loaded=0)
    assert model_license(scratch, "cc0-1.0").license == "cc0-1.0"
    assert model_license(scratch, "other").license == "other"
    assert model_license(scratch, None).name == "terms-of-the-data-set"


@given(LINE)
def test_any_text_survives_markdown(line: str) -> None:
    shown = " ".join(line.split())
    tokens = MarkdownIt("commonmark").enable("table").parse(str(Table(["h"], [[text(line)]])))
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 2
    assert "".join(child.content for child in cells[1].children or []) == shown


@given(st.lists(LINE, min_size=2, max_size=4))
def test_code_never_breaks_a_row(cells: list[str]) -> None:
    html = to_html(str(Table(["h"] * len(cells), [[code(cell) for cell in cells]])), Path())
    assert html.count("<td") == len(cells)
    assert html.count("<code>") == len(cells)


@given(LINE, st.integers(5, 40))
def test_a_shortened_name_fits(name: str, length: int) -> None:
    assert columns(shortened(name, length)) <= length
    assert shortened(name, length) == name or "…" in shortened(name, length)
