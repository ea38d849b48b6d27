"""The flow `ingest` with real DVC, git and Prefect: a revision is committed, what stands on it is built, and a kill adds nothing twice."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from datasets_in_miniature import fill, jpeg
from flows_in_miniature import FOLDER, ROOT, Project, environment, first_data_revision, sleepers, until
from once import Once

from edgeloop.config import load_params
from edgeloop.datasets.manifest import read_manifest
from edgeloop.records import IngestRecord
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace

pytestmark = pytest.mark.slow

MODELS = "Models: what stands on the new images of sample"
MOMENTS = ["additions/sample/*.dvc", "data/sample/.images.*", "models/sample"]
"""Files that show how far an ingest has come when it is killed."""

# The stages of data are those of this checkout's dvc.yaml; what is trained on them is a shell command.
STANDS_ON_DATA = f"""
  train:
    cmd: >-
      echo train >> "$HOME/ran"; test ! -e hold || {{ touch begun; sleep 987.1; }}; test ! -e broken || exit 1;
      mkdir -p {FOLDER}/card && cat data/sample/accepted.json > {FOLDER}/card/README.md
    deps: [data/sample/images, data/sample/accepted.json]
    outs: ["{FOLDER}/card"]
  card:
    foreach: [sample-fdmobilenet_0.25-96]
    do:
      cmd: cp {FOLDER}/card/README.md {FOLDER}/carded
      deps: ["{FOLDER}/card"]
      outs: ["{FOLDER}/carded"]
