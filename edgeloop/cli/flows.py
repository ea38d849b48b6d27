"""The commands that run flows under Prefect, and the services that these need."""

import argparse
import json
import os
import socket
from dataclasses import asdict

from edgeloop.cli.common import Command, count, path, project
from edgeloop.console import interruption, say

AGAIN = """Give the same command again: it then has them.
  An experiment in a folder of its own (--queue, --temp) cannot: change `build` or `variants` in params.yaml, then: edgeloop graph"""


def add(command: Command) -> None:
    run = command("run", _run, "run the flow `retrain` under Prefect")
    run.add_argument("dataset", help="a data set, or all")
    run.add_argument("network", help="a network, or all")
    run.add_argument("resolution", help="a resolution, or all")
    run.add_argument("--publish", action="store_true", help="publish the cards at the end")
    run.add_argument("--slots", type=count, metavar="N", help="CPU slots that stages share (default: one a core)")
    plan = command("plan", _plan, "say what a run would do, and why: nothing is run or fetched")
    plan.add_argument("variants", nargs="*", default=["all"], metavar="VARIANT", help="or data sets, patterns (default: all that is built)")
    plan.add_argument("--json", type=path, metavar="OUT", help="write the plan there")
    graph = command("graph", _graph, "bring graph.yaml, of which dvc.yaml makes its stages, up to date with params.yaml")
    graph.add_argument("--check", action="store_true", help="end with an error where it was not, because this run of DVC was begun before")
    worker = command("worker", _worker, "do the stages that flows send to a pool of workers, until Ctrl-C (docs/machines.md)")
    worker.add_argument("--pool", required=True, help="train, or bench-LAB on the host of a lab's boards")
    worker.add_argument("--limit", type=count, default=1, metavar="N", help="stages at once (default: 1)")
    worker.add_argument("--name", help="how flows and the UI call this worker (default: host and process)")
    watch = command("watch", _watch, "set benchmarks beside the last accepted ones: what got slower, and what may be why")
    watch.add_argument("benchmarks", nargs="+", metavar="VARIANT-BOARD")
    command("up", _up, "start the local services: object storage, Prefect's server, a worker; make the deployments")
    command("down", _down, "stop the local services")
    command("status", _status, "say which services run, which flow runs there are, and which boards are held")


def _run(options: argparse.Namespace) -> None:
    workspace, params = project()
    from flows.run import run, select, tell

    variants = select(params, options.dataset, options.network, options.resolution)
    with interruption("the same command goes on where this one stopped"):
        run(workspace, variants, options.publish, options.slots)
    tell(workspace, params, variants)


def _plan(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.files import write_text
    from flows.choice import some_built
    from flows.preview import preview

    found = preview(workspace, params, some_built(params, options.variants))
    if options.json:
        write_text(options.json, json.dumps(asdict(found), indent=2, ensure_ascii=False) + "\n")
    say(found.in_words())


def _graph(options: argparse.Namespace) -> None:
    from edgeloop.errors import ConfigError
    from edgeloop.graph import refresh
    from edgeloop.workspace import find_workspace

    changed = refresh(find_workspace())
    if changed and options.check:
        raise ConfigError(f"params.yaml asks for other stages than this run was begun with: {changed}.", AGAIN)
    say(changed or "graph.yaml is up to date")


def _worker(options: argparse.Namespace) -> None:
    from edgeloop.workspace import find_workspace
    from flows.pools.worker import serve

    serve(find_workspace(), options.pool, options.name or f"{socket.gethostname()}-{os.getpid()}", options.limit)


def _watch(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.errors import Slower
    from flows.watch import watch

    found = [one for name in options.benchmarks for one in watch(workspace, params, name, say)]
    if found:
        raise Slower(
            "\n".join(one.in_words() for one in found),
            "If it is meant to be so: promote the variant anew; where it has no champion, commit dvc.lock.",
        )
    say("nothing got slower")


def _up(_: argparse.Namespace) -> None:
    from edgeloop.workspace import find_workspace
    from flows.services import up

    up(find_workspace())


def _down(_: argparse.Namespace) -> None:
    from edgeloop.workspace import find_workspace
    from flows.services import down

    down(find_workspace())


def _status(_: argparse.Namespace) -> None:
    from edgeloop.workspace import find_workspace
    from flows.services import status

    status(find_workspace())
