"""What a board may have installed, written for these tests: Pythons with other packages, runtimes that misbehave, and a proxy
between edgeloop and the board that stalls or cuts the connection."""

import shlex
import socket
import sys
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeloop.services.ports import LOOPBACK

LITE = """
import os, time
import numpy
from ai_edge_litert.interpreter import Interpreter as Lite

class Interpreter(Lite):
    def invoke(self):
        {invoke}
        super().invoke()

    def get_tensor(self, index):
        values = super().get_tensor(index)
        return {answer}
"""
STAI_MPU = """
import enum
from ai_edge_litert.interpreter import Interpreter

__version__ = "6.1.1"

class Engine(enum.Enum):
    OVX_NPU = 4

class Info:
    def __init__(self, found):
        self._found = found
    def get_name(self): return self._found["name"]
    def get_shape(self): return tuple(self._found["shape"])
    def get_dtype(self): return self._found["dtype"]
    def get_qtype(self): return "staticAffine" if self._found["quantization"][0] else "none"
    def get_scale(self): return self._found["quantization"][0]
    def get_zero_point(self): return self._found["quantization"][1]
    def get_fixed_point_pos(self): return 0

class stai_mpu_network:
    def __init__(self, model_path, use_hw_acceleration=True):
        assert use_hw_acceleration
        content = open(model_path, "rb").read()
        if model_path.endswith(".nb"):
            assert content.startswith(b"VPMN")
            content = content[4:]
        self._lite = Interpreter(model_content=content)
        self._lite.allocate_tensors()
    def get_input_infos(self): return [Info(found) for found in self._lite.get_input_details()]
    def get_output_infos(self): return [Info(found) for found in self._lite.get_output_details()]
    def get_backend_engine(self): return Engine.OVX_NPU
    def set_input(self, place, values): self._lite.set_tensor(self._lite.get_input_details()[place]["index"], values)
    def run(self): self._lite.invoke()
    def get_output(self, place): return self._lite.get_tensor(self._lite.get_output_details()[place]["index"])
"""
"""ST's interface, as its published examples use it, over LiteRT; its .nb files are .tflite files behind the magic word."""
X_LINUX_AI_BENCHMARK = """#!/bin/sh
echo "Machine: a stand-in"
echo "+------------+---------------------+-------+-------+-------+--------------+"
echo "| Model Name | Inference Time (ms) | CPU % | GPU % | NPU % | Peak RAM (MB) |"
echo "+------------+---------------------+-------+-------+-------+--------------+"
echo "| model      | 10.66               | 0.0   | 7.02  | 92.98 | 23.47        |"
echo "+------------+---------------------+-------+-------+-------+--------------+"
"""


def script(path: Path, text: str) -> str:
    """An executable file; its path as a string."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def bare_python(folder: Path) -> str:
    """A Python that has nothing but its standard library."""
    venv.create(folder / "bare", symlinks=True, with_pip=False)
    return str(folder / "bare" / "bin" / "python")


def python_with(folder: Path, modules: dict[str, str], *, first: str = "", python: str = sys.executable) -> str:
    """A board's Python that has these modules (source by dotted name) before its own; `first` is run by its shell before."""
    packages = folder / "packages"
    for name, text in modules.items():
        path = packages / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent != packages:
            (path.parent / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    lines = [
        "#!/bin/sh",
        f"export PYTHONPATH={shlex.quote(str(packages))} PATH={shlex.quote(str(tools))}:$PATH",
        first,
        f'exec {shlex.quote(python)} "$@"',
    ]
    return script(folder / "python", "\n".join(lines) + "\n")


def runtime(invoke: str = "pass", answer: str = "values") -> dict[str, str]:
    """A tflite_runtime whose inference also does `invoke`, and whose outputs are `answer` (an expression of `values`)."""
    return {"tflite_runtime.interpreter": LITE.format(invoke=invoke, answer=answer)}


class Proxy:
    """A TCP connection to the board that can stall or break while it is used."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._flowing = threading.Event()
        self._flowing.set()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Let nothing through any more, and say nothing about it: a pulled cable."""
        self._flowing.clear()

    def cut(self) -> None:
        """Break all connections, and take no more."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection((LOOPBACK, self._target), 5)
                far.settimeout(None)
                self._sockets += [near, far]
                for taken, given in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(taken, given), daemon=True).start()

    def _pass(self, taken: socket.socket, given: socket.socket) -> None:
        with suppress(OSError):
            while piece := taken.recv(1 << 16):
                self._flowing.wait()
                given.sendall(piece)
        with suppress(OSError):
            given.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to a port on loopback, ended afterwards."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.cut()
        made._flowing.set()
