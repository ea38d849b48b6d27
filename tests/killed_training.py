"""A training in a process of its own that is killed without warning."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence

from edgeloop.training.checkpoint import load
from edgeloop.workspace import Workspace

DEADLINE_S = 240


def killed_after(workspace: Workspace, epochs: int, command: Sequence[str]) -> None:
    """Kill it once so many epochs are on disk. It stands still while they are counted, so that it does not end meanwhile."""
    with subprocess.Popen(command, cwd=workspace.root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        try:
            end = time.monotonic() + DEADLINE_S
            while child.poll() is None and time.monotonic() < end:
                os.kill(child.pid, signal.SIGSTOP)
                if epochs_on_disk(workspace) >= epochs:
                    break
                os.kill(child.pid, signal.SIGCONT)
                time.sleep(0.02)
        finally:
            os.kill(child.pid, signal.SIGKILL) if child.poll() is None else None
        child.wait(timeout=30)
    assert child.returncode == -signal.SIGKILL


def epochs_on_disk(workspace: Workspace) -> int:
    """Of the training that a checkpoint holds."""
    states = [load(path) for path in (workspace.cache / "training").glob("*.state")]
    return max((len(state.history) for state in states if state), default=0)
