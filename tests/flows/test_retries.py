"""What may pass by itself is tried again, a bounded number of times and visibly; wrong data and code are not."""

import json
import sys
from typing import Any

import pytest
from flows_in_miniature import FOLDER, VARIANT, Project

from edgeloop.errors import EdgeloopError, StageError, StageMayPass
from flows.repro import failure

pytestmark = pytest.mark.slow

# Says what `edgeloop` says, with its exit code, until the file named by the second word has as many lines as the third.
TROUBLED = """\
import sys
code, file, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with open(file, "a+") as log:
    log.seek(0)
    seen = len(log.readlines())
    if seen < times:
        log.write("tried\\n")
        print("edgeloop: The board h7 did not answer in time.\\n  Reset it.", file=sys.stderr)
        sys.exit(code)
"""


def table(project: Project, key: str) -> list[dict[str, Any]]:
    """The newest table with that key."""
    found = project.ask("/artifacts/filter", {"sort": "CREATED_DESC", "limit": 1, "artifacts": {"key": {"any_": [key]}}})
    rows: list[dict[str, Any]] = json.loads(found[0]["data"])
    return rows


def trouble(project: Project, train: str, other: str) -> None:
    """Two stages that fail first."""
    (project.root / "troubled.py").write_text(TROUBLED, encoding="utf-8")
    pipeline = project.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    text = text.replace("test ! -e broken", f"python troubled.py {train}")
    pipeline.write_text(text.replace("cp data/sample/prepared", f"python troubled.py {other} && cp data/sample/prepared"), encoding="utf-8")


def tries(project: Project, file: str) -> int:
    return len((project.root / file).read_text(encoding="utf-8").splitlines())


def test_a_stage_that_may_pass_is_tried_three_times_at_most_and_the_ui_says_so(served: Project) -> None:
    trouble(served, train="75 train.log 1", other="75 other.log 99")
    said = served.retrain(ok=False)
    assert (served.root / FOLDER / "model").exists()
    assert tries(served, "other.log") == 3
    assert "other failed with exit code 75: The board h7 did not answer in time" in said
    rows = {row["stage"].split("]")[0].strip("[`"): row for row in table(served, "results")}
    assert rows[f"train@{VARIANT}"]["outcome"] == "ran, 2 tries"
    why = rows[f"train@{VARIANT}"]["why"].replace("\n", " ").replace("\\_", "_")  # the tables are Markdown
    assert why.endswith(f"tried again, because train@{VARIANT} failed with exit code 75: The board h7 did not answer in time.")
    assert rows["other"]["outcome"] == "failed, 3 tries"
    assert rows[f"card@{VARIANT}"]["outcome"] == "not run"
    (failed,) = table(served, "failures")
    assert failed["repeat it with"] == "`dvc repro other`"
    assert "did not answer in time" in failed["why"].replace("\n", " ")
    (run,) = served.ask("/task_runs/filter", {"task_runs": {"name": {"any_": ["other"]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1})
    assert run["run_count"] == 3
    states = [state["name"] for state in served.ask(f"/task_run_states/?task_run_id={run['id']}")]
    assert states.count("AwaitingRetry") == 2


def test_what_is_wrong_is_tried_once(served: Project) -> None:
    trouble(served, train="1 train.log 99", other="1 other.log 99")
    served.retrain(ok=False)
    assert (tries(served, "train.log"), tries(served, "other.log")) == (1, 1)
    assert [row["tries"] for row in table(served, "failures")] == [1, 1]


def test_a_step_tells_by_its_exit_code_and_dvc_passes_it_on(served: Project) -> None:
    """The real command against a server that is not there, and against one whose file is another."""
    (served.root / "data" / "sample").mkdir(parents=True)
    params = served.root / "params.yaml"
    source = "{address: 'http://127.0.0.1:9/flowers.tgz', bytes: 10, sha256: '" + "a" * 64 + "'}"
    params.write_text(params.read_text(encoding="utf-8").replace("{drawn: {}}", source), encoding="utf-8")
    (served.root / "dvc.yaml").write_text("stages:\n  fetch:\n    cmd: edgeloop fetch sample\n", encoding="utf-8")
    said = served.run(sys.executable, "-m", "dvc", "repro", "fetch", ok=False)
    error = failure("fetch", 255, said.splitlines(), "dvc repro fetch")
    assert isinstance(error, StageMayPass)
    assert "fetch failed with exit code 75: http://127.0.0.1:9/flowers.tgz cannot be reached" in str(error)
    params.write_text(params.read_text(encoding="utf-8").replace("http://127.0.0.1:9/flowers.tgz", "file.tgz"), encoding="utf-8")
    said = served.run(sys.executable, "-m", "dvc", "repro", "fetch", ok=False)
    again = failure("fetch", 255, said.splitlines(), "dvc repro fetch")
    assert type(again) is StageError
    assert "exit code 1:" in str(again)


def test_only_boards_and_networks_may_pass_by_themselves() -> None:
    may_pass = {kind.__name__ for kind in kinds(EdgeloopError) if kind.may_pass and kind.__module__ == EdgeloopError.__module__}
    boards = {"BoardBusy", "BoardSilent", "BoardUnreachable", "ProtocolError", "StedgeaiBoardError"}
    assert may_pass == boards | {"FetchInterrupted", "StoreSilent", "ServiceSilent", "StageMayPass"}


def kinds(error: type[EdgeloopError]) -> set[type[EdgeloopError]]:
    """All below it."""
    return {found for kind in error.__subclasses__() for found in {kind} | kinds(kind)}
