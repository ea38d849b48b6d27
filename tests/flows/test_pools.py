"""Stages on other machines: Prefect's workers in clones of their own, a real server, and SeaweedFS as the store between them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flows_in_miniature import FOLDER, HANGS_S, PARAMS, VARIANT, Project, environment, until

from edgeloop.graph import refresh
from edgeloop.services import Running, Service
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace
from flows.pools.worker import worker_command

pytestmark = pytest.mark.slow

BENCHMARK = f"benchmark@{VARIANT}-rig"
# Each stage notes where it runs, and waits while the file of its name is there.
# No two spaces stand in a command: where DVC's lock wraps it there, one is lost, and the command has changed.
NOTE = "echo {0} $WHERE >> $NOTES/ran; while test -e $NOTES/hold-{0}; do sleep 0.1; done;"
HALF, ODD = (
    f"test -z $EDGELOOP_EVENTS || echo '{event}' > $EDGELOOP_EVENTS;"
    for event in ('{"kind":"progress","what":"epochs","done":1,"total":2,"text":"1/2"}', '{"kind":"warning","text":"It learned nothing."}')
)
PIPELINE = f"""\
vars: [graph.yaml]
stages:
  prepare:
    cmd: {NOTE.format("prepare")} mkdir -p data/sample && cp input.txt data/sample/prepared
    deps: [input.txt]
    outs: [data/sample/prepared]
  train:
    foreach: ${{graph.variants}}
    do:
      meta: {{slots: 2}}
      cmd: {NOTE.format("train")} {HALF} {ODD} mkdir -p {FOLDER}/train && cat data/sample/prepared input.txt > {FOLDER}/train/model
      deps: [data/sample/prepared, input.txt]
      params: [quantize]
      outs: ["{FOLDER}/train"]
  benchmark:
    foreach: ${{graph.benchmarks}}
    do:
      meta: {{board: "${{item.board}}"}}
      cmd: {NOTE.format("benchmark")} mkdir -p {FOLDER}/benchmarks && wc -c {FOLDER}/train/model > {FOLDER}/benchmarks/${{item.board}}.json
      deps: ["{FOLDER}/train/model"]
      outs: ["{FOLDER}/benchmarks/${{item.board}}.json"]
  card:
    foreach: ${{graph.variants}}
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
            shutil.copy(self.project.root / ".dvc" / "config.local", root / ".dvc" / "config.local")
        return made

    def give_keys(self, project: Project) -> None:
        keys = owner_credentials(Workspace(self.home / "store"))
        for name, value in {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "endpointurl": self.stored.address,
        }.items():
            project.run(sys.executable, "-m", "dvc", "remote", "modify", "--local", "store", name, value)

    def worker(self, name: str, pool: str) -> AbstractContextManager["subprocess.Popen[str]"]:
        """As a user starts one."""
        return self.started(self.host(name), name, pool, [sys.executable, "-m", "edgeloop", "worker", "--pool", pool, "--name", name])

    def container(self, name: str, pool: str) -> AbstractContextManager["subprocess.Popen[str]"]:
        """A worker whose jobs find what they find in a container: keys in their environment, and no checkout."""
        keys, home = owner_credentials(Workspace(self.home / "store")), self.home / name
        home.mkdir()
        env = environment(home) | {"NOTES": str(self.notes), "WHERE": name, "PREFECT_API_URL": self.project.env["PREFECT_API_URL"]}
        env |= {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key, "AWS_ENDPOINT_URL": self.stored.address}
        argv = worker_command(pool, "stages", "process", "--name", name)
        return self.started(Project(home, env), name, pool, argv)

    @contextmanager
    def started(self, host: Project, name: str, pool: str, argv: list[str]) -> Iterator["subprocess.Popen[str]"]:
        with (self.home / f"{name}-{pool}.log").open("w") as log:
            process = subprocess.Popen(argv, cwd=host.root, env=host.env, stdout=log, stderr=log, text=True, start_new_session=True)
        try:
            yield process
        finally:
            self.stop(process)

    def stop(self, worker: "subprocess.Popen[str]") -> None:
        """As Ctrl-C does; once more changes nothing."""
        begun = time.monotonic()
        worker.send_signal(signal.SIGINT)
        worker.wait(timeout=20)
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

    def runs(self) -> list[dict[str, Any]]:
        """The flow runs of stages of this project, the first one first."""
        head = self.project.run("git", "rev-parse", "HEAD").strip()
        found = self.project.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["stage"]}}, "sort": "START_TIME_ASC"})
        return [run for run in found if run["parameters"]["order"]["commit"] == head]

    def job(self) -> int:
        """The process of the newest of them."""
        until(lambda: self.runs()[-1]["infrastructure_pid"] is not None, 30)
        return int(self.runs()[-1]["infrastructure_pid"])

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
    params = PARAMS.replace("resolutions: 96", "resolutions: 96, boards: rig") + POOLS
    for name, text in {"dvc.yaml": PIPELINE, "params.yaml": params, "lab.yaml": LAB}.items():
        (served.root / name).write_text(text, encoding="utf-8")
    refresh(Workspace(served.root))
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


