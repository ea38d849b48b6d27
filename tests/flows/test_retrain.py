"""The flow `retrain`, on a real Prefect server, over stages that DVC really runs."""

import signal
import subprocess
import sys

import pytest
from flows_in_miniature import FOLDER, HANGS_S, VARIANT, Project, sleepers, until

from edgeloop.config import load_params
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace
from flows.run import select
from flows.show.run import MOST_NODES

pytestmark = pytest.mark.slow


@pytest.mark.thorough
def test_many_cached_stages_are_one_node_of_the_graph(served: Project) -> None:
    parts = " ".join(f'"{number}",' for number in range(MOST_NODES))
    part = f"""\
  part:
    foreach: [{parts}]
    do:
      cmd: cp data/sample/prepared data/sample/part-${{item}}
      deps: [data/sample/prepared]
      outs: ["data/sample/part-${{item}}"]
"""
    pipeline = served.root / "dvc.yaml"
    needed = ", ".join(f"data/sample/part-{number}" for number in range(MOST_NODES))
    text = pipeline.read_text(encoding="utf-8").replace("data/sample/other]\n      outs", f"data/sample/other, {needed}]\n      outs")
    pipeline.write_text(text + part, encoding="utf-8")
    served.run(sys.executable, "-m", "dvc", "repro")
    params = served.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("calibration_images: 10", "calibration_images: 20"), encoding="utf-8")
    served.retrain()
    nodes = served.ask(f"/flow_runs/{served.flow_runs()[0]['id']}/graph-v2")["nodes"]
    shown = {node["label"]: {parent["id"] for parent in node["parents"]} for _, node in nodes}
    ids = {node["label"]: name for name, node in nodes}
    cached = f"{MOST_NODES + 2} stages up to date"
    assert shown.keys() == {cached, f"train@{VARIANT}", f"card@{VARIANT}"}
    assert shown[f"train@{VARIANT}"] == {ids[cached]}
    assert shown[f"card@{VARIANT}"] == {ids[cached], ids[f"train@{VARIANT}"]}


@pytest.mark.thorough
def test_the_progress_that_a_stage_tells_is_a_bar_in_the_ui_and_its_warnings_are_in_the_results(served: Project) -> None:
    pipeline = served.root / "dvc.yaml"
    event = '{"kind": "progress", "what": "train", "done": \'$n\', "total": 4, "text": "train: \'$n\'/4 epochs, val 0.\'$n\'"}'
    said = f"for n in 1 2 3; do echo '{event}' > \"$EDGELOOP_EVENTS\"; done; echo train: 4/4 epochs\n"
    said += """echo '{"kind": "warning", "text": "It learned nothing."}' > "$EDGELOOP_EVENTS"\n"""
    (served.root / "say.sh").write_text(said, encoding="utf-8")
    pipeline.write_text(pipeline.read_text(encoding="utf-8").replace("test ! -e broken", "sh say.sh"), encoding="utf-8")
    assert f"ran  train@{VARIANT}\n            warning: It learned nothing." in served.retrain()
    results = next(artifact for artifact in served.of_runs("artifacts") if artifact["key"] == "results")
    assert "warning: It learned nothing" in results["data"].replace("\\", "")
    (bar,) = (artifact for artifact in served.of_runs("artifacts") if artifact["key"] == "train-sample-fdmobilenet-0-25-96")
    assert (bar["type"], bar["data"], bar["description"]) == ("progress", 75.0, "train: 3/4 epochs, val 0.3"), "told, not printed"


@pytest.mark.thorough
def test_a_place_that_takes_no_cards_is_found_out_before_the_first_stage(served: Project) -> None:
    params = served.root / "params.yaml"
    declared = params.read_text(encoding="utf-8")
    argv = (sys.executable, "-m", "edgeloop", "run", "sample", "all", "all", "--publish")
    params.write_text(f"{declared}publish: {{to: 's3://edgeloop/cards', endpoint: 'http://127.0.0.1:9'}}\n", encoding="utf-8")
    said = served.run(*argv, ok=False)
    assert "http://127.0.0.1:9" in said
    assert not (served.root / "data").exists(), "nothing was built in vain"
    params.write_text(f"{declared}publish: {{to: input.txt}}\n", encoding="utf-8")
    assert "input.txt" in served.run(*argv, ok=False)
    assert not (served.root / "data").exists()


@pytest.mark.thorough
def test_a_failed_stage_stops_those_that_need_it_and_no_others_and_lost_outputs_come_back_from_the_cache(served: Project) -> None:
    (served.root / "broken").touch()
    said = served.retrain(ok=False)
    assert "1 of 4 stages failed" in said or "stages failed" in said
    assert f"Repeat it with: dvc repro train@{VARIANT}" in said
    assert (served.root / "data" / "sample" / "other").exists()
    assert not (served.root / FOLDER / "card").exists()
    (served.root / "broken").unlink()
    healed = served.retrain()
    assert f"ran  train@{VARIANT}" in healed
    assert "up to date  other" in healed
    (served.root / FOLDER / "model").unlink()
    again = served.retrain()
    assert f"restored  train@{VARIANT}" in again
    assert f"> test ! -e broken && mkdir -p {FOLDER}" not in again


WAIT = "touch {own}.here && for i in $(seq 300); do test -e {other}.here && break; sleep 0.1; done; test -e {other}.here"


