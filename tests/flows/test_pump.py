"""Several pipes are read at once, line by line."""

import os
import threading
import time

import pytest

from flows.pump import pump


@pytest.fixture
def pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    return os.pipe(), os.pipe()


def test_lines_come_whole_and_the_last_ones_of_a_pipe_that_stays_open_too(pipes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (output, printer), (events, teller) = pipes
    printed, told = list[bytes](), list[bytes]()

    def write() -> None:
        os.write(printer, b"one\ntw")
        time.sleep(0.1)
        os.write(teller, b"first\n")
        os.write(printer, b"o\nrest")
        os.write(teller, b"x" * 60000 + b"\nlast")
        os.close(printer)

    writer = threading.Thread(target=write)
    writer.start()
    looks = list[int]()
    pump({output: printed.append, events: told.append}, output, lambda: looks.append(1), 0.02)
    writer.join()
    assert printed == [b"one", b"two", b"rest"]
    assert told == [b"first", b"x" * 60000, b"last"]
    assert len(looks) > 2
    for descriptor in (output, events, teller):
        os.close(descriptor)
