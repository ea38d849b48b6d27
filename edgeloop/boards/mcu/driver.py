"""The driver of microcontroller boards: flashed by lab.yaml's commands, spoken to over the serial validation protocol."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.base import Identity, TimedRun
from edgeloop.boards.lab.connect import check_part, connect
from edgeloop.boards.lab.find import reach
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.mcu.firmware import Firmware, build
from edgeloop.boards.mcu.verify import check_clock, check_formats, flashed_network, refuse_virtual
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, System
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.errors import BoardSilent, FlashError, InputError, ProtocolError
from edgeloop.tflite.interpreter import LiteModel

START_S = 10.0
"""How long a board may take from the end of flashing until it answers: firmware prints its banner first."""
POLL_S = 0.2
NS_PER_MS = 1e6


@dataclass(frozen=True)
class McuRun(TimedRun):
    """On a microcontroller."""

    totals: tuple[NetworkRun, ...]
    """Each inference, with counters, stack and heap."""


@dataclass(frozen=True)
class Flashed:
    """A model that is on the board, verified."""

    client: BoardClient
    system: System
    network: NetworkInformation
    firmware: Firmware


class McuBoard:
    """A board that this process holds (`in_use`). A flashed artifact is a .tflite file; `folder` takes code, firmware and logs."""

    def __init__(self, used: BoardInUse, folder: Path) -> None:
        self._used, self._folder = used, folder
        self._flashed: Flashed | None = None
        self.power_cycles = 0

    def identify(self) -> Identity:
        """What the flashed board says of itself.

        Raises:
            InputError: nothing was flashed.
        """
        system, network = self.flashed.system, self.flashed.network
        title = self._used.board.kind.title
        return Identity(
            device=f"{title} (device id 0x{system.device_id:x})",
            runtime=network.runtime_description,
            clock=f"cycle counter of the board at {system.clock_hz / 1e6:g} MHz",
        )

    def flash(self, artifact: Path) -> None:
        """Generate, build, flash, connect, and verify part, clock, model and formats.

        Where flashing fails or the board does not answer as it should, and lab.yaml says how to switch it off and on, that is done once.

        Raises:
            InputError, ModelError, StedgeaiError, ToolchainError: no firmware can be made of the model.
            BoardAbsent: it is not attached, or does not come back.
            FlashError: a command fails.
            BoardSilent, ProtocolError: it does not answer.
            BoardError: it is another part, holds another model, runs at another clock, or is virtual.
        """
        self.close()
        reach(self._used.found)
        model = LiteModel(artifact)
        firmware = build(self._used, artifact, self._folder)
        try:
            self._flashed = self._started(firmware, model)
        except (FlashError, BoardSilent, ProtocolError):
            if not self._used.power_cycle(self._folder / "power.log"):
                raise
            self.power_cycles += 1
            self._flashed = self._started(firmware, model)

    @property
    def flashed(self) -> Flashed:
        """What is on the board.

        Raises:
            InputError: nothing was flashed.
        """
        if self._flashed is None:
            raise InputError(f"No model is on {self._used.board.name}.", "Flash one first.")
        return self._flashed

    def run(self, inputs: NDArray[Any]) -> McuRun:
        """Run the model on each of (n, side, side, 3) in its own input type, and bring the outputs back.

        Raises:
            InputError: nothing was flashed, or the inputs are of another type or size.
            BoardError: the board does not do what it should, also when tried again.
        """
        form = self.flashed.network.outputs[0]
        runs = [self._run(image, Mode.IO_ONLY) for image in inputs]
        stored = np.stack([run.outputs[0].reshape(-1) for run in runs])
        return McuRun(form.values(stored), [_ns(run) for run in runs], tuple(runs))

    def time(self, image: NDArray[Any], count: int) -> list[NetworkRun]:
        """`count` inferences on an input that repeats the first element of `image`; no outputs come back.

        Raises:
            InputError, BoardError: as for `run`.
        """
        return [self._run(image, Mode.PERF) for _ in range(count)]

    def close(self) -> None:
        if self._flashed is not None:
            self._flashed.client.close()
        self._flashed = None

    def _run(self, image: NDArray[Any], mode: Mode) -> NetworkRun:
        flashed = self.flashed
        run = flashed.client.run(flashed.network, [image], mode)
        check_clock(self._used.board, flashed.system, run)
        return run

    def _started(self, firmware: Firmware, model: LiteModel) -> Flashed:
        self._used.flash(firmware.parts, self._folder / "flash.log")
        client = self._answering()
        try:
            return self._verified(client, firmware, model)
        except BaseException:
            client.close()
            raise

    def _answering(self) -> BoardClient:
        end = time.monotonic() + START_S
        while True:
            try:
                return connect(self._used.board, self._used.found)
            except (BoardSilent, ProtocolError):
                if time.monotonic() >= end:
                    raise
            time.sleep(POLL_S)

    def _verified(self, client: BoardClient, firmware: Firmware, model: LiteModel) -> Flashed:
        board, system = self._used.board, client.system()
        check_part(board, system)
        network = flashed_network(client, firmware.signatures, board.name)
        refuse_virtual(board, network, client.boot_text)
        check_formats(network, model)
        return Flashed(client, system, network, firmware)


def latencies_ns(runs: list[NetworkRun]) -> list[int]:
    """The device's own time of each run."""
    return [_ns(run) for run in runs]


def _ns(run: NetworkRun) -> int:
    return round(run.total.duration_ms * NS_PER_MS)
