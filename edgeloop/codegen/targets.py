"""What code is generated for: series of STM32, as data. A new target is one more line."""

from dataclasses import dataclass

from edgeloop.codegen.toolchain import Cpu
from edgeloop.errors import InputError
from edgeloop.yamlfile import near_match


@dataclass(frozen=True)
class Target:
    """A series of parts that generated code runs on."""

    name: str
    title: str
    cpu: Cpu | None
    """The Cortex-M that the portable C code runs on; None where the series' main processor is none."""
    clock_mhz: int
    """The highest clock of that processor in the series."""
    note: str = ""
    """What should be known of code generated for it."""


TARGETS = {
    target.name: target
    for target in (
        Target("stm32f4", "STM32F4 (Cortex-M4)", Cpu("cortex-m4", "hard"), 180),
        Target("stm32f7", "STM32F7 (Cortex-M7)", Cpu("cortex-m7", "hard"), 216),
        Target("stm32h7", "STM32H7 (Cortex-M7)", Cpu("cortex-m7", "hard"), 600),
        Target(
            "stm32h7p", "STM32H7P (Cortex-M7)", Cpu("cortex-m7", "hard"), 550, "The code runs on the CPU; the Neural-ART NPU is not used."
        ),
        Target("stm32l4", "STM32L4 (Cortex-M4)", Cpu("cortex-m4", "hard"), 120),
        Target("stm32mp1", "STM32MP1 (Cortex-A7)", None, 1000),
        Target("stm32mp2", "STM32MP2 (Cortex-A35 and NPU)", None, 1500),
        Target(
            "stm32n6", "STM32N6 (Cortex-M55)", Cpu("cortex-m55", "hard"), 800, "The code runs on the CPU; the Neural-ART NPU is not used."
        ),
        Target("stm32n6-cpu", "STM32N6 without its NPU (Cortex-M55)", Cpu("cortex-m55", "hard"), 800),
        Target("stm32u3", "STM32U3 (Cortex-M33)", Cpu("cortex-m33", "hard"), 96),
        Target("stm32u5", "STM32U5 (Cortex-M33)", Cpu("cortex-m33", "hard"), 160),
    )
}


def find_target(name: str) -> Target:
    """The target of that name.

    Raises:
        InputError: there is none; the message names the near match.
    """
    if name not in TARGETS:
        raise InputError(f"There is no target '{name}'{near_match(name, TARGETS)}.", f"Choose one of: {', '.join(TARGETS)}.")
    return TARGETS[name]


def portable_cpu(target: Target) -> Cpu:
    """The Cortex-M that portable code for this target runs on.

    Raises:
        InputError: the target's main processor is no Cortex-M.
    """
    if target.cpu is None:
        fitting = ", ".join(name for name, other in TARGETS.items() if other.cpu is not None)
        raise InputError(f"The portable generator writes code for a Cortex-M, which {target.title} is not.", f"It can for: {fitting}.")
    return target.cpu
