"""The tables of a run: what is planned and why, who waits for a board in which place, what became of each stage."""

from uuid import UUID

from edgeloop.events import Progress
from flows.pipeline import PlannedStage
from flows.schedule import FAILED, NOT_RUN, UP_TO_DATE
from flows.show.progress import ShownProgress, percent
from flows.show.tables import (
    HOLDS,
    NOT_READY,
    OUTPUT,
    REPEAT,
    Row,
    board_rows,
    board_words,
    failure_rows,
    plan_rows,
    plan_words,
    result_rows,
    result_words,
    seconds,
)

RUN = UUID(int=7)


def stage(address: str, *upstream: str, reason: str | None = None, board: str | None = None) -> PlannedStage:
    return PlannedStage(address, frozenset(upstream), reason, board=board)


PLAN = [
    stage("prepare"),
    stage("train", "prepare", reason="what it depends on changed"),
    stage("bench-a", "train", board="h7"),
    stage("bench-b", "train", board="h7"),
    stage("bench-c", "prepare", reason="an output is missing or changed", board="h7"),
    stage("card", "bench-a", "bench-b", "bench-c"),
]


def test_the_plan_says_what_runs_what_may_run_and_what_is_cached() -> None:
    rows = {row["stage"].strip("`"): (row["plan"], row["why"]) for row in plan_rows(PLAN)}
    assert rows["prepare"] == ("cached", "nothing that it depends on changed")
    assert rows["train"] == ("run", "what it depends on changed")
    assert rows["bench-a"] == ("run if changed", "stands on `train`")
    assert rows["card"] == ("run if changed", "stands on `bench-a`, `bench-b` and 1 more")
    assert plan_words(PLAN, 4) == "6 stages: 2 to run, 3 to run if what they stand on changes, 1 cached; 4 CPU slots"


def places(outcomes: dict[str, str], running: set[str], told: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
    return {row["stage"]: (row["place"], row["state"]) for row in board_rows(PLAN, outcomes, running, told or {})}


def test_a_board_has_one_holder_and_those_behind_it_have_places() -> None:
    shown = places({"prepare": "ran", "train": "ran"}, {"bench-c"})
    assert shown == {"bench-c": (HOLDS, "has it"), "bench-a": ("1", "waits for it"), "bench-b": ("2", "waits for it")}


def test_what_is_not_ready_has_no_place_and_what_is_done_comes_last() -> None:
    shown = places({"prepare": "ran", "bench-c": "ran"}, {"train"})
    assert shown == {"bench-a": ("", NOT_READY), "bench-b": ("", NOT_READY), "bench-c": ("", "ran")}
    assert list(shown)[-1] == "bench-c"


def test_a_queue_outside_the_run_is_told_by_the_stage_itself() -> None:
    line = "waiting for h7, held by somebody; place 2 in the queue"
    assert places({"prepare": "ran"}, {"bench-c"}, {"bench-c": line})["bench-c"] == (
        HOLDS,
        "waiting for h7, held by somebody; place 2 in the\nqueue",
    )


def test_the_boards_in_a_line() -> None:
    rows = board_rows(PLAN, {"prepare": "ran", "train": "ran"}, {"bench-c"}, {})
    assert board_words(rows) == "1 board, 3 benchmarks: 1 at work, 2 waiting in a queue, 0 done"


def row(name: str, outcome: str, why: str = "", took_s: float | None = None, tries: int = 0) -> Row:
    return {"stage": name, "outcome": outcome, "why": why, "took_s": took_s, "tries": tries, "warnings": []}


def test_results_link_to_the_log_and_to_what_was_made() -> None:
    rows = [row("prepare", UP_TO_DATE), row("train", "ran", "new", 75.2, 2)]
    (first, second) = result_rows(rows, {"train": ["[card](/artifacts/artifact/1)"]}, {"train": RUN})
    assert (first["stage"], first["took"], first["outcome"], first["see"]) == ("`prepare`", "", UP_TO_DATE, "")
    assert (second["stage"], second["took"], second["outcome"]) == (f"[train](/runs/task-run/{RUN})", "1 min 15 s", "ran, 2 tries")
    assert second["see"] == "[card](/artifacts/artifact/1)"
    assert result_words(rows) == "2 stages: 1 up to date, 1 ran"


def test_failures_come_with_the_reason_and_the_command_that_repeats_them() -> None:
    why = "train failed with exit code 1: it diverged.\n  Lower the rate.\n  " + REPEAT + "dvc repro train"
    (failed,) = failure_rows([row("train", FAILED, why, 3, 1), row("card", NOT_RUN)], {"train": ["[report](/x)"]}, {})
    assert failed["see"] == "[report](/x)"
    assert failed["repeat it with"] == "`dvc repro train`"
    assert failed["why"] == "train failed with exit code 1: it diverged.\nLower the rate."


def test_a_stage_that_did_not_explain_itself_is_shown_with_the_end_of_its_output() -> None:
    output = "\n".join(f"    line {number}" for number in range(9))
    (failed,) = failure_rows([row("train", FAILED, f"train failed with exit code 1.{OUTPUT}{output}\n  {REPEAT}dvc repro train")], {}, {})
    assert failed["why"] == "train failed with exit code 1.\nline 5\nline 6\nline 7\nline 8"


def test_durations_are_for_people() -> None:
    assert [seconds(value) for value in (None, 0.04, 59.9, 61, 3700)] == ["", "0.0 s", "59.9 s", "1 min 1 s", "1 h 1 min"]


def test_only_progress_with_an_end_moves_the_bar() -> None:
    ShownProgress("train@x").show(Progress("fetch", 3e6, None, "fetch: 3 MB"))  # asks no server: there is none
    assert percent(Progress("train", 10, 40, "")) == 25
    assert percent(Progress("train", 41, 40, "")) == percent(Progress("train", 0, 0, "")) == 100
