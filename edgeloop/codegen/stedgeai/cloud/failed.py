"""Whose failure it is when a run of the service ends in the state `error`: the tool refuses the model, or something broke there."""

from typing import Any

from edgeloop.codegen.stedgeai.failures import find_failures, is_disk_full, typed
from edgeloop.errors import EdgeloopError, FarmFailed, StedgeaiBoardError

MOST_WORDS = 2000
"""Of the service's message in one of ours."""


def failure(message: Any, where: str, subject: object) -> EdgeloopError:
    """The error for what the service says of a run: `where` it ran, `subject` what was run."""
    said = message if isinstance(message, str) else str(message or "")
    found = find_failures(said)
    if found and not is_disk_full(said):
        error = typed(found[-1], f"{subject}, on {where}")
        if not isinstance(error, StedgeaiBoardError):
            return error
    what = f"It failed on {where}, which says: {said[-MOST_WORDS:].strip() or 'nothing'}"
    return FarmFailed(what, "This says nothing about the model: try again later, or with another version of the tool there.")
