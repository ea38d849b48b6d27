"""The transaction NETWORK_RUN: inputs up, layers and outputs down, everything checked against the model's information."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.stm32msg.exchange import MOST_MESSAGE_BYTES, SHORT_MESSAGE_BYTES, Exchange, unexpected
from edgeloop.boards.stm32msg.formats import TensorForm, tensor_form
from edgeloop.boards.stm32msg.results import NetworkInformation, NetworkRun, Operation
from edgeloop.errors import BoardRefusal, InputError, ProtocolError
from edgeloop.firmware.protocol.messages import Command, Data, Failure, Operator, OperatorFlag, Response, RunFlag, State, Tensor, TensorFlag

FIRST_SAMPLE = 1
"""Option of the request: the device clears its states."""
MOST_LAYERS = 10_000
MOST_TENSORS = 64
"""The most tensors of one layer."""
MOST_LAYER_BYTES = 1 << 29
"""The most bytes of all layers' tensors in one run."""
NARROW_COUNTERS = 1
"""Counters are 32-bit values, not 64-bit ones as low and high halves."""


class Mode(Enum):
    """What a run tells; the value is the request's parameter."""

    IO_ONLY = RunFlag.IO_ONLY
    PER_LAYER = RunFlag.IO_ONLY | RunFlag.PER_LAYER
    PER_LAYER_WITH_DATA = RunFlag.IO_ONLY | RunFlag.PER_LAYER_WITH_DATA
    PERF = RunFlag.IO_ONLY | RunFlag.PERF | RunFlag.CONST_VALUE
    """The input is filled with its first element; no outputs."""
    PERF_PER_LAYER = RunFlag.IO_ONLY | RunFlag.PERF | RunFlag.CONST_VALUE | RunFlag.PER_LAYER

    @property
    def has_layers(self) -> bool:
        return bool(self.value & (RunFlag.PER_LAYER | RunFlag.PER_LAYER_WITH_DATA))

    @property
    def has_layer_data(self) -> bool:
        return bool(self.value & RunFlag.PER_LAYER_WITH_DATA)

    @property
    def has_outputs(self) -> bool:
        return not self.value & RunFlag.PERF


@dataclass(frozen=True)
class Patience:
    """How long each answer is waited for, and how often is tried."""

    sync_s: float = 1.0
    sync_tries: int = 3
    boot_s: float = 5.0
    """What a board sends that nobody has asked for, when it is connected to."""
    rest_s: float = 60.0
    """What a board still sends of a run that was given up: every layer's data, at the rate of its port."""
    information_s: float = 5.0
    ready_s: float = 5.0
    upload_s: float = 10.0
    inference_s: float = 50.0
    tensor_s: float = 10.0
    retries: int = 2
    """How often a transaction is repeated in which the protocol broke."""


def run_once(exchange: Exchange, network: NetworkInformation, inputs: Sequence[NDArray[Any]], mode: Mode, patience: Patience) -> NetworkRun:
    """One inference, without a second try; errors as of `BoardClient.run`."""
    contents = [_content(form, given) for form, given in _paired(network, inputs)]
    if not mode.has_outputs:
        contents = [content[: np.dtype(form.dtype).itemsize] for content, form in zip(contents, network.inputs, strict=True)]
    exchange.request(Command.NETWORK_RUN, mode.value, network.name, FIRST_SAMPLE)
    _acknowledged(exchange, State.WAITING, network.inputs[0].stored_bytes if mode.has_outputs else None, patience.ready_s)
    for left, content in zip(reversed(range(len(contents))), contents, strict=True):
        exchange.send(Data(type=0, size=len(content), addr=0, datas=content), patience.upload_s)
        state = State.WAITING if left else State.PROCESSING
        _acknowledged(exchange, state, len(content) if mode.has_outputs else None, patience.upload_s)
        exchange.acknowledge()
    layers, total = _operations(exchange, network, mode, patience)
    outputs = [_output(exchange, network, number, mode, patience) for number in range(len(network.outputs))]
    return NetworkRun(total, tuple(layers), tuple(output for output in outputs if output is not None))


def _paired(network: NetworkInformation, inputs: Sequence[NDArray[Any]]) -> list[tuple[TensorForm, NDArray[Any]]]:
    if len(inputs) != len(network.inputs) or not network.inputs:
        raise InputError(f"The model '{network.name}' on the board has {len(network.inputs)} inputs, and {len(inputs)} are given.")
    return list(zip(network.inputs, inputs, strict=True))


def _content(form: TensorForm, given: NDArray[Any]) -> bytes:
    wanted = _without_batch(form.shape)
    if given.dtype.name != form.dtype or _without_batch(given.shape) != wanted:
        raise InputError(
            f"The model on the board takes {form.dtype} {list(wanted)} for '{form.name}', not {given.dtype.name} {list(given.shape)}."
        )
    return np.ascontiguousarray(given, given.dtype.newbyteorder("<")).tobytes()


def _without_batch(shape: Sequence[int]) -> tuple[int, ...]:
    """Leading ones stand for a batch of one."""
    sizes = list(shape)
    while len(sizes) > 1 and sizes[0] == 1:
        sizes.pop(0)
    return tuple(sizes)


