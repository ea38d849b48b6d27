"""What a board says of itself and of a run, as the transactions found it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgeloop.boards.stm32msg.formats import TensorForm, tensor_form
from edgeloop.errors import ProtocolError
from edgeloop.firmware.protocol.messages import ModelInformation, SystemInformation, TensorDescription, TensorFlag


@dataclass(frozen=True)
class System:
    """The part, as its firmware names it."""

    device_id: int
    clock_hz: int
    bus_clock_hz: int
    cache: int
    """Series, FPU and caches: bits as in the protocol's specification."""
    extra: tuple[int, ...]


@dataclass(frozen=True)
class NetworkInformation:
    """A model in the firmware."""

    name: str
    signature: str
    runtime: int
    """Bits 7..0 which runtime, 15..8 its interface, 23..16 the compiler."""
    runtime_description: str
    runtime_version: str
    tool_version: str
    compiled: str
    macs: int
    nodes: int
    inputs: tuple[TensorForm, ...]
    outputs: tuple[TensorForm, ...]
    activation_bytes: int
    weight_bytes: int


@dataclass(frozen=True)
class Operation:
    """A layer, or the whole model, of one run."""

    name: str
    type: int
    """ST.AI's number of the kind of layer; 0 for the whole model."""
    id: int
    duration_ms: float
    """By the device's own clock; of a virtual board it is no time (docs/virtual-board.md)."""
    counters: tuple[int, ...]
    """The first one counts CPU cycles; a virtual board's counts executed instructions."""
    stack_bytes: int
    """-1: not measured."""
    heap_bytes: int
    tensors: tuple[NDArray[Any], ...] = ()
    """What a layer computed, where that was asked for."""


@dataclass(frozen=True)
class NetworkRun:
    """One inference in which nothing went wrong."""

    total: Operation
    layers: tuple[Operation, ...]
    outputs: tuple[NDArray[Any], ...]
    """Empty in mode PERF."""


@dataclass(frozen=True)
class Line:
    """How bytes cross the line to a board."""

    rate: int
    """Baud, as the port was told; of a TCP connection the rate is somebody else's."""
    packet_bytes: int
    has_crc: bool
    """Whether a CRC stands behind each packet (edgeloop's extension)."""

    def in_words(self) -> str:
        """For people."""
        return f"{self.rate} baud, packets of {self.packet_bytes} bytes {'with' if self.has_crc else 'without'} CRC"


@dataclass
class Disturbances:
    """What went wrong and was repeated since the connection was made."""

    protocol_errors: int = 0
    retries: int = 0


def system(message: SystemInformation) -> System:
    """The part, from sysinfoMsg."""
    return System(message.devid, message.sclock, message.hclock, message.cache, message.extra)


def network_information(message: ModelInformation) -> NetworkInformation:
    """A model, from aiModelInfoMsg.

    Raises:
        ProtocolError: it contradicts itself.
    """
    return NetworkInformation(
        name=message.name,
        signature=message.signature,
        runtime=message.rtid,
        runtime_description=message.runtime_desc,
        runtime_version=_version(message.runtime_version),
        tool_version=_version(message.tool_version),
        compiled=message.compile_datetime,
        macs=message.n_macc,
        nodes=message.n_nodes,
        inputs=_forms("inputs", message.n_inputs, message.inputs),
        outputs=_forms("outputs", message.n_outputs, message.outputs),
        activation_bytes=_pool_bytes(message.activations),
        weight_bytes=_pool_bytes(message.params),
    )


def _version(word: int) -> str:
    return f"{word >> 24}.{word >> 16 & 0xFF}.{word >> 8 & 0xFF}"


def _forms(what: str, count: int, described: tuple[TensorDescription, ...]) -> tuple[TensorForm, ...]:
    if count != len(described):
        raise ProtocolError(f"The board says that its model has {count} {what} and describes {len(described)}.", "Check its firmware.")
    return tuple(tensor_form(one) for one in described)


def _pool_bytes(pools: tuple[TensorDescription, ...]) -> int:
    return sum(tensor_form(pool).stored_bytes for pool in pools if pool.flags & TensorFlag.MEMPOOL)