@pytest.mark.long
def test_independent_stages_run_at_once(served: Project) -> None:
    """`train` and `other` each end only when the other one has begun."""
    pipeline = served.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8").replace("test ! -e broken", WAIT.format(own="train", other="other"))
    text = text.replace("cp data/sample/prepared", f"{WAIT.format(own='other', other='train')} && cp data/sample/prepared")
    pipeline.write_text(text, encoding="utf-8")
    assert "4 of 4 stages built" in served.retrain()


@pytest.mark.thorough
def test_ctrl_c_ends_every_running_stage_and_a_rerun_goes_on(served: Project) -> None:
    pipeline = served.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    slow = text.replace("test ! -e broken", "touch train.here; sleep 987.1").replace(
        "cp data/sample/prepared", "touch other.here; sleep 987.1; cp"
    )
    pipeline.write_text(slow, encoding="utf-8")
    argv = [sys.executable, "-m", "edgeloop", "run", "sample", "all", "all"]
    flow = subprocess.Popen(argv, cwd=served.root, env=served.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: all((served.root / f"{name}.here").exists() for name in ("train", "other")), HANGS_S)
    flow.send_signal(signal.SIGINT)
    said = flow.communicate(timeout=30)[1]
    assert flow.returncode == 130, said
    until(lambda: not sleepers(served.root), 10)
    pipeline.write_text(text, encoding="utf-8")
    assert "up to date  prepare" in served.retrain()


def test_a_killed_flow_is_shown_as_crashed_at_the_next_start_which_goes_on(served: Project) -> None:
    pipeline = served.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    pipeline.write_text(text.replace("test ! -e broken", "touch train.here; sleep 987.1"), encoding="utf-8")
    argv = [sys.executable, "-m", "edgeloop", "run", "sample", "all", "all"]
    flow = subprocess.Popen(argv, cwd=served.root, env=served.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((served.root / "train.here").exists, HANGS_S)
    flow.kill()
    flow.wait(timeout=10)
    until(lambda: not sleepers(served.root), 10)
    (killed,) = (lock.name for lock in (served.root / ".edgeloop" / "runs").iterdir())
    assert state_of(served, killed) == "RUNNING"
    pipeline.write_text(text, encoding="utf-8")
    said = served.retrain()
    assert "up to date  prepare" in said
    assert f"ran  card@{VARIANT}" in said
    assert state_of(served, killed) == "CRASHED"
    assert not list((served.root / ".edgeloop" / "runs").iterdir())
    assert (served.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8") == "oneone"
    names = {str(run["name"]) for run in served.of_runs("task_runs")}
    assert {"prepare", "other", f"train@{VARIANT}", f"card@{VARIANT}"} <= names
    keys = {artifact["key"] for artifact in served.of_runs("artifacts")}
    assert {"plan", "results", "card-sample-fdmobilenet-0-25-96"} <= keys


def state_of(project: Project, run: str) -> object:
    return project.ask(f"/flow_runs/{run}")["state_type"]


MEASURED = f"""\
  benchmark:
    foreach: ${{graph.benchmarks}}
    do:
      cmd: mkdir -p {FOLDER}/benchmarks && date +%s%N > {FOLDER}/benchmarks/host.json
      deps: ["{FOLDER}/model"]
      outs: ["{FOLDER}/benchmarks/host.json"]
"""


@pytest.mark.long
def test_the_flow_benchmark_measures_anew_what_is_up_to_date(served: Project) -> None:
    pipeline, record = served.root / "dvc.yaml", served.root / FOLDER / "benchmarks" / "host.json"
    pipeline.write_text(pipeline.read_text(encoding="utf-8") + MEASURED, encoding="utf-8")
    program = """import sys
from flows.benchmark import benchmark
print([row["outcome"] for row in benchmark(sys.argv[1], boards=['host'])])"""
    argv = (sys.executable, "-c", program, str(served.root))
    assert "['ran', 'ran', 'ran']" in served.run(*argv)
    first = record.read_text(encoding="utf-8")
    assert "['up to date', 'up to date', 'ran']" in served.run(*argv)
    assert record.read_text(encoding="utf-8") > first
    assert "measures nothing that is built on the board 'hots' (did you mean 'host'?)" in served.run(
        sys.executable, "-c", program.replace("['host']", "['hots']"), str(served.root), ok=False
    )


def test_parts_of_a_variant_select_and_all_selects_everything(workspace: Workspace) -> None:
    shipped = load_params(workspace)
    assert select(shipped, "all", "all", "all") == ["sample-fdmobilenet_0.25-96"]
    with pytest.raises(InputError, match=r"flowers-fdmobilenet_0\.25-128 is declared in params\.yaml, and not built"):
        select(shipped, "flowers", "fdmobilenet_0.25", "128")
    params = shipped.model_copy(update={"build": ("all",)})
    assert select(params, "flowers", "fdmobilenet_0.25", "128") == ["flowers-fdmobilenet_0.25-128"]
    assert len(select(params, "flowers", "all", "all")) == 10
    assert set(select(params, "all", "all", "all")) == set(params.variants)
    with pytest.raises(InputError, match="did you mean 'flowers'"):
        select(params, "flower", "all", "all")
    with pytest.raises(InputError, match="no variant sample-st_fdmobilenet_v1-96"):
        select(params, "sample", "st_fdmobilenet_v1", "96")
