"""The messages of the protocol and their numbers; the attributes' names are the protocol's own.

3.2 renumbers a field of the system's information and requires two more of the model's.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated

from edgeloop.firmware.protocol.wire import optional, repeated, required


class Command(IntEnum):
    SYNC = 0
    SYS_INFO = 1
    DISCONNECT = 2
    """3.2 only."""
    NETWORK_INFO = 10
    NETWORK_RUN = 11
    AGREE = 0x1000
    """edgeloop's own extension (docs/firmware.md), as TRY: for devices with the capability AGREES only."""
    TRY = 0x1001


class State(IntEnum):
    IDLE = 0
    WAITING = 1
    PROCESSING = 2
    DONE = 3
    ERROR = 4


class Failure(IntEnum):
    """Why a board refuses."""

    NONE = 0
    INVALID_SIZE = 1
    INVALID_FORMAT = 2
    INVALID_STATE = 3
    INVALID_PARAM = 4
    INVALID_SHAPE = 5
    INVALID_CMD = 6
    UNINITIALIZED = 7
    MEM_OVERFLOW = 8
    GENERIC = 10


class Capability(IntFlag):
    OBSERVER = 1
    RELOC = 2
    READ_WRITE = 8
    RANDOM = 16
    FILTERING = 32
    USBC = 64
    SELF_TEST = 128
    AGREES = 1 << 24
    """edgeloop's own: the device takes the commands AGREE and TRY. ST's table has no bit above 7."""


class RunFlag(IntFlag):
    """The parameter of NETWORK_RUN."""

    IO_ONLY = 1
    PER_LAYER = 2
    PER_LAYER_WITH_DATA = 4
    PERF = 8
    DEBUG = 0x100
    CONST_VALUE = 0x200


class OperatorFlag(IntFlag):
    """Bits 31..24 of an operator's type; none of them for the whole model."""

    INTERNAL = 1
    LAST = 2
    WITHOUT_TENSOR = 4


class TensorFlag(IntFlag):
    INPUT = 1
    OUTPUT = 2
    INTERNAL = 4
    MEMPOOL = 8
    LAST = 0x100
    NO_DATA = 0x200
    IN_MEMPOOL = 0x400


@dataclass(frozen=True, kw_only=True)
class Request:
    """reqMsg, host to device."""

    reqid: Annotated[int, required(1, "uint32")]
    cmd: Annotated[int, required(2, "uint32")]
    param: Annotated[int, required(3, "uint32")]
    name: Annotated[str, required(4, "string")]
    opt: Annotated[int, required(5, "uint32")]


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """ackMsg, both ways."""

    param: Annotated[int, required(1, "uint32")]
    error: Annotated[int, required(2, "uint32")]


@dataclass(frozen=True, kw_only=True)
class Data:
    """aiDataMsg, both ways."""

    type: Annotated[int, required(1, "uint32")]
    size: Annotated[int, required(2, "uint32")]
    addr: Annotated[int, required(3, "uint32")]
    datas: Annotated[bytes, required(4, "bytes")]


@dataclass(frozen=True, kw_only=True)
class Sync:
    version: Annotated[int, required(1, "uint32")]
    capability: Annotated[int, required(4, "uint32")]
    rtid: Annotated[int, required(5, "uint32")]


@dataclass(frozen=True, kw_only=True)
class SystemInformation:
    """sysinfoMsg of 3.1."""

    devid: Annotated[int, required(1, "uint32")]
    sclock: Annotated[int, required(2, "uint32")]
    """The clock of the processor, Hz."""
    hclock: Annotated[int, required(3, "uint32")]
    """The clock of the bus, Hz."""
    cache: Annotated[int, required(4, "uint32")]
    extra: Annotated[tuple[int, ...], repeated(5, "uint32")] = ()


@dataclass(frozen=True, kw_only=True)
class SystemInformation32(SystemInformation):
    """sysinfoMsg of 3.2."""

    extra: Annotated[tuple[int, ...], repeated(6, "uint32")] = ()
    com_param: Annotated[int, required(5, "uint32")]
    """Size of the packets from now on; 0 leaves it."""


@dataclass(frozen=True, kw_only=True)
class Log:
    level: Annotated[int, required(1, "uint32")]
    str: Annotated[str, required(2, "string")]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """edgeloop's own: what AGREE and TRY are answered with."""

    rate: Annotated[int, required(1, "uint32")]
    """Baud."""
    size: Annotated[int, required(2, "uint32")]
    """The most useful bytes of a packet."""
    datas: Annotated[bytes, required(3, "bytes")]
    """Of TRY: so many bytes as it asked for, made of its seed."""


