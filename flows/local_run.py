"""Runs that somebody starts in a terminal. They belong to a deployment `by-hand`, because the UI cancels no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import CancelledRun, ObjectNotFound
from prefect.flow_engine import run_flow
from prefect.states import Pending

from edgeloop.workspace import Workspace
from flows.engine import begins_in_time
from flows.runs import marked_alive

NAME = "by-hand"
DESCRIPTION = "What `edgeloop run` and `edgeloop ingest` run in a terminal. No worker takes runs of it that are started in the UI."


def run_locally(flow: "Flow[..., Any]", parameters: Mapping[str, Any]) -> Any:
    """Run a flow in this process; returns what it returns.

    Raises:
        KeyboardInterrupt: it was cancelled.
        ServiceSilent: the server went away while it started.
    """
    with get_client(sync_client=True) as client:
        deployment = _deployment(client, flow)
        run = client.create_flow_run_from_deployment(deployment, parameters=dict(parameters), state=Pending())
    try:
        with marked_alive(Workspace(Path(parameters["root"])), str(run.id)), begins_in_time():
            return run_flow(flow, flow_run=run, parameters=dict(parameters))
    except CancelledRun:
        raise KeyboardInterrupt from None


def _deployment(client: SyncPrefectClient, flow: "Flow[..., Any]") -> Any:
    """The id of the flow's deployment, which is made where there is none."""
    try:
        return client.read_deployment_by_name(f"{flow.name}/{NAME}").id
    except ObjectNotFound:
        return client.create_deployment(client.create_flow(flow), NAME, description=DESCRIPTION, enforce_parameter_schema=False)
