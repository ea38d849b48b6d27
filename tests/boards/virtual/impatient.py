"""A client that waits as ST's does: a port that gives nothing for 100 ms is an empty read, and one that comes when the time is
over ends the wait. Its messages are Google's protobuf; it shares no code with ours.

On cores that others use, too, a process (or the kernel's own, which moves what is written to a terminal) may have to queue for one
longer than any of these limits, whatever the board does. So the wait for a message is counted without the time that client and
board have queued, and within a message only the time in which the board has computed.
"""

import os
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import serial
from stm32msg_schema import schema

MESSAGES = schema("3.1")
SYNC, SYSTEM, MODEL, RUN = 0, 1, 10, 11
PER_LAYER, PER_LAYER_WITH_DATA = 1 | 2, 1 | 4
PACKET, PAYLOAD, LAST, ASK = 33, 32, 0x80, b"\xaa"
READ_S, ASK_S = 0.1, 5.0
INTERNAL, LAST_NODE, LAST_TENSOR = 1, 2, 0x100
WAITS_S = {"sync": 0.5, "sinfo": 0.5, "minfo": 5.0, "ready": 1.0, "taken": 10.0, "op": 50.0, "tensor": 0.1, "output": 50.0}
"""How long each answer may take (serial validation protocol, section 4)."""


HANGS_S = 60.0


class Layer(NamedTuple):
    """What was told of a layer."""

    node: Any
    tensor: Any


class ImpatientClient:
    """Holds the port while the context is open."""

    def __init__(self, port: str, board: int) -> None:
        self._port = serial.Serial(port, timeout=READ_S, exclusive=True)
        self._processes = (os.getpid(), board)
        self._number = 0
        self.waited_s: defaultdict[str, float] = defaultdict(float)
        """The longest wait for each kind of answer to begin."""
        self.computed_s: defaultdict[str, float] = defaultdict(float)
        """The longest time that the board has computed while a packet of it was waited for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._port.close()

    def connect(self) -> Any:
        """As ST's client does; the model's information."""
        self._request(SYNC)
        assert self._answer("sync").sync.version == 0x0301
        self._request(MODEL)
        network = self._answer("minfo").minfo
        self._request(MODEL, 1)
        assert self._answer("minfo").ack.error == 4
        self._request(SYSTEM)
        assert self._answer("sinfo").sinfo.sclock > 0
        return network

    def layers(self, image: bytes) -> tuple[list[Layer], Any, Any]:
        """One inference in PER_LAYER_WITH_DATA: the layers, the whole model and its output."""
        self._request(RUN, PER_LAYER_WITH_DATA, "network")
        assert self._answer("ready").ack.error == 0
        self._send(MESSAGES["aiDataMsg"](type=0, size=len(image), addr=0, datas=image))
        assert self._answer("taken").ack.error == 0
        self._send(MESSAGES["ackMsg"](param=0, error=0))
        layers: list[Layer] = []
        while (node := self._answer("op").op).type >> 24 & INTERNAL:
            assert not layers or not layers[-1].node.type >> 24 & LAST_NODE
            layers.append(Layer(node, self._answer("tensor").tensor))
            assert layers[-1].tensor.desc.flags & LAST_TENSOR
        return layers, node, self._answer("output").tensor

    def _request(self, command: int, parameter: int = 0, name: str = "") -> None:
        self._number += 1
        self._send(MESSAGES["reqMsg"](reqid=self._number, cmd=command, param=parameter, name=name, opt=0))

    def _send(self, message: Any) -> None:
        content = message.SerializeToString()
        length, rest = bytearray(), len(content)
        while rest > 0x7F:
            length.append(rest & 0x7F | 0x80)
            rest >>= 7
        content = bytes([*length, rest]) + content
        for start in range(0, len(content), PAYLOAD):
            if start:
                assert self._read(1, "ask", ASK_S) == ASK
            useful = content[start : start + PAYLOAD]
            self._port.write(bytes([len(useful)]) + useful.ljust(PAYLOAD, b"\0"))

    def _answer(self, kind: str) -> Any:
        message, is_last = b"", False
        while not is_last:
            packet = self._read(PACKET, kind, WAITS_S[kind], begins=not message)
            is_last = bool(packet[0] & LAST)
            message += packet[1 : 1 + (packet[0] & ~LAST)]
        answer = MESSAGES["respMsg"].FromString(message)
        assert answer.reqid == self._number
        return answer

    def _read(self, count: int, kind: str, limit_s: float, *, begins: bool = True) -> bytes:
        if self._port.in_waiting >= count:
            return bytes(self._port.read(count))
        begun, times, read = time.monotonic(), self._times_s(), b""
        while len(read) < count and time.monotonic() - begun < HANGS_S:
            read += self._port.read(count - len(read))
        computed_s, queued_s = (after - before for after, before in zip(self._times_s(), times, strict=True))
        waited_s = time.monotonic() - begun - queued_s if begins else computed_s
        if len(read) < count or waited_s >= max(limit_s, READ_S):
            raise TimeoutError(f"{kind}: nothing within {1000 * limit_s:.0f} ms but after {1000 * waited_s:.0f} ms")
        self.computed_s[kind] = max(self.computed_s[kind], computed_s)
        if begins:
            self.waited_s[kind] = max(self.waited_s[kind], waited_s)
        return read

    def _times_s(self) -> tuple[float, float]:
        """How long the board has computed, and how long both processes have queued for a core (Linux, scheduler/sched-stats)."""
        client, board = (Path(f"/proc/{process}/schedstat").read_text().split() for process in self._processes)
        return int(board[0]) / 1e9, (int(client[1]) + int(board[1])) / 1e9
