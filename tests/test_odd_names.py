"""Class folders and files of any name go through the loop, and stay text: in the report, the card, the plots, C and a terminal."""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from card_records import Story, card_folder
from huggingface_hub import ModelCard, ModelCardData
from miniature import png

from edgeloop.cards.card import card
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.config import load_params
from edgeloop.datasets.fetch import fetch
from edgeloop.datasets.prepare import prepare
from edgeloop.validation.validate import validate
from edgeloop.workspace import Workspace

CLASSES = (
    "<script>alert(1)<",
    "a|b",
    "Ärger",
    "-rf",
    "con",
    "a'b\"c",
    "new\nline",
    "esc\x1b[31m",
    "$(touch HACK)",
    "{{7*7}}",
    "=1+1",
    "&amp;",
)
FILE = "<img src=x onerror=alert(1)>'\"`|.png"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
TITLE = r'"<b>T</b>\n\e[31m|x"'
PARAMS = """\
build: []
datasets:
  odd:
    title: {title}
    license: "<i>\\n`|"
    source: {{folder: {folder}}}
    prepare: {{}}
    validate: {{}}
    train: {{phases: [{{mode: scratch, epochs: 1, learning_rate: 0.01}}], augmentation: [], final: best_epoch}}
variants: {{}}
"""


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


def pictures(folder: Path) -> Iterator[Path]:
    """Twelve small pictures a class, all different."""
    rng = np.random.default_rng(3)
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for number in range(12):
            path = folder / label / f"{number} {FILE}"
            path.write_bytes(png(rng.integers(0, 256, (40, 48, 3), np.uint8)))
            yield path


@pytest.mark.thorough
def test_a_data_set_of_odd_names_is_prepared_and_its_report_is_a_page_of_text(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "project")
    workspace.root.mkdir()
    assert len(list(pictures(tmp_path / "photos"))) == 12 * len(CLASSES)
    workspace.params.write_text(PARAMS.format(folder=tmp_path / "photos", title=TITLE), encoding="utf-8")
    params = load_params(workspace)
    fetch(workspace, params, "odd")
    record = prepare(workspace, params, "odd")
    assert set(record.classes) == set(CLASSES)
    validate(workspace, params, "odd")
    page = workspace.dataset("odd").report.read_text(encoding="utf-8")
    assert not {"script", "onerror"} & Tags(page).found
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert not CONTROL.search(page)
    assert not list(tmp_path.rglob("HACK"))


def test_a_card_of_odd_classes_is_text(workspace: Workspace) -> None:
    text = workspace.params.read_text(encoding="utf-8")
    workspace.params.write_text(text.replace("title: Drawn flowers", f"title: {TITLE}", 1), encoding="utf-8")
    story = Story(classes=sorted(CLASSES), test_per_class=4)
    params = story.write(workspace)
    card(workspace, params, story.variant)
    folder = card_folder(workspace, params, story.variant)
    readme, page = ((folder / name).read_text(encoding="utf-8") for name in ("README.md", "index.html"))
    data = ModelCard.load(folder / "README.md").data
    assert isinstance(data, ModelCardData)
    results = data.eval_results
    assert results
    assert results[0].dataset_name == "<b>T</b>\n\x1b[31m|x"
    assert not {"script", "b", "onerror"} & Tags(page).found
    assert not CONTROL.search(readme)
    assert not CONTROL.search(page)
    for label in ("\\<script\\>alert(1)\\<", "a\\|b", "new line", "\\$(touch HACK)"):
        assert f"| {label} |" in readme
    assert (folder / "plots" / "confusion.svg").stat().st_size > 1000


@pytest.mark.parametrize("name", ["m <script> `|*", "n\n#error x \x1b[31m \u202e"])
def test_generated_code_says_a_models_name_as_text(miniatures: Path, tmp_path: Path, name: str) -> None:
    model = tmp_path / f"{name}.tflite"
    shutil.copy(miniatures / "per_channel.tflite", model)
    generate_file(model, tmp_path / "code", Options(backend="portable"))
    for file in (tmp_path / "code").iterdir():
        text = file.read_text(encoding="utf-8")
        assert not CONTROL.search(text), file
        assert "\n#error" not in text
        assert not (file.suffix == ".md" and "<script>" in text.replace("\\<script\\>", ""))
        if file.suffix == ".svg":
            ElementTree.fromstring(text)
