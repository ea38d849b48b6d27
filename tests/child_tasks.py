"""What the children of test_child.py do."""

import ctypes
import os
import sys
import time
from pathlib import Path

from edgeloop.child import Limits, Tell, in_child
from edgeloop.errors import DataError, EdgeloopError, ModelError

PATIENT = Limits(deadline_s=60.0, memory_bytes=4 << 30)


def died(how: str) -> EdgeloopError:
    return ModelError(f"It {how}.")


def write(tell: Tell, target: Path, words: str) -> None:
    sys.stdout.write("a library's notes\n")
    tell("begun")
    target.write_text(f"{words} of {os.getpid()}", encoding="utf-8")
    tell("done")


def refuse(_: Tell) -> None:
    raise DataError("These are no data.", "Give others.")


def read_nothing(_: Tell) -> None:
    ctypes.string_at(0)


def abort(_: Tell) -> None:
    sys.stderr.write("first words\nCheck failed: it is odd\n")
    sys.stderr.flush()
    os.abort()


def fail(_: Tell) -> None:
    raise LookupError("nobody thought of this")


def swell(_: Tell) -> None:
    bytearray(64 << 30)


def sleep(_: Tell, told: Path) -> None:
    told.write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(60)


def start_a_sleeper(told: str) -> None:
    in_child(sleep, Path(told), limits=PATIENT, died=died)
