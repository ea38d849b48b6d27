"""Faults of Linux boards, injected into their SSH server, the way to it, their Python and its runtime; and of virtual boards."""

import json
import socket
import sys
from collections.abc import Callable
from getpass import getuser
from typing import Any

from fault_desk import Desk, Fault
from mcu_faults import BROKEN, file_system
from stand_ins import bare_python, proxy, python_with, runtime, script

from edgeloop.errors import (
    BoardError,
    BoardNotTrusted,
    BoardRefusal,
    BoardSilent,
    BoardUnreachable,
    InputError,
    ModelError,
    ProtocolError,
    ToolchainError,
    WrongOutputs,
)
from edgeloop.services.ports import LOOPBACK

HASTY = {"connect_s": 2, "hello_s": 3, "answer_s": 3, "load_s": 10, "silence_s": 3, "tool_s": 5, "close_s": 1, "idle_s": 8}


def linux(desk: Desk, python: str = sys.executable, folder: str = "", kind: str = "any-linux", **ssh: Any) -> None:
    """lab.yaml with the board `mp2`, and short deadlines for it."""
    board = desk.linux
    found = {"host": LOOPBACK, "port": board.port, "user": getuser(), "key": str(board.folder / "key")}
    found |= {"known_hosts": str(board.folder / "known_hosts"), **ssh}
    how = {"python": python, "folder": folder or str(board.disk), "deadlines": HASTY}
    entry = {"kind": kind, "find": {"ssh": found}, "linux": how}
    desk.workspace.lab.write_text(json.dumps({"boards": {"mp2": entry}}), encoding="utf-8")


def listener(desk: Desk, *, listens: bool) -> None:
    server = desk.stack.enter_context(socket.create_server((LOOPBACK, 0)))
    linux(desk, port=server.getsockname()[1])
    if not listens:
        server.close()


def other_host_key(desk: Desk) -> None:
    public = (desk.linux.folder / "other_key.pub").read_text(encoding="ascii").split()
    (desk.scratch / "known_hosts").write_text(f"[{LOOPBACK}]:{desk.linux.port} {public[0]} {public[1]}\n", encoding="ascii")
    linux(desk, known_hosts=str(desk.scratch / "known_hosts"))


def wrong_key(desk: Desk) -> None:
    linux(desk, key=str(desk.linux.folder / "other_key"))


def full_disk(desk: Desk) -> None:
    small = desk.scratch / "small"
    file_system(desk, small, "size=24k")
    linux(desk, folder=str(small))


def running(desk: Desk, invoke: str = "pass", answer: str = "values") -> None:
    """The runtime does this in every inference from the fourth on."""
    later = f"self.n = getattr(self, 'n', 0) + 1\n        if self.n > 3: {invoke}"
    linux(desk, python_with(desk.scratch, runtime(later, answer)))


def wrong_clock(desk: Desk) -> None:
    text = runtime()["tflite_runtime.interpreter"] + "\nimport itertools\nticks = itertools.count(1)\n"
    text += "time.perf_counter_ns = lambda: next(ticks) * 10**12\n"
    linux(desk, python_with(desk.scratch, {"tflite_runtime.interpreter": text}))


def answers(lines: str) -> Callable[[Desk], None]:
    """What stands for Python on the board is this shell script."""
    return lambda desk: linux(desk, script(desk.scratch / "python3", f"#!/bin/sh\n{lines}\n"))


def hurt(desk: Desk, how: str) -> None:
    """The connection is cut, or stalls, while inferences run."""
    sign = desk.scratch / "runs"
    way = desk.stack.enter_context(proxy(desk.linux.port))
    desk.linux.trust(way.port)
    python = python_with(desk.scratch, runtime(f"open({str(sign)!r}, 'w').close(); time.sleep(0.5)"))
    linux(desk, python, port=way.port)
    desk.soon(sign.exists, way.cut if how == "cut" else way.stall)


def no_code(desk: Desk) -> None:
    desk.variant.generate_record.unlink()


def core_killed(desk: Desk) -> None:
    """As the kernel does when memory runs out."""
    import os
    import signal

    from edgeloop.boards.virtual.process import BoardProcess

    begun = BoardProcess.__init__

    def start(self: BoardProcess, *given: Any) -> None:
        begun(self, *given)
        os.kill(self._process.pid, signal.SIGKILL)

    desk.patch.setattr(BoardProcess, "__init__", start)