def _acknowledged(exchange: Exchange, state: State, count: int | None, seconds: float) -> None:
    try:
        answer = exchange.answer(seconds)
    except BoardRefusal as refusal:
        if refusal.code != Failure.INVALID_SIZE:
            raise
        # It was sent what its own description asks for.
        raise ProtocolError(f"Input was lost on its way to the board. {refusal.what}", "Run it again.") from refusal
    if answer.ack is None or answer.state != state:
        raise unexpected(f"an acknowledgement in state {state.value} ({state.name})", answer)
    if answer.ack.error or (count is not None and answer.ack.param != count):
        raise ProtocolError(f"The board acknowledges {answer.ack.param} bytes of input, not {count}.", "Bytes were lost on the way.")


def _operations(exchange: Exchange, network: NetworkInformation, mode: Mode, patience: Patience) -> tuple[list[Operation], Operation]:
    """The layers, where they are asked for, and the whole model."""
    layers: list[Operation] = []
    room, is_last = MOST_LAYER_BYTES, not mode.has_layers
    while True:
        operator = _operator(exchange, patience)
        flags = OperatorFlag(operator.type >> 24 & 7)
        if not flags & OperatorFlag.INTERNAL:
            break
        if is_last or len(layers) == (network.nodes or MOST_LAYERS):
            raise ProtocolError(f"The board sends more layers than its model has ({network.nodes}).", "A packet was doubled, or lost.")
        tensors = () if flags & OperatorFlag.WITHOUT_TENSOR else _layer_tensors(exchange, mode, patience)
        room -= sum(tensor.nbytes for tensor in tensors)
        if room < 0:
            raise ProtocolError(f"The board sends more than {MOST_LAYER_BYTES} bytes of layers' outputs.", "Check its firmware.")
        layers.append(replace(_operation(operator), tensors=tensors))
        is_last = bool(flags & OperatorFlag.LAST)
    if mode.has_layers and network.nodes and len(layers) != network.nodes:
        raise ProtocolError(f"The board sent {len(layers)} layers of a model of {network.nodes}.", "A packet was lost.")
    return layers, _operation(operator)


def _operator(exchange: Exchange, patience: Patience) -> Operator:
    answer = exchange.answer(patience.inference_s)
    if answer.op is None or answer.state != State.PROCESSING:
        raise unexpected("a layer or the whole model", answer)
    return answer.op


def _operation(operator: Operator) -> Operation:
    if not math.isfinite(operator.duration) or operator.duration < 0:
        raise ProtocolError(f"The board says that '{operator.name}' took {operator.duration} ms.", "Check its firmware.")
    return Operation(
        name=operator.name,
        type=operator.type & 0xFFFFFF,
        id=operator.id,
        duration_ms=operator.duration,
        counters=_counters(operator),
        stack_bytes=operator.stack_used,
        heap_bytes=operator.heap_used,
    )


def _counters(operator: Operator) -> tuple[int, ...]:
    if operator.counter_type >> 16 == NARROW_COUNTERS:
        return operator.counters
    low, high = operator.counters[::2], operator.counters[1::2]
    if operator.counter_type >> 16 or len(low) != len(high):
        raise ProtocolError(
            f"The board sends {len(operator.counters)} counters of the type {operator.counter_type:#x}.", "Check its firmware."
        )
    return tuple(upper << 32 | lower for lower, upper in zip(low, high, strict=True))


def _layer_tensors(exchange: Exchange, mode: Mode, patience: Patience) -> tuple[NDArray[Any], ...]:
    tensors: list[NDArray[Any]] = []
    for _ in range(MOST_TENSORS):
        tensor = _tensor(exchange, TensorFlag.INTERNAL, patience.tensor_s, MOST_MESSAGE_BYTES)
        if mode.has_layer_data:
            tensors.append(tensor_form(tensor.desc).array(tensor.data.datas))
        if tensor.desc.flags & TensorFlag.LAST:
            return tuple(tensors)
    raise ProtocolError(f"The board sends more than {MOST_TENSORS} outputs of one layer.", "Check its firmware.")


def _output(exchange: Exchange, network: NetworkInformation, number: int, mode: Mode, patience: Patience) -> NDArray[Any] | None:
    form, is_last = network.outputs[number], number == len(network.outputs) - 1
    tensor = _tensor(exchange, TensorFlag.OUTPUT, patience.inference_s, form.stored_bytes + SHORT_MESSAGE_BYTES, done=is_last)
    if tensor_form(tensor.desc) != form or bool(tensor.desc.flags & TensorFlag.LAST) != is_last:
        raise ProtocolError(f"The board sends the output {number} in another form than its model's information says.", "Run it again.")
    return form.array(tensor.data.datas) if mode.has_outputs else None


def _tensor(exchange: Exchange, role: TensorFlag, seconds: float, most_bytes: int, done: bool = False) -> Tensor:
    answer: Response = exchange.answer(seconds, most_bytes)
    if answer.tensor is None or not answer.tensor.desc.flags & role or answer.state != (State.DONE if done else State.PROCESSING):
        raise unexpected(f"a tensor ({role.name}{', the last one' if done else ''})", answer)
    sent, said = len(answer.tensor.data.datas), answer.tensor.data.size
    if sent != (0 if answer.tensor.desc.flags & TensorFlag.NO_DATA else said):
        raise ProtocolError(f"The board says that a tensor has {said} bytes and sends {sent}.", "Run it again.")
    return answer.tensor
