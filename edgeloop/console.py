"""How a command ends, and what it may write: errors in words, no traceback where its reader went away, nothing that steers a terminal."""

import io
import os
import re
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from edgeloop import events
from edgeloop.errors import EdgeloopError
from edgeloop.files import disk_explained

FAILED = 1
MAY_PASS = 75
"""EX_TEMPFAIL of sysexits.h: the same command may succeed a little later."""
INTERRUPTED = 130
READER_GONE = 141
"""As a shell tells of a program that the signal SIGPIPE ended (128 + 13)."""
_STEERS = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]|[\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, bytes of a file's name that are no text, line ends of Unicode, marks that turn the direction of writing."""

_BREAKS = re.compile(r"[\n\t]")


def program(body: Callable[[], int | None]) -> int:
    """Run a command; returns its exit code: what it returns, if anything, or one of this module's where it fails of something explained."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # where the locale has no such letter
    try:
        try:
            with disk_explained():
                try:
                    code = body()
                finally:  # here, where what goes wrong is explained, and not when Python ends
                    _flush(sys.stdout)
                    _flush(sys.stderr)
        except EdgeloopError as error:
            events.tell(events.Failure(error.what, error.remedy, error.may_pass))
            courtesy(f"edgeloop: {error}")
            return MAY_PASS if error.may_pass else FAILED
        except KeyboardInterrupt as error:
            courtesy(f"edgeloop: {str(error) or 'interrupted'}")
            return INTERRUPTED
    except BrokenPipeError:
        if not _silence():
            raise  # of something else than our output
        return READER_GONE
    return code or 0


@contextmanager
def interruption(words: str) -> Iterator[None]:
    """What is said where Ctrl-C ends what is done inside."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {words}") from None


def say(text: object) -> None:
    """Write a command's result to stdout."""
    if sys.stdout is not None:
        sys.stdout.write(printable(str(text)) + "\n")


def courtesy(text: str, stream: TextIO | None = None) -> None:
    """Write a line on stderr, or on `stream`; work does not end because nobody reads how it goes on."""
    out = stream or sys.stderr
    if out is None:
        return
    try:
        out.write(printable(text) + "\n")
        out.flush()
    except BrokenPipeError:
        _end_nowhere(out.fileno())


def notice(text: str, stream: TextIO | None = None) -> None:
    """Tell a person who waits: as an event where somebody listens, else as a line."""
    if not events.tell(events.Notice(text)):
        courtesy(text, stream)


def warn(text: str) -> None:
    """Say that a result may be none: as an event where somebody listens, else as a line."""
    if not events.tell(events.Caution(text)):
        courtesy(f"warning: {text}")


def printable(text: str) -> str:
    """The text with escapes such as `\\x1b` instead of characters that a terminal obeys or cannot show; line ends and tabs stay."""
    return _STEERS.sub(_escaped, text)


def in_one_line(text: str) -> str:
    """As `printable`, with escapes for line ends and tabs, too: a name or a reason that others chose makes no line of its own."""
    return _BREAKS.sub(_escaped, printable(text))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        stream.flush()


def _silence() -> bool:
    """Let the streams whose reader is gone end nowhere, so that Python can flush them when it ends; whether there were any."""
    gone = [number for number in (1, 2) if _reader_gone(number)]
    for number in gone:
        _end_nowhere(number)
    return bool(gone)


def _end_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _reader_gone(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))
