"""A benchmark that got slower is an alert of the flow that measured it: in its log, as an artifact, an event, and a post."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from flows_in_miniature import FOLDER, ROOT, VARIANT, Project

from edgeloop.graph import refresh
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.long]
BENCHMARK = "import sys; from flows.benchmark import benchmark; benchmark(sys.argv[1], scheduled=True)"
MEASURE = """\
import pathlib, sys
sys.path.append({tests!r})
from card_records import Story, latency
from edgeloop.records import read_benchmark
from edgeloop.workspace import Workspace
Story().write(Workspace(pathlib.Path.cwd()))
path, factor = pathlib.Path({folder!r}, "benchmarks", "host.json"), float(pathlib.Path("input.txt").read_text())
record = read_benchmark(path)
models = [one.model_copy(update={{"latency": latency(factor * one.latency.median_ms)}}) for one in record.models]
record.model_copy(update={{"models": models}}).write(path)
"""
PIPELINE = f"""\
vars: [graph.yaml]
stages:
  benchmark:
    foreach: ${{graph.benchmarks}}
    do:
      cmd: python measure.py
      deps: [input.txt]
      outs: ["{FOLDER}/benchmarks/host.json"]
"""


@dataclass
class Webhook:
    address: str
    posted: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A real HTTP server that keeps what is posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(f"http://127.0.0.1:{server.server_port}/secret")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hook
        server.shutdown()


def measure(project: Project, factor: float) -> str:
    (project.root / "input.txt").write_text(str(factor), encoding="utf-8")
    project.run("git", "commit", "--quiet", "--all", "--message", f"Times {factor}")
    return project.run(sys.executable, "-c", BENCHMARK, str(project.root))


def test_a_benchmark_that_got_slower_is_told_in_every_way(served: Project, webhook: Webhook) -> None:
    project = replace(served, env=served.env | {"ALERTS": webhook.address})
    params = project.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8") + "watch: {webhook: ALERTS}\n", encoding="utf-8")
    measure_py = MEASURE.format(tests=str(ROOT / "tests"), folder=FOLDER)
    files = {"dvc.yaml": PIPELINE, "measure.py": measure_py, ".gitignore": "/data\n/models\n/.edgeloop\n"}
    for name, text in files.items():
        (project.root / name).write_text(text, encoding="utf-8")
    refresh(Workspace(project.root))
    project.run("git", "add", "--all")
    assert "there is no accepted record yet" in measure(project, 1.0)
    assert "got" not in measure(project, 1.01) and webhook.posted == []
    said = measure(project, 1.2)
    name = f"{VARIANT}-host"
    assert f"{name}: median latency, int8 per-channel 0.61812 -> 0.7344 ms (+18.8%)" in said and webhook.address not in said
    (posted,) = webhook.posted
    assert {one["benchmark"] for one in posted["regressions"]} == {name} and "+18.8%" in posted["text"]
    (shown,) = (one for one in project.of_runs("artifacts") if one["key"] == "regressions")
    assert "+18.8%" in shown["data"]
    wanted = {"filter": {"event": {"name": ["edgeloop.benchmark.regression"]}, "resource": {"id": [f"edgeloop.benchmark.{name}"]}}}
    until = time.monotonic() + 30
    while not (events := project.ask("/events/filter", wanted)["events"]) and time.monotonic() < until:
        time.sleep(0.5)
    assert {one["payload"]["figure"] for one in events} >= {"median latency, int8 per-channel"}
