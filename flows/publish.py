"""The flow `publish`: put the cards that there are into object storage, and build nothing."""

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from edgeloop.config import load_params
from edgeloop.store.publish import with_cards
from edgeloop.workspace import Workspace
from flows.cancel import Cancellable
from flows.runs import marked_alive
from flows.stages import publish_cards


@flow(name="publish", persist_result=False)
def publish(root: str, variants: list[str] | None = None) -> list[str] | State[str]:
    """Publish the cards of `variants` (words as in `build`; default: of every variant that has one); returns their addresses.

    Raises:
        InputError: no variant of that name, or none has a card.
        StageError: a card cannot be published; the message says why.
    """
    workspace = Workspace(Path(root))
    with marked_alive(workspace, str(flow_run.id)), Cancellable() as cancelled:
        params = load_params(workspace)
        return publish_cards(root, with_cards(workspace, params, variants or ["all"]))
    return cancelled.state