def no_compiler(desk: Desk) -> None:
    def absent(*_: object) -> None:
        raise ToolchainError("There is no compiler for Arm.", "Install one.")

    desk.patch.setattr("edgeloop.boards.virtual.driver.find_arm_compiler", absent)


def wrong_code(desk: Desk) -> None:
    """The last layer's zero point is off by one."""
    network = desk.variant.generated / "network.c"
    text = network.read_text(encoding="utf-8")
    network.write_text(text.replace("    .zero_point = -128", "    .zero_point = -127"), encoding="utf-8")


def code_of_another(desk: Desk) -> None:
    (desk.variant.quantized / "per_channel.tflite").write_bytes((desk.variant.quantized / "blind.tflite").read_bytes())


def refused_code(desk: Desk) -> None:
    (desk.variant.generated / "network.c").write_text("this is no C", encoding="utf-8")


def silent(desk: Desk) -> None:
    desk.virtual("silence:after=5:times=0")


LINUX_FAULTS = [
    Fault("SSH refused", "linux", BoardUnreachable, "no connection to the board 'mp2'", lambda d: listener(d, listens=False)),
    Fault("SSH never speaks", "linux", BoardSilent, "let us in", lambda d: listener(d, listens=True)),
    Fault("host unknown", "linux", BoardNotTrusted, "is not in .* It shows SHA256:", lambda d: linux(
        d, known_hosts=str(d.scratch / "absent"))),
    Fault("host key changed", "linux", BoardNotTrusted, "(?s)is not the one that .* says.*ssh-keygen -R", other_host_key),
    Fault("key not accepted", "linux", BoardNotTrusted, "(?s)lets none of the keys in.*ssh-copy-id", wrong_key),
    Fault("no Python", "linux", BoardRefusal, "cannot run '/nowhere/python3'", lambda d: linux(d, "/nowhere/python3")),
    Fault("no runtime", "linux", BoardRefusal, "(?s)has no stai_mpu and no tflite_runtime.*pip install", lambda d: linux(d, python_with(
        d.scratch, {"numpy": "__version__ = '0'"}, python=bare_python(d.scratch)))),
    Fault("another board", "linux", BoardRefusal, "declared as stm32mp257f-dk, but", lambda d: linux(d, kind="stm32mp257f-dk")),
    Fault("no space on the board", "linux", BoardError, r"No space left on device in .*; \d+ KiB are free", full_disk),
    Fault("no folder on the board", "linux", BoardRefusal, "No such file", lambda d: linux(d, folder="/nowhere")),
    Fault("no answer", "linux", ProtocolError, "no answer", answers("echo 'this is no Python'")),
    Fault("garbage", "linux", ProtocolError, "no answer", answers("head -c 100000 /dev/urandom; sleep 20")),
    Fault("silence", "linux", BoardSilent, "within", answers("sleep 30")),
    Fault("keeper killed", "linux", BoardError, "ended|broke", lambda d: running(d, "os.kill(os.getppid(), 9)")),
    Fault("runner killed", "linux", BoardError, r"crashed \(signal 9\)", lambda d: running(d, "os.kill(os.getpid(), 9)")),
    Fault("runtime fails", "linux", BoardRefusal, "the delegate failed", lambda d: running(
        d, "raise RuntimeError('the delegate failed')")),
    Fault("an inference hangs", "linux", BoardSilent, "within 3 s", lambda d: running(d, "time.sleep(600)")),
    Fault("no numbers", "linux", ProtocolError, "not numbers", lambda d: running(d, answer="values * numpy.float32('nan')")),
    Fault("clock wrong", "linux", ProtocolError, "inferences took|does not fit", wrong_clock),
    Fault("connection cut", "linux", BoardUnreachable, "broke", lambda d: hurt(d, "cut")),
    Fault("cable pulled", "linux", BoardSilent, "within 3 s", lambda d: hurt(d, "stall")),
]  # fmt: skip
VIRTUAL_FAULTS = [
    Fault("wrong kernel", "virtual", WrongOutputs, "other outputs", wrong_code, 60),
    Fault("no code", "virtual", InputError, "generate.json does not exist", no_code),
    Fault("code of another model", "virtual", InputError, "another model", code_of_another),
    Fault("code that does not compile", "virtual", (ToolchainError, ModelError), "this is no C|network.c", refused_code, 60),
    Fault("no compiler", "virtual", ToolchainError, "no compiler", no_compiler),
    Fault("emulator killed", "virtual", BoardError, "has ended|is lost|sent 0 of", core_killed, 60),
    Fault("silent in the middle", "virtual", BROKEN, "board", silent, 60),
]
