"""Two validations of equal data differ in their record alone, whenever, wherever and by whatever command they run."""

import sys
from pathlib import Path

import pytest
from prepared_sets import empty_project, healthy_rows, params_of, prepare, quarantined_row

from edgeloop.records import ValidateRecord
from edgeloop.validation.validate import validate
from edgeloop.workspace import Workspace


def outputs(folder: Path) -> tuple[Workspace, dict[str, bytes]]:
    """A project, and what `validate` writes besides the record."""
    workspace = empty_project(folder)
    prepare(workspace, [*healthy_rows(), quarantined_row("bell", 99, "does not decode")], stored=True)
    validate(workspace, params_of(workspace), "sample")
    return workspace, written(workspace)


def written(workspace: Workspace) -> dict[str, bytes]:
    """What is there of it."""
    paths = workspace.dataset("sample")
    return {path.name: path.read_bytes() for path in (paths.accepted, paths.report, paths.baseline)}


def test_what_is_no_record_is_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, one = outputs(tmp_path / "first")
    monkeypatch.setattr(sys, "argv", ["edgeloop", "validate", "sample", "by another command"])
    second, other = outputs(tmp_path / "another place")
    assert one == other
    records = [ValidateRecord.read(workspace.dataset("sample").validate_record) for workspace in (first, second)]
    assert records[0].provenance.command != records[1].provenance.command
    assert all(record.provenance.time_utc for record in records)
    validate(first, params_of(first), "sample")
    assert written(first) == one, "a second run in the same place changes nothing"