def test_a_stage_goes_to_a_worker_and_its_result_comes_back_by_the_run_cache(site: Site) -> None:
    (site.project.root / "lab.yaml").write_text(LAB.replace(", lab: lab1", ""), encoding="utf-8")
    refresh(Workspace(site.project.root))
    site.commit("The board is on this desk")
    with site.worker("trainer", "train"), site.flow() as flow:
        assert flow.wait(timeout=HANGS_S) == 0, site.said
    assert site.ran == ["prepare here", "train trainer", "benchmark here", "card here"]
    assert "taken over from trainer: ran" in site.said
    assert f"ran  train@{VARIANT}\n            warning: It learned nothing." in site.said
    train = next(run for run in site.runs() if run["name"] == f"train@{VARIANT}")
    assert train["state_type"] == "COMPLETED"
    (parent,) = site.project.ask("/task_runs/filter", {"task_runs": {"id": {"any_": [train["parent_task_run_id"]]}}})
    (flow_run,) = site.project.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [parent["flow_run_id"]]}}})
    assert flow_run["name"] == VARIANT, "it is shown below the run that sent it"
    bars = site.project.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [train["id"]]}, "type": {"any_": ["progress"]}}})
    assert [(bar["data"], bar["description"]) for bar in bars] == [(50.0, "1/2")], "its bar is that of its own run"


@pytest.mark.long
def test_stages_go_to_a_host_and_to_a_container_and_the_lock_is_that_of_a_local_run(site: Site) -> None:
    with site.worker("trainer", "train"), site.container("bench", "bench-lab1"), site.flow() as flow:
        assert flow.wait(timeout=HANGS_S) == 0, site.said
    assert site.ran == ["prepare here", "train trainer", "benchmark bench", "card here"]
    assert "taken over from bench: ran" in site.said
    assert site.lock() == done_here(site)


@pytest.mark.long
def test_a_killed_job_and_a_store_that_is_away_leave_the_lock_of_a_local_run(site: Site) -> None:
    (site.notes / "hold-train").touch()
    with site.worker("trainer", "train"), site.worker("bench", "bench-lab1"), site.flow() as flow:
        until(lambda: "train trainer" in site.ran, HANGS_S)
        os.kill(site.job(), signal.SIGKILL)
        until(lambda: not processes_in(site.host("trainer").root / ".edgeloop" / "clones"), 10)
        until(lambda: site.ran.count("train trainer") == 2, HANGS_S)
        os.kill(site.stored.pid, signal.SIGKILL)
        (site.notes / "hold-train").unlink()
        until(lambda: any("the store does not answer: waiting" in line for line in said_there(site)), HANGS_S)
        time.sleep(AWAY_S)
        site.store.up()
        assert flow.wait(timeout=HANGS_S) == 0, site.said
    assert "Try 1 of 3." in site.said
    assert "4 of 4 stages built" in site.said
    # Nothing that was finished is done twice, here or there.
    assert site.ran == ["prepare here", "train trainer", "train trainer", "benchmark bench", "card here"]
    assert (site.project.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8").startswith("oneone")
    assert site.project.run(sys.executable, "-m", "dvc", "status").strip().endswith("up to date.")
    assert site.lock() == done_here(site)


def said_there(site: Site) -> list[str]:
    """What the newest stage has logged."""
    wanted = {"flow_run_id": {"any_": [site.runs()[-1]["id"]]}}
    return [line["message"] for line in site.project.ask("/logs/filter", {"logs": wanted})]


@pytest.mark.long
def test_the_stage_of_a_host_that_dies_is_done_by_another_one_and_a_job_outlives_its_worker(site: Site) -> None:
    (site.notes / "hold-train").touch()
    with site.worker("first", "train") as first, site.worker("bench", "bench-lab1"), site.flow() as flow:
        until(lambda: "train first" in site.ran, HANGS_S)
        for dead in (first.pid, site.job()):
            os.kill(dead, signal.SIGKILL)
        died = time.monotonic()
        with site.worker("second", "train") as second:
            until(lambda: "train second" in site.ran, 120)
            assert time.monotonic() - died < 120
            os.kill(second.pid, signal.SIGKILL)
            second.wait(timeout=10)
            (site.notes / "hold-train").unlink()
            assert flow.wait(timeout=HANGS_S) == 0, site.said
    assert "Its job has given no sign of life for 40 s. Try 1 of 3." in site.said
    assert site.ran == ["prepare here", "train first", "train second", "benchmark bench", "card here"]
    assert site.lock() == done_here(site)


@contextmanager
def silent_server(site: Site) -> Iterator[None]:
    """Prefect's server takes connections and answers nothing."""
    known = Path(site.project.env["PREFECT_HOME"]).parent / "services" / "prefect.json"
    pid = int(json.loads(known.read_text(encoding="utf-8"))["pid"])
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)


