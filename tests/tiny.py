"""The tiny network of tiny_network/, computed here by the same rules; and virtual boards as processes, for the tests."""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "tiny_network"
SIGNATURE = "0x00112233445566ff"
SHAPE = (16, 16, 3)
START_S = 20.0
END_S = 10.0


def mixed(image: NDArray[np.uint8]) -> NDArray[np.int8]:
    """The first layer's output, (16, 16, 4) int8."""
    weights = np.arange(4)[:, None] * 5 + np.arange(3)[None, :] * 3 - 9
    sums = (image.astype(np.int64) - 128) @ weights.T + 3
    limited: NDArray[np.int64] = np.clip((sums >> 4) - 3, -128, 127)
    return limited.astype(np.int8)


def scores(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's output, (5,) float32."""
    flat = mixed(image).astype(np.int64).ravel() + 3
    places = np.arange(flat.size)[None, :] * (np.arange(5)[:, None] + 2) * 7 % 31 - 15
    return ((places @ flat).astype(np.float32) * np.float32(1 / 256)).astype(np.float32)


def image(number: int) -> NDArray[np.uint8]:
    """An input, (16, 16, 3) uint8, another one for each number."""
    return np.random.default_rng(number).integers(0, 256, SHAPE, dtype=np.uint8)


class BoardProcess(NamedTuple):
    """A virtual board that is ready."""

    process: "subprocess.Popen[bytes]"
    pty: str
    tcp: str | None

    @property
    def errors(self) -> IO[bytes]:
        """Its standard error."""
        assert self.process.stderr is not None
        return self.process.stderr


@contextmanager
def board(part: str, elf: Path, *options: str) -> Iterator[BoardProcess]:
    """A virtual board, from its start until the block ends."""
    command = [sys.executable, "-m", "edgeloop.boards.virtual", "--part", part, "--elf", str(elf), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield _ready(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=END_S)


def _ready(process: "subprocess.Popen[bytes]") -> BoardProcess:
    assert process.stdout is not None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    if not poll.poll(START_S * 1000):
        raise TimeoutError("the virtual board did not start")
    line = process.stdout.readline()
    if not line:
        _, words = process.communicate(timeout=END_S)
        raise RuntimeError(words.decode())
    said = json.loads(line)
    assert said["pid"] == process.pid
    return BoardProcess(process, said["pty"], said["tcp"])
