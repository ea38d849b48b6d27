"""The report page: complete in itself, safe whatever files are called, and bounded."""

import base64
import re
from html.parser import HTMLParser

import pytest
from prepared_sets import empty_project, healthy_rows, image_row, params_of, prepare, quarantined_row

from edgeloop.config import Rule, Validate
from edgeloop.errors import ValidationFailed
from edgeloop.preprocessing import decode
from edgeloop.records import Outside
from edgeloop.validation import validate
from edgeloop.workspace import Workspace

HOSTILE = "<script>alert('x')</script> & \"Gänseblümchen\"[1],"
VOID = {"img", "meta"}


class Page(HTMLParser):
    """Collects what a browser would see, and checks that elements close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name))]


def report_of(workspace: Workspace) -> str:
    return workspace.dataset("sample").report.read_text(encoding="utf-8")


def test_what_lies_outside_the_class_folders_is_shown(workspace: Workspace) -> None:
    places = {"set/a": 1, f"set/{HOSTILE}": 2, "": 3}
    outside = Outside(pictures=6, places=places, left_out=4, hidden=5, empty_class_folders=[f"set/<b>{HOSTILE}"])
    prepare(workspace, healthy_rows(), stored=True, outside=outside)
    with pytest.raises(ValidationFailed):
        validate(workspace, params_of(workspace), "sample")
    page = Page(report_of(workspace))
    text = " ".join(" ".join(page.text).split())
    assert f"Outside the class folders Pictures: 6 Folder Pictures the top folder 3 set/{HOSTILE} 2 set/a 1" in text
    assert "not below prepare.layout.root : 4." in text
    assert f"Class folders without pictures: set/<b>{HOSTILE} ." in text
    assert "Hidden files left out: 5." in text
    assert "script" not in {tag for tag, _ in page.tags}


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of a set with a class that is not declared, small pictures, and a quarantine, all with hostile names."""
    workspace = empty_project(tmp_path_factory.mktemp("hostile") / "project")
    rows = healthy_rows(("bell", HOSTILE))
    rows += [image_row(HOSTILE, 100 + index, "train", height=8, path=f"sample/{HOSTILE}/small {index}.jpg") for index in range(30)]
    rows += [quarantined_row(HOSTILE, 200 + index, f"cannot <b>decode</b> & {HOSTILE}") for index in range(30)]
    rows += [image_row("bell", 300, None, reason="duplicate with another label")]
    prepare(workspace, rows, stored=True)
    with pytest.raises(ValidationFailed):
        validate(workspace, params_of(workspace, Validate(classes=["bell", "tulip"])), "sample")
    return Page(report_of(workspace))


def test_names_cannot_become_markup(hostile_page: Page) -> None:
    assert hostile_page.open == []
    assert "script" not in {tag for tag, _ in hostile_page.tags}
    assert "decode" not in hostile_page.text
    assert not [name for _, attributes in hostile_page.tags for name in attributes if name.startswith("on")]
    assert HOSTILE in hostile_page.text


def test_the_page_needs_no_other_file(hostile_page: Page) -> None:
    assert all(address.startswith("data:image/jpeg;base64,") for address in hostile_page.attributes("src"))
    assert not hostile_page.attributes("href")
    assert not re.search(r"url\(|@import|https?://", "".join(hostile_page.text))


def test_failed_rows_have_thumbnails_and_are_bounded(hostile_page: Page) -> None:
    pictures = [base64.b64decode(address.split(",", 1)[1]) for address in hostile_page.attributes("src")]
    assert {decode(picture).shape for picture in pictures} == {(48, 64, 3)}
    text = " ".join(hostile_page.text)
    assert "small 0.jpg" in text
    assert "and 6 more in the manifest." in text
    assert "Shortest side of any image: 30" in text


def test_the_quarantine_is_listed_by_reason(hostile_page: Page) -> None:
    summaries = [text.strip() for text in hostile_page.text]
    assert f"cannot <b>decode</b> & {HOSTILE}: 30" in summaries
    assert "duplicate with another label: 1" in summaries


def test_the_page_states_every_rule_with_what_was_expected_and_observed(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows())
    record = validate(workspace, params_of(workspace, Validate(rules={"short_side": Rule(at_least=100)})), "sample")
    page = Page(report_of(workspace))
    for result in record.results:
        assert result.name in page.text
        assert result.expected in page.text
    assert "120 px" in page.text
    assert "nothing to compare" in page.text
    assert "accepted" in page.text


def test_a_picture_that_is_not_stored_is_said_to_be_missing(workspace: Workspace) -> None:
    rows = healthy_rows()
    rows[3]["height"] = 20
    prepare(workspace, rows)
    with pytest.raises(ValidationFailed):
        validate(workspace, params_of(workspace), "sample")
    assert "not stored" in Page(report_of(workspace)).text
