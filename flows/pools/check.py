"""`python -m flows.pools.check`: whether the store answers. What a worker needs before it takes its first stage."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgeloop.errors import ConfigError, StoreError
from edgeloop.workspace import Workspace
from flows.api import Server
from flows.commands import environment, veiled
from flows.pools.clone import origin

PROBE_S = 60.0
REFUSED = 3


@dataclass(frozen=True)
class Checked:
    """What was found, as it may be shown."""

    server: str
    store: str
    kind: str
    """The type of the work pool."""


def check(workspace: Workspace, pool: str) -> Checked:
    """See that server, repository and store can be used, and that the server has the pool and its deployment.

    Raises:
        ServiceError: the server does not answer, or does not let us in.
        InputError: this folder is no clone.
        ConfigError: there is no DVC remote.
        StoreError: the store refuses, or does not answer.
    """
    server = Server(os.environ["PREFECT_API_URL"])
    server.get("/version")  # before Prefect, which takes half a minute to say that nobody answers
    repository = origin(workspace.root, environment())
    store = store_of(workspace)
    from prefect.client.orchestration import get_client

    from flows.pools.deployment import ensure_deployment

    with get_client(sync_client=True) as client:
        return Checked(server.shown, store, ensure_deployment(client, pool, repository).type)


def store_of(workspace: Workspace) -> str:
    """The address of the DVC remote, which answers."""
    argv = [sys.executable, "-m", "flows.pools.check"]
    try:
        done = subprocess.run(
            argv,
            cwd=workspace.root,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StoreError(
            f"The store (DVC remote) did not answer within {PROBE_S:.0f} s.", "Is its endpoint right, and does it run?"
        ) from None
    if done.returncode == REFUSED:
        raise ConfigError(
            "This project has no DVC remote.",
            "Machines share data by one: dvc remote add --default store s3://BUCKET/PREFIX (docs/machines.md)",
        )
    if done.returncode != 0:
        last = veiled((done.stderr.strip().splitlines() or ["no reason given"])[-1])
        raise StoreError(
            f"The store (DVC remote) cannot be used: {last}",
            "Its address is in `dvc remote list`; keys: dvc remote modify --local NAME access_key_id ..., or AWS_... in the environment.",
        )
    return veiled(done.stdout.strip())


def main() -> int:
    """List the top of the remote; returns 3 where there is none."""
    from dvc.config import NoRemoteError
    from dvc.repo import Repo

    with Repo(str(Path.cwd())) as repo:
        try:
            remote = repo.cloud.get_remote_odb()
        except NoRemoteError:
            return REFUSED
        # The bucket or the disk, because nothing may have been pushed yet.
        remote.fs.ls(remote.fs.parts(remote.path)[0])
        sys.stdout.write(remote.fs.unstrip_protocol(remote.path) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
