"""What a scheduled run built is committed: dvc.lock, and graph.yaml that it was built by. Nobody's own changes are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prefect.logging import get_run_logger

from edgeloop.errors import StageError
from edgeloop.files import write_text
from edgeloop.lockfile import LOCK_FILE
from edgeloop.workspace import Workspace
from flows.revision import check_repository, commit, derived, left_to_you, uncommitted
from flows.supervisor import is_ending


def message(head: str, words: Sequence[str]) -> str:
    """Of the commit."""
    return "\n".join([head, "", *words])


@contextmanager
def committed(workspace: Workspace, text: str) -> Iterator[None]:
    """Commit what the run within changes in dvc.lock, also where a stage of it failed.

    A run that is killed leaves a mark, by which the next one knows that the changes are no one else's.

    Raises:
        InputError: git cannot commit here.
    """
    check_repository(workspace, to_be_pushed=False)
    mark = workspace.private / "scheduled.pending"
    others = uncommitted(workspace) - ({LOCK_FILE} if mark.is_file() else set())
    if not others:
        write_text(mark, f"{text}\n")
    try:
        yield
    except StageError:
        if not is_ending():
            _commit(workspace, text, others)
            mark.unlink(missing_ok=True)
        raise
    if not is_ending():
        _commit(workspace, text, others)
        mark.unlink(missing_ok=True)


def _commit(workspace: Workspace, text: str, others: set[str]) -> None:
    if LOCK_FILE not in uncommitted(workspace):
        return
    if others:
        get_run_logger().warning(left_to_you(others))
        return
    made = commit(workspace, text, derived(workspace))
    get_run_logger().info(f"committed as {made[:12]}: what was built")
