"""The flow `ingest`: new images are validated and become a data revision, and what stands on the data is built again."""

from collections.abc import Callable, Mapping
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from edgeloop.config import Ingest, Params, load_params
from edgeloop.cpus import usable_cpus
from edgeloop.errors import EdgeloopError, InputError, StageError
from edgeloop.files import sha256_file, write_text
from edgeloop.ingest.incoming import incoming
from edgeloop.ingest.ingest import Ingested, NothingNew, in_words
from edgeloop.ingest.ingest import ingest as ingest_images
from edgeloop.lockfile import LOCK_FILE
from edgeloop.plural import many
from edgeloop.records import IngestRecord
from edgeloop.workspace import Workspace
from flows.cancel import Cancellable
from flows.execute import run_plan
from flows.pipeline import read_plan
from flows.retrain import retrain
from flows.revise import Revising, alone
from flows.revision import changed_stages, check_repository, commit, derived, is_pushed, left_to_you, push, uncommitted
from flows.runs import marked_alive
from flows.schedule import FAILED
from flows.show.progress import slug
from flows.supervisor import is_ending

PENDING = ".pending"
OURS = "dvc.lock was committed"
"""Ends such a file where only an ingest has changed dvc.lock since the last commit."""
UP_TO_DATE = "up to date: nothing new"


def _run_name() -> str:
    return str(flow_run.parameters["dataset"] or "all sources")


@flow(name="ingest", flow_run_name=_run_name, persist_result=False)
def ingest(
    root: str,
    dataset: str | None = None,
    origin: str | None = None,
    again: bool = False,
    build: bool | None = None,
    publish: bool | None = None,
    push: bool | None = None,
    slots: int | None = None,
) -> list[str] | State[str]:
    """Take new images of `dataset` (default: of every entry of params.yaml's `ingest`) from `origin` (default: as that entry says).

    `again` looks once more at what was quarantined before. `build`: whether to bring the variants that stand on the data
    up to date; `publish`: and to publish their cards; `push`: whether commits and their data go to where other machines find
    them (default of these three: as the entry says, else yes, no and no). Returns lines that say what was done.

    Raises:
        InputError: no source is known, or git cannot commit or push here.
        StageError: the data set with the new images is refused by its validation (nothing was changed then), or a stage failed.
    """
    workspace = Workspace(Path(root))
    params = load_params(workspace)
    given = {"origin": origin, "retrain": build, "publish": publish, "push": push}
    wishes = {name: value for name, value in given.items() if value is not None}

    def one(name: str) -> list[str]:
        source = _source(params, name, wishes)
        with alone(workspace, name):
            return _Ingesting(workspace, params, name, source, again, slots or usable_cpus()).run()

    with marked_alive(workspace, str(flow_run.id)), Cancellable() as cancelled:
        return one(dataset) if dataset is not None else _every(params, one)
    return cancelled.state


def _every(params: Params, one: Callable[[str], list[str]]) -> list[str]:
    """All declared sources; one that fails does not stop the others."""
    if not params.ingest:
        raise InputError("params.yaml names no source of new images.", 'Add to `ingest`: DATASET: {from: FOLDER or "s3://BUCKET/PREFIX"}')
    lines: list[str] = []
    failed: list[str] = []
    for name in params.ingest:
        try:
            lines += one(name)
        except EdgeloopError as error:
            failed.append(f"{name}: {error}")
    if failed:
        raise StageError(f"{len(failed)} of {len(params.ingest)} ingests failed.\n" + "\n".join(failed))
    return lines


def _source(params: Params, dataset: str, wishes: Mapping[str, str | bool]) -> Ingest:
    """Where the new images are and what is done with them: what is wished, else what params.yaml declares."""
    params.dataset(dataset)
    declared = params.ingest.get(dataset)
    if declared is None and "origin" not in wishes:
        raise InputError(f"No source of new images of {dataset} is known.", f"Give one, or add to `ingest`: {dataset}: {{from: …}}")
    return (declared or Ingest.model_validate({"from": wishes["origin"]})).model_copy(update=wishes)


