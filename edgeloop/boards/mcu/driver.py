"""The driver `stm32msg`: microcontroller boards, flashed by a tool or lab.yaml's commands, spoken to over serial validation protocol."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.driver import Driver, Identity, Loaded, MeasuredRun, Observe
from edgeloop.boards.lab.find import reach
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.latency import NS_PER_MS
from edgeloop.boards.mcu.connect import check_part, connect
from edgeloop.boards.mcu.firmware import PORTABLE, Firmware, build, form_for
from edgeloop.boards.mcu.layers import layer_times
from edgeloop.boards.mcu.verify import check_clock, check_formats, flashed_network, refuse_virtual
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.link import RATE
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, System
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.boards.subject import Subject
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardSilent, FlashError, InputError, ProtocolError
from edgeloop.records import CodegenRecord, McuCode, McuDevice, McuFirmware, McuLine, MeasuredDetails
from edgeloop.tflite.ending import class_scores
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.userpath import without_places

START_S = 10.0
"""How long a board may take from the end of flashing until it answers: firmware prints its banner first."""
POLL_S = 0.2


@dataclass(frozen=True)
class Flashed:
    """A model that is on the board, verified."""

    client: BoardClient
    system: System
    network: NetworkInformation
    firmware: Firmware


class McuBoard(Driver):
    """Code, firmware and logs go to the board's folder."""

    at_once = 1

    def __init__(self, used: BoardInUse) -> None:
        self._used, self._board, self._folder = used, used.board, used.folder
        self._flashed: Flashed | None = None
        self._power_cycles = 0
        self._runs: list[NetworkRun] = []
        self._timed: list[NetworkRun] = []

    def identify(self) -> Identity:
        """What the board says of itself, and of the models on it.

        Raises:
            BoardSilent, ProtocolError: it does not answer.
            BoardError: it is another part.
        """
        if self._flashed is not None:
            return self._identity(self._flashed.client, self._flashed.system, [self._flashed.network])
        with connect(self._board, self._used.found) as client:
            system, networks = client.system(), client.networks()
            check_part(self._board, system)
            return self._identity(client, system, networks)

    def prepare(self, subject: Subject) -> Iterator[Loaded]:
        """Generate, build, flash, connect, and verify part, clock, model and formats.

        Where flashing fails or the board does not answer as it should, and lab.yaml says how to switch it off and on, that is done once.

        Raises:
            InputError, ModelError, StedgeaiError, ToolchainError: no firmware can be made of the model.
            BoardAbsent: it is not attached, or does not come back.
            FlashError: a command fails.
            BoardSilent, ProtocolError: it does not answer.
            BoardError: it is another part, holds another model, runs at another clock, or is virtual.
        """
        form, file = subject.model(form_for(self._board, self._used.project))
        reach(self._used.found)
        model = LiteModel(file)
        firmware = build(self._used, file, self._folder)
        try:
            self._flashed = self._started(firmware, model)
        except (FlashError, BoardSilent, ProtocolError):
            if not self._used.power_cycle(self._folder / "power.log"):
                raise
            self._power_cycles += 1
            self._flashed = self._started(firmware, model)
        yield Loaded(
            model=file,
            format=form,
            tolerance="exact" if firmware.codegen.backend.name == PORTABLE else "agreement",
            runtime=self._flashed.network.runtime_description,
            file="firmware",
            file_sha256=firmware.sha256,
            engine="CPU" if code_of(firmware.codegen).profile is None else "NPU",
        )

    @property
    def flashed(self) -> Flashed:
        """What is on the board.

        Raises:
            InputError: nothing was flashed.
        """
        if self._flashed is None:
            raise InputError(f"No model is on {self._board.name}.", "Prepare one first.")
        return self._flashed

    def run(self, inputs: NDArray[Any], observe: Observe) -> MeasuredRun:
        """For times alone the board fills its input with the first element of each, and no outputs come back.

        Raises:
            InputError: nothing was flashed, or the inputs are of another type or size.
            BoardError: the board does not do what it should, also when tried again.
        """
        form = self.flashed.network.outputs[0]
        empty = np.empty((0, int(np.prod(form.shape))), np.float32)
        if observe == Observe.DETAILS:
            return MeasuredRun(empty, details=self._details(inputs[0]))
        runs = [self._run(image, Mode.IO_ONLY if observe == Observe.OUTPUTS else Mode.PERF) for image in inputs]
        (self._runs if observe == Observe.OUTPUTS else self._timed).extend(runs)
        stored = [run.outputs[0].reshape(-1) for run in runs if run.outputs]
        return MeasuredRun(
            class_scores(form.values(np.stack(stored))) if stored else empty, [round(run.total.duration_ms * NS_PER_MS) for run in runs]
        )

    def close(self) -> None:
        if self._flashed is not None:
            self._flashed.client.close()
        self._flashed = None

    def _run(self, image: NDArray[Any], mode: Mode) -> NetworkRun:
        flashed = self.flashed
        run = flashed.client.run(flashed.network, [image], mode)
        check_clock(self._board, flashed.system, run)
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
        deadline = Deadline.after(START_S)
        while True:
            try:
                return connect(self._board, self._used.found)
            except (BoardSilent, ProtocolError):
                if deadline.is_over:
                    raise
            time.sleep(POLL_S)

    def _verified(self, client: BoardClient, firmware: Firmware, model: LiteModel) -> Flashed:
        system = client.system()
        check_part(self._board, system)
        network = flashed_network(client, firmware.signatures, self._board.name)
        refuse_virtual(self._board, network, client.boot_text)
        check_formats(network, model)
        return Flashed(client, system, network, firmware)

    def _identity(self, client: BoardClient, system: System, networks: Sequence[NetworkInformation]) -> Identity:
        board, found, mhz = self._board, self._used.found, f"{system.clock_hz / 1e6:g} MHz"
        says = {
            "device id": f"0x{system.device_id:x}",
            "clock": f"{mhz} (bus {system.bus_clock_hz / 1e6:g} MHz)",
            "protocol": client.version,
            "line": client.line.in_words(),
        }
        says |= {"probe": found.probe} if found.probe else {}
        for network in networks:
            made = f"{network.runtime_description}, tool {network.tool_version}, compiled {network.compiled}"
            says[f"model '{network.name}'"] = f"{network.signature}, {network.macs} MACs, {made}"
        device = McuDevice(
            name=board.name,
            kind=board.entry.kind,
            title=board.kind.title,
            serial=found.probe,
            address=found.address,
            baud=board.baud or RATE,
            line=McuLine(baud=client.line.rate, packet_bytes=client.line.packet_bytes, has_crc=client.line.has_crc),
            device_id=system.device_id,
            clock_hz=system.clock_hz,
            bus_clock_hz=system.bus_clock_hz,
            protocol=client.version,
        )
        clock = f"cycle counter of the board at {mhz}"
        return Identity(f"{board.kind.title}, {mhz}", clock, says, "MCU", system.clock_hz, microcontroller=device)

    def _told(self, commands: list[list[str]]) -> list[list[str]]:
        """Commands as others may read them."""
        return [[without_places(word, self._used.project) for word in command] for command in commands]

    def _details(self, image: NDArray[Any]) -> MeasuredDetails:
        made, network, disturbances = self.flashed.firmware, self.flashed.network, self.flashed.client.disturbances
        clock = self.identify().clock
        times, no_times = layer_times(self.flashed.client, network, image, made.codegen, clock)
        runs, ordered = [*self._runs, *self._timed], sorted(self._timed, key=lambda run: run.total.duration_ms)
        return MeasuredDetails(
            code=code_of(made.codegen),
            firmware=McuFirmware(
                sha256=made.sha256,
                build=self._told(made.build),
                flash=self._told(made.flash),
                runtime=network.runtime_description,
                runtime_version=network.runtime_version,
                tool_version=network.tool_version,
                compiled=network.compiled,
                signature=network.signature,
                signature_checked=bool(made.signatures),
                flash_bytes=made.size.flash_bytes if made.size else None,
                ram_bytes=made.size.ram_bytes if made.size else None,
                activation_ram_bytes=network.activation_bytes,
                weight_bytes=network.weight_bytes,
            ),
            cycles=list(ordered[len(ordered) // 2].total.counters) if ordered else [],
            stack_bytes=most([run.total.stack_bytes for run in runs]),
            heap_bytes=most([run.total.heap_bytes for run in runs]),
            protocol_errors=disturbances.protocol_errors,
            retries=disturbances.retries,
            power_cycles=self._power_cycles,
            layer_times=times,
            no_layer_times=no_times,
        )


def most(values: Sequence[int]) -> int | None:
    """The largest; firmware says -1 where it does not measure."""
    known = [value for value in values if value >= 0]
    return max(known) if known else None


def code_of(codegen: CodegenRecord) -> McuCode:
    """What a benchmark's record says of the generated code."""
    assert codegen.target is not None, "it was generated for a target"
    same = {name: getattr(codegen, name) for name in McuCode.model_fields if name in CodegenRecord.model_fields}
    return McuCode(
        **same
        | {
            "backend": codegen.backend.name,
            "backend_version": codegen.backend.version,
            "components": codegen.run.components if codegen.run else {},
            "profile": codegen.run.profile if codegen.run else None,
        }
    )
