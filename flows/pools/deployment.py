"""What a Prefect server holds for a pool: the pool, its queue of stages, and the deployment of the flow that does one."""

from collections.abc import Mapping
from contextlib import suppress

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from flows.pools.clone import REPOSITORY, without_secret
from flows.pools.order import FLOW

QUEUE = "stages"
"""The queue of every pool: stages are apart from the flows that the pool `train` runs by schedule."""
ENTRYPOINT = "flows.pools.job.stage"
COMMAND = "python -m flows.engine"
"""What a job runs, whatever the type of its pool; its environment says which flow run it is."""
PROCESS = "process"
HEARTBEAT_S = 30
"""Between two heartbeats of a job: the least that Prefect allows."""


def ensure_deployment(client: SyncPrefectClient, pool: str, repository: str) -> WorkPool:
    """Make the pool (of processes), its queue and its deployment where there is none; returns the pool.

    Jobs in containers clone `repository`, where their pool's template names no other one.
    """
    made = ensure_pool(client, pool)
    client.create_deployment(
        client.create_flow_from_name(FLOW),
        pool,
        description="Stages that flows send to this pool (docs/machines.md).",
        work_pool_name=pool,
        work_queue_name=QUEUE,
        entrypoint=ENTRYPOINT,
        enforce_parameter_schema=False,
        job_variables={"command": COMMAND, "env": _environment(made, repository)},
    )
    return made


def ensure_pool(client: SyncPrefectClient, pool: str) -> WorkPool:
    """Make the pool and its queue where there is none."""
    try:
        found = client.read_work_pool(pool)
    except ObjectNotFound:
        try:
            found = client.create_work_pool(WorkPoolCreate(name=pool, type=PROCESS, description="edgeloop: docs/machines.md"))
        except ObjectAlreadyExists:  # another machine was faster
            found = client.read_work_pool(pool)
    try:
        client.read_work_queue_by_name(QUEUE, pool)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):  # as above
            client.create_work_queue(QUEUE, work_pool_name=pool)
    return found


def _environment(pool: WorkPool, repository: str) -> Mapping[str, str]:
    """The environment of every job. What the pool's template says itself counts more."""
    own = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S), REPOSITORY: without_secret(repository)}
    if pool.type == PROCESS:
        # A job whose worker was killed would end with the next line that it prints, because nobody reads it. The server has all lines.
        own["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "ERROR"
    said = pool.base_job_template.get("variables", {}).get("properties", {}).get("env", {}).get("default") or {}
    return own | said