class _Ingesting:
    """One ingest of one data set."""

    def __init__(self, workspace: Workspace, params: Params, dataset: str, source: Ingest, again: bool, slots: int) -> None:
        self._workspace, self._params, self._dataset, self._source = workspace, params, dataset, source
        self._again, self._slots = again, slots
        self._revising = Revising(workspace, dataset, self._validate, get_run_logger().warning)
        self._pending = workspace.private / "ingest" / f"{dataset}{PENDING}"
        """There while a new revision has not been built on: a flow that was killed goes on with it."""

    def run(self) -> list[str]:
        """Take what is new and build on it; returns lines that say what was done."""
        check_repository(self._workspace, to_be_pushed=self._source.push)
        lines = self._take()
        for line in lines:
            self._say(line)
        if self._source.push and (lines[0] != UP_TO_DATE or self._pending.exists()) and not is_pushed(self._workspace):
            self._push([path.relative_to(self._workspace.root).as_posix() for path in self._workspace.ingests(self._dataset).glob("*.dvc")])
        if self._source.retrain and self._pending.exists():
            lines += self._build()
        return [f"{self._dataset}: {line}" for line in lines]

    def _take(self) -> list[str]:
        """Everything up to the commit; returns what is to be said."""
        self._revising.clear()
        others = self._others_changes()
        self._validate()
        others &= self._others_changes()
        with incoming(self._workspace, self._params, self._source.origin, self._source.endpoint) as source:
            found = ingest_images(self._workspace, self._params, self._dataset, source, again=self._again)
        if isinstance(found, NothingNew):
            lines = [UP_TO_DATE, *found.counts.in_words()]
            self._show("nothing new", lines)
            return lines
        try:
            return self._revise(found, others)
        except Exception:
            self._revising.take_back()
            raise

    def _revise(self, found: Ingested, others: set[str]) -> list[str]:
        record = found.record
        grown = record.archive is not None

        def message(number: str) -> str:
            if grown:
                write_text(self._pending, f"{number}\n{'' if others else OURS}")
            return data_message(record.model_copy(update={"revision_after": number}))

        made = self._revising.commit(record, found.archives, others, message, built=grown)
        lines = [*in_words(record), f"committed as {made.commit[:12]}, data revision {made.number[:12]}"]
        self._show(f"Ingest {record.number} of {self._dataset}", lines)
        return lines

    def _validate(self) -> None:
        """Bring the data set and its validation up to date.

        Raises:
            StageError: it is refused, or cannot be built.
        """
        plan = read_plan(self._workspace.root, [f"validate@{self._dataset}"])
        failed = [str(row["why"]) for row in run_plan(str(self._workspace.root), plan, self._slots) if row["outcome"] == FAILED]
        if failed:
            raise StageError(f"The data set {self._dataset} cannot be brought up to date.\n" + "\n".join(failed))

    def _build(self) -> list[str]:
        """Build what stands on the data, and commit what was finished of it, also where a stage failed."""
        variants, others = self._params.standing_on(self._dataset), self._others_changes()
        lines = [f"{many(len(variants), 'variant')} brought up to date"]
        if variants:
            try:
                retrain(str(self._workspace.root), variants, self._source.publish, self._slots)
            except StageError:
                if not is_ending():
                    self._commit_models(variants, others)
                raise
            lines += self._commit_models(variants, others)
            if self._source.push:
                cards = [f"card@{name}" for name in variants]
                self._push([stage.address for stage in read_plan(self._workspace.root, cards)])
        self._pending.unlink()
        return lines

    def _commit_models(self, variants: list[str], others: set[str]) -> list[str]:
        if LOCK_FILE not in uncommitted(self._workspace):
            return []
        if others:
            return [left_to_you(others)]
        revision = sha256_file(self._workspace.dataset(self._dataset).manifest)
        changed = {address.partition("@")[2] for address in changed_stages(self._workspace)}
        message = models_message(self._dataset, revision, [name for name in variants if name in changed])
        made = commit(self._workspace, message, derived(self._workspace))
        line = f"committed as {made[:12]}: what was built"
        self._say(line)
        return [line]

    def _push(self, targets: list[str]) -> None:
        """The outputs of these stages or .dvc files, and all commits."""
        push(self._workspace, targets, self._say)
        self._say("pushed")

    def _others_changes(self) -> set[str]:
        """What of dvc.lock, and of what it is built from, is not committed and comes from somebody else than an ingest."""
        changed = uncommitted(self._workspace)
        ours = any(path.read_text(encoding="utf-8").endswith(OURS) for path in self._pending.parent.glob(f"*{PENDING}"))
        return changed - {LOCK_FILE} if ours else changed

    def _say(self, line: str) -> None:
        get_run_logger().info(f"{self._dataset}: {line}")

    def _show(self, what: str, lines: list[str]) -> None:
        """In the UI, also where nothing was new: each file of an arrival ends in a count there."""
        markdown = "\n".join(f"- {line.strip()}" for line in lines)
        create_markdown_artifact(key=slug(f"ingest {self._dataset}"), markdown=markdown, description=what)


def data_message(record: IngestRecord) -> str:
    """The message of the commit of a data revision."""
    count = sum(sum(classes.values()) for classes in record.added.values())
    rejected = len(record.quarantined_files)
    head = (
        f"Data: {many(count, 'new image')} of {record.dataset}"
        if count
        else f"Data: {many(rejected, 'file')} for {record.dataset} quarantined"
    )
    details = [f"Ingest {record.number} from {record.source}: {count} added, {record.known} known, {rejected} quarantined."]
    details += [f"{split}: " + ", ".join(f"{label} {n}" for label, n in classes.items()) for split, classes in record.added.items()]
    details += [f"quarantined, {reason}: {n}" for reason, n in record.quarantined.items()]
    details += [line.strip() for line in in_words(record)[1 + rejected :]]
    details.append(f"Manifest {record.revision_before[:12]} -> {record.revision_after[:12]}")
    return head + "\n\n" + "\n".join(details)


def models_message(dataset: str, revision: str, variants: list[str]) -> str:
    """The message of the commit of what was built on a data revision."""
    head = f"Models: what stands on the new images of {dataset}"
    return "\n".join([head, "", f"Manifest {revision[:12]}", *variants])
