"""Stages on other machines: two workers in clones of their own, a real Prefect server, and SeaweedFS as the store between them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flows_in_miniature import FOLDER, PARAMS, VARIANT, Project, environment, until

from edgeloop.services import Running, Service
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace

pytestmark = pytest.mark.slow

BENCHMARK = f"benchmark@{VARIANT}-rig"
# Each stage notes where it runs, and waits while the file of its name is there.
NOTE = "echo {0} $WHERE >> $NOTES/ran; while test -e $NOTES/hold-{0}; do sleep 0.1; done; "
PIPELINE = f"""\
stages:
  prepare:
    cmd: {NOTE.format("prepare")} mkdir -p data/sample && cp input.txt data/sample/prepared
    deps: [input.txt]
    outs: [data/sample/prepared]
  train:
    foreach: ${{variants}}
    do:
      meta: {{slots: 2}}
      cmd: {NOTE.format("train")} mkdir -p {FOLDER}/train && cat data/sample/prepared input.txt > {FOLDER}/train/model
      deps: [data/sample/prepared, input.txt]
      params: [quantize]
      outs: ["{FOLDER}/train"]
  benchmark:
    foreach: ${{benchmarks}}
    do:
      meta: {{board: "${{item.board}}"}}
      cmd: {NOTE.format("benchmark")} mkdir -p {FOLDER}/benchmarks && wc -c {FOLDER}/train/model > {FOLDER}/benchmarks/${{item.board}}.json
      deps: ["{FOLDER}/train/model"]
      outs: ["{FOLDER}/benchmarks/${{item.board}}.json"]
  card:
    foreach: ${{variants}}
    do:
      cmd: {NOTE.format("card")} mkdir -p {FOLDER}/card && cat {FOLDER}/train/model {FOLDER}/benchmarks/rig.json > {FOLDER}/card/README.md
      deps: ["{FOLDER}/train", "{FOLDER}/benchmarks"]
      outs: ["{FOLDER}/card"]
"""
LAB = "boards:\n  rig: {kind: virtual-h7, lab: lab1}\n"
AWAY_S = float(os.environ.get("EDGELOOP_STORE_AWAY", "2"))
POOLS = "pools: {train: [train]}\n"


@dataclass
class Site:
    """A project with a remote repository and a store, and hosts that work for it."""

    project: Project
    home: Path
    store: Service
    stored: Running

    @property
    def notes(self) -> Path:
        return self.home / "notes"

    @property
    def ran(self) -> list[str]:
        path = self.notes / "ran"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @property
    def flow_log(self) -> Path:
        return self.home / "flow.log"

    @property
    def said(self) -> str:
        """What the last flow has said so far."""
        return self.flow_log.read_text(encoding="utf-8")

    def host(self, name: str) -> Project:
        """A machine of its own: another clone, cache and home."""
        root, home = self.home / name / "a clone", self.home / name
        home.mkdir(exist_ok=True)
        env = environment(home) | {name: value for name, value in self.project.env.items() if name.startswith("EDGELOOP_")}
        env |= {"NOTES": str(self.notes), "WHERE": name, "PREFECT_HOME": str(home / "prefect")}
        env |= {"PREFECT_API_URL": self.project.env["PREFECT_API_URL"]}
        made = Project(root, env)
        if not root.exists():
            self.project.run("git", "clone", "--quiet", str(self.home / "origin.git"), str(root))
            self.give_keys(made)
        return made

    def give_keys(self, project: Project) -> None:
        keys = owner_credentials(Workspace(self.home / "store"))
        for name, value in {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "endpointurl": self.stored.address,
        }.items():
            project.run(sys.executable, "-m", "dvc", "remote", "modify", "--local", "store", name, value)

    @contextmanager
    def worker(self, name: str, pool: str) -> Iterator["subprocess.Popen[str]"]:
        host = self.host(name)
        argv = [sys.executable, "-m", "edgeloop", "worker", "--pool", pool, "--name", name]
        with (self.home / f"{name}-{pool}.log").open("w") as log:
            process = subprocess.Popen(argv, cwd=host.root, env=host.env, stdout=log, stderr=log, text=True, start_new_session=True)
        try:
            yield process
        finally:
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            assert time.monotonic() - begun < 12

    @contextmanager
    def flow(self) -> Iterator["subprocess.Popen[str]"]:
        argv = [sys.executable, "-m", "edgeloop", "run", "sample", "all", "all"]
        with self.flow_log.open("w") as log:
            process = subprocess.Popen(argv, cwd=self.project.root, env=self.project.env, stdout=log, stderr=log, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)

    def commit(self, message: str) -> None:
        self.project.run("git", "add", "--all")
        self.project.run("git", "commit", "--quiet", "--message", message)
        self.project.run("git", "push", "--quiet", "origin", "HEAD:refs/heads/main")

    def lock(self) -> bytes:
        return (self.project.root / "dvc.lock").read_bytes()


@pytest.fixture
def site(served: Project, tmp_path: Path) -> Iterator[Site]:
    store = local_store(Workspace(tmp_path / "store"))
    stored = store.up()
    env = {"NOTES": str(tmp_path / "notes"), "WHERE": "here", "EDGELOOP_LEASE_S": "40"}
    made = Site(Project(served.root, served.env | env), tmp_path, replace(store, ports=stored.ports), stored)
    connect(stored.address, owner_credentials(Workspace(tmp_path / "store")), "when_supported").create_bucket(Bucket="edgeloop")
    made.notes.mkdir()
    params = PARAMS.replace("board: host", "board: rig").replace(f"{VARIANT}-host", f"{VARIANT}-rig") + POOLS
    for name, text in {"dvc.yaml": PIPELINE, "params.yaml": params, "lab.yaml": LAB}.items():
        (served.root / name).write_text(text, encoding="utf-8")
    (served.root / ".gitignore").write_text("/data\n/models\n/.edgeloop/\n", encoding="utf-8")
    made.project.run(sys.executable, "-m", "dvc", "remote", "add", "--default", "store", "s3://edgeloop/dvc")
    made.project.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    made.project.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    made.commit("All")
    made.give_keys(made.project)
    yield made
    made.store.down()


def done_here(site: Site) -> bytes:
    """dvc.lock of another clone where everything ran on this machine."""
    alone = site.host("alone")
    alone.run(sys.executable, "-m", "dvc", "repro")
    return (alone.root / "dvc.lock").read_bytes()


def processes_in(folder: Path) -> list[str]:
    """What runs in a folder or below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder) and (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


def test_stages_go_to_prefects_workers_and_their_results_come_back_by_the_run_cache(site: Site) -> None:
    with site.worker("trainer", "train"), site.worker("bench", "bench-lab1"), site.flow() as flow:
        assert flow.wait(timeout=180) == 0, site.said
    assert site.ran == ["prepare here", "train trainer", "benchmark bench", "card here"]
    assert f"taken over from trainer: ran" in site.said
    assert site.lock() == done_here(site)
