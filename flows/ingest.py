"""The flow `ingest`: new images are validated and become a data revision, and what stands on the data is built again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from edgeloop.config import Params, load_params
from edgeloop.errors import EdgeloopError, InputError, StageError
from edgeloop.files import sha256_file, write_text
from edgeloop.ingest.incoming import incoming
from edgeloop.ingest.ingest import Ingested, in_words
from edgeloop.ingest.ingest import ingest as ingest_images
from edgeloop.records import IngestRecord
from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace
from flows.cancel import Cancellable
from flows.execute import run_plan
from flows.pipeline import read_plan
from flows.retrain import retrain
from flows.revision import LOCK_FILE, check_repository, commit, drop_unfinished, lock_is_committed, track
from flows.runs import marked_alive
from flows.schedule import FAILED
from flows.show.progress import slug

LOCK_S = 5.0
UP_TO_DATE = "up to date: nothing new"


def _run_name() -> str:
    return str(flow_run.parameters["dataset"] or "all sources")


@dataclass(frozen=True)
class Wishes:
    """How an ingest is meant."""

    origin: str | None = None
    again: bool = False
    build: bool | None = None
    publish: bool | None = None
    slots: int = 1


@flow(name="ingest", flow_run_name=_run_name, persist_result=False)
def ingest(
    root: str,
    dataset: str | None = None,
    origin: str | None = None,
    again: bool = False,
    build: bool | None = None,
    publish: bool | None = None,
    slots: int | None = None,
) -> list[str] | State[str]:
    """Take new images of `dataset` (default: of every entry of params.yaml's `ingest`) from `origin` (default: as that entry says).

    `again` looks once more at what was quarantined before. `build`: whether to bring the variants that stand on the data
    up to date, `publish`: and to publish their cards (default of both: as the entry says, else yes and no). Returns lines
    that say what was done.

    Raises:
        InputError: no source is known, or git cannot commit here.
        StageError: the data set with the new images is refused by its validation (nothing was changed then), or a stage failed.
    """
    workspace = Workspace(Path(root))
    params, wishes = load_params(workspace), Wishes(origin, again, build, publish, slots or os.cpu_count() or 1)
    with marked_alive(workspace, str(flow_run.id)), Cancellable() as cancelled:
        if dataset is not None:
            return _one(workspace, params, dataset, wishes)
        return _every(workspace, params, wishes)
    return cancelled.state


def _every(workspace: Workspace, params: Params, wishes: Wishes) -> list[str]:
    """All declared sources; one that fails does not stop the others."""
    if not params.ingest:
        raise InputError("params.yaml names no source of new images.", 'Add to `ingest`: DATASET: {from: FOLDER or "s3://BUCKET/PREFIX"}')
    lines: list[str] = []
    failed: list[str] = []
    for name in params.ingest:
        try:
            lines += _one(workspace, params, name, wishes)
        except EdgeloopError as error:
            failed.append(f"{name}: {error}")
    if failed:
        raise StageError(f"{len(failed)} of {len(params.ingest)} ingests failed.\n" + "\n".join(failed))
    return lines


def _one(workspace: Workspace, params: Params, dataset: str, wishes: Wishes) -> list[str]:
    params.dataset(dataset)
    with _alone(workspace, dataset):
        lines = [f"{dataset}: {line}" for line in _take(workspace, params, dataset, wishes)]
        for line in lines:
            get_run_logger().info(line)
        return lines + _build(workspace, params, dataset, wishes)


def _build(workspace: Workspace, params: Params, dataset: str, wishes: Wishes) -> list[str]:
    """Build on a revision that was not built on yet, if that is wanted."""
    declared, pending = params.ingest.get(dataset), _pending(workspace, dataset)
    wanted = wishes.build if wishes.build is not None else declared is None or declared.retrain
    if not (wanted and pending.exists()):
        return []
    publish = wishes.publish if wishes.publish is not None else declared is not None and declared.publish
    variants = touched(params, dataset)
    if variants:
        retrain(str(workspace.root), variants, publish, wishes.slots)
    pending.unlink()
    return [f"{dataset}: {len(variants)} variants brought up to date"]


def _source(params: Params, dataset: str, wishes: Wishes) -> tuple[str, str | None]:
    """Where the new images are, and the S3 endpoint where one is declared."""
    declared = params.ingest.get(dataset)
    if wishes.origin is not None:
        return wishes.origin, declared.endpoint if declared else None
    if declared is None:
        raise InputError(f"No source of new images of {dataset} is known.", f"Give one, or add to `ingest`: {dataset}: {{from: …}}")
    return declared.origin, declared.endpoint


def _take(workspace: Workspace, params: Params, dataset: str, wishes: Wishes) -> list[str]:
    """Everything up to the commit; returns what is to be said."""
    origin, endpoint = _source(params, dataset, wishes)
    check_repository(workspace)
    for name in drop_unfinished(workspace, dataset):
        get_run_logger().warning(f"an earlier ingest did not come to its end: {name} removed")
    was_committed = lock_is_committed(workspace)
    _validated(workspace, dataset, wishes.slots)
    was_committed = was_committed or lock_is_committed(workspace)
    with incoming(workspace, params, origin, endpoint) as source:
        found = ingest_images(workspace, params, dataset, source, again=wishes.again)
    if found is None:
        return [UP_TO_DATE]
    try:
        return _revise(workspace, dataset, found, was_committed, wishes.slots)
    except Exception:
        _take_back(workspace, dataset, wishes.slots)
        raise


def _revise(workspace: Workspace, dataset: str, found: Ingested, was_committed: bool, slots: int) -> list[str]:
    pointers = track(workspace, dataset, found.archives)
    if found.record.archive is not None:
        _validated(workspace, dataset, slots)
    record = found.record.model_copy(update={"revision_after": sha256_file(workspace.dataset(dataset).manifest)})
    path = workspace.ingests(dataset) / f"{record.number:05d}.json"
    record.write(path)
    files = [path, *pointers]
    changed_lock = record.archive is not None and (workspace.root / LOCK_FILE).exists()
    if changed_lock and was_committed:
        files.append(workspace.root / LOCK_FILE)
    if record.archive is not None:
        write_text(_pending(workspace, dataset), record.revision_after + "\n")
    made = commit(workspace, message(record), files)
    lines = [*in_words(record), f"committed as {made[:12]}, data revision {record.revision_after[:12]}"]
    if changed_lock and not was_committed:
        lines.append(f"{LOCK_FILE} held other changes before and was left for you to commit")
    _show(dataset, record, lines)
    return lines


def _validated(workspace: Workspace, dataset: str, slots: int) -> None:
    """Bring the data set and its validation up to date.

    Raises:
        StageError: it is refused, or cannot be built.
    """
    plan = read_plan(workspace.root, [f"validate@{dataset}"])
    failed = [str(row["why"]) for row in run_plan(str(workspace.root), plan, slots) if row["outcome"] == FAILED]
    if failed:
        raise StageError(f"The data set {dataset} cannot be brought up to date.\n" + "\n".join(failed))


def _take_back(workspace: Workspace, dataset: str, slots: int) -> None:
    """Leave the data set as it was: DVC has it in its cache."""
    drop_unfinished(workspace, dataset)
    get_run_logger().warning("nothing was added: the data set is as before")
    try:
        _validated(workspace, dataset, slots)
    except EdgeloopError as error:
        get_run_logger().warning(f"the stages of the data set are built anew with the next run: {error}")


def touched(params: Params, dataset: str) -> list[str]:
    """The variants that are trained on the data set, and those that start from one of these, however many steps away."""
    folders = {name: f"models/{variant.dataset}/{variant.network}-{variant.resolution}/" for name, variant in params.variants.items()}
    found: set[str] = set()
    more = {name for name, variant in params.variants.items() if variant.dataset == dataset}
    while more:
        found |= more
        starts = tuple(folders[name] for name in found)
        more = {name for name, variant in params.variants.items() if variant.start.as_posix().startswith(starts)} - found
    return [name for name in params.variants if name in found]


def message(record: IngestRecord) -> str:
    """Of the commit."""
    count = sum(sum(classes.values()) for classes in record.added.values())
    rejected = len(record.quarantined_files)
    head = f"Data: {count} new images of {record.dataset}" if count else f"Data: {rejected} files for {record.dataset} quarantined"
    details = [f"Ingest {record.number} from {record.source}: {count} added, {record.known} known, {rejected} quarantined."]
    details += [f"{split}: " + ", ".join(f"{label} {n}" for label, n in classes.items()) for split, classes in record.added.items()]
    details += [f"quarantined, {reason}: {n}" for reason, n in record.quarantined.items()]
    details.append(f"Manifest {record.revision_before[:12]} -> {record.revision_after[:12]}")
    return head + "\n\n" + "\n".join(details)


def _show(dataset: str, record: IngestRecord, lines: list[str]) -> None:
    create_markdown_artifact(
        key=slug(f"ingest {dataset}"),
        markdown="\n".join(f"- {line.strip()}" for line in lines),
        description=f"Ingest {record.number} of {dataset}",
    )


def _pending(workspace: Workspace, dataset: str) -> Path:
    """There while a new revision has not been built on: a flow that was killed goes on with it."""
    return workspace.private / "ingest" / f"{dataset}.pending"


@contextmanager
def _alone(workspace: Workspace, dataset: str) -> Iterator[None]:
    """One ingest of a data set at a time.

    Raises:
        StageError: another one runs.
    """
    folder = workspace.private / "ingest"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(folder / f"{dataset}.lock", LOCK_S):
            yield
    except TimeoutError:
        raise StageError(f"Another ingest of {dataset} runs.", "Wait for it to end: edgeloop status") from None
