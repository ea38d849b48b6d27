"""The driver of Linux boards over a real SSH server on loopback, with a real runtime on its other end."""

import ast
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from in_hand import host as host_board
from in_hand import linux as driver
from linux_board import SSHD, LinuxBoard, linux_board
from miniature import CLASSES, PREPROCESSING, coloured
from stand_ins import STAI_MPU, X_LINUX_AI_BENCHMARK, python_with, runtime, script

from edgeloop.boards.driver import Observe
from edgeloop.boards.mpu.session import Session, source
from edgeloop.boards.mpu.shares import engine_shares
from edgeloop.boards.subject import inputs_for
from edgeloop.errors import BoardRefusal, InputError

PIXELS = np.stack([coloured(label, seed) for label in CLASSES for seed in range(4)])


@pytest.mark.parametrize("kind", ["openssh", "asyncssh"])
def test_a_model_runs_over_ssh_and_gives_what_the_host_gives(tmp_path: Path, miniatures: Path, kind: str) -> None:
    if kind == "openssh" and not SSHD:
        pytest.skip("OpenSSH's server is not installed (Debian: openssh-server)")
    inputs = inputs_for(miniatures / "per_channel.tflite", PIXELS, PREPROCESSING)
    with linux_board(tmp_path / "board", kind) as linux, closing(driver(linux.board())) as board, closing(host_board()) as host:
        board.load(miniatures / "per_channel.tflite")
        host.load(miniatures / "per_channel.tflite")
        run = board.run(inputs, Observe.OUTPUTS)
        assert np.array_equal(run.outputs, host.run(inputs, Observe.OUTPUTS).outputs)
        assert len(np.unique(run.outputs, axis=0)) > 3
        assert len(run.latencies_ns) == len(PIXELS)
        assert min(run.latencies_ns) > 0
        board.close()
        assert linux.is_clean()


@pytest.mark.parametrize("name", ["float", "int8", "per_tensor"])
def test_every_format_gives_what_the_host_gives(linux: LinuxBoard, miniatures: Path, name: str) -> None:
    model = miniatures / f"{name}.tflite"
    inputs = inputs_for(model, PIXELS, PREPROCESSING)
    with closing(driver(linux.board())) as board, closing(host_board()) as host:
        board.load(model)
        host.load(model)
        assert np.array_equal(board.run(inputs, Observe.OUTPUTS).outputs, host.run(inputs, Observe.OUTPUTS).outputs)


def test_the_board_says_what_it_is_and_that_it_is_no_stm32(linux: LinuxBoard) -> None:
    with closing(driver(linux.board())) as board:
        identity, machine = board.identify(), board.machine()
    assert identity.device.startswith("an ordinary Linux machine, no STM32: ")
    assert identity.says["runtime"].startswith("ai_edge_litert ")
    assert identity.clock == "time.perf_counter_ns on the board"
    assert machine.kernel.startswith("Linux ")
    assert machine.memory_bytes is not None
    assert machine.x_linux_ai is None


def test_inputs_are_sent_once_and_a_second_model_begins_anew(linux: LinuxBoard, miniatures: Path) -> None:
    with closing(driver(linux.board())) as board:
        for name in ("per_channel", "int8"):
            model = miniatures / f"{name}.tflite"
            inputs = inputs_for(model, PIXELS, PREPROCESSING)
            board.load(model)
            first = board.run(inputs, Observe.OUTPUTS).outputs
            again = board.run(inputs[[3, 1, 1, 7]], Observe.OUTPUTS).outputs
            assert np.array_equal(again, first[[3, 1, 1, 7]])
            assert len(board._stored) == len(PIXELS)


