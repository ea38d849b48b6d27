"""The stand-in of benchmarks/noop.py runs where the paths of project and Python hold spaces."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "noop.py"


def test_the_stand_in_runs_below_a_path_with_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "an environment" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    spec = importlib.util.spec_from_file_location("noop", FILE)
    assert spec is not None
    assert spec.loader is not None
    noop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noop)
    folder = tmp_path / "a project"
    folder.mkdir()
    env = noop.project(folder)
    for address in ("prepare@sample", "benchmark@sample-fdmobilenet_0.25-96-virtual-h7"):
        step = address.partition("@")[0]
        subprocess.run([folder / "bin" / "edgeloop", step, address], cwd=folder, env=env, check=True, timeout=60)
    assert (folder / "data/sample/images/shards-00000.tar").is_file()
    assert (folder / "models/sample/fdmobilenet_0.25-96/benchmarks/virtual-h7.json").is_file()
