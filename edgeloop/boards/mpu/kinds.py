"""The kinds of Linux boards: what a board of that kind says about itself. A new one is one line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What the kernel of such a board says; None takes anything."""

    architecture: str | None = None
    """As `uname -m` prints it."""
    compatible: str | None = None
    """Part of an entry of /proc/device-tree/compatible."""
    npu: bool = False
    """Whether it runs NPU binaries (.nb)."""


KINDS: dict[str, Kind] = {
    "stm32mp257f-dk": Kind("aarch64", "stm32mp257", npu=True),
    "stm32mp257f-ev1": Kind("aarch64", "stm32mp257", npu=True),
    "stm32mp235f-dk": Kind("aarch64", "stm32mp235", npu=True),
    "stm32mp215f-dk": Kind("aarch64", "stm32mp215"),
    "stm32mp157f-dk2": Kind("armv7l", "stm32mp157"),
    "stm32mp135f-dk": Kind("armv7l", "stm32mp135"),
    "any-linux": Kind(),
}

NPU_PLATFORMS = ("stm32mp257", "stm32mp255", "stm32mp235")
"""Parts with an NPU, as X-LINUX-AI tells them by the device tree."""
STM32_MPU = "st,stm32mp"
"""What every STM32MP device tree is compatible with begins like this."""
