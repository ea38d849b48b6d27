"""A machine without ST Edge AI Core, and the stand-in for the tool."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stedgeai_standin
from flows_in_miniature import CACHE

Install = Callable[..., Path]


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No tool is anywhere where it is searched for: an own home, PATH without it, no variable. Returns the home folder."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("STEDGEAI_CORE_DIR", raising=False)
    return home


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_machine: Path) -> Install:
    """Install the stand-in with a scenario, found by STEDGEAI_CORE_DIR; returns the folder in which it leaves its traces."""

    def put(**scenario: Any) -> Path:
        root = tmp_path / "tool root"
        program = stedgeai_standin.install(root, scenario)
        monkeypatch.setenv("STEDGEAI_CORE_DIR", str(root))
        return program.parent

    return put
