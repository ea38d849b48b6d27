"""A connection to a board of the lab that speaks the serial validation protocol: its version found out, its part checked."""

from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.lab.find import Found
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.exchange import V31, V32, VERSIONS
from edgeloop.boards.stm32msg.link import RATE, Link
from edgeloop.boards.stm32msg.results import System
from edgeloop.boards.stm32msg.run import Patience
from edgeloop.errors import BoardError, BoardSilent, ProtocolError

CLOCK_TOLERANCE = 0.01
FIRST = Patience(sync_tries=2)
"""Twice: a firmware of ours whose host was killed in the middle may still listen at the rate that they had agreed on."""


def connect(board: LabBoard, found: Found) -> BoardClient:
    """Connect; the caller holds the board's lock, and closes the client.

    Raises:
        BoardSilent, ProtocolError: it answers in neither version of the protocol.
        BoardError: its port cannot be had.
    """
    rate = board.baud or RATE
    if board.entry.protocol is not None:
        return BoardClient(found.address, rate=rate, version=VERSIONS[board.entry.protocol])
    try:
        return BoardClient(found.address, rate=rate, version=V31, patience=FIRST)
    except (BoardSilent, ProtocolError):
        # Packets of 3.2 are one byte longer, and a device that waits for the rest of some answers nothing.
        _complete_packets(found.address, rate)
    try:
        return BoardClient(found.address, rate=rate, version=V32)
    except (BoardSilent, ProtocolError) as error:
        raise _neither(board, found, rate, error) from error


def check_part(board: LabBoard, system: System) -> None:
    """Compare what the board reports with what lab.yaml and its kind say.

    Raises:
        BoardError: it is another part, or runs at another clock.
    """
    expected = board.kind.device_id
    if expected is not None and system.device_id != expected:
        raise BoardError(
            f"{board.name} reports the device id 0x{system.device_id:x}; a {board.kind.title} has 0x{expected:x}.",
            "Another board is on this port, or `kind` in lab.yaml is wrong.",
        )
    clock_mhz = system.clock_hz / 1e6
    if board.clock_mhz is not None and abs(clock_mhz - board.clock_mhz) > CLOCK_TOLERANCE * board.clock_mhz:
        raise BoardError(
            f"{board.name} runs at {clock_mhz:g} MHz, not at {board.clock_mhz} MHz.",
            "Its figures would not compare with others of its kind. Correct the firmware's clock, or write clock_mhz in lab.yaml.",
        )


def _complete_packets(address: str, rate: int) -> None:
    link = Link(address, rate)
    try:
        link.write(b"\0" * FIRST.sync_tries * (V32.framing.wire_bytes - V31.framing.wire_bytes))
        link.drain(FIRST.boot_s)
    finally:
        link.close()


def _neither(board: LabBoard, found: Found, rate: int, error: BoardError) -> BoardError:
    kind = ProtocolError if isinstance(error, ProtocolError) else BoardSilent
    boot = f" {board.kind.boot}" if board.kind.boot else ""
    return kind(
        f"{board.name} on {found.address} at {rate} baud answers in neither version of the protocol (3.1, 3.2): {error.what}",
        f"Flash a validation firmware, and check the rate (`baud` in lab.yaml).{boot}",
    )
