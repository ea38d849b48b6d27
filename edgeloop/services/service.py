"""Local services that outlive the command that starts them (object storage, Prefect's server): up, down, status.

A service runs detached in a session of its own, listens on loopback only, and writes to a log file. What is known about
it lies in `<private>/services/<name>.json`; a lock file beside it lets one command at a time change that.
"""

import datetime as dt
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeloop.deadline import Deadline
from edgeloop.errors import ServiceError
from edgeloop.files import write_text
from edgeloop.services.locks import exclusive
from edgeloop.services.ports import LOOPBACK, choose, is_free
from edgeloop.services.processes import Identity, end_session, identify, is_alive
from edgeloop.workspace import Workspace

Ports = Mapping[str, int]
POLL_S = 0.1
LOG_TAIL_LINES = 15
LOCK_SLACK_S = 30.0

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Services that this very process started: only their parent can reap them when they end."""


class Running(BaseModel):
    """A service that was started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pid: int
    start_ticks: int
    """The kernel's start time of the process, so that a reused number is never taken for it."""
    boot_id: str
    ports: dict[str, int]
    address: str
    log: Path
    started_utc: str
    notes: list[str]
    """Preferred ports that were in use, by whom, and what was taken instead."""
    ready: bool
    was_running: bool = Field(default=False, exclude=True)
    """Whether `up` found it running instead of starting it."""

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.start_ticks, self.boot_id)


@dataclass(frozen=True)
class Service:
    """How a local service is started, and how one knows that it serves."""

    workspace: Workspace
    name: str
    argv: Callable[[Ports], list[str]]
    """The command line, given the ports; it must listen on 127.0.0.1 only."""
    ports: Mapping[str, int]
    """Preferred port by purpose (0: any); the first one is the address that users open."""
    ready: Callable[[Running], bool]
    """One try, itself bounded by a few seconds: whether the service serves."""
    data: Path
    """The folder that it runs in and keeps its data in."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's environment."""
    withheld: tuple[str, ...] = ()
    """How variables begin that the service does not get from this process's environment."""
    start_deadline_s: float = 60.0
    stop_grace_s: float = 15.0
    leftovers: Callable[[Ports], list[Path]] = lambda _: []
    """Files outside `data` that it may leave behind when it ends; removed then."""

    def up(self) -> Running:
        """Start the service, or return the running one.

        Raises:
            ServiceError: it cannot be started, ends while starting (with the tail of its log), or isn't ready in time.
        """
        with self._locked():
            known = self._read()
            if known is not None and known.ready and is_alive(known.identity):
                return known.model_copy(update={"was_running": True})
            if known is not None:
                self._end(known)
            return self._start(known.ports if known is not None else {})

    def down(self) -> bool:
        """Stop the service and everything it started; returns whether it ran.

        Raises:
            ServiceError: a process of it does not go away.
        """
        with self._locked():
            known = self._read()
            if known is None:
                return False
            ran = is_alive(known.identity)
            self._end(known)
            return ran

    def status(self) -> Running | None:
        """The running service, or None. A state whose process is gone counts as none."""
        known = self._read()
        return known if known is not None and is_alive(known.identity) else None

    @property
    def log(self) -> Path:
        return self._folder / f"{self.name}.log"

    @property
    def _folder(self) -> Path:
        return self.workspace.private / "services"

    @property
    def _state(self) -> Path:
        return self._folder / f"{self.name}.json"

    def _read(self) -> Running | None:
        """What the state file says; a damaged one says nothing."""
        try:
            return Running.model_validate_json(self._state.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValidationError, UnicodeDecodeError):
            return None

    def _write(self, running: Running) -> None:
        write_text(self._state, running.model_dump_json(indent=2) + "\n")

    def _start(self, former: Ports) -> Running:
        """On the former ports of one that died, where they are free: its clients may still be there."""
        self.data.mkdir(parents=True, exist_ok=True)
        kept = {purpose: port for purpose, port in former.items() if purpose in self.ports and is_free(port)}
        choice = choose({**self.ports, **kept})
        process = self._spawn(self.argv(choice.ports))
        running = self._describe(process, choice.ports, choice.notes)
        served = False
        try:
            self._write(running)
            self._wait_until_ready(process, running)
            running = running.model_copy(update={"ready": True})
            self._write(running)
            served = True
        finally:
            if not served:
                self._end(running)
        return running

    def _spawn(self, argv: list[str]) -> subprocess.Popen[bytes]:
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            try:
                process = subprocess.Popen(
                    argv,
                    cwd=self.data,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServiceError(
                    f"{self.name} cannot be started: {argv[0]}: {error.strerror}.", "Install the project's requirements again: make setup."
                ) from error
        _children[process.pid] = process
        return process

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith(self.withheld)} | dict(self.env)

    def _describe(self, process: subprocess.Popen[bytes], ports: Ports, notes: list[str]) -> Running:
        identity = identify(process.pid)
        if identity is None:
            raise self._died(process)
        return Running(
            name=self.name,
            pid=identity.pid,
            start_ticks=identity.start_ticks,
            boot_id=identity.boot_id,
            ports=dict(ports),
            address=f"http://{LOOPBACK}:{next(iter(ports.values()))}",
            log=self.log,
            started_utc=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            notes=notes,
            ready=False,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], running: Running) -> None:
        deadline = Deadline.after(self.start_deadline_s)
        while not self.ready(running):
            if process.poll() is not None:
                raise self._died(process)
            if deadline.is_over:
                raise ServiceError(
                    f"{self.name} was not ready within {self.start_deadline_s:.0f} s and was stopped. The end of its log:\n{self._tail()}",
                    f"The whole log is {self.log}; on a busy machine just try again.",
                )
            time.sleep(POLL_S)

    def _died(self, process: subprocess.Popen[bytes]) -> ServiceError:
        code = process.wait(timeout=5)
        return ServiceError(
            f"{self.name} ended with code {code} while it was starting. The end of its log:\n{self._tail()}",
            f"The whole log is {self.log}.",
        )

    def _tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (empty)"

    def _end(self, known: Running) -> None:
        """End what is left of a started service and forget it."""
        gone = end_session(known.identity, self.stop_grace_s)
        child = _children.pop(known.pid, None)
        if child is not None:
            child.poll()
        if not gone:
            raise ServiceError(
                f"{self.name} (process {known.pid}) does not end, even when killed.",
                "A process that waits for a disk or a network can do that.",
            )
        for left in self.leftovers(known.ports):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one command at a time start or stop this service."""
        self._folder.mkdir(parents=True, exist_ok=True)
        wait_s = self.start_deadline_s + self.stop_grace_s + LOCK_SLACK_S
        with ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self._folder / f"{self.name}.lock", wait_s))
            except TimeoutError:
                raise ServiceError(
                    f"Another command has been starting or stopping {self.name} for {wait_s:.0f} s.", "End that command and try again."
                ) from None
            yield


def listens(port: int) -> bool:
    """Whether something listens on that loopback port: the simplest readiness probe."""
    return not is_free(port)
