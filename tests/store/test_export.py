"""A finished variant in a folder to hand over."""

import re
import subprocess
from pathlib import Path

import pytest
from card_records import Story

from edgeloop.cards.card import card
from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.store.export import export
from edgeloop.workspace import Workspace

VARIANT = "sample-fdmobilenet_0.25-96"


@pytest.fixture
def finished(workspace: Workspace) -> tuple[Workspace, Params]:
    """A project with a card."""
    params = Story(generated=True).write(workspace)
    card(workspace, params, VARIANT)
    paths = params.variant(VARIANT).paths(workspace)
    (paths.generated / "example").mkdir(parents=True)
    (paths.generated / "example" / "main.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    (paths.generated / "README.md").write_text("how to", encoding="utf-8")
    (paths.quantized / "labels.txt").write_text("bell\n", encoding="utf-8")
    return workspace, params


def test_everything_that_belongs_to_it_is_there_and_its_digests_are_right(finished: tuple[Workspace, Params], tmp_path: Path) -> None:
    out = tmp_path / "for the firmware team"
    said, unsigned = export(*finished, VARIANT, out)
    assert unsigned.startswith("not signed: ")
    assert str(out) in said
    for name in (
        "README.md",
        "index.html",
        "models/per_channel.tflite",
        "models/labels.txt",
        "code/example/main.c",
        "records/train.json",
    ):
        assert (out / name).is_file(), name
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=out, check=True, timeout=60)
    listed = {line.split("  ")[1] for line in (out / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    assert listed == {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} - {"SHA256SUMS", "manifest.json"}
    page = (out / "index.html").read_text(encoding="utf-8")
    leads = [address for address in re.findall(r'href="([^"#]+)"', page) if "://" not in address]
    assert {"models/per_channel.tflite", "code/README.md", "records/train.json", "records/prepare.json"} <= set(leads)
    # The page shows these only where it lies in a store.
    assert [address for address in leads if not (out / address).is_file()] == ["../../index.html", "../index.html"]


def test_a_former_export_is_replaced_and_nothing_else_is(finished: tuple[Workspace, Params], tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(*finished, VARIANT, out)
    export(*finished, VARIANT, out)
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"was changed since it was exported: notes\.txt"):
        export(*finished, VARIANT, out)
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"
    with pytest.raises(InputError, match="is there already, and is no export"):
        export(*finished, VARIANT, finished[0].root)


def test_what_is_not_finished_or_does_not_belong_together_is_not_handed_over(finished: tuple[Workspace, Params], tmp_path: Path) -> None:
    workspace, params = finished
    record = params.variant(VARIANT).paths(workspace).train_record
    record.write_text(record.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(InputError, match="is not the file that the card"):
        export(workspace, params, VARIANT, tmp_path / "out")
    assert not (tmp_path / "out").exists()