def test_more_inputs_than_the_boards_memory_should_hold(linux: LinuxBoard, miniatures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeloop.boards.mpu.driver.MOST_INPUT_BYTES", 5 * PIXELS[0].nbytes)
    inputs = inputs_for(miniatures / "per_channel.tflite", PIXELS, PREPROCESSING)
    with closing(driver(linux.board())) as board, closing(host_board()) as host:
        board.load(miniatures / "per_channel.tflite")
        host.load(miniatures / "per_channel.tflite")
        for part in (inputs[:4], inputs[4:8], inputs[2:6]):
            assert np.array_equal(board.run(part, Observe.OUTPUTS).outputs, host.run(part, Observe.OUTPUTS).outputs)


def test_stai_mpu_is_taken_first_and_its_engine_is_told(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    python = python_with(tmp_path, {"stai_mpu": STAI_MPU, **runtime()})
    inputs = inputs_for(miniatures / "per_channel.tflite", PIXELS, PREPROCESSING)
    with closing(driver(linux.board(python=python))) as board:
        assert board.identify().says["runtime"] == "stai_mpu 6.1.1"
        board.load(miniatures / "per_channel.tflite")
        assert (board.loaded.engine, board.loaded.threads) == ("OpenVX on the NPU", None)
        assert board.run(inputs, Observe.OUTPUTS).outputs.argmax(axis=1).tolist() == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize(("wished", "taken"), [(None, "tflite_runtime"), ("ai_edge_litert", "ai_edge_litert")])
def test_the_runtime_is_the_wished_one_or_the_first_there_is(linux: LinuxBoard, tmp_path: Path, wished: str | None, taken: str) -> None:
    with closing(driver(linux.board(python=python_with(tmp_path, runtime()), runtime=wished))) as board:
        assert board.identify().says["runtime"].startswith(taken)


def test_the_shares_of_the_engines_come_from_the_boards_own_tool(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    python = python_with(tmp_path, {})
    script(tmp_path / "tools" / "x-linux-ai-benchmark", X_LINUX_AI_BENCHMARK)
    script(tmp_path / "tools" / "x-linux-ai", "#!/bin/sh\necho 'X-LINUX-AI version: v6.1.1'\n")
    with closing(driver(linux.board(python=python))) as board:
        assert board.machine().x_linux_ai == "X-LINUX-AI version: v6.1.1"
        board.load(miniatures / "per_channel.tflite")
        shares, missing = engine_shares(*board.engine_tool())
    assert shares is not None
    assert missing == ""
    assert (shares.npu_percent, shares.gpu_percent, shares.cpu_percent) == (92.98, 7.02, 0.0)
    assert (shares.tool_inference_ms, shares.tool_peak_ram_mb) == (10.66, 23.47)


@pytest.mark.parametrize("started", [True, False])  # former versions have a column more
def test_the_times_of_layers_come_from_the_boards_own_tool(linux: LinuxBoard, miniatures: Path, tmp_path: Path, started: bool) -> None:
    python = python_with(tmp_path, runtime())
    script(tmp_path / "tools" / "benchmark_model", benchmark_model(started))
    with closing(driver(linux.board(python=python))) as board:
        board.load(miniatures / "per_channel.tflite")
        times, missing = board.profile()
        asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert times is not None and missing == ""
    assert (times.runs, times.statistic) == (167, "mean")
    assert [(layer.name, layer.time_ms) for layer in times.layers] == [(name, float(time_ms)) for _, time_ms, name in PROFILED]
    assert "--graph=model.tflite" in asked and "--num_threads=1" in asked and "--enable_op_profiling=true" in asked


def test_why_there_are_no_times_of_layers(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    for name, modules, said in (
        ("npu", {"stai_mpu": STAI_MPU}, "no tool of the board tells times of layers on OpenVX on the NPU"),
        ("cpu", runtime(), "benchmark_model printed no table of its operators"),
    ):
        (tmp_path / name).mkdir()
        python = python_with(tmp_path / name, modules)
        script(tmp_path / name / "tools" / "benchmark_model", "#!/bin/sh\necho 'count=5 first=1'\necho 'Inference (avg): 22760.3'\n")
        with closing(driver(linux.board(python=python))) as board:
            board.load(miniatures / "per_channel.tflite")
            assert board.profile() == (None, said)


PROFILED = (
    ("CONV_2D", "4.269", "[conv]:0"),
    ("Convolution (NHWC, QC8) IGEMM", "0.500", "Delegate/Convolution (NHWC, QC8) IGEMM:1"),
)
"""Type, time in ms, and name of an operator that TensorFlow Lite runs, and of one that it delegates."""


def benchmark_model(started: bool) -> str:
    """A stand-in for TensorFlow Lite's tool, with tables of its form: initialization, run order, and the same by time."""
    start = ["[start]"] if started else []
    heads = ["", "[node type]", *start, "[first]", "[avg ms]", "[%]", "[cdf%]", "[mem KB]", "[times called]", "[Name]"]

    def table(title: str, *rows: tuple[str, str, str]) -> list[str]:
        lines = ["\t".join(heads)]
        for kind, time_ms, name in rows:
            lines.append("\t".join(["", kind, *("0.000" for _ in start), "9.9", time_ms, "1.0%", "1.0%", "0.000", "1", name]))
        return [f"====== {title} ======", *lines, ""]

    printed = [
        "count=12 first=11147 curr=8146 avg=8779.68",
        "count=167 first=8325 curr=10016 avg=8680.33",
        "Profiling Info for Benchmark Initialization:",
        *table("Run Order", ("AllocateTensors", "0.291", "AllocateTensors/0")),
        "Operator-wise Profiling Info for Regular Benchmark Runs:",
        *table("Run Order", *PROFILED),
        *table("Top by Computation Time", *PROFILED),
    ]
    return '#!/bin/sh\necho "$@" > "$(dirname "$0")/../asked"\ncat <<\'END\'\n' + "\n".join(printed) + "\nEND\n"


def test_what_a_login_prints_in_front_is_passed_over(linux: LinuxBoard, tmp_path: Path) -> None:
    python = python_with(tmp_path, {}, first="echo 'Welcome to OpenSTLinux'; printf 'no line end: '")
    with closing(driver(linux.board(python=python))) as board:
        assert board.identify().says["runtime"].startswith("ai_edge_litert ")


def test_what_a_runtime_prints_does_not_get_between_the_answers(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    noisy = runtime(invoke="print('EDGELOOP {}', flush=True); os.write(1, b'INFO: delegate' + bytes(9))")
    with closing(driver(linux.board(python=python_with(tmp_path, noisy)))) as board:
        board.load(miniatures / "per_channel.tflite")
        assert len(board.run(inputs_for(miniatures / "per_channel.tflite", PIXELS, PREPROCESSING), Observe.OUTPUTS).latencies_ns) == len(
            PIXELS
        )


def test_long_runs_say_that_they_are_alive(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    slow = python_with(tmp_path, runtime(invoke="time.sleep(0.4)"))
    hasty = linux.board().linux.deadlines.model_copy(update={"silence_s": 2.5})
    with closing(driver(linux.board(python=slow, deadlines=hasty))) as board:
        board.load(miniatures / "per_channel.tflite")
        run = board.run(inputs_for(miniatures / "per_channel.tflite", PIXELS, PREPROCESSING), Observe.OUTPUTS)
    assert sum(run.latencies_ns) > 12 * 0.4e9 > 2.5e9


def test_nothing_loaded_wrong_inputs_and_wrong_files_are_told_apart(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    with closing(driver(linux.board())) as board:
        with pytest.raises(InputError, match="No model is on the board"):
            board.run(PIXELS, Observe.OUTPUTS)
        with pytest.raises(InputError, match="cannot be read"):
            board.load(tmp_path / "absent.tflite")
        with pytest.raises(InputError, match="no model that a Linux board runs"):
            board.load(tmp_path / "network.c")
        board.load(miniatures / "per_channel.tflite")
        with pytest.raises(InputError, match="takes uint8"):
            board.run(PIXELS.astype(np.float32), Observe.OUTPUTS)
        with pytest.raises(InputError, match="takes uint8"):
            board.run(PIXELS[:, :48], Observe.OUTPUTS)
        assert len(board.run(PIXELS, Observe.OUTPUTS).latencies_ns) == len(PIXELS)


def test_an_npu_binary_is_refused_where_there_is_no_npu(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "model.nb").write_bytes(b"VPMN" + bytes(60))
    with closing(driver(linux.board())) as board, pytest.raises(BoardRefusal, match="made for an NPU"):
        board.load(tmp_path / "model.nb")


def test_two_sessions_do_not_disturb_each_other(linux: LinuxBoard) -> None:
    with closing(Session(linux.board())) as one, closing(Session(linux.board())) as other:
        assert one.hello["folder"] != other.hello["folder"]
        one.close()
        assert Path(other.hello["folder"]).is_dir()


@pytest.mark.parametrize("name", ["keeper.py", "worker.py"])
def test_what_is_sent_is_python_3_8(name: str) -> None:
    ast.parse(source(name), feature_version=(3, 8))
