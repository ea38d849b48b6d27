"""A data revision, whoever makes it: the data set is built, its archives are tracked and committed; what was not finished is removed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeloop.config import Params
from edgeloop.datasets.corrections import Corrected, in_words, many
from edgeloop.errors import EdgeloopError, StageError, StageMayPass
from edgeloop.files import sha256_file
from edgeloop.lockfile import LOCK_FILE
from edgeloop.records import CorrectionRecord, IngestRecord
from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace
from flows import dvc_lock
from flows.commands import Say, environment, run
from flows.data_entries import commit_entries
from flows.revision import (
    check_repository,
    commit,
    derived,
    drop_unfinished,
    is_detached,
    of_fetch,
    only_of,
    track,
    uncommitted,
)
from flows.supervisor import is_ending

LOCK_S = 5.0
BUSY = "is busy, it is being blocked by"
"""How DVC's command says that another one has a file; it has no exit code of its own for that."""


@dataclass(frozen=True)
class Revision:
    """What was committed."""

    commit: str
    number: str
    """SHA-256 of the manifest."""


@dataclass(frozen=True)
class Revising:
    """One data set while a revision of it is made. `build` brings it and its validation up to date; `say` tells what is unusual."""

    workspace: Workspace
    dataset: str
    build: Callable[[], None]
    say: Say

    def clear(self) -> bool:
        """Remove what an earlier one left that did not come to its end; returns whether there was something."""
        names = drop_unfinished(self.workspace, self.dataset)
        for name in names:
            self.say(f"an earlier change of {self.dataset} did not come to its end: {name} removed")
        return bool(names)

    def commit(
        self, record: IngestRecord | CorrectionRecord, archives: list[Path], others: set[str], message: Callable[[str], str], *, built: bool
    ) -> Revision:
        """Make a revision of what was written; `message` gets the number of the revision. `built`: whether the data set changes.

        `others` are changes that are not ours: of dvc.lock then only the data set's entries are committed.
        """
        pointers = track(self.workspace, self.dataset, archives)
        if built:
            self.build()
        number = sha256_file(self.workspace.dataset(self.dataset).manifest)
        path = self.workspace.ingests(self.dataset) / f"{record.number:05d}.json"
        record.model_copy(update={"revision_after": number}).write(path)
        files = [path, *pointers, *of_fetch(self.workspace, self.dataset)]
        if built and others:
            return Revision(commit_entries(self.workspace, self.dataset, message(number), files), number)
        return Revision(commit(self.workspace, message(number), [*files, *(derived(self.workspace) if built else [])]), number)

    def take_back(self) -> None:
        """Leave the data set as it was: DVC has it in its cache."""
        drop_unfinished(self.workspace, self.dataset)
        self.say("the data set is as before")
        try:
            self.build()
        except EdgeloopError as error:
            self.say(f"the stages of the data set are built anew with the next run: {error}")


def correct(
    workspace: Workspace, params: Params, dataset: str, change: Callable[[], Corrected], say: Say, *, as_it_is: bool = False
) -> list[str]:
    """Make a correction a data revision; returns lines that say what was done.

    The data set is brought up to date first; with `as_it_is` only afterwards.

    Raises:
        InputError: git cannot commit here, or `change` refuses.
        StageError: the data set cannot be built, or its validation refuses it; nothing was changed then.
    """
    params.dataset(dataset)
    check_repository(workspace, to_be_pushed=False)
    revising = Revising(workspace, dataset, lambda: build(workspace, dataset), say)
    with alone(workspace, dataset):
        unfinished = revising.clear()
        others = uncommitted(workspace)
        if unfinished and only_of(workspace, dataset):
            others -= {LOCK_FILE}
        if not as_it_is:
            _bring_up_to_date(workspace, dataset)
            others &= uncommitted(workspace)
        try:
            made = change()
            done = revising.commit(made.record, [made.archive], others, lambda number: _message(made.record, number), built=True)
        except BaseException:
            if drop_unfinished(workspace, dataset) and not is_ending():
                revising.take_back()
            raise
    lines = [*in_words(made.record), f"committed as {done.commit[:12]}, data revision {done.number[:12]}"]
    if is_detached(workspace):
        lines.append("HEAD is on no branch: keep the commit with: git switch -c NAME")
    return [*lines, "what stands on the data is out of date: dvc repro"]


def _bring_up_to_date(workspace: Workspace, dataset: str) -> None:
    try:
        build(workspace, dataset)
    except StageError as error:
        raise type(error)(f"{dataset} cannot be built as it is, before any correction: {error.what}", error.remedy) from error


def build(workspace: Workspace, dataset: str) -> None:
    """Bring a data set and its validation up to date, as `dvc repro` does.

    Raises:
        StageError: it is refused, or cannot be built.
    """
    dvc_lock.mend(workspace.root)
    target = f"validate@{dataset}"
    argv = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", target]
    done = run(argv, workspace.root, environment(), lambda _: None, is_ending)
    if done.code != 0 and any(BUSY in line for line in done.lines):
        raise StageMayPass(f"Another run builds or reads {dataset} at this moment.", "Wait for it to end: edgeloop status")
    if done.code != 0:
        raise done.failure(f"dvc repro {target}", f"dvc repro {target}")


def _message(record: CorrectionRecord, number: str) -> str:
    """The message of the commit of a correction."""
    count = many(len(record.images))
    heads = {"relabel": f"Data: {count} of {record.dataset} relabelled", "drop": f"Data: {count} of {record.dataset} dropped"}
    head = heads.get(record.action, f"Data: {record.dataset} split anew")
    details = [line.strip() for line in in_words(record)[1:]]
    return "\n".join([head, "", f"Reason: {' '.join(record.reason.split())}", *details, f"Manifest {number[:12]}"])


@contextmanager
def alone(workspace: Workspace, dataset: str) -> Iterator[None]:
    """One change of a data set at a time.

    Raises:
        StageError: another one runs.
    """
    folder = workspace.private / "ingest"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(folder / f"{dataset}.lock", LOCK_S):
            yield
    except TimeoutError:
        raise StageError(f"Another fetch, ingest or correction of {dataset} runs.", "Wait for it to end: edgeloop status") from None
