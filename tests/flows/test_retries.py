"""What may pass by itself is tried again, a bounded number of times and visibly; wrong data and code are not."""

import json
import sys
from typing import Any

import pytest
from flows_in_miniature import FOLDER, VARIANT, Project

from edgeloop.errors import EdgeloopError, StageError, StageMayPass
from flows.commands import ignore, run
from flows.stage import outcome_of, stage_command

pytestmark = pytest.mark.slow

# Tells what `edgeloop` tells, until the file named by the second word has as many lines as the third.
TROUBLED = """\
import os, sys
code, file, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with open(file, "a+") as log:
    log.seek(0)
    seen = len(log.readlines())
    if seen < times:
        log.write("tried\\n")
        may_pass = "true" if code == 75 else "false"
        with open(os.environ["EDGELOOP_EVENTS"], "w") as pipe:
            what = '"what": "The board h7 did not answer in time.", "remedy": "Reset it."'
            pipe.write('{"kind": "error", ' + what + ', "may_pass": ' + may_pass + '}')
        sys.exit(code)
"""


def table(project: Project, key: str) -> list[dict[str, Any]]:
    """The table with that key of the project's only run."""
    (found,) = (artifact for artifact in project.of_runs("artifacts") if artifact["key"] == key)
    rows: list[dict[str, Any]] = json.loads(found["data"])
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


@pytest.mark.thorough
def test_a_stage_that_may_pass_is_tried_three_times_at_most_and_the_ui_says_so(served: Project) -> None:
    trouble(served, train="75 train.log 1", other="75 other.log 99")
    said = served.retrain(ok=False)
    assert (served.root / FOLDER / "model").exists()
    assert tries(served, "other.log") == 3
    assert "other failed: The board h7 did not answer in time" in said
    rows = {row["stage"].split("]")[0].strip("[`"): row for row in table(served, "results")}
    assert rows[f"train@{VARIANT}"]["outcome"] == "ran, 2 tries"
    why = rows[f"train@{VARIANT}"]["why"].replace("\n", " ").replace("\\_", "_")  # the tables are Markdown
    assert why.endswith(f"tried again, because train@{VARIANT} failed: The board h7 did not answer in time.")
    assert rows["other"]["outcome"] == "failed, 3 tries"
    assert rows[f"card@{VARIANT}"]["outcome"] == "not run"
    (failed,) = table(served, "failures")
    assert failed["repeat it with"] == "`dvc repro other`"
    assert "did not answer in time" in failed["why"].replace("\n", " ")
    (run,) = (task for task in served.of_runs("task_runs") if task["name"] == "other")
    assert run["run_count"] == 3
    states = [state["name"] for state in served.ask(f"/task_run_states/?task_run_id={run['id']}")]
    assert states.count("AwaitingRetry") == 2


@pytest.mark.long
def test_what_is_wrong_is_tried_once(served: Project) -> None:
    trouble(served, train="1 train.log 99", other="1 other.log 99")
    served.retrain(ok=False)
    assert (tries(served, "train.log"), tries(served, "other.log")) == (1, 1)
    assert [row["tries"] for row in table(served, "failures")] == [1, 1]


@pytest.mark.thorough
def test_what_a_step_tells_of_its_error_comes_through_dvc(served: Project) -> None:
    """The real command against a server that is not there, and against one whose file is another."""
    (served.root / "data" / "sample").mkdir(parents=True)
    params = served.root / "params.yaml"
    source = "{address: 'http://127.0.0.1:9/flowers.tgz', bytes: 10, sha256: '" + "a" * 64 + "'}"
    params.write_text(params.read_text(encoding="utf-8").replace("{drawn: {}}", source), encoding="utf-8")
    (served.root / "dvc.yaml").write_text("stages:\n  fetch:\n    cmd: edgeloop fetch sample\n", encoding="utf-8")
    error = failure(served)
    assert isinstance(error, StageMayPass)
    assert "fetch failed: http://127.0.0.1:9/flowers.tgz cannot be reached" in str(error)
    params.write_text(params.read_text(encoding="utf-8").replace("http://127.0.0.1:9/flowers.tgz", "file.tgz"), encoding="utf-8")
    again = failure(served)
    assert type(again) is StageError
    assert "file.tgz" in str(again)


def test_of_a_command_that_tells_nothing_the_end_of_its_output_is_shown(project: Project) -> None:
    (project.root / "dvc.yaml").write_text("stages:\n  fetch:\n    cmd: echo the disk smells odd; exit 7\n", encoding="utf-8")
    error = str(failure(project))
    assert "fetch failed with exit code 1.\nThe end of its output:" in error
    assert "the disk smells odd" in error and "exited with 7" in error
    assert error.endswith("Repeat it with: dvc repro fetch")


@pytest.mark.long
def test_what_became_of_a_stage_is_told_and_not_read(project: Project) -> None:
    address = f"train@{VARIANT}"

    def outcome(*options: str) -> str:
        command = [*stage_command(address), *options]
        return outcome_of(run(command, project.root, project.env, ignore, lambda: False), address)

    project.run(sys.executable, "-m", "dvc", "repro", "prepare")
    assert outcome() == "ran"
    assert outcome() == "up to date"
    assert outcome("--force") == "ran"
    (project.root / "dvc.lock").unlink()
    project.run(sys.executable, "-m", "dvc", "repro", "prepare")
    assert outcome() == "restored"


def failure(project: Project) -> StageError:
    """Of the stage `fetch`."""
    done = run(stage_command("fetch"), project.root, project.env, ignore, lambda: False)
    with pytest.raises(StageError) as caught:
        outcome_of(done, "fetch")
    return caught.value


def test_only_boards_and_networks_may_pass_by_themselves() -> None:
    may_pass = {kind.__name__ for kind in kinds(EdgeloopError) if kind.may_pass and kind.__module__ == EdgeloopError.__module__}
    boards = {"BoardBusy", "BoardSilent", "BoardUnreachable", "FarmFailed", "FarmSilent", "ProtocolError", "StedgeaiBoardError"}
    assert may_pass == boards | {"FetchInterrupted", "StoreSilent", "ServiceSilent", "StageMayPass"}


def kinds(error: type[EdgeloopError]) -> set[type[EdgeloopError]]:
    """All below it."""
    return {found for kind in error.__subclasses__() for found in {kind} | kinds(kind)}
