"""The commands that go on as programs of flows/: the library itself knows nothing of Prefect."""

import argparse

from edgeloop.cli.common import Command, count, go_on_in_flows


def add(command: Command) -> None:
    run = command("run", _run, "run the flow `retrain` under Prefect")
    run.add_argument("dataset", help="a data set, or all")
    run.add_argument("network", help="a network, or all")
    run.add_argument("resolution", help="a resolution, or all")
    run.add_argument("--publish", action="store_true", help="publish the cards at the end")
    run.add_argument("--slots", type=count, metavar="N", help="CPU slots that stages share (default: one a core)")
    worker = command("worker", _worker, "do the stages that flows send to a pool of workers, until Ctrl-C (docs/machines.md)")
    worker.add_argument("--pool", required=True, help="train, or bench-LAB on the host of a lab's boards")
    worker.add_argument("--limit", type=count, default=1, metavar="N", help="stages at once (default: 1)")
    worker.add_argument("--name", help="how flows and the UI call this worker (default: host and process)")
    command("up", _up, "start the local services: object storage, Prefect's server, a worker; make the deployments")
    command("down", _down, "stop the local services")
    command("status", _status, "say which services run, which flow runs there are, and which boards are held")


def _run(options: argparse.Namespace) -> None:
    slots = ["--slots", str(options.slots)] if options.slots else []
    go_on_in_flows("flows.run", options.dataset, options.network, options.resolution, *slots, *(["--publish"] if options.publish else []))


def _worker(options: argparse.Namespace) -> None:
    name = ["--name", options.name] if options.name else []
    go_on_in_flows("flows.pools.worker", options.pool, "--limit", str(options.limit), *name)


def _up(_: argparse.Namespace) -> None:
    go_on_in_flows("flows.services", "up")


def _down(_: argparse.Namespace) -> None:
    go_on_in_flows("flows.services", "down")


def _status(_: argparse.Namespace) -> None:
    go_on_in_flows("flows.services", "status")
