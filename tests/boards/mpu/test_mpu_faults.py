"""Faults of a Linux board beside those of the matrix (tests/boards/faults): a typed error in time, and nothing left on the board."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_hand import linux as driver
from linux_board import QUICK, SSHD, LinuxBoard, running_in
from matrix import first_is_short
from miniature import CLASSES, PREPROCESSING, coloured
from stand_ins import bare_python, python_with, runtime, script

from edgeloop.boards.driver import Observe
from edgeloop.boards.lab.config import LabBoard, board_at
from edgeloop.boards.mpu.on_board import keeper
from edgeloop.boards.mpu.session import Session
from edgeloop.boards.subject import inputs_for
from edgeloop.errors import BoardError, BoardNotTrusted, BoardRefusal, BoardSilent, BoardUnreachable, ConfigError, InputError, ProtocolError
from edgeloop.services.ports import LOOPBACK

PIXELS = np.stack([coloured(label, 1) for label in CLASSES])
HASTY = QUICK.model_copy(update={"connect_s": 2, "hello_s": 2, "answer_s": 2, "silence_s": 2, "close_s": 1})
FOREIGN_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00\x01" + bytes(43)
"""The head of a program for another processor."""


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """The block must be over before its deadline."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < limit_s


def run_on(lab_board: LabBoard, model: Path) -> Any:
    """Flash and run; what is returned would be a result."""
    with closing(driver(lab_board)) as board:
        board.load(model)
        return board.run(inputs_for(model, PIXELS, PREPROCESSING), Observe.OUTPUTS)


# The way to the board


def test_a_name_that_nobody_has(linux: LinuxBoard) -> None:
    with within(15), pytest.raises((BoardUnreachable, BoardSilent)):
        Session(linux.board(host="board.invalid"))


def test_something_listens_that_is_no_ssh_server(linux: LinuxBoard) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200)
                client.recv(100)

        threading.Thread(target=answer, daemon=True).start()
        with within(12), pytest.raises((BoardUnreachable, BoardSilent)):
            Session(linux.board(port=listener.getsockname()[1], deadlines=HASTY))


def test_the_key_file_is_no_key(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("not a key", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        Session(linux.board(key=tmp_path / "key"))
    with pytest.raises(ConfigError, match="cannot be read"):
        Session(linux.board(key=tmp_path / "absent"))


def test_the_key_has_a_passphrase(linux: LinuxBoard, tmp_path: Path) -> None:
    import asyncssh

    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    key.write_private_key(str(tmp_path / "key"), "pkcs8-pem", passphrase="secret")
    with pytest.raises(ConfigError, match="assphrase") as caught:
        Session(linux.board(key=tmp_path / "key"))
    assert "ssh-add" in caught.value.remedy


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed (Debian: openssh-client)")
def test_the_key_has_a_passphrase_in_the_form_of_openssh(linux: LinuxBoard, tmp_path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "key")]
    subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)
    with pytest.raises(ConfigError) as caught:
        Session(linux.board(key=tmp_path / "key"))
    assert "ssh-add" in caught.value.remedy


def test_the_host_key_is_of_another_type_than_the_known_one(linux: LinuxBoard, tmp_path: Path) -> None:
    import asyncssh

    public = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode().strip()
    (tmp_path / "known_hosts").write_text(f"[{LOOPBACK}]:{linux.port} {public}\n", encoding="ascii")
    with within(10), pytest.raises(BoardNotTrusted, match=r"is not the one that .* says"):
        Session(linux.board(known_hosts=tmp_path / "known_hosts"))


