"""The driver of a virtual board: code is generated, compiled and started on an emulated core, and spoken to over its UART.

The board is a process of its own; it is ended whatever happens, and ends by itself when this one does.
"""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.base import EmulatedRun, Identity
from edgeloop.boards.signature import signature_of
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.results import Disturbances, NetworkInformation, NetworkRun
from edgeloop.boards.stm32msg.run import Mode, Patience
from edgeloop.boards.virtual.build import build_firmware
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import Part, find_part
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.toolchain import Compiler, Cpu, find_arm_compiler
from edgeloop.errors import BoardError, InputError, ModelError, ToolchainError

START_S = 60.0
END_S = 5.0
NOTICE_S = 0.5
"""So long after its line is lost a process that is ending may still be there."""
PATIENCE = Patience(sync_s=5.0, ready_s=20.0, upload_s=20.0, inference_s=120.0)
"""An emulated core is as fast as its busy host lets it be."""
MOST_WORDS = 2000


@dataclass(frozen=True)
class VirtualBoardKind:
    """Which part a virtual board is, and for what its code is generated."""

    part: str
    target: str


KINDS = {"virtual-h7": VirtualBoardKind("stm32h747", "stm32h7"), "virtual-f4": VirtualBoardKind("stm32f405", "stm32f4")}


@dataclass(frozen=True)
class Footprint:
    """What a firmware takes of its part."""

    flash_bytes: int
    ram_bytes: int
    """Variables, the network's memory, and the reserved stack."""