@dataclass(frozen=True, kw_only=True)
class TensorDescription:
    name: Annotated[str, required(1, "string")]
    format: Annotated[int, required(2, "uint32")]
    size: Annotated[int, required(3, "uint32")]
    """Elements."""
    n_dims: Annotated[int, required(4, "uint32")]
    dims: Annotated[tuple[int, ...], repeated(5, "uint32")] = ()
    scale: Annotated[float, required(6, "float")]
    zeropoint: Annotated[int, required(7, "int32")]
    addr: Annotated[int, required(8, "uint32")]
    flags: Annotated[int, required(9, "uint32")]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    desc: Annotated[TensorDescription, required(1, "message", TensorDescription)]
    data: Annotated[Data, required(2, "message", Data)]


@dataclass(frozen=True, kw_only=True)
class Operator:
    name: Annotated[str, required(1, "string")]
    type: Annotated[int, required(2, "uint32")]
    id: Annotated[int, required(3, "uint32")]
    duration: Annotated[float, required(4, "float")]
    """Milliseconds by the device's own clock."""
    counter_type: Annotated[int, required(5, "uint32")]
    counters: Annotated[tuple[int, ...], repeated(6, "uint32")] = ()
    stack_used: Annotated[int, required(7, "int32")]
    heap_used: Annotated[int, required(8, "int32")]


@dataclass(frozen=True, kw_only=True)
class ModelInformation:
    """aiModelInfoMsg of 3.1."""

    name: Annotated[str, required(1, "string")]
    rtid: Annotated[int, required(2, "uint32")]
    signature: Annotated[str, required(3, "string")]
    compile_datetime: Annotated[str, required(4, "string")]
    runtime_version: Annotated[int, required(5, "uint32")]
    tool_version: Annotated[int, required(6, "uint32")]
    n_macc: Annotated[int, required(7, "uint64")]
    n_nodes: Annotated[int, required(8, "uint32")]
    n_inputs: Annotated[int, required(10, "uint32")]
    inputs: Annotated[tuple[TensorDescription, ...], repeated(11, "message", TensorDescription)] = ()
    n_outputs: Annotated[int, required(12, "uint32")]
    outputs: Annotated[tuple[TensorDescription, ...], repeated(13, "message", TensorDescription)] = ()
    n_activations: Annotated[int, required(14, "uint32")]
    activations: Annotated[tuple[TensorDescription, ...], repeated(15, "message", TensorDescription)] = ()
    n_params: Annotated[int, required(16, "uint32")]
    params: Annotated[tuple[TensorDescription, ...], repeated(17, "message", TensorDescription)] = ()
    runtime_desc: Annotated[str, required(20, "string")]


@dataclass(frozen=True, kw_only=True)
class ModelInformation32(ModelInformation):
    """aiModelInfoMsg of 3.2."""

    n_install_time: Annotated[float, required(21, "float")]
    """Milliseconds."""
    n_init_time: Annotated[float, required(22, "float")]


@dataclass(frozen=True, kw_only=True)
class Response:
    """respMsg of 3.1, device to host."""

    reqid: Annotated[int, required(1, "uint32")]
    state: Annotated[int, required(2, "uint32")]
    sync: Annotated[Sync | None, optional(10, Sync)] = None
    sinfo: Annotated[SystemInformation | None, optional(11, SystemInformation)] = None
    ack: Annotated[Acknowledgement | None, optional(12, Acknowledgement)] = None
    log: Annotated[Log | None, optional(13, Log)] = None
    data: Annotated[Data | None, optional(15, Data)] = None
    op: Annotated[Operator | None, optional(16, Operator)] = None
    tensor: Annotated[Tensor | None, optional(17, Tensor)] = None
    minfo: Annotated[ModelInformation | None, optional(22, ModelInformation)] = None
    agreement: Annotated[Agreement | None, optional(100, Agreement)] = None


@dataclass(frozen=True, kw_only=True)
class Response32(Response):
    """respMsg of 3.2."""

    sinfo: Annotated[SystemInformation | None, optional(11, SystemInformation32)] = None
    minfo: Annotated[ModelInformation | None, optional(22, ModelInformation32)] = None
