"""A run whose server goes away just as it starts is ended in time."""

import signal
import time

import pytest

from edgeloop.errors import ServiceSilent
from flows.engine import begins_in_time, has_begun


def test_what_does_not_begin_is_ended_and_what_has_begun_is_not() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(ServiceSilent, match="could not begin within 0 s"), begins_in_time(0.1):
        time.sleep(20)
    with begins_in_time(0.1):
        has_begun()
        time.sleep(0.3)
    assert signal.getsignal(signal.SIGALRM) is before
    time.sleep(0.2)