@pytest.mark.long
def test_a_job_that_is_killed_between_its_push_and_its_report_has_not_worked_in_vain(site: Site) -> None:
    (site.notes / "hold-train").touch()
    with site.worker("trainer", "train"), site.worker("bench", "bench-lab1"), site.flow() as flow:
        until(lambda: "train trainer" in site.ran, HANGS_S)
        job, clones = site.job(), site.host("trainer").root / ".edgeloop" / "clones"
        with silent_server(site):
            (site.notes / "hold-train").unlink()
            quiet_since = time.monotonic()
            while time.monotonic() - quiet_since < 3:
                if processes_in(clones):
                    quiet_since = time.monotonic()
                time.sleep(0.1)
            os.kill(job, signal.SIGKILL)
        assert flow.wait(timeout=HANGS_S) == 0, site.said
    assert "Try 1 of 3." in site.said
    assert "taken over from trainer: restored" in site.said
    assert site.ran == ["prepare here", "train trainer", "benchmark bench", "card here"]
    assert site.lock() == done_here(site)


@pytest.mark.long
def test_a_worker_that_is_ended_ends_its_stages_and_a_flow_that_waits_for_one_can_be_ended(site: Site) -> None:
    (site.notes / "hold-train").touch()
    with site.worker("trainer", "train") as worker, site.flow() as flow:
        until(lambda: "train trainer" in site.ran, HANGS_S)
        site.stop(worker)
        until(lambda: not processes_in(site.host("trainer").root / ".edgeloop" / "clones"), 10)
        flow.send_signal(signal.SIGINT)
        assert flow.wait(timeout=30) == 130


@pytest.mark.long
def test_ctrl_c_ends_the_stage_on_its_worker_and_after_a_kill_the_next_run_takes_what_it_made(site: Site) -> None:
    (site.notes / "hold-train").touch()
    with site.worker("trainer", "train") as worker, site.worker("bench", "bench-lab1"):
        clones = site.host("trainer").root / ".edgeloop" / "clones"
        with site.flow() as flow:
            until(lambda: "train trainer" in site.ran, HANGS_S)
            assert processes_in(clones)
            flow.send_signal(signal.SIGINT)
            until(lambda: not processes_in(clones), 10)
            flow.wait(timeout=30)
        assert flow.returncode == 130
        assert worker.poll() is None
        until(lambda: site.runs()[0]["state_type"] == "CANCELLED", 20)
        with site.flow() as flow:
            until(lambda: site.ran.count("train trainer") == 2, HANGS_S)
            flow.kill()
            flow.wait(timeout=10)
        with site.flow() as flow:
            until(lambda: "on trainer (flow run" in site.said, HANGS_S)
            (site.notes / "hold-train").unlink()
            assert flow.wait(timeout=HANGS_S) == 0, site.said
    assert len([run for run in site.runs() if run["name"].startswith("train")]) == 2, "the third run found what the second had sent"
    assert site.ran == ["prepare here", "train trainer", "train trainer", "benchmark bench", "card here"]


@pytest.mark.long
def test_what_is_not_committed_is_not_sent(site: Site) -> None:
    (site.project.root / "input.txt").write_text("two", encoding="utf-8")
    said = site.project.retrain(ok=False)
    assert "this workspace has changes: input.txt" in said
    assert "Commit and push them" in said
    site.project.run("git", "commit", "--quiet", "--all", "--message", "Two")
    with site.worker("trainer", "train"):
        assert "lacks the commit" in site.project.retrain(ok=False)


@pytest.mark.thorough
def test_a_worker_says_what_it_lacks(site: Site) -> None:
    host = site.host("lonely")

    def start(**env: str) -> str:
        return Project(host.root, host.env | env).run(sys.executable, "-m", "edgeloop", "worker", "--pool", "train", ok=False)

    assert "Prefect's server http://127.0.0.1:9/api does not answer" in start(PREFECT_API_URL="http://127.0.0.1:9/api")
    (host.root / ".dvc" / "config.local").unlink()
    said = start(AWS_EC2_METADATA_DISABLED="true")
    assert "The store (DVC remote) cannot be used" in said
    (host.root / ".dvc" / "config").write_text("", encoding="utf-8")
    assert "This project has no DVC remote" in start()
    host.run("git", "remote", "remove", "origin")
    assert "has no git remote `origin`" in start()
