"""What a dispatched stage is: the parameters of its flow run, its result, and the times that both sides agree on."""

import os
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeloop.errors import InputError
from flows.stage import Outcome

LEASE_S = float(os.environ.get("EDGELOOP_LEASE_S", "30"))
"""A worker that gives no sign of life for so long is taken for dead, and its stage goes to another one."""
BEAT_S = LEASE_S / 6
TRIES = 3
"""How many workers may lose a stage before it counts as failed."""
TAKEN_S = float(os.environ.get("EDGELOOP_TAKEN_S", str(12 * 3600)))
"""So long a stage waits for a worker to take it."""


@dataclass(frozen=True)
class Dispatch:
    """Where a stage goes, and what it needs."""

    pool: str
    upstream: tuple[str, ...]


Address = Annotated[str, Field(pattern="^[^-]")]
"""Of a stage, or a .dvc file; never an option of the command that it is handed to."""


class Order(BaseModel):
    """A stage to do: the parameters of a dispatched flow run. It holds no secret: workers have their own credentials."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Address
    commit: Annotated[str, Field(pattern="^[0-9a-f]{7,64}$")]
    edgeloop: str
    """The version that the flow runs with."""
    force: bool
    upstream: list[Address]
    """Stages (and .dvc files) whose outputs it needs."""
    lock: dict[str, object]
    """Their entries of dvc.lock, and its own: what this run built is not in the commit."""


class Result(BaseModel):
    """What became of it: the data of the flow run's last state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    worker: str
    outcome: Outcome | None = None
    entry: dict[str, object] = {}
    """The stage's new entry of dvc.lock."""
    what: str = ""
    """Why it failed."""
    may_pass: bool = False


def read_order(parameters: object) -> Order:
    """The order in a flow run's parameters.

    Raises:
        InputError: they are none, or of another version of edgeloop.
    """
    try:
        return Order.model_validate(parameters)
    except ValidationError as error:
        raise InputError(
            f"This run is no stage that this edgeloop understands: {error.errors()[0]['msg']}.", "Let both sides have the same version."
        ) from None
