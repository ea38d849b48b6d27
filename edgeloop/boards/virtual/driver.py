"""The driver `virtual`: generated code is compiled and started on an emulated core, and spoken to over its UART.

The board is a process of its own; it is ended whatever happens, and ends by itself when this one does.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.driver import Driver, EmulatedRun, Identity, Loaded, Observe
from edgeloop.boards.footprint import Footprint, footprint
from edgeloop.boards.lab.use import BoardInUse
from edgeloop.boards.signature import signature_of
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.exchange import V31
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, Operation
from edgeloop.boards.stm32msg.run import Mode, Patience
from edgeloop.boards.subject import Subject
from edgeloop.boards.virtual.estimate import estimate
from edgeloop.boards.virtual.parts import Part, find_part
from edgeloop.boards.virtual.process import BoardProcess
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.toolchain import Cpu, find_arm_compiler
from edgeloop.errors import BoardError, InputError, ModelError, ToolchainError
from edgeloop.files import sha256_file
from edgeloop.firmware.build import build_firmware, is_too_large
from edgeloop.records import CodegenRecord, EmulatedDetails, EmulatedLayer
from edgeloop.tflite.ending import class_scores
from edgeloop.tflite.formats import FILES, Format
from edgeloop.workspace import VariantPaths

BACKEND = "portable"
"""Whose code a virtual board runs: that of other generators needs libraries of their own."""
PATIENCE = Patience(sync_s=5.0, ready_s=20.0, upload_s=20.0, inference_s=120.0)
"""An emulated core is as fast as its busy host lets it be."""


@dataclass(frozen=True)
class _Running:
    """A model that runs on the core."""

    process: BoardProcess
    client: BoardClient
    firmware: Path
    network: NetworkInformation
    footprint: Footprint


class VirtualBoard(Driver):
    """One virtual board; `faults` are those of its wire (docs/virtual-board.md)."""

    at_once = 1

    def __init__(self, used: BoardInUse, *, faults: Sequence[str] = (), patience: Patience = PATIENCE) -> None:
        kind = used.board.kind
        self.part: Part = find_part(kind.part or "")
        self._target, self._faults, self._patience = kind.target or "", tuple(faults), patience
        self._work = tempfile.TemporaryDirectory(prefix="edgeloop-board-")
        self._running: _Running | None = None
        self._codegen: CodegenRecord | None = None

    def identify(self) -> Identity:
        """An emulated board runs only while it has a model; what it will be is known all the same."""
        memories = ", ".join(f"{region.name} {region.size // 1024} KiB" for region in self.part.regions)
        says = {
            "part": self.part.title,
            "device id": f"0x{self.part.device_id:x}",
            "clock": f"{self.part.clock_hz / 1e6:g} MHz, assumed: one instruction a cycle",
            "memories": memories,
            "emulator": self.emulator,
        }
        clock = f"executed instructions, counted by {self.emulator}"
        return Identity(f"VIRTUAL {self.part.title}", clock, says, clock_hz=self.part.clock_hz)

    @property
    def emulator(self) -> str:
        """What executes the instructions, with its version."""
        return f"unicorn {version('unicorn')}"

    def prepare(self, subject: Subject) -> Iterator[Loaded]:
        """Take the code that was generated of a variant, or generate it of a model file; build the firmware, start and connect.

        Raises:
            InputError: no code was generated of the variant's present model.
            ModelError: no code can be generated of the model, or it does not fit into the part.
            ToolchainError: there is no compiler, or it refuses the code.
            BoardError: the firmware does not run, or does not answer.
        """
        if subject.paths is not None:
            self._codegen = CodegenRecord.read(subject.paths.generate_record)
            form, model = generated_from(self._codegen, subject.paths, subject.name)
            self.load(subject.paths.generated)
        else:
            form, (_, model) = None, subject.models()[0]
            folder = Path(self._work.name) / "generated"
            self._codegen = generate_file(model, folder, Options(target=self._target, backend=BACKEND))
            self.load(folder)
        yield Loaded(model, form, "exact", self.running.network.runtime_description, "firmware")

    def load(self, generated: Path) -> None:
        """Build the firmware around a folder of generated code, start it and connect.

        Raises:
            InputError, ModelError, ToolchainError, BoardError: as for `prepare`.
        """
        self._stop()
        signature = signature_of(generated)
        firmware = self._build(generated)
        process = BoardProcess(firmware, self.part, self._faults)
        try:
            client = BoardClient(process.terminal, patience=self._patience)
        except BoardError as error:
            raise self._ended(process, error) from error
        try:
            self._running = _Running(process, client, firmware, client.network(signature), footprint(firmware, self.part))
        except BoardError as error:
            client.close()
            raise self._ended(process, error) from error

    @property
    def running(self) -> _Running:
        """The model on it, as the firmware describes it, and what went wrong on the wire and was repeated.

        Raises:
            InputError: there is none.
        """
        if self._running is None:
            raise InputError("No model is on the virtual board.", "Prepare one first.")
        return self._running

    def run(self, inputs: NDArray[Any], observe: Observe) -> EmulatedRun:
        """Run the model on (n, height, width, channels) in its own input type.

        Raises:
            InputError: nothing was loaded, or the inputs are of another type or size.
            BoardError: the board does not do what it should, also when tried again.
        """
        looks = observe == Observe.DETAILS
        runs = [self.run_one(image, Mode.PER_LAYER if looks else Mode.IO_ONLY) for image in inputs]
        stored = np.stack([run.outputs[0].reshape(-1) for run in runs])
        details = self._details(runs[0].layers, inputs[0]) if looks else None
        return EmulatedRun(class_scores(self.running.network.outputs[0].values(stored)), [run.total.counters[0] for run in runs], details)

    def run_one(self, image: NDArray[Any], mode: Mode) -> NetworkRun:
        """One inference on (height, width, channels), with as much about its layers as the mode says.

        Raises:
            InputError, BoardError: as for `run`.
        """
        running = self.running
        try:
            return running.client.run(running.network, [image], mode)
        except BoardError as error:
            raise explained(running.process, error) from error

    def close(self) -> None:
        self._stop()
        self._work.cleanup()

    def _details(self, layers: Sequence[Operation], image: NDArray[Any]) -> EmulatedDetails:
        running, codegen = self.running, self._codegen
        assert codegen is not None, "it was prepared"
        macs = {layer.position: layer.macs for layer in codegen.layers or []}
        return EmulatedDetails(
            part=self.part.title,
            layers=[
                EmulatedLayer(
                    name=one.name, type=f"{one.type:#x}", position=one.id, instructions=one.counters[0] or None, macs=macs.get(one.id)
                )
                for one in layers
            ],
            macs=codegen.macs,
            activation_ram_bytes=running.network.activation_bytes,
            weight_bytes=running.network.weight_bytes,
            code_flash_bytes=codegen.code_flash_bytes,
            firmware_flash_bytes=running.footprint.flash_bytes,
            firmware_ram_bytes=running.footprint.ram_bytes,
            compiler=str(self._compiler),
            emulator=self.emulator,
            protocol=V31.name,
            protocol_errors=running.client.disturbances.protocol_errors,
            retries=running.client.disturbances.retries,
            estimated=None if codegen.stream_input else estimate(running.firmware, self.part, image.tobytes()),
        )

    def _build(self, generated: Path) -> Path:
        self._compiler = find_arm_compiler(Cpu(self.part.core))
        try:
            return build_firmware(generated, self.part, Path(self._work.name) / "firmware.elf", compiler=self._compiler)
        except ToolchainError as error:
            if is_too_large(error):
                raise ModelError(
                    f"{generated} with its firmware does not fit into the memories of {self.part.title}:\n{error.what}",
                    "Take a smaller variant or a larger part.",
                ) from error
            raise

    def _ended(self, process: BoardProcess, error: BoardError) -> BoardError:
        said = explained(process, error)
        process.end()
        return said

    def _stop(self) -> None:
        if self._running is not None:
            self._running.client.close()
            self._running.process.end()
        self._running = None


def explained(process: BoardProcess, error: BoardError) -> BoardError:
    """With the board's own last words, where it has ended."""
    words = process.last_words()
    if not words:
        return error
    return type(error)(
        f"{error.what} The virtual board has ended: {words}", "Run it again; the kernel ends programs where memory is short."
    )


def generated_from(codegen: CodegenRecord, paths: VariantPaths, variant: str) -> tuple[Format, Path]:
    """The variant's model that its code was generated from.

    Raises:
        InputError: it is no more, or the code is another generator's.
    """
    if codegen.backend.name != BACKEND:
        raise InputError(
            f"{paths.generated} holds code of {codegen.backend.name}; edgeloop's own firmware runs that of the portable generator only.",
            "Set generate.backend to portable in params.yaml.",
        )
    for form, stem in FILES.items():
        model = paths.quantized / f"{stem}.tflite"
        if model.is_file() and sha256_file(model) == codegen.model_sha256:
            return form, model
    raise InputError(
        f"{paths.generated} was generated from another model than {paths.quantized} holds.", f"Run: dvc repro generate@{variant}"
    )