def test_known_hosts_that_cannot_be_read(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_bytes(b"\xff\xfe|1|broken\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        Session(linux.board(known_hosts=tmp_path / "known_hosts"))


def test_an_address_holds_no_password() -> None:
    address = "ssh://root:secret@192.168.7.1"
    with pytest.raises(InputError, match="holds no password") as caught:
        board_at(address)
    assert "secret" not in caught.value.what.replace(address, "")
    with pytest.raises(InputError, match="is no address"):
        board_at("ssh://192.168.7.1/root")


@pytest.mark.parametrize("address", ["ssh://-oProxyCommand=x", "ssh://a;touch", "ssh://root@$(touch)", "ssh://-x@mp2", "ssh://a`b`"])
def test_an_address_is_no_option_and_no_word_of_a_shell(address: str) -> None:
    with pytest.raises(InputError, match="is no address"):
        board_at(address)


# The board itself


def test_its_python_is_for_another_processor(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "python3").write_bytes(FOREIGN_ELF)
    (tmp_path / "python3").chmod(0o755)
    with within(10), pytest.raises(BoardRefusal, match=r"cannot run .*(format|exit code 126)"):
        Session(linux.board(python=str(tmp_path / "python3")))


def test_there_is_no_numpy(linux: LinuxBoard, tmp_path: Path, miniatures: Path) -> None:
    with within(10), pytest.raises(BoardRefusal, match="has no usable NumPy"):
        run_on(linux.board(python=bare_python(tmp_path)), miniatures / "per_channel.tflite")


def test_the_runtime_is_for_another_processor_and_is_not_passed_over(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "library.so").write_bytes(FOREIGN_ELF)
    broken = {"tflite_runtime.interpreter": f"import ctypes; ctypes.CDLL({str(tmp_path / 'library.so')!r})"}
    with within(10), pytest.raises(BoardRefusal, match="tflite_runtime is installed but does not load"):
        driver(linux.board(python=python_with(tmp_path, broken))).identify()


def test_the_disk_is_full(linux: LinuxBoard, tmp_path: Path, miniatures: Path) -> None:
    """By a limit on the size of files, as a quota sets it."""
    limited = python_with(tmp_path, {}, first="ulimit -f 40")
    (tmp_path / "large.tflite").write_bytes((miniatures / "per_channel.tflite").read_bytes() + bytes(100_000))
    with within(10), pytest.raises(BoardRefusal, match=r"File too large in .*; \d+ KiB are free"):
        run_on(linux.board(python=limited), tmp_path / "large.tflite")


def test_a_damaged_model(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with within(15), pytest.raises(BoardError), closing(driver(linux.board())) as board:
        board.load(tmp_path / "model.tflite")


# The runner


@pytest.mark.parametrize(
    ("invoke", "error", "match"),
    [
        ("os.abort()", BoardError, r"crashed \(signal 6\)"),
        ("os._exit(7)", BoardError, r"crashed \(exit code 7\)"),
        ("raise KeyError('unforeseen')", BoardError, "KeyError: 'unforeseen'"),
    ],
)
def test_the_runner_fails(linux: LinuxBoard, tmp_path: Path, miniatures: Path, invoke: str, error: type[BoardError], match: str) -> None:
    python = python_with(tmp_path, runtime(invoke=invoke))
    with within(20), pytest.raises(error, match=match):
        run_on(linux.board(python=python, deadlines=HASTY), miniatures / "per_channel.tflite")
    assert linux.is_clean()


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ("values[:, :2]", "bytes of float32 outputs"),
        ("values.astype('float64')", "does not fit: dtype"),
    ],
)
def test_outputs_that_cannot_be(linux: LinuxBoard, tmp_path: Path, miniatures: Path, answer: str, match: str) -> None:
    python = python_with(tmp_path, runtime(answer=answer))
    with within(20), pytest.raises(ProtocolError, match=match):
        run_on(linux.board(python=python), miniatures / "per_channel.tflite")


@pytest.mark.parametrize("clock", ["lambda: -next(ticks)", "lambda: 5"])
def test_a_clock_that_cannot_be_right(linux: LinuxBoard, tmp_path: Path, miniatures: Path, clock: str) -> None:
    wrong = runtime()["tflite_runtime.interpreter"] + f"\nimport itertools\nticks = itertools.count(1)\ntime.perf_counter_ns = {clock}\n"
    python = python_with(tmp_path, {"tflite_runtime.interpreter": wrong})
    with within(20), pytest.raises(ProtocolError, match=r"(inferences took|does not fit: latencies_ns)"):
        run_on(linux.board(python=python), miniatures / "per_channel.tflite")


def frame(**header: Any) -> str:
    return "EDGELOOP " + json.dumps(header)


HELLO = frame(event="hello", version=1, folder="/nowhere/edgeloop-board-x")


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ("yes 'noise without an end'", "answers something that is no answer"),
        (f"echo '{frame(event='hello', version=99)}'; sleep 60", "answers something that is no answer"),
        (f"echo '{HELLO}'; echo '<html>'; sleep 60", "answers something that is no answer"),
        (f"echo '{HELLO}'; echo 'EDGELOOP [1, 2]'; sleep 60", "answers something that is no answer"),
        (f"echo '{HELLO}'; echo 'EDGELOOP {{'; sleep 60", "answers something that is no answer"),
        (f"echo '{HELLO}'; echo '{frame(bytes=-1)}'; sleep 60", "answers something that is no answer"),
        (f"echo '{HELLO}'; echo '{frame(bytes=1 << 40)}'; sleep 60", "answers something that is no answer"),
        (f"echo '{HELLO}'; echo '{frame(sha256='0' * 64)}'; sleep 60", "does not arrive whole"),
    ],
)
def test_answers_that_are_none(linux: LinuxBoard, tmp_path: Path, lines: str, match: str) -> None:
    if not SSHD and lines.startswith("yes"):
        pytest.skip("asyncssh's server is too busy with a flood to end it in time; OpenSSH's does (Debian: openssh-server)")
    python = script(tmp_path / "python3", f"#!/bin/sh\n{lines}\n")
    with within(15), pytest.raises(ProtocolError, match=match):
        driver(linux.board(python=python, deadlines=HASTY)).identify()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (f"echo '{HELLO}'; sleep 30", BoardSilent),
        (f"printf '{HELLO}'; sleep 30", BoardSilent),
        (f"echo '{HELLO}'; echo '{frame(bytes=1000)}'; sleep 30", BoardSilent),
        (f"echo '{HELLO}'; exit 3", BoardError),
        ("echo broken >&2; exit 1", BoardError),
    ],
)
def test_silence_and_sudden_ends(linux: LinuxBoard, tmp_path: Path, lines: str, error: type[BoardError]) -> None:
    python = script(tmp_path / "python3", f"#!/bin/sh\n{lines}\n")
    with within(15), pytest.raises(error):
        driver(linux.board(python=python, deadlines=HASTY)).identify()


