"""What a Linux board says that it is: its files in /proc, /sys and /etc, read into fields; null is what it does not say."""

import re

from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.mpu.answers import Facts
from edgeloop.errors import BoardRefusal
from edgeloop.records import CpuFrequency, LinuxMachine

NPU_PLATFORMS = ("stm32mp257", "stm32mp255", "stm32mp235")
"""Parts with an NPU, as X-LINUX-AI tells them by the device tree."""
STM32_MPU = "st,stm32mp"
"""What every STM32MP device tree is compatible with begins like this."""
DEVICE_TREE = "/proc/device-tree"
PRODUCT = "/sys/class/dmi/id/product_name"
VENDOR = "/sys/class/dmi/id/sys_vendor"
NPU_DRIVER = "/sys/kernel/debug/gc/version"
NPU_CLOCK = "/sys/kernel/debug/gc/clk"
POLICIES = "/sys/devices/system/cpu/cpufreq"
MACHINE_FILES = [
    *(f"{DEVICE_TREE}/{name}" for name in ("model", "compatible", "serial-number")),
    *(PRODUCT, VENDOR, NPU_DRIVER, NPU_CLOCK, "/etc/os-release", "/proc/cpuinfo", "/proc/meminfo"),
]
FREQUENCY_FILES = [
    f"{POLICIES}/policy*/{name}" for name in ("scaling_governor", "scaling_cur_freq", "scaling_min_freq", "scaling_max_freq")
]
MOST_FILES = 64
CPU_PARTS = {
    "0xc05": "Cortex-A5",
    "0xc07": "Cortex-A7",
    "0xc09": "Cortex-A9",
    "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
}
"""Arm's part numbers, as /proc/cpuinfo shows them."""


def machine(facts: Facts, python: str, x_linux_ai: str | None) -> LinuxMachine:
    """The fields of a machine from its files."""
    files = facts.files
    compatible = [entry for entry in files.get(f"{DEVICE_TREE}/compatible", "").split("\0") if entry]
    product = " ".join(filter(None, (_text(files, VENDOR), _text(files, PRODUCT)))) or None
    memory = re.search(r"^MemTotal:\s*(\d+) kB", files.get("/proc/meminfo", ""), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', files.get("/etc/os-release", ""), re.MULTILINE)
    return LinuxMachine(
        host=facts.uname[1],
        model=_text(files, f"{DEVICE_TREE}/model") or product,
        compatible=compatible,
        serial=_text(files, f"{DEVICE_TREE}/serial-number"),
        architecture=facts.uname[4],
        kernel=f"{facts.uname[0]} {facts.uname[2]} {facts.uname[3]}",
        operating_system=system.group(1) if system else None,
        cpu=cpu_name(files.get("/proc/cpuinfo", "")),
        cpus=facts.cpus,
        memory_bytes=int(memory.group(1)) * 1024 if memory else None,
        python=python,
        x_linux_ai=x_linux_ai,
        npu_driver=_text(files, NPU_DRIVER),
        npu_clock=_text(files, NPU_CLOCK),
    )


def cpu_name(cpuinfo: str) -> str | None:
    """The processor: by its part number on Arm, whose kernels name the architecture only; else as the kernel names it."""
    part = re.search(r"^CPU part\s*:\s*(0x[0-9a-fA-F]+)", cpuinfo, re.MULTILINE)
    if part:
        return CPU_PARTS.get(part.group(1).lower(), f"Arm part {part.group(1)}")
    named = re.search(r"^model name\s*:\s*(.+)", cpuinfo, re.MULTILINE)
    return named.group(1).strip() if named else None


def frequencies(before: Facts, after: Facts) -> list[CpuFrequency]:
    """Governor and frequency of each group of cores, read before and after a measurement; empty where the kernel tells none."""
    governors = [path for path in after.files if path.endswith("/scaling_governor")]
    return [_frequency(path.removesuffix("/scaling_governor"), before, after) for path in sorted(governors)]


def is_stm32(machine: LinuxMachine) -> bool:
    """Whether the board is an STM32MP, as its device tree says; any other machine is no target."""
    return any(entry.startswith(STM32_MPU) for entry in machine.compatible)


def has_npu(machine: LinuxMachine) -> bool:
    """Whether X-LINUX-AI takes the board for one with an NPU."""
    return any(platform in entry for platform in NPU_PLATFORMS for entry in machine.compatible)


def check_kind(machine: LinuxMachine, board: LabBoard) -> None:
    """Refuse a machine that is not of the kind that the lab says.

    Raises:
        BoardRefusal: it is another one.
    """
    for wanted, found in ((board.kind.architecture, [machine.architecture]), (board.kind.compatible, machine.compatible)):
        if wanted and not any(wanted in entry for entry in found):
            seen = ", ".join(found) or "no device tree"
            raise BoardRefusal(
                f"The board '{board.name}' is declared as {board.entry.kind}, but {machine.host} says: {seen} (expected: {wanted}).",
                "Correct `find` or `kind` in lab.yaml.",
            )


def _frequency(policy: str, before: Facts, after: Facts) -> CpuFrequency:
    return CpuFrequency(
        policy=policy.rpartition("/")[2],
        governor=after.files[f"{policy}/scaling_governor"].strip(),
        minimum_khz=_number(after, f"{policy}/scaling_min_freq"),
        maximum_khz=_number(after, f"{policy}/scaling_max_freq"),
        before_khz=_number(before, f"{policy}/scaling_cur_freq"),
        after_khz=_number(after, f"{policy}/scaling_cur_freq"),
    )


def _number(facts: Facts, path: str) -> int | None:
    text = facts.files.get(path, "").strip()
    return int(text) if text.isdigit() else None


def _text(files: dict[str, str], path: str) -> str | None:
    return files.get(path, "").strip("\0 \n\t") or None
