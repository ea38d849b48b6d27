"""The regression watch: benchmarks beside the last accepted ones; what got slower is shown, told as an event, and posted."""

import os
import tempfile
from pathlib import Path

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event
from prefect.logging import get_run_logger

from edgeloop.boards.watch import Regression, comparable, regressions
from edgeloop.config import Params
from edgeloop.errors import EdgeloopError, InputError
from edgeloop.gates.facts import benchmark_name
from edgeloop.records import BenchmarkRecord, benchmark_of, read_benchmark
from edgeloop.store.promote import champion_file
from edgeloop.workspace import Workspace
from flows.commands import Say, ignore
from flows.past import take_from
from flows.revision import ask_git
from flows.show.best_effort import best_effort

EVENT = "edgeloop.benchmark.regression"
POST_S = 10.0
Accepted = tuple[str, BenchmarkRecord]
"""Where it is from, and the record."""


def alert(workspace: Workspace, params: Params, benchmarks: list[str]) -> list[Regression]:
    """Tell which of the benchmarks got slower: a warning, a Markdown artifact and an event each, and one post to the webhook.

    What cannot be compared, or told, is said in the log and stops nothing.
    """
    found: list[Regression] = []
    for name in benchmarks:
        try:
            found += watch(workspace, params, name, get_run_logger().info)
        except EdgeloopError as error:
            get_run_logger().warning(f"{name} is not watched: {error.what}")
    for one in found:
        get_run_logger().warning(one.in_words())
        with best_effort("a regression"):
            payload = one.model_dump(mode="json")
            emit_event(EVENT, {"prefect.resource.id": f"edgeloop.benchmark.{one.benchmark}"}, payload=payload)
    if found:
        with best_effort("the regressions"):
            create_markdown_artifact(key="regressions", markdown=_text(found), description=f"{len(found)} figures got worse")
        _post(params, found)
    return found


def watch(workspace: Workspace, params: Params, name: str, say: Say = ignore) -> list[Regression]:
    """The figures of a benchmark that got worse than the accepted ones: the champion's, or where there is none those of the last commit.

    Raises:
        InputError: there is no such benchmark, or it was not measured.
        StoreError: the store that may have a champion cannot be asked.
    """
    declared = params.board_benchmark(name)
    now = read_benchmark(params.variant(declared.variant).paths(workspace).benchmark_record(declared.board))
    accepted = _of_champion(workspace, params, declared.variant, declared.board) or _of_commit(workspace, params, name)
    if accepted is None:
        say(f"{name}: there is no accepted record yet to set it beside")
        return []
    source, record = accepted
    if (why := comparable(record, now)) is not None:
        say(f"{name} is not set beside {source}: {why}")
        return []
    return regressions(name, source, record, now, params.watch.slower_by)


def _of_champion(workspace: Workspace, params: Params, variant: str, board: str) -> Accepted | None:
    """What the champion was promoted with; only variants with gates have one that is asked for."""
    if params.gates_of(variant) is None:
        return None
    found = champion_file(workspace, params, variant, benchmark_name(board))
    return (f"the champion {found[0]}", benchmark_of(found[1], benchmark_name(board))) if found else None


def _of_commit(workspace: Workspace, params: Params, name: str) -> Accepted | None:
    if (head := ask_git(workspace, "rev-parse", "--verify", "--quiet", "HEAD", ok=False)) is None:
        return None
    declared = params.board_benchmark(name)
    wanted = params.variant(declared.variant).paths(workspace).benchmark_record(declared.board)
    with tempfile.TemporaryDirectory(prefix="edgeloop-watch-") as folder:
        try:
            return f"the commit {head[:12]}", read_benchmark(take_from(workspace, head, wanted, Path(folder)))
        except InputError:  # that commit has none
            return None


def _text(found: list[Regression]) -> str:
    return "\n\n".join(f"```\n{one.in_words()}\n```" for one in found)


def _post(params: Params, found: list[Regression]) -> None:
    """Post to the webhook; its address, which is a secret, is in no message."""
    if params.watch.webhook is None:
        return
    address = os.environ.get(params.watch.webhook)
    if not address:
        get_run_logger().warning(f"no alert is posted: the environment variable {params.watch.webhook} (watch.webhook) is not set")
        return
    body = {"text": "\n".join(one.in_words() for one in found), "regressions": [one.model_dump(mode="json") for one in found]}
    try:
        httpx.post(address, json=body, timeout=POST_S).raise_for_status()
    except httpx.HTTPStatusError as error:
        get_run_logger().warning(f"the alert was not taken by the webhook: it answers {error.response.status_code}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        get_run_logger().warning(f"the alert did not reach the webhook: {type(error).__name__}")
