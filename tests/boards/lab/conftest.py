"""Every test has a machine of its own as far as locks go."""

from pathlib import Path

import pytest

from edgeloop.boards.lockfiles import VARIABLE


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "machine-wide locks"
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder
