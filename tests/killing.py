"""A project in miniature to kill things in: its stages, its processes, and what must hold after a kill."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from card_records import Story
from flows_in_miniature import FOLDER, PARAMS, ROOT, VARIANT, Project, until
from ruamel.yaml import YAML

from edgeloop.boards.lock import occupancy
from edgeloop.cards.card import card
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace
from flows.api import Server

MARK = "EDGELOOP_TEST_MARK"
BOARD = "virtual-h7"
SERVICES = ("prefect server", "-m prefect --no-prompt worker", "weed server")
VICTIMS: dict[str, Callable[[str], bool]] = {
    "stage": lambda line: "step.sh" in line and "-m" not in line.split() and not line.startswith(("/bin/sh -c", "sh -c")),
    "dvc": lambda line: line.endswith("[stage]"),
    "supervisor": lambda line: "services.guard --grace" in line or line.endswith("[guard]"),
    "fork server": lambda line: "flows.forkserver" in line and line.endswith("[python]"),
    "publish": lambda line: "-m edgeloop publish" in line and "services.guard" not in line,
    "flow": lambda line: "edgeloop run" in line or "flows.engine" in line,
    "worker": lambda line: "worker start" in line and "services.guard" not in line,
    "server": lambda line: "prefect server start" in line,
    "store": lambda line: "weed server" in line,
}

# Each output is written in two halves with a pause between, and the journal tells when a command began.
STEP = """\
#!/bin/sh
set -eu
name=$1; out=$2; from=$3
echo "$name" >> journal
mkdir -p "$out"
if [ "$name" = measure ]; then exec python hold.py "$out" "$from"; fi
for file in $(cd "$from" && find . -type f | sort | head -n 2); do
    mkdir -p "$out/$(dirname "$file")"; head -c 20 "$from/$file" > "$out/$file"
done
sleep 0.7
cp -R "$from"/. "$out"/
sleep 0.3
"""
HOLD = f"""\
import sys, time
from pathlib import Path
from edgeloop.boards.lock import hold
with hold("{BOARD}", "measure", 20):
    result = Path(sys.argv[1]) / "result"
    result.write_text("half of i")
    time.sleep(0.8)
    result.write_text("half of it, and the other half")
"""
PIPELINE = f"""\
vars: [graph.yaml]
stages:
  prepare: {{cmd: sh step.sh prepare data/sample template/data/sample, deps: [template/data], outs: [data/sample]}}
  left: {{cmd: sh step.sh left build/left data/sample, deps: [data/sample], outs: [build/left]}}
  right: {{cmd: sh step.sh right build/right data/sample, deps: [data/sample], outs: [build/right]}}
  measure:
    meta: {{board: {BOARD}}}
    cmd: sh step.sh measure build/measured data/sample
    deps: [data/sample]
    outs: [build/measured]
  card:
    foreach: ${{graph.variants}}
    do:
      cmd: sh step.sh card {FOLDER} template/{FOLDER}
      deps: [template/models, build/left, build/right, build/measured]
      outs: [{FOLDER}]
"""
STAGES = {"prepare", "left", "right", "measure", "card"}
MADE = ("data", "build", "models", "dvc.lock", "journal", ".dvc/cache")


def fill(project: Project) -> None:
    """Make the project: a real card to publish, and a pipeline that takes some seconds to build it from copies."""
    root = project.root
    for name, text in {"step.sh": STEP, "hold.py": HOLD, "dvc.yaml": PIPELINE, "params.yaml": PARAMS}.items():
        (root / name).write_text(text, encoding="utf-8")
    template = Workspace(root / "template")
    template.root.mkdir()
    shutil.copy(root / "params.yaml", template.root)
    card(template, Story().write(template), VARIANT)
    (root / ".gitignore").write_text("/data\n/models\n/build\n/template\n/journal\n/.edgeloop\n", encoding="utf-8")
    (root / "flows").symlink_to(ROOT / "flows")
    (root / "prefect.yaml").write_bytes((ROOT / "prefect.yaml").read_bytes())
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "First revision")  # on which scheduled runs commit what they build


def processes(mark: str) -> dict[int, str]:
    """The command lines of all live processes that were started, however indirectly, with that mark in their environment."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                # Forks of one program are told apart by the name that they gave themselves.
                name = (folder / "comm").read_text(encoding="utf-8", errors="replace").split()[0]
                if line:
                    found[int(folder.name)] = f"{line} [{name}]" if "flows.forkserver" in line else line
    return found


def others(mark: str) -> dict[int, str]:
    """All but the services, which are to stay."""
    return {pid: line for pid, line in processes(mark).items() if not any(name in line for name in SERVICES)}


@dataclass
class Site:
    """The project, and what an undisturbed run makes of it."""

    project: Project
    mark: str
    lock: Any = None
    files: dict[str, bytes] = field(default_factory=dict)
    card: str = ""

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def server(self) -> Server:
        known = json.loads((self.root / ".edgeloop/services/prefect.json").read_text(encoding="utf-8"))
        return Server(f"{known['address']}/api")

    def services(self, action: str) -> str:
        return self.project.run(sys.executable, "-m", "edgeloop", action)

    def run(self) -> str:
        """`edgeloop run sample all all --publish`, to its end."""
        return self.project.run(*run_command())

    def clear(self, place: str) -> None:
        """Nothing is built, and what is published goes to another place."""
        for name in MADE:
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        params = PARAMS + f'publish: {{to: "s3://edgeloop/{place}", endpoint: local}}\n'
        (self.root / "params.yaml").write_text(params, encoding="utf-8")

    def stages(self) -> Any:
        path = self.root / "dvc.lock"
        return YAML(typ="safe").load(path)["stages"] if path.exists() else {}

    def outputs(self) -> dict[str, bytes]:
        made = [path for name in ("data", "build", "models") for path in (self.root / name).rglob("*") if path.is_file()]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in made if path.name != ".gitignore"}

    def begun(self) -> list[str]:
        path = self.root / "journal"
        return path.read_text(encoding="utf-8").split() if path.exists() else []

    def published(self, place: str) -> str:
        """What a reader of the store finds as the current version of the card."""
        running = local_store(Workspace(self.root)).status()
        assert running is not None
        client = connect(running.address, owner_credentials(Workspace(self.root)), "when_supported")
        latest = json.loads(client.get_object(Bucket="edgeloop", Key=f"{place}/{VARIANT}/latest.json")["Body"].read())
        manifest = client.get_object(Bucket="edgeloop", Key=f"{place}/{VARIANT}/{latest['version']}/manifest.json")["Body"].read()
        for name in json.loads(manifest)["files"]:
            client.head_object(Bucket="edgeloop", Key=f"{place}/{VARIANT}/{latest['version']}/{name}")
        return str(latest["version"])

    def unfinished(self) -> list[str]:
        """Names of flow and task runs that the server takes for running."""
        wanted = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
        flows = self.server.post("/flow_runs/filter", {"flow_runs": wanted})
        return [run["name"] for run in [*flows, *self.server.post("/task_runs/filter", {"task_runs": wanted})]]

    def slots(self) -> int:
        """Slots that runs hold on the server."""
        return int(sum(limit["active_slots"] for limit in self.server.post("/v2/concurrency_limits/filter", {})))

    def start_by_worker(self) -> str:
        deployment = self.server.post("/deployments/filter", {"flows": {"name": {"any_": ["retrain"]}}})
        ident = next(found["id"] for found in deployment if found["name"] == "scheduled")
        run = self.server.post(
            f"/deployments/{ident}/create_flow_run", {"parameters": {"root": str(self.root), "publish": True, "slots": 3}}
        )
        return str(run["id"])


def run_command() -> list[str]:
    return [sys.executable, "-m", "edgeloop", "run", "sample", "all", "all", "--publish", "--slots", "3"]


def kill(mark: str, victim: str, draw: Callable[[list[int]], int], deadline_s: float) -> str | None:
    """Kill -9 one process of that kind, or the first one that appears; None when there was none until the run ended."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        there = processes(mark)
        if pids := sorted(pid for pid, line in there.items() if VICTIMS[victim](line)):
            chosen = draw(pids)
            with suppress(ProcessLookupError):
                os.kill(chosen, signal.SIGKILL)
                return there[chosen]
        if not any(VICTIMS["flow"](line) for line in there.values()):
            return None
        time.sleep(0.01)
    return None


def assert_none_is_left(mark: str, seconds: float, left: Callable[[str], dict[int, str]] = others) -> None:
    deadline = time.monotonic() + seconds
    while found := left(mark):
        assert time.monotonic() < deadline, f"{seconds:.0f} s later still there: {found}"
        time.sleep(0.1)


def assert_the_board_is_free(seconds: float) -> None:
    until(lambda: not occupancy(BOARD).held, seconds)
