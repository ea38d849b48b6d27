"""What libraries write to the descriptors 1 and 2 is held back, and shown when something fails."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from edgeloop.quiet import quiet, quiet_at_first

Capture = pytest.CaptureFixture[str]


def chatter() -> None:
    """As a C++ library writes: past Python's streams."""
    os.write(1, b"saved\n")
    os.write(2, b"All log messages\n")


def test_nothing_is_seen_while_all_goes_well(capfd: Capture) -> None:
    with quiet():
        chatter()
    assert capfd.readouterr() == ("", "")


def test_an_error_brings_what_was_held_back(capfd: Capture) -> None:
    with pytest.raises(ValueError, match="refused"), quiet():
        chatter()
        raise ValueError("refused")
    assert capfd.readouterr() == ("", "saved\nAll log messages\n")


def test_what_was_printed_before_and_is_printed_after_is_seen() -> None:
    script = """if True:
        import sys
        from edgeloop.quiet import quiet
        sys.stdout.write('before ')
        with quiet():
            sys.stdout.write('held back ')
        sys.stdout.write('after')
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "before after"


def test_it_nests(capfd: Capture) -> None:
    with quiet():
        with quiet():
            chatter()
        chatter()
    chatter()
    assert capfd.readouterr() == ("saved\n", "All log messages\n")


def test_only_the_first_use_of_a_library_is_held_back(capfd: Capture) -> None:
    for _ in range(2):
        with quiet_at_first("a library of this test"):
            chatter()
    assert capfd.readouterr().out == "saved\n"


def test_threads_do_not_take_the_output_away_for_good(capfd: Capture) -> None:
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait(timeout=10)
        for _ in range(50):
            with quiet():
                chatter()

    _run_in_threads(work, 4)
    chatter()
    assert capfd.readouterr() == ("saved\n", "All log messages\n")


def _run_in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.thorough
def test_tensorflow_starts_without_a_word() -> None:
    script = "from edgeloop.framework import load_tensorflow; load_tensorflow(); import tensorflow as tf; tf.constant(1.0) + 1.0"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.thorough
@pytest.mark.parametrize(("asked", "fast"), [(None, "True"), ("0", "False")])
def test_tensorflow_takes_the_fast_kernels_on_every_processor_unless_told_not_to(asked: str | None, fast: str) -> None:
    script = """
from edgeloop.framework import load_tensorflow
load_tensorflow()
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
"""
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {} if asked is None else {"TF_ENABLE_ONEDNN_OPTS": asked}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert done.stdout.strip() == fast
