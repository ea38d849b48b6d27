"""The stage `benchmark@…` of a microcontroller board of lab.yaml, by DVC with the project's own dvc.yaml."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from flows_in_miniature import ROOT, Project, environment, initialised
from lab_bench import Bench

from edgeloop.graph import refresh
from edgeloop.records import MeasuredBenchmark, read_benchmark
from edgeloop.workspace import VariantPaths, Workspace

STAGE = "benchmark@sample-fdmobilenet_0.25-96-h747"


@pytest.mark.thorough
def test_a_board_is_measured_by_its_stage_and_one_that_is_not_there_leaves_no_number(
    workspace: Workspace, tmp_path: Path, measurable: VariantPaths, bench: Bench
) -> None:
    shutil.copy(ROOT / "dvc.yaml", workspace.root)
    declare(workspace)
    bench.write_lab(workspace)
    refresh(workspace)
    project = initialised(Project(workspace.root, environment(tmp_path)))
    repro = (sys.executable, "-m", "dvc", "repro", "--single-item", STAGE)

    assert "benchmark on h747: " in project.run(*repro)
    record = read_benchmark(measurable.benchmark_record("h747"))
    assert isinstance(record, MeasuredBenchmark)
    assert (record.board, record.models[0].latency.runs) == ("h747", 10)
    assert "didn't change, skipping" in project.run(*repro)
    assert len(bench.flashed) == 1

    bench.unplug()
    assert "refuses connections" in project.run(*repro, "--force", ok=False)
    assert not measurable.benchmark_record("h747").exists()

    bench.plug()
    project.run(*repro, "--force")
    assert read_benchmark(measurable.benchmark_record("h747")).provenance.time_utc >= record.provenance.time_utc


def declare(workspace: Workspace) -> None:
    """A params.yaml whose one variant is measured on the board; JSON is YAML."""
    training = {"phases": [{"mode": "scratch", "epochs": 1, "learning_rate": 0.01}], "augmentation": [], "final": "best_epoch"}
    tree = {
        "build": ["sample"],
        "datasets": {"sample": {"source": {"drawn": {}}, "prepare": {}, "validate": {}, "train": training}},
        "variants": {"sample": {"networks": "fdmobilenet_0.25", "resolutions": 96, "boards": "h747"}},
        "quantize": {},
        "generate": {},
        "evaluate": {},
        "benchmark": {"warmup_runs": 1, "windows": 5, "runs_per_window": 2},
    }
    workspace.params.write_text(json.dumps(tree), encoding="utf-8")
