"""The driver `mpu`: any Linux over SSH that has a runtime for the model."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.driver import Driver, Identity, Loaded, MeasuredRun, Observe
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.mpu.answers import Facts, LoadedModel, Ran, Runtime, Tool, checked, scores
from edgeloop.boards.mpu.machine import FREQUENCY_FILES, MACHINE_FILES, MOST_FILES, check_kind, frequencies, has_npu, is_stm32, machine
from edgeloop.boards.mpu.profile import PLACES as PROFILERS
from edgeloop.boards.mpu.profile import PROGRAM as PROFILER
from edgeloop.boards.mpu.profile import layer_times, profile_command
from edgeloop.boards.mpu.session import Session, source
from edgeloop.boards.mpu.shares import PROGRAM, engine_shares
from edgeloop.boards.subject import Subject
from edgeloop.errors import BoardRefusal, InputError, ProtocolError
from edgeloop.files import sha256_file
from edgeloop.records import CodegenRecord, LayerTimes, LinuxMachine, MeasuredDetails
from edgeloop.tflite.formats import Format

SUFFIXES = (".tflite", ".onnx", ".nb")
CLOCK = "time.perf_counter_ns on the board"
MOST_INPUT_BYTES = 64 << 20
"""Inputs that lie in the board's memory at once."""


