"""Faults on request, on the wire between a virtual board and its client: for tests of everything above the board.

silence        the answer is not sent; with times=0 nothing is ever sent again, synchronization bytes included
garbage        random bytes instead of it, as many
truncated      the end of its last packet is missing
duplicated     its first packet comes twice
wrong-reqid    it answers another request
slow           it comes `seconds` late, and everything behind it too
reset          the board starts anew instead, as if its reset button were pressed
wrong-network  the model's signature is another one
wrong-output   the scores (or what the model's output is) are moved on by one place

What a client and the firmware say to each other about the line itself (the extension of docs/firmware.md) is no answer here.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from edgeloop.boards.virtual import wire
from edgeloop.errors import InputError
from edgeloop.yamlfile import near_match

FOREVER = 0
OTHER_REQUEST = 1000
MISSING_BYTES = 20
_MODEL, _TENSOR = 22, 17
_OUTPUT_FLAG = 2


class FaultKind(StrEnum):
    """What goes wrong; see above."""

    SILENCE = "silence"
    GARBAGE = "garbage"
    TRUNCATED = "truncated"
    DUPLICATED = "duplicated"
    WRONG_REQID = "wrong-reqid"
    SLOW = "slow"
    RESET = "reset"
    WRONG_NETWORK = "wrong-network"
    WRONG_OUTPUT = "wrong-output"


@dataclass(frozen=True)
class Fault:
    """One fault, and when. It counts the answers that it concerns: all, or only those with a model or an output in them."""

    kind: FaultKind
    after: int = 0
    """So many go through unharmed first."""
    times: int = 1
    """So many are harmed; 0: no end."""
    every: int = 1
    """1: one after another; 2: every second one, ..."""
    seconds: float = 1.0
    """How late `slow` is."""

    def concerns(self, message: bytes) -> bool:
        """Whether the fault can befall this message."""
        if self.kind is FaultKind.WRONG_NETWORK:
            return wire.find(message, _MODEL) is not None
        return self.kind is not FaultKind.WRONG_OUTPUT or _output_data(message) is not None

    def strikes(self, number: int) -> bool:
        """Whether it befalls the answer with this number, from 1, among those that it concerns."""
        turn, rest = divmod(number - self.after - 1, self.every)
        return turn >= 0 and rest == 0 and (self.times == FOREVER or turn < self.times)


def parse_fault(text: str) -> Fault:
    """A fault as a command line says it: `silence`, `slow:after=3:seconds=0.5`, `garbage:every=2:times=0`.

    Raises:
        InputError: there is no such fault or setting, or its value is impossible.
    """
    name, *settings = text.split(":")
    if name not in list(FaultKind):
        raise InputError(f"There is no fault {name!r}{near_match(name, list(FaultKind))}.", f"Take one of: {', '.join(FaultKind)}.")
    kind = FaultKind(name)
    fault = Fault(kind, times=FOREVER if kind in (FaultKind.WRONG_NETWORK, FaultKind.WRONG_OUTPUT) else 1)
    for setting in settings:
        fault = _with(fault, setting)
    return fault


def _with(fault: Fault, setting: str) -> Fault:
    key, _, value = setting.partition("=")
    try:
        if key == "seconds" and 0 <= float(value) < 3600:
            return replace(fault, seconds=float(value))
        if key in ("after", "times") and int(value) >= 0:
            return replace(fault, after=int(value)) if key == "after" else replace(fault, times=int(value))
        if key == "every" and int(value) >= 1:
            return replace(fault, every=int(value))
    except ValueError:
        pass
    raise InputError(
        f"The fault {fault.kind} has no setting {setting!r}.", "Settings: after=N, times=N (0: no end), every=N (from 1), seconds=S."
    )


class Delivery(NamedTuple):
    """Bytes for the client, and how long after the ones before they are due."""

    content: bytes
    delay_s: float = 0.0


@dataclass
class FaultyWire:
    """Hands on what a device sends, with faults. `reset` starts the device anew and gives what it prints."""

    faults: list[Fault]
    reset: Callable[[], bytes]
    _seen: dict[int, int] = field(default_factory=dict)
    _is_silent: bool = False
    _random: random.Random = field(default_factory=lambda: random.Random(3))

    def carry(self, sent: bytes) -> list[Delivery]:
        """What becomes of the bytes that the device has sent since the last call."""
        if not self.faults:
            return [Delivery(sent)] if sent else []
        deliveries: list[Delivery] = []
        for piece in wire.pieces(sent):
            if self._is_silent:
                break
            fault = None if len(piece) == 1 else self._fault_for(wire.body(piece))
            if fault is not None and fault.kind is FaultKind.RESET:
                # What the device had still to say is lost.
                return [*deliveries, Delivery(self.reset())]
            deliveries.append(Delivery(piece) if fault is None else self._harm(fault, piece))
        return deliveries

    def _fault_for(self, message: bytes) -> Fault | None:
        """The first of the faults that strikes; each of them counts the message."""
        striking = None
        if wire.is_agreement(message):
            return None
        for place, fault in enumerate(self.faults):
            if fault.concerns(message):
                self._seen[place] = self._seen.get(place, 0) + 1
                if striking is None and fault.strikes(self._seen[place]):
                    striking = fault
        return striking

    def _harm(self, fault: Fault, piece: bytes) -> Delivery:
        match fault.kind:
            case FaultKind.SILENCE:
                self._is_silent = fault.times == FOREVER
                return Delivery(b"")
            case FaultKind.GARBAGE:
                return Delivery(self._random.randbytes(len(piece)))
            case FaultKind.TRUNCATED:
                return Delivery(piece[:-MISSING_BYTES])
            case FaultKind.DUPLICATED:
                return Delivery(piece[: wire.packet_bytes(piece)] + piece)
            case FaultKind.SLOW:
                return Delivery(piece, fault.seconds)
            case FaultKind.WRONG_REQID:
                return Delivery(wire.packets(_other_request(wire.body(piece)), piece))
            case FaultKind.WRONG_NETWORK:
                return Delivery(wire.packets(_other_model(wire.body(piece)), piece))
            case FaultKind.WRONG_OUTPUT:
                return Delivery(wire.packets(_other_output(wire.body(piece)), piece))
            case FaultKind.RESET:
                return Delivery(self.reset())


def _other_request(message: bytes) -> bytes:
    number, end = wire.varint(message, 1)
    return message[:1] + wire.to_varint(number + OTHER_REQUEST) + message[end:]


def _other_model(message: bytes) -> bytes:
    changed = bytearray(message)
    signature = wire.find(changed, _MODEL, 3)
    if signature is not None:
        last = signature.end - 1
        changed[last] = ord("1") if changed[last] == ord("0") else ord("0")
    return bytes(changed)


def _other_output(message: bytes) -> bytes:
    changed = bytearray(message)
    data = _output_data(message)
    if data is not None:
        content = message[data.start : data.end]
        width = 4 if len(content) % 4 == 0 else 1
        moved = content[-width:] + content[:-width]
        # Equal scores stay equal when they are moved.
        changed[data.start : data.end] = moved if moved != content else bytes(byte ^ 1 for byte in content)
    return bytes(changed)


def _output_data(message: bytes) -> wire.Field | None:
    """The content of a tensor that is the model's output."""
    flags = wire.find(message, _TENSOR, 1, 9)
    data = wire.find(message, _TENSOR, 2, 4)
    if flags is None or data is None or data.start == data.end:
        return None
    return data if wire.varint(message, flags.start)[0] & _OUTPUT_FLAG else None
