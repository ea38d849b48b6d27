"""What cannot be shown does not stop a run: the server may be away for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import httpx
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings


class _Answers:
    """Whether the last thing that was shown got through."""

    last: bool = True


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """Go on with a warning where the server does not take what is told.

    Prefect's client tries for half a minute. A server that was away then is asked once for each further thing, until it answers
    again: else a run whose server is gone would go on showing for minutes. Settings are changed only then: Prefect reads all of
    them anew for that, which takes some 50 ms of CPU, and this is entered every second. What is done in it must ask the server:
    one that is not asked counts as one that answered.
    """
    try:
        with nullcontext() if _Answers.last else temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            yield
        _Answers.last = True
    except (PrefectException, httpx.HTTPError, OSError) as error:
        _Answers.last = False
        get_run_logger().warning(f"{what} could not be shown: {type(error).__name__}: {error}")
