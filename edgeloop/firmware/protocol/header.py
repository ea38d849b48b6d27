"""The protocol's numbers as a C header, so that a firmware's end of the line and the host's have one table (messages.py)."""

import re
from collections.abc import Iterator
from enum import IntEnum, IntFlag

from edgeloop.firmware.protocol import messages
from edgeloop.firmware.protocol.wire import DataclassLike, numbers

_ENUMS: tuple[type[IntEnum] | type[IntFlag], ...] = (
    messages.Command,
    messages.State,
    messages.Failure,
    messages.Capability,
    messages.RunFlag,
    messages.OperatorFlag,
    messages.TensorFlag,
)
_MESSAGES: tuple[type[DataclassLike], ...] = (
    messages.Request,
    messages.Acknowledgement,
    messages.Data,
    messages.Response,
    messages.Sync,
    messages.SystemInformation,
    messages.Log,
    messages.Agreement,
    messages.TensorDescription,
    messages.Tensor,
    messages.Operator,
    messages.ModelInformation,
)


def protocol_header() -> str:
    """The text of protocol.h, for 3.1 and our extension: `STATE_DONE`, `TENSOR_FLAG_INPUT`; field numbers are `SYNC_VERSION` and so on."""
    lines: list[str] = []
    for kind in _ENUMS:
        lines += _enum(kind.__name__, {name: int(member) for name, member in kind.__members__.items()})
    for message in _MESSAGES:
        lines += _enum(message.__name__, numbers(message))
    start = "/* The numbers of the serial validation protocol 3.1: written by edgeloop from messages.py. */"
    return "\n".join([start, "#ifndef PROTOCOL_H", "#define PROTOCOL_H", "", *lines, "", "#endif", ""])


def _enum(name: str, members: dict[str, int]) -> Iterator[str]:
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
    yield "enum {"
    yield from (f"    {prefix}_{member.upper()} = {number}," for member, number in members.items())
    yield "};"
