"""How many workers and stages one Prefect server bears: their questions in their proportions, at growing numbers.

    python benchmarks/server.py                                          on SQLite
    EDGELOOP_DATABASE_URL=postgresql://... python benchmarks/server.py   on that database, which must be empty
    python benchmarks/server.py --workers 53                             this number only

The questions are those of docs/machines.md: Prefect's workers look for work and give signs; each stage's job tells of its heart,
asks whether it is cancelled, and sends its log; each stage's flow asks for its state and for its heartbeats. They come at random
moments at the whole rate, whether or not earlier ones were answered, and a latency counts from that moment. Numbers double until
one question in twenty takes longer than a second.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from edgeloop.console import program
from edgeloop.errors import ServiceError
from edgeloop.workspace import Workspace
from flows.api import Server
from flows.server import database_of, prefect_server, start_prefect

POOL, QUEUE = "train", "stages"
# As in flows/pools, flows/cancel.py and Prefect.
WORKER_BEAT_S, WORKER_LOOK_S = 30.0, 5.0
JOB_BEAT_S, JOB_LOOK_S, JOB_LOG_S = 30.0, 5.0, 2.0
FLOW_LOOK_S, FLOW_HEAR_S = 5.0, 10.0
STAGES_A_WORKER = 110 / 53
"""As in the plan for 3 labs and 50 training hosts."""
LINES = 5
"""Of log, each time."""
GOAL_S = 1.0
HEARTBEAT = "prefect.flow-run.heartbeat"
AT_ONCE = 128


@dataclass
class Asked:
    """A question, and how often all of them ask it in a second."""

    name: str
    rate: float
    ask: Callable[[], Any]


def questions(server: Server, workers: int, runs: list[str]) -> list[Asked]:
    """What so many workers and stages ask."""

    def run() -> str:
        return f"/flow_runs/{random.choice(runs)}"

    def heartbeat() -> Any:
        name = f"worker {random.randrange(workers)}"
        return server.post(f"/work_pools/{POOL}/workers/heartbeat", {"name": name, "heartbeat_interval_seconds": WORKER_BEAT_S})

    def work() -> Any:
        now = datetime.now(UTC).isoformat()
        body = {"work_queue_names": [QUEUE], "scheduled_before": now, "limit": 1}
        return server.post(f"/work_pools/{POOL}/get_scheduled_flow_runs", body)

    def log() -> Any:
        line = {"name": "edgeloop.worker", "level": 20, "message": "train: 3/40 epochs, 1.5 epochs/s, val 0.61"}
        line |= {"timestamp": datetime.now(UTC).isoformat(), "flow_run_id": random.choice(runs)}
        return server.post("/logs/", [line] * LINES)

    def beat() -> Any:
        resource = {"prefect.resource.id": f"prefect.flow-run.{random.choice(runs)}"}
        event = {"id": str(uuid4()), "event": HEARTBEAT, "occurred": datetime.now(UTC).isoformat(), "resource": resource}
        return server.post("/events", [event])

    def hear() -> Any:
        wanted = {"event": {"name": [HEARTBEAT]}, "resource": {"id": [f"prefect.flow-run.{random.choice(runs)}"]}}
        return server.post("/events/filter", {"filter": wanted, "limit": 1})

    return [
        Asked("a worker's heartbeat", workers / WORKER_BEAT_S, heartbeat),
        Asked("a worker's question for work", workers / WORKER_LOOK_S, work),
        Asked("a job's heartbeat", len(runs) / JOB_BEAT_S, beat),
        Asked("a job: cancelled?", len(runs) / JOB_LOOK_S, lambda: server.get(run())),
        Asked("a job's log", len(runs) / JOB_LOG_S, log),
        Asked("a flow: its state", len(runs) / FLOW_LOOK_S, lambda: server.get(run())),
        Asked("a flow: heartbeats?", len(runs) / FLOW_HEAR_S, hear),
    ]


def started(server: Server, number: int) -> list[str]:
    """Flow runs that are at work."""
    flow = server.post("/flows/", {"name": "stage"})["id"]
    runs = []
    for _ in range(number):
        body = {"name": "train@x", "flow_id": flow, "parameters": {}, "state": {"type": "SCHEDULED"}}
        runs.append(str(server.post("/flow_runs/", body)["id"]))
        for state in ("PENDING", "RUNNING"):
            server.post(f"/flow_runs/{runs[-1]}/set_state", {"state": {"type": state}})
    return runs


def load(asked: list[Asked], seconds: float) -> tuple[list[float], int]:
    """Ask at random moments for so long; returns the latencies, in seconds, and how many questions were not answered."""
    whole = sum(one.rate for one in asked)

    def one(question: Asked, due: float) -> float:
        question.ask()
        return time.monotonic() - due

    sent: list[Future[float]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        due = begun = time.monotonic()
        while due < begun + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            sent.append(pool.submit(one, random.choices(asked, [one.rate for one in asked])[0], due))
            due += random.expovariate(whole)
    failed = [future for future in sent if isinstance(future.exception(), ServiceError)]
    return [future.result() for future in sent if future not in failed], len(failed)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, help="measure this number only")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number of workers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace(Path(name))
        running = start_prefect(workspace)
        try:
            print(f"Prefect's server with {database_of(workspace)}, all on this machine; {options.seconds:.0f} s each")
            server, workers = Server(f"{running.address}/api"), options.workers or 4
            server.post("/work_pools/", {"name": POOL, "type": "process"})
            server.post(f"/work_pools/{POOL}/queues", {"name": QUEUE})
            while measured(server, workers, options.seconds) and not options.workers:
                workers *= 2
        finally:
            prefect_server(workspace).down()
    return 0


def measured(server: Server, workers: int, seconds: float) -> bool:
    """One line; whether the server bears that number."""
    runs = started(server, round(workers * STAGES_A_WORKER))
    asked = questions(server, workers, runs)
    latencies, failed = load(asked, seconds)
    late = statistics.quantiles(latencies, n=20)[-1]
    print(
        f"{workers:4} workers, {len(runs):4} stages: {sum(one.rate for one in asked):6.1f} questions a second,"
        f" median {1000 * statistics.median(latencies):6.0f} ms, 95 % within {1000 * late:6.0f} ms, {failed} not answered",
        flush=True,
    )
    return not failed and late <= GOAL_S


if __name__ == "__main__":
    raise SystemExit(program(main))
