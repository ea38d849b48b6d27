"""Runs that somebody starts in a terminal. They belong to a deployment `by-hand`, because the UI cancels and retries no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import CancelledRun, ObjectNotFound
from prefect.flow_engine import run_flow
from prefect.states import Pending

from edgeloop.workspace import Workspace
from flows.deployments import POOL, engine_command
from flows.engine import begins_in_time
from flows.pools.deployment import ensure_pool
from flows.runs import BY_HAND, marked_alive

NAME = "by-hand"
DESCRIPTION = "What `edgeloop run` and `edgeloop ingest` run in a terminal. The worker of `edgeloop up` does what is retried here."


def run_locally(flow: "Flow[..., Any]", parameters: Mapping[str, Any]) -> Any:
    """Run a flow in this process; returns what it returns.

    Raises:
        KeyboardInterrupt: it was cancelled.
        ServiceSilent: the server went away while it started.
    """
    with get_client(sync_client=True) as client:
        deployment = _deployment(client, flow, str(parameters["root"]))
        run = client.create_flow_run_from_deployment(deployment, parameters=dict(parameters), state=Pending(message=BY_HAND))
    try:
        with marked_alive(Workspace(Path(parameters["root"])), str(run.id)), begins_in_time():
            return run_flow(flow, flow_run=run, parameters=dict(parameters))
    except CancelledRun:
        raise KeyboardInterrupt from None


def _deployment(client: SyncPrefectClient, flow: "Flow[..., Any]", root: str) -> Any:
    """The id of the flow's deployment, which is made where there is none: the runs of this project."""
    try:
        found = client.read_deployment_by_name(f"{flow.name}/{NAME}")
        if found.work_pool_name == POOL and found.parameters == {"root": root}:
            return found.id
    except ObjectNotFound:
        pass
    ensure_pool(client, POOL)
    return client.create_deployment(
        client.create_flow(flow),
        NAME,
        description=DESCRIPTION,
        parameters={"root": root},
        work_pool_name=POOL,
        entrypoint=f"{flow.fn.__module__}.{flow.fn.__name__}",
        enforce_parameter_schema=False,
        job_variables={"command": engine_command(), "working_dir": root},
    )
