"""Which variants a run is for."""

from collections.abc import Sequence
from pathlib import Path

from edgeloop.config import Params, load_params
from edgeloop.errors import EdgeloopError, InputError
from edgeloop.workspace import Workspace


def some_built(params: Params, words: Sequence[str]) -> list[str]:
    """The built variants that the words choose.

    Raises:
        InputError: a word chooses none.
    """
    found = params.matching(words, among=params.built)
    if not found:
        raise InputError("params.yaml builds nothing: `build` is empty.", "Name something there, for example: build: [sample]")
    return found


def scheduled_name(root: str, flow: str) -> str:
    """The name of a run that a schedule began."""
    try:
        words = getattr(load_params(Workspace(Path(root))).schedules, flow).variants
    except EdgeloopError:  # the run says it
        return "scheduled"
    return f"scheduled: {', '.join(words)}"
