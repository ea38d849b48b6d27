"""What a stage made, as Markdown that needs no other file: Prefect's UI opens none."""

import base64
import re
from pathlib import Path

import pytest
from card_records import Story

from edgeloop.cards.card import card
from edgeloop.records import Outside, PrepareRecord, RuleResult, ValidateRecord
from edgeloop.workspace import Workspace
from flows.show.reports import card_text, show_reports, validation_text

BROKEN = RuleResult(
    name="smallest_class",
    description="Images of the smallest class | at least",
    severity="error",
    holds=False,
    observed=3.0,
    expected="at least 20 images",
    failed_rows=2,
)


@pytest.fixture
def made(workspace: Workspace) -> Workspace:
    """A project with records and a card of the drawn flowers; its data set breaks a rule."""
    story = Story(broken_rules=[BROKEN])
    card(workspace, story.write(workspace), story.variant)
    return workspace


def test_the_report_of_a_validation_begins_with_what_is_broken(made: Workspace) -> None:
    paths = made.dataset("sample")
    record = ValidateRecord.read(paths.validate_record).model_copy(update={"accepted": False})
    text = validation_text(record, PrepareRecord.read(paths.prepare_record), Path("data/sample/report.html"))
    rules = [line for line in text.splitlines() if line.startswith("| ")]
    assert text.startswith("**refused**: ")
    assert "`data/sample/report.html`" in text.splitlines()[0]
    assert rules[2] == "| **broken** (error) | Images of the smallest class \\| at<br>least | 3 | at least 20 images | 2 |"
    assert any(line.startswith("| tulip | ") for line in rules)


def test_the_report_of_a_validation_says_what_lies_outside(made: Workspace) -> None:
    paths = made.dataset("sample")
    outside = Outside(pictures=2, places={"set/more": 2}, left_out=0, hidden=0, empty_class_folders=["set/bird"])
    prepared = PrepareRecord.read(paths.prepare_record).model_copy(update={"outside": outside})
    lines = validation_text(ValidateRecord.read(paths.validate_record), prepared, Path("report.html")).splitlines()
    assert {"2 pictures outside the class folders: 2 in set/more", "class folders without pictures: set/bird"} <= set(lines)


def test_the_pictures_of_a_card_are_within_it(made: Workspace) -> None:
    folder = made.variant("sample", "fdmobilenet_0.25", 96).card
    text = card_text(folder)
    assert text.lstrip().startswith("# ")
    found = re.findall(r"!\[Confusion matrix\]\(data:image/svg\+xml;base64,([^)]*)\)", text)
    assert [base64.b64decode(one) for one in found] == [(folder / "plots" / "confusion.svg").read_bytes()]
    assert "](plots/" not in text


def test_a_stage_that_made_nothing_to_read_shows_nothing(workspace: Workspace) -> None:
    assert show_reports(workspace.root, "train@sample-fdmobilenet_0.25-96") == []
    assert show_reports(workspace.root, "validate@sample") == []
    assert show_reports(workspace.root, "card@sample-fdmobilenet_0.25-96") == []
