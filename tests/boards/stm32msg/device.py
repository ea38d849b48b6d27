"""A scripted device behind a real pseudo-terminal: the device's end of the protocol, from its specification alone.

Its model sums each colour of a 4x4 picture: uint8 (4, 4, 3) to float32 (3), in two layers.
"""

import os
import select
import threading
import tty
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from stm32msg_schema import schema

UINT8, FLOAT32 = 0x00040440, 0x00821040
IDLE, WAITING, PROCESSING, DONE, ERROR = range(5)
SIDE = 4
SIGNATURE = "0x0123456789abcdef"
CYCLES = (5 << 32) + 7
"""Of the first layer: needs more than 32 bits."""

Distortion = Callable[[int, list[bytes]], Iterable[bytes]]
"""Takes the number of a message of the device, from 0, and its packets; gives what really goes out."""


def colour_sums(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    sums: NDArray[np.float32] = picture.reshape(-1, 3).astype(np.float32).sum(axis=0)
    return sums


class Reset(Exception):
    """The device starts anew."""


@dataclass
class ScriptedDevice:
    """Runs in a thread while the context is open; `address` is the terminal to connect to."""

    version: str = "3.1"
    distort: Distortion = lambda _, packets: packets
    boot_text: bytes = b"READY to receive a CMD from the HOST...\r\nProtocol version = 3.1\r\n"
    logs: tuple[str, ...] = ()
    """Sent before every answer to NETWORK_INFO."""
    larger_packets: int = 0
    signatures: list[str] = field(default_factory=lambda: [SIGNATURE])
    change: Callable[[Any], None] = lambda _: None
    """Changes an answer before it is encoded."""

    def __enter__(self) -> "ScriptedDevice":
        self._messages = schema(self.version)
        self._end, self._terminal = os.openpty()
        tty.setraw(self._end)
        tty.setraw(self._terminal)
        self.address = os.ttyname(self._terminal)
        self.sent = 0
        self.requests: list[int] = []
        self.acknowledgements = 0
        self._header, self._size, self._reqid = (1 if self.version == "3.1" else 2), 32, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)
        os.close(self._end)
        os.close(self._terminal)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._over.is_set():
            self._size = 32
            try:
                self._write(self.boot_text)
                while True:
                    request = self._take("reqMsg")
                    self._reqid = request.reqid
                    self.requests.append(request.cmd)
                    self._answer(request)
            except Reset:
                continue
            except DecodeError:
                self._give(ERROR, ack={"param": 4, "error": 4})

    def _answer(self, request: Any) -> None:
        if request.cmd == 0:
            self._size = 32
            self._give(IDLE, sync={"version": 0x0301 if self.version == "3.1" else 0x0302, "capability": 1, "rtid": 0x010201})
        elif request.cmd == 1:
            extra = {} if self.version == "3.1" else {"com_param": self.larger_packets}
            self._give(IDLE, sinfo={"devid": 0x450, "sclock": 480_000_000, "hclock": 240_000_000, "cache": 3 << 24, "extra": [1], **extra})
            self._size = self.larger_packets or self._size
        elif request.cmd == 10 and request.param < len(self.signatures):
            self._log()
            self._give(IDLE, minfo=self._information(self.signatures[request.param]))
        elif request.cmd == 11 and request.name == "network":
            self._run(request.param)
        else:
            self._give(ERROR, ack={"param": 4, "error": 4})

    def _log(self) -> None:
        for text in self.logs:
            self._give(WAITING, log={"level": 1, "str": text})
            self._take("ackMsg")
            self.acknowledgements += 1

    def _run(self, param: int) -> None:
        is_constant, is_quiet = bool(param & 0x200), bool(param & 8)
        wanted = 1 if is_constant else SIDE * SIDE * 3
        self._give(WAITING, ack={"param": wanted, "error": 0})
        data = self._take("aiDataMsg").datas
        if len(data) != wanted:
            self._give(ERROR, ack={"param": len(data), "error": 1})
            return
        self._give(PROCESSING, ack={"param": len(data), "error": 0})
        self._take("ackMsg")
        picture = np.frombuffer(data * (SIDE * SIDE * 3 if is_constant else 1), np.uint8).reshape(SIDE, SIDE, 3)
        if param & 6:
            self._layers(picture, with_data=bool(param & 4))
        total = {"low": 1000, "high": 0}
        self._give(PROCESSING, op=self._operator("network", 0, 0, (total["low"], total["high"])))
        content = b"" if is_quiet else colour_sums(picture).tobytes()
        self._give(DONE, tensor=self._tensor("out", FLOAT32, (1, 3), 2 | 0x100 | (0x200 if is_quiet else 0), content))

    def _layers(self, picture: NDArray[np.uint8], with_data: bool) -> None:
        values = [("rows", (1, SIDE, 3), picture.astype(np.float32).sum(axis=0)), ("sums", (1, 3), colour_sums(picture))]
        for number, (name, dims, value) in enumerate(values):
            counters = (CYCLES & 0xFFFFFFFF, CYCLES >> 32) if number == 0 else (20, 0)
            self._give(PROCESSING, op=self._operator(name, 0x107 | (1 | 2 * number) << 24, number, counters))
            content = value.tobytes() if with_data else b""
            self._give(PROCESSING, tensor=self._tensor(name, FLOAT32, dims, 4 | 0x100 | (0 if with_data else 0x200), content))

    def _operator(self, name: str, kind: int, number: int, counters: tuple[int, int]) -> dict[str, Any]:
        return {
            "name": name, "type": kind, "id": number, "duration": 0.5, "counter_type": 0, "counters": list(counters),
            "stack_used": -1, "heap_used": -1,
        }  # fmt: skip

    def _information(self, signature: str) -> dict[str, Any]:
        known = {
            "name": "network", "rtid": 0x010201, "signature": signature, "compile_datetime": "May  6 2026 21:44:56",
            "runtime_version": 10 << 24 | 2 << 16, "tool_version": 2 << 24 | 2 << 16, "n_macc": 1 << 33, "n_nodes": 2,
            "n_inputs": 1, "inputs": [self._description("in", UINT8, (1, SIDE, SIDE, 3), 1, 0.5, -3)],
            "n_outputs": 1, "outputs": [self._description("out", FLOAT32, (1, 3), 2)],
            "n_activations": 1, "activations": [self._description("heap", UINT8, (4096,), 8)],
            "n_params": 1, "params": [self._description("weights", UINT8, (100,), 8)], "runtime_desc": "scripted device",
        }  # fmt: skip
        return known if self.version == "3.1" else {**known, "n_install_time": 0.0, "n_init_time": 1.5}

    def _description(
        self, name: str, form: int, dims: tuple[int, ...], flags: int, scale: float = 0.0, zero_point: int = 0
    ) -> dict[str, Any]:
        return {
            "name": name, "format": form, "size": int(np.prod(dims)), "n_dims": len(dims), "dims": list(dims), "scale": scale,
            "zeropoint": zero_point, "addr": 0, "flags": flags,
        }  # fmt: skip

    def _tensor(self, name: str, form: int, dims: tuple[int, ...], flags: int, content: bytes) -> dict[str, Any]:
        data = {"type": 0, "size": len(content), "addr": 0, "datas": content}
        return {"desc": self._description(name, form, dims, flags), "data": data}

    def _give(self, state: int, **payload: dict[str, Any]) -> None:
        answer = self._messages["respMsg"](reqid=self._reqid, state=state, **payload)
        self.change(answer)
        number, self.sent = self.sent, self.sent + 1
        for packet in self.distort(number, self.packets(answer.SerializePartialToString())):
            self._write(packet)

    def packets(self, message: bytes) -> list[bytes]:
        """A message is sent in full packets and a last one with fewer bytes, maybe none."""
        full = len(message) // self._size
        last = message[full * self._size :]
        cut = [self._headed(self._size, message[start * self._size : (start + 1) * self._size]) for start in range(full)]
        return [*cut, self._headed(len(last) | 1 << (8 * self._header - 1), last)]

    def _headed(self, header: int, useful: bytes) -> bytes:
        return header.to_bytes(self._header, "big") + useful + os.urandom(self._size - len(useful))

    def _take(self, kind: str) -> Any:
        stored = b""
        while True:
            packet = self._read(self._header + self._size)
            stored += packet[self._header :][: int.from_bytes(packet[: self._header], "big")]
            length, begin = _varint(stored)
            if len(stored) >= begin + length:
                return self._messages[kind].FromString(stored[begin : begin + length])
            self._write(b"\xaa")

    def _write(self, content: bytes) -> None:
        while content:
            if self._over.is_set():
                raise Reset
            if select.select([], [self._end], [], 0.05)[1]:
                content = content[os.write(self._end, content[:1024]) :]

    def _read(self, count: int) -> bytes:
        read = b""
        while len(read) < count:
            if self._over.is_set():
                raise Reset
            if select.select([self._end], [], [], 0.05)[0]:
                read += os.read(self._end, count - len(read))
        return read


def _varint(stored: bytes) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(stored):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, place + 1
    return 1 << 30, 0
