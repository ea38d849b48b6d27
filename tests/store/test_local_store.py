"""The local store: its keys are its owner's alone, it listens on loopback only, and it keeps its data."""

import stat
import subprocess
from pathlib import Path

import pytest

from edgeloop.services.ports import LOOPBACK, is_free
from edgeloop.services.processes import PROC, identify
from edgeloop.store.local import local_address, local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace


def test_the_keys_are_made_once_and_for_the_owner_only(workspace: Workspace) -> None:
    keys = owner_credentials(workspace)
    assert owner_credentials(workspace) == keys
    files = [path for path in (workspace.private / "store").rglob("*") if path.is_file()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600]
    assert keys.secret_key not in repr(keys)


def test_two_projects_have_different_keys(workspace: Workspace, tmp_path: Path) -> None:
    assert owner_credentials(workspace) != owner_credentials(Workspace(tmp_path / "other"))


@pytest.mark.thorough
@pytest.mark.slow
def test_it_listens_on_loopback_only_and_keeps_its_data_over_a_restart(workspace: Workspace) -> None:
    store = local_store(workspace)
    try:
        first = store.up()
        assert listening(first.pid) == set(first.ports.values())
        assert [path for path in store.leftovers(first.ports) if path.exists()]
        client = connect(local_address(workspace), owner_credentials(workspace), "when_supported")
        client.create_bucket(Bucket="kept")
        client.put_object(Bucket="kept", Key="a", Body=b"data")
        assert owner_credentials(workspace).secret_key not in store.log.read_text(errors="replace")
        store.down()
        assert identify(first.pid) is None
        assert not [path for path in store.leftovers(first.ports) if path.exists()]
        assert all(is_free(port) for port in first.ports.values())
        second = store.up()
        client = connect(second.address, owner_credentials(workspace), "when_supported")
        assert client.get_object(Bucket="kept", Key="a")["Body"].read() == b"data"
    finally:
        store.down()


def listening(pid: int) -> set[int]:
    """The ports that a process listens on; fails on one that is open beyond loopback."""
    sockets = {str(link.readlink()) for link in (PROC / str(pid) / "fd").iterdir()}
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                assert fields[1].startswith("0100007F:"), f"open beyond {LOOPBACK}: {fields[1]}"
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def test_no_secret_is_on_the_command_line(workspace: Workspace) -> None:
    store = local_store(workspace)
    command = subprocess.list2cmdline(store.argv(dict.fromkeys(store.ports, 1)))
    assert owner_credentials(workspace).secret_key not in command
    assert "-master.telemetry=false" in command
