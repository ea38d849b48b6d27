"""Is what answers the board that was meant, with the model that was flashed? Nothing is measured before that is sure."""

import math
import re
from collections.abc import Sequence

from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.formats import TensorForm
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, System
from edgeloop.errors import BoardError
from edgeloop.tflite.interpreter import LiteModel, TensorInfo

SCALE_TOLERANCE = 1e-4
CLOCK_TOLERANCE = 0.01
VIRTUAL = re.compile(r"\bvirtual\b(?!\s+com\b)", re.IGNORECASE)
"""A banner may name its probe's `virtual COM port`, which is as real as the board."""


def flashed_network(client: BoardClient, signatures: Sequence[str], name: str) -> NetworkInformation:
    """The one model on the board, which must have one of the signatures (none: any).

    Raises:
        BoardError: it holds another one, or several.
    """
    networks = client.networks()
    held = ", ".join(f"'{network.name}' {network.signature}" for network in networks) or "none"
    if len(networks) != 1:
        raise BoardError(f"{name} holds {len(networks)} models ({held}), where one was flashed.", "Build its firmware around one model.")
    if signatures and networks[0].signature.lower() not in [one.lower() for one in signatures]:
        raise BoardError(
            f"{name} holds another model than the one that was flashed (signature {' or '.join(signatures)}). It holds: {held}.",
            "The flash command wrote another file, or did not start it: look at flash.log.",
        )
    return networks[0]


def refuse_virtual(board: LabBoard, network: NetworkInformation, boot_text: str) -> None:
    """A device that says that it is virtual gives no measurement.

    Raises:
        BoardError: it does.
    """
    said = [text for text in (network.runtime_description, boot_text) if VIRTUAL.search(text)]
    if said:
        raise BoardError(
            f"{board.name} says that it is virtual ('{said[0].strip()[:100]}'): it has no time that could be measured.",
            "Emulated boards are of the kinds virtual-h7 and virtual-f4: edgeloop benchmark ... --board virtual-h7",
        )


def check_formats(network: NetworkInformation, model: LiteModel) -> None:
    """Input and output as the model file declares them.

    Raises:
        BoardError: the board's are others.
    """
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise BoardError(f"The model on the board has {len(network.inputs)} inputs and {len(network.outputs)} outputs.", "Flash it anew.")
    for what, form, meant, sizes in (
        ("input", network.inputs[0], model.input, _sizes(model.input.shape)),
        ("output", network.outputs[0], model.output, (model.outputs,)),
    ):
        if form.dtype != meant.dtype or _sizes(form.shape) != sizes or not _same_scale(form, meant):
            raise BoardError(
                f"The board describes the {what} of its model as {form.dtype} {list(form.shape)} (scale {form.scale:g}, zero point "
                f"{form.zero_point}); the model's is {meant.dtype} {list(meant.shape)} (scale {meant.scale:g}, zero point "
                f"{meant.zero_point}).",
                "Generate with the model's own types (no --inputs-type, no --outputs-type), and flash it anew.",
            )


def check_clock(board: LabBoard, system: System, run: NetworkRun) -> None:
    """The time of a run must be its cycles by the clock that the board reports; without counters there is nothing to compare.

    Raises:
        BoardError: it is not.
    """
    cycles, told_ms = sum(run.total.counters[:3]), run.total.duration_ms
    if not cycles or not system.clock_hz:
        return
    counted_ms = 1e3 * cycles / system.clock_hz
    if abs(counted_ms - told_ms) > CLOCK_TOLERANCE * counted_ms:
        raise BoardError(
            f"{board.name} says that {cycles:,} cycles took {told_ms:g} ms; "
            f"at its {system.clock_hz / 1e6:g} MHz they take {counted_ms:g} ms.",
            "Its firmware takes the time with a wrong clock: correct it, the figures would be wrong by that factor.",
        )


def _sizes(shape: Sequence[int]) -> tuple[int, ...]:
    """Without dimensions of one, which tools add and drop."""
    return tuple(size for size in shape if size != 1) or (math.prod(shape),)


def _same_scale(form: TensorForm, meant: TensorInfo) -> bool:
    if not meant.scale or not form.scale:
        # A firmware may describe integers without their meaning; the comparison of outputs then fails where it matters.
        return not form.scale or form.dtype != "float32"
    return math.isclose(form.scale, meant.scale, rel_tol=SCALE_TOLERANCE) and form.zero_point == meant.zero_point
