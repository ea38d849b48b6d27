"""Waiting for one's turn: where another writer was quicker, a short pause of any length, so that not all try again at once."""

import random
import time

from edgeloop.deadline import Deadline
from edgeloop.errors import StoreError
from edgeloop.store.target import Readable

PAUSE_S = 0.2
"""The longest."""


def wait_turn(target: Readable, what: str, deadline: Deadline) -> None:
    """Wait a moment.

    Raises:
        StoreError: the deadline is over.
    """
    if deadline.is_over:
        raise StoreError(
            f"Others wrote to {what} at {target.address('')} for {deadline.seconds:.0f} s.",
            "Try again when they are done: what was uploaded is there.",
        )
    time.sleep(random.uniform(0, PAUSE_S))
