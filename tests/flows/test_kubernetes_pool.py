"""The job template of a Kubernetes pool, as far as it can be tried without a cluster: by Prefect's server, and filled in."""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import prefect.server.api
import pytest
from flows_in_miniature import Project

from flows.pools.clone import REPOSITORY

pytestmark = pytest.mark.slow

TEMPLATE: dict[str, Any] = json.loads((files("flows.pools") / "kubernetes.json").read_text(encoding="utf-8"))
MAKE = """\
import asyncio, json, sys
from prefect.client.orchestration import get_client
from prefect.workers.base import BaseJobConfiguration
from flows.pools.deployment import ensure_deployment

class KubernetesJob(BaseJobConfiguration):
    # The part that Prefect's Kubernetes worker hands to the cluster.
    job_manifest: dict

with get_client(sync_client=True) as client:
    pool = ensure_deployment(client, "cluster", "https://me:secret@git.lan/loop.git")
    values = client.read_deployment_by_name("stage/cluster").job_variables
job = asyncio.run(KubernetesJob.from_template_and_values(pool.base_job_template, values | {"name": "train", "labels": {"a": "b"}}))
print(json.dumps([pool.type, job.job_manifest]))
"""

SECOND = """\
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from flows.pools.deployment import ensure_pool

with get_client(sync_client=True) as client:
    ensure_pool(client, "shared")
    read = client.read_work_pool

    def too_early(*_):
        client.read_work_pool = read
        raise ObjectNotFound(Exception())

    client.read_work_pool = client.read_work_queue_by_name = too_early
    print(ensure_pool(client, "shared").name)
"""
"""A machine that looks for pool and queue just before another one makes them."""


@pytest.mark.thorough
def test_prefects_server_takes_the_template_and_the_job_of_a_stage_is_whole(served: Project) -> None:
    made = served.ask("/work_pools/", {"name": "cluster", "type": "kubernetes", "base_job_template": TEMPLATE})
    assert made["base_job_template"] == TEMPLATE
    kind, manifest = json.loads(served.run(sys.executable, "-c", MAKE))
    assert kind == "kubernetes"
    assert "{{" not in json.dumps(manifest)
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["args"] == "python -m flows.engine"
    assert container["env"] == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", REPOSITORY: "https://git.lan/loop.git"}
    assert container["envFrom"] == [{"secretRef": {"name": "edgeloop"}}]


@pytest.mark.thorough
def test_two_machines_may_make_a_pool_at_once(served: Project) -> None:
    assert served.run(sys.executable, "-c", SECOND).strip() == "shared"


def test_it_says_nothing_that_prefects_own_kubernetes_worker_does_not_know() -> None:
    shipped = Path(prefect.server.api.__file__).parent / "collections_data" / "views" / "aggregate-worker-metadata.json"
    workers = json.loads(shipped.read_text(encoding="utf-8"))
    own = workers["prefect-kubernetes"]["kubernetes"]["default_base_job_configuration"]
    assert TEMPLATE["job_configuration"].keys() <= own["job_configuration"].keys()
    properties = own["variables"]["properties"]
    for name, variable in TEMPLATE["variables"]["properties"].items():
        assert name in ("secret", "cpu", "memory") or variable["type"] == properties[name]["type"]