"""


@pytest.fixture(scope="session")
def first_revision(tmp_path_factory: pytest.TempPathFactory, once: Once) -> Path:
    """A data set of 60 pictures, prepared, validated and committed; made once, and copied for each test."""
    return first_data_revision(once, tmp_path_factory.mktemp("first revision"), STANDS_ON_DATA, "/hold\n/begun\n/broken\n")


@pytest.fixture
def growing(served: Project, first_revision: Path) -> Project:
    """A project at that revision."""
    return grown(served, first_revision)


@pytest.fixture
def installed(project: Project, first_revision: Path) -> Iterator[Project]:
    """The same with services of its own: store, server and worker; they are stopped at the end."""
    made = grown(project, first_revision)
    (made.root / "flows").symlink_to(ROOT / "flows")
    (made.root / "prefect.yaml").write_bytes((ROOT / "prefect.yaml").read_bytes())
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--amend", "--no-edit")
    yield made
    made.run(sys.executable, "-m", "edgeloop", "down")


def grown(project: Project, revision: Path) -> Project:
    shutil.rmtree(project.root)
    shutil.copytree(revision, project.root, symlinks=True)
    return project


def ingest(project: Project, *arguments: str, ok: bool = True) -> str:
    return project.run(sys.executable, "-m", "edgeloop", "ingest", "sample", *arguments, ok=ok)


def splits(project: Project) -> dict[str, str | None]:
    manifest = read_manifest(Workspace(project.root).dataset("sample").manifest)
    return dict(zip(manifest["path"], manifest["split"], strict=True))


def commits(project: Project) -> list[str]:
    return project.run("git", "log", "--format=%s").splitlines()


@pytest.mark.thorough
def test_new_images_become_a_committed_revision_and_a_clone_reproduces_it(growing: Project, tmp_path: Path) -> None:
    before = splits(growing)
    new = {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(5)} | {"dog/torn.jpg": jpeg(6000)[:500]}
    folder = fill(tmp_path / "incoming", new)
    (growing.root / "note.txt").write_text("mine", encoding="utf-8")
    (growing.root / "input.txt").write_text("changed", encoding="utf-8")
    growing.run("git", "add", "note.txt")
    said = ingest(growing, str(folder))
    assert "5 images added" in said
    assert "quarantined: dog/torn.jpg: does not decode" in said
    assert "1 variant brought up to date" in said
    assert (growing.root / FOLDER / "carded").exists()
    assert commits(growing) == [MODELS, "Data: 5 new images of sample", "First revision"]
    assert growing.run("git", "show", "--name-only", "--format=", "HEAD").split() == ["dvc.lock"]
    shown = growing.run("git", "show", "--name-only", "--format=", "HEAD^").split()
    assert [name for name in shown if not name.startswith("additions/sample/00001")] == ["dvc.lock"]
    status = growing.run("git", "status", "--porcelain").splitlines()
    assert {"A  note.txt", " M input.txt"} <= set(status)
    after = splits(growing)
    assert {path: after[path] for path in before} == before
    assert len(after) == 65
    record = IngestRecord.read(growing.root / "additions" / "sample" / "00001.json")
    assert record.revision_before != record.revision_after
    assert sorted(path.name for path in folder.rglob("*.jpg")) == sorted(Path(name).name for name in new)
    _clone_reproduces(growing, tmp_path / "clone", record)
    begun = time.monotonic()
    assert "up to date: nothing new" in ingest(growing, str(folder))
    assert time.monotonic() - begun < 60
    assert len(commits(growing)) == 3


@pytest.mark.long
def test_a_declared_source_is_taken_without_a_word_and_a_bad_one_does_not_stop_it(growing: Project, tmp_path: Path) -> None:
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)})
    params = growing.root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    absent = "  absent:\n    source: {folder: first}\n"
    text = text.replace("variants:\n", f"{absent}variants:\n  absent: {{networks: fdmobilenet_0.25, resolutions: 96}}\n", 1)
    text = text.replace("build: [sample]", "build: [sample, absent]")
    params.write_text(f"{text}ingest:\n  absent: {{from: not/there}}\n  sample: {{from: {folder}, retrain: false}}\n", encoding="utf-8")
    call = f"from flows.ingest import ingest; ingest({str(growing.root)!r})"
    said = growing.run(sys.executable, "-c", call, ok=False)
    assert "1 of 2 ingests failed" in said
    assert "not/there is not a folder" in said
    assert commits(growing) == ["Data: 3 new images of sample", "First revision"]
    assert not (growing.root / FOLDER / "carded").exists()


@pytest.mark.long
def test_a_scheduled_ingest_takes_what_lies_in_a_bucket_and_then_nothing(installed: Project) -> None:
    before, workspace = splits(installed), Workspace(installed.root)
    try:
        client = connect(local_store(workspace).up().address, owner_credentials(workspace), "when_supported")
        client.create_bucket(Bucket="cameras")
        for name, content in {**{f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)}, "dog/torn.jpg": jpeg(6000)[:500]}.items():
            client.put_object(Bucket="cameras", Key=f"north/{name}", Body=content)
        params = installed.root / "params.yaml"
        declared = """ingest:\n  sample: {from: "s3://cameras/north", endpoint: local}\nschedules:\n  ingest: "* * * * *"\n"""
        params.write_text(params.read_text(encoding="utf-8") + declared, encoding="utf-8")
        installed.run("git", "commit", "--quiet", "--all", "--amend", "--no-edit")
        said = installed.run(sys.executable, "-m", "edgeloop", "up")
        assert "by themselves run: ingest (* * * * * UTC)" in said
        until(lambda: commits(installed) == [MODELS, "Data: 3 new images of sample", "First revision"], 240)
    finally:
        params.write_text(params.read_text(encoding="utf-8").replace('"* * * * *"', '"off"'), encoding="utf-8")
        installed.run(sys.executable, "-m", "edgeloop", "up")
    record = IngestRecord.read(installed.root / "additions" / "sample" / "00001.json")
    assert (record.source, sum(record.quarantined.values())) == ("s3://cameras/north", 1)
    after = splits(installed)
    assert {path: after[path] for path in before} == before
    assert len(after) == 63
    nothing = ingest(installed)
    assert "up to date: nothing new" in nothing
    (took_s,) = re.findall(r"^done in (\d+) s$", nothing, re.MULTILINE)
    assert int(took_s) <= 30
    assert len(commits(installed)) == 3


def test_touched_are_the_variants_of_the_data_set_and_those_that_start_from_one() -> None:
    params = load_params(Workspace(ROOT)).model_copy(update={"build": ("all",)})
    assert set(params.standing_on("flowers")) == {name for name in params.variants if name.startswith("flowers-")}
    assert set(params.standing_on("food")) == {name for name in params.variants if name.startswith("food-")} | {
        name for name, variant in params.variants.items() if variant.start.as_posix().startswith("models/food/")
    }


def _clone_reproduces(project: Project, clone: Path, record: IngestRecord) -> None:
    """`dvc repro` of a clone makes the same manifest from the archives, without what was prepared."""
    project.run("git", "clone", "--quiet", str(project.root), str(clone))
    cloned = Project(clone, project.env)
    (clone / "first").symlink_to(project.root / "first")
    assert "missing data" in cloned.run(sys.executable, "-m", "dvc", "repro", "prepare@sample", ok=False)
    cloned.run(
        sys.executable, "-m", "dvc", "remote", "add", "--local", "-d", "other", str(project.root / ".dvc" / "cache" / "files" / "..")
    )
    pointers = [path.relative_to(clone).as_posix() for path in (clone / "additions" / "sample").glob("*.dvc")]
    cloned.run(sys.executable, "-m", "dvc", "pull", *pointers)
    assert "Running stage 'prepare@sample'" in cloned.run(sys.executable, "-m", "dvc", "repro", "prepare@sample")
    assert record.revision_after == IngestRecord.read(clone / "additions" / "sample" / "00001.json").revision_after
    assert splits(cloned) == splits(project)


@pytest.mark.long
def test_what_validation_refuses_changes_nothing(growing: Project, tmp_path: Path) -> None:
    before, params = splits(growing), growing.root / "params.yaml"
    strict = params.read_text(encoding="utf-8").replace("validate: {}", "validate: {rules: {image_count: {at_most: 62}}}")
    params.write_text(strict, encoding="utf-8")
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(5)})
    assert "image_count" in ingest(growing, str(folder), ok=False)
    assert splits(growing) == before
    assert commits(growing) == ["First revision"]
    assert not list((growing.root / "additions").rglob("*.*"))
    assert [path.name for path in (growing.root / "data" / "sample" / "additions").iterdir()] == ["00000.json"]
    assert "up to date" in growing.run(sys.executable, "-m", "dvc", "status", "prepare@sample")


@pytest.mark.long
def test_an_ingest_that_is_cancelled_while_it_builds_is_built_on_by_the_next(growing: Project, tmp_path: Path) -> None:
    (growing.root / "hold").touch()
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)})
    argv = [sys.executable, "-m", "edgeloop", "ingest", "sample", str(folder)]
    taking = subprocess.Popen(argv, cwd=growing.root, env=growing.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: (growing.root / "begun").exists(), 120)
    built, run = growing.flow_runs()
    growing.ask(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    until(lambda: not sleepers(growing.root), 10)
    assert "the same command begins again" in taking.communicate(timeout=30)[1]
    assert taking.returncode == 130
    ended = {one["id"]: one["state_type"] for one in growing.flow_runs()}
    assert ended == {run["id"]: "CANCELLED", built["id"]: "CANCELLED"}
    (growing.root / "hold").unlink()
    said = ingest(growing, str(folder))
    assert "up to date: nothing new" in said
    assert "1 variant brought up to date" in said
    assert commits(growing) == [MODELS, "Data: 3 new images of sample", "First revision"]


@pytest.mark.long
def test_what_was_finished_before_a_stage_failed_is_committed_and_the_next_goes_on(growing: Project, tmp_path: Path) -> None:
    pipeline = growing.root / "dvc.yaml"
    pipeline.write_text(pipeline.read_text(encoding="utf-8").replace("cmd: cp", "cmd: test ! -e broken && cp"), encoding="utf-8")
    pipeline.write_text(pipeline.read_text(encoding="utf-8").replace("test ! -e broken || exit 1;", ""), encoding="utf-8")
    growing.run("git", "commit", "--quiet", "--all", "--amend", "--no-edit")
    (growing.root / "broken").touch()
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)})
    assert "card@sample-fdmobilenet_0.25-96 failed" in ingest(growing, str(folder), ok=False)
    assert commits(growing) == [MODELS, "Data: 3 new images of sample", "First revision"]
    assert "\n  train:" in growing.run("git", "show", "HEAD:dvc.lock")
    (growing.root / "broken").unlink()
    assert "1 variant brought up to date" in ingest(growing, str(folder))
    assert commits(growing)[:2] == [MODELS, MODELS]
    assert not growing.run("git", "status", "--porcelain", "dvc.lock")


@pytest.mark.long
def test_changes_that_are_not_the_ingests_are_not_committed(growing: Project, tmp_path: Path) -> None:
    params = growing.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8") + "# tried out\n", encoding="utf-8")
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)})
    said = ingest(growing, str(folder))
    assert "dvc.lock was left for you to commit: params.yaml had changes of its own before" in said
    assert commits(growing) == ["Data: 3 new images of sample", "First revision"]
    assert "\n  train:" not in growing.run("git", "show", "HEAD:dvc.lock")
    assert {" M dvc.lock", " M params.yaml"} <= set(growing.run("git", "status", "--porcelain").splitlines())


@pytest.mark.long
def test_what_is_pushed_is_built_by_a_worker_elsewhere_and_is_there_for_every_clone(growing: Project, tmp_path: Path) -> None:
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(5)})
    params = growing.root / "params.yaml"
    declared = f"ingest:\n  sample: {{from: {folder}, push: true}}\npools: {{train: [train]}}\n"
    params.write_text(params.read_text(encoding="utf-8") + declared, encoding="utf-8")
    growing.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    growing.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    growing.run(sys.executable, "-m", "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    growing.run("git", "commit", "--quiet", "--all", "--amend", "--no-edit")
    assert "this branch has no upstream" in ingest(growing, ok=False)
    assert commits(growing) == ["First revision"]
    growing.run("git", "push", "--quiet", "--set-upstream", "origin", "HEAD:main")
    here, elsewhere = Path(growing.env["HOME"]) / "ran", tmp_path / "elsewhere" / "ran"
    assert not here.exists()
    with _worker(growing, elsewhere.parent):
        said = ingest(growing)
    assert said.count("sample: pushed") == 2
    assert (elsewhere.read_text(encoding="utf-8"), here.exists()) == ("train\n", False)
    growing.run("git", "fetch", "--quiet")
    assert growing.run("git", "rev-parse", "HEAD") == growing.run("git", "rev-parse", "origin/main")
    clone = Project(tmp_path / "clone", growing.env)
    growing.run("git", "clone", "--quiet", str(tmp_path / "origin.git"), str(clone.root))
    clone.run(sys.executable, "-m", "dvc", "pull")
    assert (clone.root / FOLDER / "carded").read_bytes() == (growing.root / FOLDER / "carded").read_bytes()
    assert splits(clone) == splits(growing)
    _another_commit(clone)
    fill(folder, {"dog/newer.jpg": jpeg(7000)})
    refused = ingest(growing, ok=False)
    assert "git pull --rebase; then ingest again" in refused
    growing.run("git", "pull", "--quiet", "--rebase")
    with _worker(growing, elsewhere.parent):
        assert "up to date: nothing new" in ingest(growing)
    assert commits(growing)[:3] == [MODELS, "Data: 1 new image of sample", "Of a colleague"]


@contextmanager
def _worker(project: Project, home: Path) -> Iterator[None]:
    """A worker of the pool `train` in a clone of its own, as on another machine."""
    home.mkdir(exist_ok=True)
    host = Project(home / "a clone", environment(home) | {"PREFECT_API_URL": project.env["PREFECT_API_URL"]})
    if not host.root.exists():
        project.run("git", "clone", "--quiet", str(home.parent / "origin.git"), str(host.root))
    argv = [sys.executable, "-m", "edgeloop", "worker", "--pool", "train"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(argv, cwd=host.root, env=host.env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def _another_commit(clone: Project) -> None:
    (clone.root / "colleague.txt").write_text("hello", encoding="utf-8")
    clone.run("git", "add", "colleague.txt")
    clone.run("git", "commit", "--quiet", "--message", "Of a colleague")
    clone.run("git", "push", "--quiet")


@pytest.mark.long
@pytest.mark.parametrize("marker", MOMENTS)
def test_a_killed_ingest_is_repeated_without_adding_twice(growing: Project, tmp_path: Path, marker: str) -> None:
    before = splits(growing)
    folder = fill(tmp_path / "incoming", {f"dog/new {n}.jpg": jpeg(5000 + n) for n in range(40)})
    argv = [sys.executable, "-m", "edgeloop", "ingest", "sample", str(folder)]
    process = subprocess.Popen(argv, cwd=growing.root, env=growing.env, stdin=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(growing.root.glob(marker)) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.poll() is None, "it was done before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    time.sleep(6)  # what the supervisors need to end the stages
    ingest(growing, str(folder))
    after = splits(growing)
    assert {path: after[path] for path in before} == before
    assert len(after) == 100
    assert commits(growing) == [MODELS, "Data: 40 new images of sample", "First revision"]
    assert (growing.root / FOLDER / "carded").exists()
    assert "up to date: nothing new" in ingest(growing, str(folder))