class MpuBoard(Driver):
    """A Linux board.

    After any error the session is over and the board clean; the next call begins a new one.
    """

    at_once = 1000

    def __init__(self, used: BoardInUse) -> None:
        self._board, self._linux = used.board, used.board.linux
        self._session: Session | None = None
        self._machine: LinuxMachine | None = None
        self._loaded: LoadedModel | None = None
        self._model = ""
        self._before: Facts | None = None
        self._stored: dict[bytes, int] = {}
        self._stored_bytes = 0

    def identify(self) -> Identity:
        """What the board says about itself, and the runtime that a .tflite file would get.

        Raises:
            BoardError: one of its kinds.
        """
        with self._talking() as session:
            found = checked(Runtime, self._board.name, self._work(session, {"op": "runtime", "suffix": ".tflite"}))
            says = {"device": describe(self.machine()), "runtime": runtime_text(found), "clock": CLOCK}
            return Identity(says["device"], CLOCK, says, "MPU" if is_stm32(self.machine()) else None, machine=self.machine())

    def prepare(self, subject: Subject) -> Iterator[Loaded]:
        """Load each of the models, and what was generated of a variant for the NPU, where the board has one.

        Raises:
            InputError: there is no such file, or the NPU binary was made of another model.
            BoardError: one of its kinds.
        """
        files = [(form, model, model) for form, model in subject.models()]
        for form, model, file in [*files, *self._binaries(subject)]:
            self.load(file, subject.threads)
            yield Loaded(
                model=model,
                format=form,
                tolerance="reported",  # a delegate may be wrong for one format, and right for the others of the same record
                runtime=runtime_text(self.loaded),
                file="nb" if file.suffix == ".nb" else "tflite",
                file_sha256=sha256_file(file),
                engine=self.loaded.engine,
                threads=self.loaded.threads,
            )

    def _binaries(self, subject: Subject) -> Iterator[tuple[Format | None, Path, Path]]:
        """The NPU binary that was generated of the variant, with the model that it was made of."""
        binaries = sorted(subject.paths.generated.glob("*.nb")) if subject.paths else []
        if subject.paths is None or not binaries or not has_npu(self.machine()):
            return
        made_of = CodegenRecord.read(subject.paths.generate_record).model_sha256
        made = [(form, model, binaries[0]) for form, model in subject.models() if sha256_file(model) == made_of]
        if not made:
            raise InputError(f"{binaries[0]} was generated from another model than there is now.", "Build it again: dvc repro.")
        yield made[0]

    def machine(self) -> LinuxMachine:
        """The board's own description, read once a session.

        Raises:
            BoardError: one of its kinds; it is also refused where it is not of the declared kind.
        """
        with self._talking() as session:
            if self._machine is None:
                facts = self._facts(session, MACHINE_FILES)
                version = self._tool(session, ["x-linux-ai", "-v"], self._linux.deadlines.answer_s)
                said = version.output.strip() if version.found and version.exit == 0 else None
                found = machine(facts, str(session.hello.get("python")), said or None)
                check_kind(found, self._board)
                self._machine = found
            return self._machine

    def load(self, artifact: Path, threads: int = 1) -> None:
        """Copy a model file to the board, compare its SHA-256 there, and load it.

        Raises:
            InputError: there is no such file, or it is of another kind.
            BoardError: one of its kinds.
        """
        content = _read(artifact)
        with self._talking() as session:
            if artifact.suffix == ".nb" and not has_npu(self.machine()):
                raise BoardRefusal(
                    f"{artifact} is made for an NPU, and the board '{self._board.name}' ({describe(self.machine())}) has none.",
                    "Load the .tflite instead.",
                )
            self._loaded, self._before, self._stored, self._stored_bytes = None, None, {}, 0
            model = f"model{artifact.suffix}"
            self._copy(session, model, content)
            session.request({"op": "start"})
            load = {"op": "load", "model": model, "threads": threads, "acceleration": self._linux.acceleration}
            answer = self._work(session, load, deadline_s=self._linux.deadlines.load_s)
            self._loaded = checked(LoadedModel, self._board.name, answer)
            self._model = model

    @property
    def loaded(self) -> LoadedModel:
        """The loaded model as the board's runtime describes it.

        Raises:
            InputError: nothing was loaded.
        """
        if self._loaded is None:
            raise InputError(f"No model is on the board '{self._board.name}'.", "Prepare one first.")
        return self._loaded

    def run(self, inputs: NDArray[Any], observe: Observe) -> MeasuredRun:
        """Run the model on (n, ...) in its own input type; only the inference itself is timed, on the board.

        Raises:
            InputError: nothing was loaded, or the inputs are of another type or size.
            BoardError: one of its kinds; there is no result then.
        """
        if observe == Observe.TIME and self._before is None:
            self._before = self.frequencies()
        run = self._ran(inputs)
        return replace(run, details=self._details()) if observe == Observe.DETAILS else run

    def _details(self) -> MeasuredDetails:
        after = self.frequencies()
        shares, no_shares = engine_shares(*self.engine_tool())
        times, no_times = self.profile()
        return MeasuredDetails(
            cpu_frequencies=frequencies(self._before or after, after),
            shares=shares,
            no_shares=no_shares,
            layer_times=times,
            no_layer_times=no_times,
        )

    def _ran(self, inputs: NDArray[Any]) -> MeasuredRun:
        loaded = self.loaded
        wanted = loaded.inputs[0]
        if inputs.dtype.name != wanted.dtype or list(inputs.shape[1:]) != wanted.shape[1:] or not len(inputs):
            raise InputError(
                f"The model on '{self._board.name}' takes {wanted.dtype} {wanted.shape}, not {inputs.dtype} {list(inputs.shape)}.",
                "Give (n, ...) inputs of the model's own type.",
            )
        with self._talking() as session:
            order = self._places(session, inputs)
            began = time.perf_counter_ns()
            answer, content = session.request({"op": "run", "order": order}, deadline_s=self._linux.deadlines.silence_s)
            waited_ns = time.perf_counter_ns() - began
            ran = checked(Ran, self._board.name, answer)
            count, said_ns = len(ran.latencies_ns), sum(ran.latencies_ns)
            if count != len(order) or said_ns > waited_ns:
                raise ProtocolError(
                    f"The board '{self._board.name}' says that {count} inferences took {said_ns / 1e6:.1f} ms; "
                    f"it was asked for {len(order)} and answered after {waited_ns / 1e6:.1f} ms.",
                    "Its clock is wrong, or its runner is: run it again.",
                )
            return MeasuredRun(scores(ran, content, loaded.outputs[0], self._board.name), ran.latencies_ns)

    def frequencies(self) -> Facts:
        """The governors and clocks of the board's cores at this moment.

        Raises:
            BoardError: one of its kinds.
        """
        with self._talking() as session:
            return self._facts(session, FREQUENCY_FILES)

    def engine_tool(self) -> tuple[Tool, str]:
        """What x-linux-ai-benchmark of the board says about the loaded model, and the model's file name there.

        Raises:
            InputError: nothing was loaded.
            BoardError: one of its kinds.
        """
        loaded = self.loaded
        with self._talking() as session:
            cores = ["--cpu_cores", str(loaded.threads)] if loaded.threads else []
            return self._tool(session, [PROGRAM, "-m", self._model, *cores], self._linux.deadlines.tool_s), self._model

    def profile(self) -> tuple[LayerTimes | None, str]:
        """The times of the loaded model's layers by the board's own benchmark_model, or None and why there are none.

        Raises:
            InputError: nothing was loaded.
            BoardError: one of its kinds.
        """
        loaded = self.loaded
        if "CPU" not in loaded.engine or not self._model.endswith(".tflite"):
            return None, f"no tool of the board tells times of layers on {loaded.engine}"
        with self._talking() as session:
            found = sorted(self._facts(session, [PROFILERS]).files)
            command = profile_command(found[-1] if found else PROFILER, self._model, loaded.threads)
            return layer_times(self._tool(session, command, self._linux.deadlines.tool_s))

    def close(self) -> None:
        """End everything there, remove what was copied, and disconnect."""
        session, self._session = self._session, None
        self._machine = self._loaded = None
        if session is not None:
            session.close()

    @contextmanager
    def _talking(self) -> Iterator[Session]:
        """The session, begun where there is none; whatever goes wrong, Ctrl-C included, ends it and cleans the board."""
        try:
            if self._session is None:
                self._session = Session(self._board)
                self._copy(self._session, "on_board/worker.py", source("worker.py"))
                self._session.request({"op": "start"})
            yield self._session
        except InputError:
            raise
        except BaseException:
            self.close()
            raise

    def _copy(self, session: Session, name: str, content: bytes) -> None:
        answer, _ = session.request({"op": "file", "name": name}, content)
        if answer.get("sha256") != hashlib.sha256(content).hexdigest():
            raise ProtocolError(f"{name} does not arrive whole on the board '{self._board.name}'.", "Its storage is damaged, or full.")

    def _work(self, session: Session, header: dict[str, Any], deadline_s: float | None = None) -> dict[str, Any]:
        answer, _ = session.request({"runtime": self._linux.runtime, **header}, deadline_s=deadline_s)
        return answer

    def _facts(self, session: Session, paths: list[str]) -> Facts:
        answer, _ = session.request({"op": "read", "paths": paths, "most": MOST_FILES})
        return checked(Facts, self._board.name, answer)

    def _tool(self, session: Session, command: list[str], deadline_s: float) -> Tool:
        within_s = deadline_s + self._linux.deadlines.answer_s
        answer, _ = session.request({"op": "tool", "command": command, "deadline_s": deadline_s}, deadline_s=within_s)
        return checked(Tool, self._board.name, answer)

    def _places(self, session: Session, inputs: NDArray[Any]) -> list[int]:
        """Where each input lies in the board's memory; those that are not there yet are sent, each once."""
        digests = [hashlib.sha256(one.tobytes()).digest() for one in inputs]
        missing = {digest: one for digest, one in zip(digests, inputs, strict=True) if digest not in self._stored}
        size = sum(one.nbytes for one in missing.values())
        anew = self._stored_bytes + size > MOST_INPUT_BYTES
        if anew:
            missing = dict(zip(digests, inputs, strict=True))
            self._stored, self._stored_bytes = {}, 0
        if missing:
            self._send_inputs(session, missing, anew)
        return [self._stored[digest] for digest in digests]

    def _send_inputs(self, session: Session, missing: dict[bytes, NDArray[Any]], anew: bool) -> None:
        values = np.stack(list(missing.values()))
        header = {"op": "inputs", "shape": list(values.shape), "dtype": values.dtype.name, "anew": anew}
        answer, _ = session.request(header, values.tobytes())
        self._stored |= {digest: place for place, digest in enumerate(missing, len(self._stored))}
        self._stored_bytes += values.nbytes
        if answer.get("inputs") != len(self._stored):
            raise ProtocolError(f"The board '{self._board.name}' holds {answer.get('inputs')} inputs, not {len(self._stored)}.")


def describe(found: LinuxMachine) -> str:
    """A machine in one line; one that is no STM32 is called so."""
    cores = f"{found.cpus} x " if found.cpus else ""
    text = f"{found.model or found.host} ({cores}{found.cpu or found.architecture}, {found.architecture})"
    return text if is_stm32(found) else f"an ordinary Linux machine, no STM32: {text}"


def runtime_text(found: Runtime) -> str:
    """A runtime with its version, where it tells it."""
    return f"{found.runtime} {found.version or '(version unknown)'}"


def _read(artifact: Path) -> bytes:
    if artifact.suffix not in SUFFIXES:
        raise InputError(f"{artifact} is no model that a Linux board runs.", f"It takes {', '.join(SUFFIXES)}.")
    try:
        return artifact.read_bytes()
    except OSError as error:
        raise InputError(f"{artifact} cannot be read: {error.strerror}.", "Build it, or name another file.") from error
