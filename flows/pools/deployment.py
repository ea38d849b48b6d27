"""What a Prefect server holds for a pool: the pool, the queue of dispatched stages, and their deployment."""

from flows.api import Server

QUEUE = "stages"
"""Of every pool: what dispatches stages is apart from the flows that the pool `train` runs."""
FLOW = "dispatched"


def ensure_deployment(server: Server, pool: str) -> str:
    """Make the pool, its queue and the deployment of dispatched stages where there is none; returns the deployment's id."""
    ensure_pool(server, pool)
    flow = server.post("/flows/", {"name": FLOW})["id"]
    made = server.post(
        "/deployments/",
        {
            "name": pool,
            "flow_id": flow,
            "description": "Stages that flows send to the workers of this pool (edgeloop worker).",
            "work_pool_name": pool,
            "work_queue_name": QUEUE,
            "enforce_parameter_schema": False,
        },
    )
    return str(made["id"])


def ensure_pool(server: Server, pool: str) -> None:
    """Make the pool and its queue where there is none."""
    server.make("/work_pools/", {"name": pool, "type": "process", "description": "edgeloop: docs/machines.md"})
    server.make(f"/work_pools/{pool}/queues", {"name": QUEUE})