# What is left behind

BENCHMARK = """
import sys
from pathlib import Path
import numpy
from edgeloop.boards.driver import Observe
from edgeloop.boards.lab.config import BoardEntry, Lab
from in_hand import linux

board = linux(Lab(boards={"loopback": BoardEntry.model_validate_json(sys.argv[1])}).board("loopback"))
board.load(Path(sys.argv[2]))
print("runs", flush=True)
while True:
    board.run(numpy.zeros((50, 96, 96, 3), numpy.uint8), Observe.TIME)
"""


@pytest.mark.parametrize("number", first_is_short([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
def test_the_benchmark_is_killed_and_the_board_is_clean(linux: LinuxBoard, miniatures: Path, number: signal.Signals) -> None:
    entry = linux.entry().model_dump_json(exclude_defaults=True)
    command = [sys.executable, "-c", BENCHMARK, entry, str(miniatures / "per_channel.tflite")]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        time.sleep(0.3)
        process.send_signal(number)
        process.wait(15)
    assert linux.is_clean(5)


def test_a_folder_that_a_power_cut_left_is_removed(linux: LinuxBoard) -> None:
    left = linux.disk / "edgeloop-board-left"
    left.mkdir()
    (left / keeper.LOCK).touch()
    (left / "model.tflite").write_bytes(bytes(1000))
    os.utime(left, (0, 0))
    with closing(Session(linux.board())) as session:
        assert session.hello["leftovers_removed"] == 1
        assert not left.exists()


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    """Held ones, new ones, links, and folders of the user's own that only share the name."""
    for name in ("held", "new", "own"):
        (tmp_path / f"{keeper.FOLDER_PREFIX}{name}").mkdir()
    held, new, own = (tmp_path / f"{keeper.FOLDER_PREFIX}{name}" for name in ("held", "new", "own"))
    (new / keeper.LOCK).touch()
    (own / "thesis.tex").touch()
    (tmp_path / "target").mkdir()
    (tmp_path / f"{keeper.FOLDER_PREFIX}link").symlink_to(tmp_path / "target")
    holding = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from edgeloop.boards.mpu.on_board.keeper import *; hold(Path({str(held)!r})); print(1, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"1\n"
        for folder in (held, own):
            os.utime(folder, (0, 0))
        before = sorted(tmp_path.iterdir())
        assert keeper.remove_leftovers(tmp_path) == 0
        assert sorted(tmp_path.iterdir()) == before
        holding.kill()
    assert keeper.remove_leftovers(tmp_path) == 1
    assert not held.exists()


def test_a_board_that_hears_nothing_cleans_up_by_itself(linux: LinuxBoard) -> None:
    deadlines = QUICK.model_copy(update={"idle_s": 1.0})
    session = Session(linux.board(deadlines=deadlines))
    try:
        assert linux.is_clean(5)
        assert not running_in(linux.disk)
        with pytest.raises(BoardError):
            session.request({"op": "start"})
    finally:
        session.close()


def test_after_an_error_the_board_can_be_used_at_once(linux: LinuxBoard, tmp_path: Path, miniatures: Path) -> None:
    sign = tmp_path / "crashed"
    once = f"p = {str(sign)!r}; os.path.exists(p) or (open(p, 'w').close(), os.abort())"
    model = miniatures / "per_channel.tflite"
    with closing(driver(linux.board(python=python_with(tmp_path, runtime(invoke=once))))) as board:
        board.load(model)
        with pytest.raises(BoardError, match="crashed"):
            board.run(PIXELS, Observe.OUTPUTS)
        with pytest.raises(InputError, match="Prepare one first"):
            board.run(PIXELS, Observe.OUTPUTS)
        board.load(model)
        assert board.run(PIXELS, Observe.OUTPUTS).outputs.argmax(axis=1).tolist() == [0, 1, 2]
