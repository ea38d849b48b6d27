"""The parts that need no connection: what a board's files, its benchmark tool and its answers say."""

import numpy as np
import pytest

from edgeloop.boards.compare import compare
from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard, Ssh, board_at
from edgeloop.boards.mpu.answers import Facts, LoadedModel, Ran, Tensor, Tool, checked, scores
from edgeloop.boards.mpu.driver import describe
from edgeloop.boards.mpu.machine import check_kind, cpu_name, frequencies, has_npu, is_stm32, machine
from edgeloop.boards.mpu.shares import engine_shares
from edgeloop.boards.subject import stratified
from edgeloop.errors import BoardError, BoardRefusal, ProtocolError

POLICY = "/sys/devices/system/cpu/cpufreq/policy0"
MP257 = Facts(
    files={
        "/proc/device-tree/model": "STMicroelectronics STM32MP257F-DK Discovery Board\0",
        "/proc/device-tree/compatible": "st,stm32mp257f-dk\0st,stm32mp257\0",
        "/proc/device-tree/serial-number": "001900143532510938303134\0",
        "/proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 80.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd04\nCPU revision\t: 0\n",
        "/proc/meminfo": "MemTotal:        3882548 kB\nMemFree:         3215448 kB\n",
        "/etc/os-release": 'ID=openstlinux-weston\nPRETTY_NAME="ST OpenSTLinux - Weston"\n',
        "/sys/kernel/debug/gc/version": "6.4.19.4.905559\n",
    },
    uname=["Linux", "stm32mp2", "6.6.48", "#1 SMP PREEMPT", "aarch64"],
    cpus=2,
)
TABLE = """Machine: STM32MP257F-DK
\x1b[1m| Model Name | Inference Time (ms) | CPU % | GPU % | NPU % | Peak RAM (MB) |\x1b[0m
|------------|---------------------|-------|-------|-------|---------------|
| other.nb   | 1.0                 | 0     | 0     | 100   | 1             |
| model.nb   | 11.22               | 0     | 19.59 | 80.41 | 23.73         |
"""


def test_a_board_is_described_by_its_own_files() -> None:
    found = machine(MP257, "3.12.6", "v6.1.1")
    assert found.model == "STMicroelectronics STM32MP257F-DK Discovery Board"
    assert found.serial == "001900143532510938303134"
    assert found.compatible == ["st,stm32mp257f-dk", "st,stm32mp257"]
    assert (found.cpu, found.cpus, found.memory_bytes) == ("Cortex-A35", 2, 3882548 * 1024)
    assert found.operating_system == "ST OpenSTLinux - Weston"
    assert is_stm32(found)
    assert has_npu(found)
    assert describe(found) == "STMicroelectronics STM32MP257F-DK Discovery Board (2 x Cortex-A35, aarch64)"


def test_what_a_machine_does_not_say_is_null_and_it_is_no_target() -> None:
    found = machine(Facts(files={}, uname=["Linux", "shed", "6.1", "#1", "riscv64"], cpus=None), "3.8.10", None)
    empty = (found.model, found.serial, found.operating_system, found.cpu, found.memory_bytes, found.x_linux_ai, found.npu_driver)
    assert empty == (None,) * 7
    assert not is_stm32(found)
    assert not has_npu(found)
    assert describe(found) == "an ordinary Linux machine, no STM32: shed (riscv64, riscv64)"


def declared(kind: str) -> LabBoard:
    return Lab(boards={"npu": BoardEntry(kind=kind, find=Find(ssh=Ssh(host="mp2")))}).board("npu")


def test_a_board_must_be_of_its_declared_kind() -> None:
    found = machine(MP257, "3.12.6", None)
    check_kind(found, declared("stm32mp257f-dk"))
    check_kind(found, declared("any-linux"))
    with pytest.raises(BoardRefusal, match="declared as stm32mp157f-dk2, but stm32mp2 says: aarch64"):
        check_kind(found, declared("stm32mp157f-dk2"))
    with pytest.raises(BoardRefusal, match="says: st,stm32mp257f-dk, st,stm32mp257"):
        check_kind(found, declared("stm32mp235f-dk"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model name\t: ARMv7 Processor rev 5 (v7l)\nCPU part\t: 0xc07\n", "Cortex-A7"),
        ("CPU part\t: 0xfff\n", "Arm part 0xfff"),
        ("model name\t: AMD EPYC\n", "AMD EPYC"),
        ("", None),
    ],
)
def test_the_processors_name(text: str, name: str | None) -> None:
    assert cpu_name(text) == name


