"""The local S3 server: SeaweedFS on loopback, its data and its generated keys below the project's private folder."""

import json
import os
import secrets
import shutil
import sys
from pathlib import Path

from edgeloop.errors import ServiceError, StoreError
from edgeloop.services import Ports, Running, Service
from edgeloop.services.ports import LOOPBACK, preferred
from edgeloop.store.s3 import Credentials, accepts_writes
from edgeloop.workspace import Workspace

NAME = "store"
PORTS = {
    "S3": 8333,
    "S3 gRPC": 18333,
    "master": 9333,
    "master gRPC": 19333,
    "volume": 9340,
    "volume gRPC": 19340,
    "filer": 8888,
    "filer gRPC": 18888,
}
"""SeaweedFS's own defaults. Only the first speaks S3 and asks for a key; the others are how its parts talk to each other,
on loopback but without a key: other users of this machine could use them."""
STOP_GRACE_S = 2.0
"""SeaweedFS waits 15 s for its own subscribers when it stops; what it has acknowledged also survives being killed."""
SOCKETS = Path("/tmp")
PARTS = {"S3": "s3", "master": "master", "volume": "volume", "filer": "filer"}
USERS_KEYS = ("AWS_",)
"""SeaweedFS would let in whoever has the user's keys for AWS, and names them in its log."""
PROBE_BUCKET = "edgeloop-ready"
OWNER = "edgeloop"


def local_store(workspace: Workspace) -> Service:
    """The S3 server of this workspace, to be started with `up()` and stopped with `down()`."""
    folder = workspace.private / "store"

    def argv(ports: Ports) -> list[str]:
        owner_credentials(workspace)
        return [_weed(), "server", *_options(folder, ports)]

    def ready(running: Running) -> bool:
        return accepts_writes(running.address, owner_credentials(workspace), PROBE_BUCKET)

    ports = preferred(PORTS)
    return Service(workspace, NAME, argv, ports, ready, folder, withheld=USERS_KEYS, stop_grace_s=STOP_GRACE_S, leftovers=_sockets)


def local_address(workspace: Workspace) -> str:
    """The address of the running local store.

    Raises:
        StoreError: it does not run.
    """
    running = local_store(workspace).status()
    if running is None:
        raise StoreError("The local store does not run.", "Start it: edgeloop store up")
    return running.address


def owner_credentials(workspace: Workspace) -> Credentials:
    """The local store's keys, made on first use; the file is readable by its owner only."""
    path = _identities(workspace)
    if not path.exists():
        _make_identities(path)
    try:
        identities = json.loads(path.read_text(encoding="utf-8"))["identities"]
        keys = next(identity["credentials"][0] for identity in identities if identity["name"] == OWNER)
        return Credentials(keys["accessKey"], keys["secretKey"])
    except (ValueError, KeyError, IndexError, StopIteration, TypeError):
        raise StoreError(
            f"{path} does not hold the local store's keys.", "Stop the store, delete that file, and start the store."
        ) from None


def _identities(workspace: Workspace) -> Path:
    return workspace.private / "store" / "identities.json"


def _make_identities(path: Path) -> None:
    """Write a new access key in the form that SeaweedFS reads, complete or not at all."""
    # Hexadecimal: as an argument of `dvc remote modify`, a key that begins with a dash would be an option.
    keys = {"accessKey": f"edgeloop{secrets.token_hex(6)}", "secretKey": secrets.token_hex(20)}
    identities = [{"name": OWNER, "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"identities": identities}, file)
    temporary.replace(path)


def _options(folder: Path, ports: Ports) -> list[str]:
    """Everything on loopback, nothing sent home, buckets made on request only, and a stop without a pause."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    return [
        f"-dir={data}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        f"-master.port={ports['master']}",
        f"-master.port.grpc={ports['master gRPC']}",
        "-master.telemetry=false",
        "-master.electionTimeout=1s",  # the only master elects itself at each start: 10 s by default
        "-master.volumeSizeLimitMB=512",
        f"-volume.port={ports['volume']}",
        f"-volume.port.grpc={ports['volume gRPC']}",
        "-volume.max=0",
        "-volume.preStopSeconds=0",
        "-filer",
        f"-filer.port={ports['filer']}",
        f"-filer.port.grpc={ports['filer gRPC']}",
        "-filer.disableHttp",
        "-s3",
        f"-s3.port={ports['S3']}",
        f"-s3.port.grpc={ports['S3 gRPC']}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-s3.autoCreateBucket=false",
        f"-s3.config={folder / 'identities.json'}",
    ]


def _sockets(ports: Ports) -> list[Path]:
    """The sockets that SeaweedFS makes beside its ports, always there, and keeps when it is killed."""
    by_port = [SOCKETS / f"seaweedfs-{part}-grpc-{ports[f'{name} gRPC']}.sock" for name, part in PARTS.items()]
    return [*by_port, SOCKETS / f"seaweedfs-s3-{ports['S3']}.sock", SOCKETS / f"seaweedfs-filer-{ports['filer']}.sock"]


def _weed() -> str:
    """SeaweedFS's program: of this Python's environment, else on the PATH."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if found is None:
        raise ServiceError("SeaweedFS (the program `weed`) is not installed.", "Install the project's requirements: make setup.")
    return found
