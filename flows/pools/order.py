"""What a stage of another machine is: the parameter of its flow run, and what its labels say of the result."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeloop.errors import InputError

FLOW = "stage"
"""The flow that does one stage; its deployments are named like their pools."""
OUTCOME = "edgeloop.outcome"
RUN_CACHE = "edgeloop.run-cache"
WARNINGS = "edgeloop.warnings"
"""Labels of its runs: what became of the stage, which entry of DVC's run cache holds the result, and (a JSON list) why that may be none."""
WORKER = "prefect.worker.name"
"""The label by which Prefect's worker says that it has the run."""
MAY_PASS = "MayPass"
"""The name of a failed run's state where the same may succeed a little later."""


@dataclass(frozen=True)
class Dispatch:
    """Where a stage goes, and what it needs."""

    pool: str
    upstream: tuple[str, ...]


Address = Annotated[str, Field(pattern="^[^-]")]
"""The address of a stage, or a .dvc file; never an option of the command that it is handed to."""


class Order(BaseModel):
    """A stage to do. It holds no secret: workers have their own credentials."""

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


def read_order(parameter: object) -> Order:
    """The order in a flow run's parameter.

    Raises:
        InputError: it is none, or of another version of edgeloop.
    """
    try:
        return Order.model_validate(parameter)
    except ValidationError as error:
        raise InputError(
            f"This run is no stage that this edgeloop understands: {error.errors()[0]['msg']}.", "Let both sides have the same version."
        ) from None
