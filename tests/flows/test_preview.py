"""`edgeloop plan`: what a run would do, and why, without doing it."""

import json
import sys

from flows_in_miniature import VARIANT, Project


def test_it_says_what_would_run_and_why_and_runs_nothing(project: Project) -> None:
    said = project.run(sys.executable, "-m", "edgeloop", "plan")
    assert f"run  card@{VARIANT}: it was not built yet" in said
    assert "with --publish, 1 card would go to s3://edgeloop/cards" in said
    assert not (project.root / "data").exists()
    project.run(sys.executable, "-m", "edgeloop", "graph")
    project.run(sys.executable, "-m", "dvc", "repro")
    params = project.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("calibration_images: 10", "calibration_images: 11"), encoding="utf-8")
    out = project.root / "plan.json"
    said = project.run(sys.executable, "-m", "edgeloop", "plan", VARIANT, "--json", str(out))
    assert f"run  train@{VARIANT}: quantize.calibration_images: 10 -> 11" in said
    assert f"run if changed  card@{VARIANT}: stands on train@{VARIANT}" in said
    assert [row["plan"] for row in json.loads(out.read_text(encoding="utf-8"))["stages"]] == ["run", "run if changed"]
    assert "prepare:" not in said
    assert f"did you mean '{VARIANT}'" in project.run(sys.executable, "-m", "edgeloop", "plan", f"{VARIANT}0", ok=False)


def test_a_disk_that_is_too_small_is_said_before_the_first_stage(project: Project) -> None:
    params = project.root / "params.yaml"
    archive = "{address: 'http://127.0.0.1:9/flowers.tgz', bytes: 90000000000000000, sha256: " + "a" * 64 + "}"
    params.write_text(params.read_text(encoding="utf-8").replace("{drawn: {}}", archive), encoding="utf-8")
    pipeline = project.root / "dvc.yaml"
    fetch = "stages:\n  fetch:\n    foreach: ${graph.datasets}\n    do: {cmd: touch input.txt, outs: [input.txt]}\n"
    pipeline.write_text(pipeline.read_text(encoding="utf-8").replace("stages:\n", fetch), encoding="utf-8")
    said = project.run(sys.executable, "-m", "edgeloop", "plan")
    assert "fetch@sample downloads 90,000,000.0 GB" in said
    assert f"The run writes at least 90,000,000.0 GB below {project.root}" in said
    assert "Free some space, or build less" in said