class VirtualBoard:
    """One virtual board. A flashed artifact is a .tflite file or a folder of generated code.

    Raises:
        InputError: there is no virtual board of that name.
        ToolchainError: there is no compiler for its part.
    """

    def __init__(self, name: str, *, faults: Sequence[str] = (), patience: Patience = PATIENCE) -> None:
        self.part: Part = find_part(KINDS[name].part)
        self._target, self._faults, self._patience = KINDS[name].target, tuple(faults), patience
        self.compiler: Compiler = find_arm_compiler(Cpu(self.part.core))
        self._work = tempfile.TemporaryDirectory(prefix="edgeloop-board-")
        self._process: BoardProcess | None = None
        self._client: BoardClient | None = None
        self._network: NetworkInformation | None = None
        self.footprint: Footprint | None = None

    def identify(self) -> Identity:
        device = f"VIRTUAL {self.part.title}"
        runtime = self._network.runtime_description if self._network else "no firmware"
        return Identity(device=device, runtime=runtime, clock=f"executed instructions, counted by {self.emulator}")

    @property
    def emulator(self) -> str:
        """What executes the instructions, with its version."""
        return f"unicorn {version('unicorn')}"

    @property
    def assumption(self) -> str:
        """The only words under which a count may be told as a time."""
        return f"at {self.part.clock_hz // 1_000_000} MHz, assumed 1 instruction per cycle"

    def flash(self, artifact: Path) -> None:
        """Generate code of a .tflite file (or take a folder of generated code), build the firmware, start and connect.

        Raises:
            InputError: there is no such file or folder.
            ModelError: no code can be generated of the model, or it does not fit into the part.
            ToolchainError: the compiler refuses the code.
            BoardError: the firmware does not run, or does not answer.
        """
        self._stop()
        generated = artifact if artifact.is_dir() else self._generate(artifact)
        firmware = self._build(generated, artifact)
        self.footprint = footprint(firmware, self.part)
        self._process = BoardProcess(firmware, self.part, self._faults)
        try:
            self._client = BoardClient(self._process.terminal, patience=self._patience)
            self._network = self._client.network(signature_of(generated))
        except BoardError as error:
            raise self._explained(error) from error

    @property
    def network(self) -> NetworkInformation:
        """The flashed model, as the firmware describes it."""
        return self._flashed()[1]

    @property
    def disturbances(self) -> Disturbances:
        """What went wrong on the wire and was repeated."""
        return self._flashed()[0].disturbances

    def run(self, inputs: NDArray[Any]) -> EmulatedRun:
        """Run the model on (n, height, width, channels) in its own input type.

        Raises:
            InputError: nothing was flashed, or the inputs are of another type or size.
            BoardError: the board does not do what it should, also when tried again.
        """
        runs = [self.run_one(image, Mode.IO_ONLY) for image in inputs]
        stored = np.stack([run.outputs[0].reshape(-1) for run in runs])
        return EmulatedRun(self.network.outputs[0].values(stored), stored, [run.total.counters[0] for run in runs])

    def run_one(self, image: NDArray[Any], mode: Mode) -> NetworkRun:
        """One inference on (height, width, channels), with as much about its layers as the mode says.

        Raises:
            InputError, BoardError: as for `run`.
        """
        client, network = self._flashed()
        try:
            return client.run(network, [image], mode)
        except BoardError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        self._stop()
        self._work.cleanup()

    def _flashed(self) -> tuple[BoardClient, NetworkInformation]:
        if self._client is None or self._network is None:
            raise InputError("No model is on the virtual board.", "Flash one first.")
        return self._client, self._network

    def _generate(self, model: Path) -> Path:
        folder = Path(self._work.name) / "generated"
        generate_file(model, folder, Options(target=self._target, backend="portable"))
        return folder

    def _build(self, generated: Path, artifact: Path) -> Path:
        try:
            return build_firmware(generated, self.part, Path(self._work.name) / "firmware.elf", compiler=self.compiler)
        except ToolchainError as error:
            if any(words in error.what for words in ("will not fit in region", "overflowed by", "past end of")):
                raise ModelError(
                    f"{artifact} with its firmware does not fit into the memories of {self.part.title}:\n{error.what}",
                    "Take a smaller variant or a larger part.",
                ) from error
            raise

    def _explained(self, error: BoardError) -> BoardError:
        """With the board's own last words, where it has ended."""
        words = self._process.last_words() if self._process else ""
        if not words:
            return error
        return type(error)(
            f"{error.what} The virtual board has ended: {words}", "Run it again; the kernel ends programs where memory is short."
        )

    def _stop(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            self._process.end()
        self._client = self._network = self._process = None


class BoardProcess:
    """`python -m edgeloop.boards.virtual` as a child, from when it is ready until `end`.

    Raises:
        BoardError: it was not ready in time, or ended.
    """

    def __init__(self, firmware: Path, part: Part, faults: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "edgeloop.boards.virtual", "--part", part.name, "--elf", str(firmware)]
        command += [argument for fault in faults for argument in ("--fault", fault)]
        self._written = firmware.with_suffix(".log")
        with self._written.open("wb") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        try:
            self.terminal = str(self._announced()["pty"])
        except BaseException:
            self.end()
            raise

    def last_words(self) -> str:
        """What a process that has ended wrote; empty while it runs."""
        try:
            self._process.wait(NOTICE_S)
        except subprocess.TimeoutExpired:
            return ""
        return self._written.read_text(errors="replace").strip()[-MOST_WORDS:] or f"exit status {self._process.returncode}"

    def end(self) -> None:
        """End it: it goes when its input closes, else by TERM, else by KILL. May be called twice."""
        for action in (self._close_input, self._process.terminate, self._process.kill):
            action()
            try:
                self._process.wait(END_S)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout:
            self._process.stdout.close()

    def _close_input(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def _announced(self) -> dict[str, Any]:
        """The line by which the process says where it can be reached."""
        line, end = bytearray(), time.monotonic() + START_S
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise BoardError(f"The virtual board was not ready within {START_S:.0f} s.", "The machine is too busy: try again.")
                if not (more := os.read(self._process.stdout.fileno(), 4096)):
                    self._process.wait(END_S)
                    raise BoardError(f"The virtual board did not start: {self.last_words()}", "Check the firmware and the part.")
                line += more
        announced: dict[str, Any] = json.loads(line)
        return announced


def footprint(firmware: Path, part: Part) -> Footprint:
    """What a firmware takes, by its segments and its linker script's symbols.

    Raises:
        BoardError: it is damaged.
    """
    program = read_program(firmware)
    address = {name: symbol.address for name, symbol in program.symbols.items()}
    variables = address["firmware_clear_end"] - address["firmware_data_begin"]
    stack = address["firmware_stack_end"] - part.memory(part.stack).start
    return Footprint(sum(len(segment.content) for segment in program.segments), variables + stack)
