"""What cannot be shown does not stop a run: the server may be away for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """Go on with a warning where the server does not take what is told."""
    try:
        yield
    except (PrefectException, httpx.HTTPError, OSError) as error:
        get_run_logger().warning(f"{what} could not be shown: {type(error).__name__}: {error}")
