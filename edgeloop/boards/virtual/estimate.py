"""The estimate of an inference's cycles: the firmware's own code for the network, called once more on a core beside the board."""

from pathlib import Path

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.cycles import METHOD, estimated_cycles, since
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import Part
from edgeloop.records import EstimatedCycles

_CORE = "cortex-m4"
"""The only one that is estimated: a Cortex-M7 issues two instructions at once, and its manual gives no timings."""


def estimate(firmware: Path, part: Part, image: bytes) -> EstimatedCycles | None:
    """Estimate one inference on an image in the network's own input type; None for another core than the Cortex-M4.

    Raises:
        CoreFault, BoardError: the code does not run.
    """
    if part.core != _CORE:
        return None
    core = Core(part, read_program(firmware))
    core.write(core.call("network_input"), image)
    before = core.executed()
    core.call("network_run")
    cycles = estimated_cycles(since(before, core.executed()), core.read)
    return EstimatedCycles(cycles=cycles, core=_CORE, method=METHOD)
