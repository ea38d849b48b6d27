"""The flow `ingest` with real DVC, git and Prefect: a revision is committed, what stands on it is built, and a kill adds nothing twice."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flows_in_miniature import FOLDER, PARAMS, ROOT, Project, sleepers, small_project, until
from PIL import Image

from edgeloop.config import load_params
from edgeloop.datasets.manifest import read_manifest
from edgeloop.records import IngestRecord
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.s3 import connect
from edgeloop.workspace import Workspace

pytestmark = pytest.mark.slow

MOMENTS = ["additions/sample/*.dvc", "data/sample/.images.*", "models/sample"]
"""Files that show how far an ingest has come when it is killed."""

# The stages of data are those of this checkout's dvc.yaml; what is trained on them is a shell command.
STANDS_ON_DATA = f"""
  train:
    cmd: mkdir -p {FOLDER}/card && cat data/sample/accepted.json > {FOLDER}/card/README.md
    deps: [data/sample/images, data/sample/accepted.json]
    outs: ["{FOLDER}/card"]
  card:
    foreach: ${{variants}}
    do:
      cmd: cp {FOLDER}/card/README.md {FOLDER}/carded
      deps: ["{FOLDER}/card"]
      outs: ["{FOLDER}/carded"]
"""


def jpeg(seed: int) -> bytes:
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(patches).resize((64, 48), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def first_revision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 60 pictures, prepared, validated and committed; made once, and copied for each test."""
    home = tmp_path_factory.mktemp("first revision")
    made = small_project(home)
    pictures = {f"{label}/{n}.jpg": jpeg(1000 * which + n) for which, label in enumerate(("cat", "dog")) for n in range(30)}
    fill(made.root / "first", pictures)
    (made.root / "params.yaml").write_text(PARAMS.replace("{drawn: {}}", "{folder: first}"), encoding="utf-8")
    data_stages = (ROOT / "dvc.yaml").read_text(encoding="utf-8").split("\n  train:\n")[0]
    (made.root / "dvc.yaml").write_text(data_stages + STANDS_ON_DATA, encoding="utf-8")
    (made.root / ".gitignore").write_text("/data/*/\n/models/*/\n/.edgeloop/\n/first/\n", encoding="utf-8")
    made.run(sys.executable, "-m", "dvc", "repro", "validate@sample", timeout=200)
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "First revision")
    return made.root


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
    made.run(sys.executable, "-m", "flows.services", "down", timeout=400)


def grown(project: Project, revision: Path) -> Project:
    shutil.rmtree(project.root)
    shutil.copytree(revision, project.root, symlinks=True)
    return project


def ingest(project: Project, *arguments: str, ok: bool = True) -> str:
    return project.run(sys.executable, "-m", "edgeloop", "ingest", "sample", *arguments, ok=ok, timeout=200)


def splits(project: Project) -> dict[str, str | None]:
    manifest = read_manifest(Workspace(project.root).dataset("sample").manifest)
    return dict(zip(manifest["path"], manifest["split"], strict=True))


def commits(project: Project) -> list[str]:
    return project.run("git", "log", "--format=%s").splitlines()


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
    assert "1 variants brought up to date" in said
    assert (growing.root / FOLDER / "carded").exists()
    assert commits(growing) == ["Data: 5 new images of sample", "First revision"]
    shown = growing.run("git", "show", "--name-only", "--format=", "HEAD").split()
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
    assert len(commits(growing)) == 2


def test_a_declared_source_is_taken_without_a_word_and_a_bad_one_does_not_stop_it(growing: Project, tmp_path: Path) -> None:
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)})
    params = growing.root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    sample = text[text.index("  sample:") : text.index("variants:")]
    text = text.replace("variants:", sample.replace("  sample:", "  absent:") + "variants:", 1)
    params.write_text(f"{text}ingest:\n  absent: {{from: not/there}}\n  sample: {{from: {folder}, retrain: false}}\n", encoding="utf-8")
    call = f"from flows.ingest import ingest; ingest({str(growing.root)!r})"
    said = growing.run(sys.executable, "-c", call, ok=False, timeout=200)
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
        said = installed.run(sys.executable, "-m", "flows.services", "up", timeout=400)
        assert "by themselves run: ingest (* * * * * UTC)" in said
        until(lambda: (installed.root / FOLDER / "carded").exists(), 240)
    finally:
        params.write_text(params.read_text(encoding="utf-8").replace('"* * * * *"', '"off"'), encoding="utf-8")
        installed.run(sys.executable, "-m", "flows.services", "up", timeout=400)
    assert commits(installed) == ["Data: 3 new images of sample", "First revision"]
    record = IngestRecord.read(installed.root / "additions" / "sample" / "00001.json")
    assert (record.source, sum(record.quarantined.values())) == ("s3://cameras/north", 1)
    after = splits(installed)
    assert {path: after[path] for path in before} == before
    assert len(after) == 63
    nothing = ingest(installed)
    assert "up to date: nothing new" in nothing
    (took_s,) = re.findall(r"^done in (\d+) s$", nothing, re.MULTILINE)
    assert int(took_s) <= 30
    assert len(commits(installed)) == 2


def test_touched_are_the_variants_of_the_data_set_and_those_that_start_from_one() -> None:
    from flows.ingest import touched

    params = load_params(Workspace(ROOT))
    assert set(touched(params, "flowers")) == {name for name in params.variants if name.startswith("flowers-")}
    assert set(touched(params, "food")) == {name for name in params.variants if name.startswith("food-")} | {
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


def test_an_ingest_that_is_cancelled_while_it_builds_is_built_on_by_the_next(growing: Project, tmp_path: Path) -> None:
    pipeline = growing.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    pipeline.write_text(
        text.replace(f"cmd: mkdir -p {FOLDER}/card &&", f"cmd: touch begun; sleep 987.1; mkdir -p {FOLDER}/card &&"), encoding="utf-8"
    )
    folder = fill(tmp_path / "incoming", {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(3)})
    argv = [sys.executable, "-m", "flows.take", "sample", str(folder)]
    taking = subprocess.Popen(argv, cwd=growing.root, env=growing.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: (growing.root / "begun").exists(), 120)
    newest = {"sort": "START_TIME_DESC", "limit": 2}
    built, run = growing.ask("/flow_runs/filter", newest)
    growing.ask(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    until(lambda: not sleepers(growing.root), 10)
    assert "the same command begins again" in taking.communicate(timeout=30)[1]
    assert taking.returncode == 130
    ended = {one["id"]: one["state_type"] for one in growing.ask("/flow_runs/filter", newest)}
    assert ended == {run["id"]: "CANCELLED", built["id"]: "CANCELLED"}
    pipeline.write_text(text, encoding="utf-8")
    said = ingest(growing, str(folder))
    assert "up to date: nothing new" in said
    assert "1 variants brought up to date" in said
    assert commits(growing) == ["Data: 3 new images of sample", "First revision"]


@pytest.mark.long
@pytest.mark.parametrize("marker", MOMENTS)
def test_a_killed_ingest_is_repeated_without_adding_twice(growing: Project, tmp_path: Path, marker: str) -> None:
    before = splits(growing)
    folder = fill(tmp_path / "incoming", {f"dog/new {n}.jpg": jpeg(5000 + n) for n in range(40)})
    argv = [sys.executable, "-m", "flows.take", "sample", str(folder)]
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
    assert commits(growing) == ["Data: 40 new images of sample", "First revision"]
    assert (growing.root / FOLDER / "carded").exists()
    assert "up to date: nothing new" in ingest(growing, str(folder))