def test_frequencies_before_and_after() -> None:
    def facts(frequency: str) -> Facts:
        files = {
            f"{POLICY}/scaling_governor": "ondemand\n",
            f"{POLICY}/scaling_max_freq": "1500000\n",
            f"{POLICY}/scaling_cur_freq": frequency,
        }
        return MP257.model_copy(update={"files": files})

    (found,) = frequencies(facts("400000\n"), facts("1500000\n"))
    assert (found.policy, found.governor) == ("policy0", "ondemand")
    assert (found.minimum_khz, found.maximum_khz, found.before_khz, found.after_khz) == (None, 1500000, 400000, 1500000)
    assert frequencies(MP257, MP257) == []


def test_the_shares_are_those_of_the_model() -> None:
    shares, _ = engine_shares(Tool(found=True, exit=0, output=TABLE), "model.nb")
    assert shares is not None
    assert (shares.npu_percent, shares.gpu_percent, shares.cpu_percent) == (80.41, 19.59, 0)


@pytest.mark.parametrize(
    ("tool", "why"),
    [
        (Tool(found=False), "is not on the board"),
        (Tool(found=True, late=True), "did not end in time"),
        (Tool(found=True, exit=1, output="no such model"), "exit code 1: no such model"),
        (Tool(found=True, exit=0, output=TABLE.replace("model.nb", "another")), "no row for model.nb"),
        (Tool(found=True, exit=0, output="noise | more | noise"), "no row for model.nb"),
        (Tool(found=True, exit=0, output=TABLE.replace("NPU %", "TPU %")), "printed no shares"),
        (Tool(found=True, exit=0, output=TABLE.replace("80.41", "-")), "printed no shares"),
        (Tool(found=True, exit=0, output=TABLE.replace("80.41", "40.41")), "add up to 60 %"),
    ],
)
def test_shares_that_are_not_sure_are_none_and_say_why(tool: Tool, why: str) -> None:
    shares, reason = engine_shares(tool, "model.nb")
    assert shares is None
    assert why in reason


def test_integer_outputs_are_dequantized() -> None:
    output = Tensor(name="scores", shape=[1, 3], dtype="int8", scale=0.5, zero_point=-2)
    ran = Ran(latencies_ns=[5, 6], shape=[2, 3], dtype="int8")
    stored = np.asarray([[0, -2, 4], [1, 1, 1]], np.int8)
    assert scores(ran, stored.tobytes(), output, "b").tolist() == [[1.0, 0.0, 3.0], [1.5, 1.5, 1.5]]
    with pytest.raises(ProtocolError, match="5 bytes of int8 outputs"):
        scores(ran, stored.tobytes()[:5], output, "b")


@pytest.mark.parametrize(
    "change", [{"engine": 3}, {"inputs": []}, {"outputs": [{}]}, {"inputs": "x"}, {"version": [1]}, {"threads": "1"}, {"runtime": None}]
)
def test_an_answer_with_another_form_is_refused(change: dict[str, object]) -> None:
    tensor = {"name": "t", "shape": [1, 3], "dtype": "uint8", "scale": 0.1, "zero_point": 0}
    answer = {"runtime": "r", "version": None, "engine": "CPU", "threads": 1, "inputs": [tensor], "outputs": [tensor]}
    checked(LoadedModel, "b", answer)
    with pytest.raises(ProtocolError, match="does not fit"):
        checked(LoadedModel, "b", answer | change)


def test_the_sample_takes_from_every_class_in_turn() -> None:
    labels = np.asarray([0] * 50 + [1] * 3 + [2] * 10, np.int32)
    assert np.bincount(labels[stratified(labels, 12)]).tolist() == [5, 3, 4]
    assert stratified(labels, 1000).tolist() == list(range(63))


def test_outputs_beside_a_reference() -> None:
    reference = np.asarray([[0.1, 0.9], [0.8, 0.2]], np.float32)
    found = compare(np.asarray([[0.1, 0.9], [0.4, 0.6]], np.float32), reference)
    assert (found.images, found.equal_outputs, found.same_class) == (2, 1, 1)
    assert found.max_difference == pytest.approx(0.4)
    assert not found.agrees
    with pytest.raises(BoardError, match="another model"):
        compare(reference[:, :1], reference)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("ssh://root@192.168.7.1", ("root", "192.168.7.1", 22)),
        ("ssh://mp2:2222", ("root", "mp2", 2222)),
        ("ssh://root@[fe80::1]:22", ("root", "fe80::1", 22)),
    ],
)
def test_addresses(address: str, parts: tuple[str, str, int]) -> None:
    ssh = board_at(address).ssh
    assert (ssh.user, ssh.host, ssh.port) == parts
