"""What of a firmware is written for a board: part.h, build.h and the linker script part.ld."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import edgeloop
from edgeloop.firmware.part import AHB_DIVIDERS, APB_DIVIDERS, MHZ, CounterKind, Part, Region, Setup, UartKind
from edgeloop.firmware.registers import Family, family

STACK_BYTES = 8 * 1024
BAUD = 115_200
"""At which every host is met first."""
PACKET_BYTES = 1024
"""The largest packet of edgeloop's extension: what the firmware has a buffer for."""
LEAST_PACKET_BYTES = 64
"""Where memory is short: as much as the packets of protocol 3.1 take, both ways."""
SECOND_CORE = "FLASH_M4"
"""The memory at which a second core boots."""
_NO_PIN = 16
_UARTS = {kind: f"PART_UART_{kind.name}" for kind in UartKind}
_COUNTERS = {kind: f"PART_COUNTER_{kind.name}" for kind in CounterKind}
_USB_HZ = 48 * MHZ
_RUNTIME_BYTES = 64
"""The longest text that the protocol has for the runtime."""


def part_header(part: Part, packet_bytes: int = PACKET_BYTES) -> str:
    """The text of part.h: the board's data as C. `packet_bytes`: of the extension, at most."""
    lines = [f"/* {part.title}: written by edgeloop from boards/{part.name}.yaml. */", "#ifndef PART_H", "#define PART_H"]
    lines += [f"#define {name} {number}" for number, name in enumerate((*_UARTS.values(), *_COUNTERS.values()), 1)]
    lines += [f"#define PART_UART {_UARTS[part.uart]}", f"#define PART_COUNTER {_COUNTERS[part.counter]}"]
    numbers = {
        "PART_SERIES": part.series,
        "PART_UART_BASE": part.uart_base,
        "PART_CYCLES_PER_TICK": part.cycles_per_tick,
        "PART_BAUD": BAUD,
        "PART_PACKET_BYTES": packet_bytes,
    }
    if part.setup is None:
        numbers |= {"PART_CLOCK_HZ": part.clock_hz, "PART_BUS_HZ": part.bus_hz, "PART_DEVICE_ID": part.device_id}
    else:
        numbers |= _setup_numbers(part, part.setup)
    lines += [f"#define {name} {number}u" for name, number in numbers.items()]
    if part.setup is not None:
        lines += _setup_lines(part, part.setup)
    lines.append(f"#define PART_SPARES(AREA) {' '.join(f'AREA({number})' for number in range(len(part.spares)))}")
    return "\n".join([*lines, "#endif", ""])


def _setup_numbers(part: Part, setup: Setup) -> dict[str, int]:
    clock, supply, pins, known = setup.clock, setup.supply, setup.pins, family(part.family)
    assert known.ports is not None, "a real part has ports"
    numbers = {
        "PART_SOURCE_HZ": clock.hz,
        "PART_SOURCE_BYPASS": int(clock.source == "bypass"),
        "PART_PLL_M": clock.m,
        "PART_PLL_N": clock.n,
        "PART_PLL_P": clock.p,
        # The other output of the F4's and F7's PLL drives USB and the like, which take 48 MHz at most.
        "PART_PLL_Q": min(max(-(-clock.vco_hz // _USB_HZ), 2), 15),
        "PART_AHB": AHB_DIVIDERS[clock.ahb],
        **{f"PART_APB{bus}": APB_DIVIDERS[getattr(clock, f"apb{bus}")] for bus in (1, 2, 3, 4)},
        "PART_WAIT_STATES": setup.flash.wait_states,
        "PART_PROGRAMMING_DELAY": setup.flash.programming_delay,
        "PART_SUPPLY_SMPS": int(supply.source == "smps"),
        "PART_OVERDRIVE": int(supply.overdrive),
        "PART_SCALE": 0 if supply.scale is None else known.scales[supply.scale],
        "PART_UART_BUS": known.uarts[part.uart_name].bus,
        "PART_ALTERNATE": pins.alternate,
    }
    for name, pin in {"TX": pins.tx, "RX": pins.rx, "LED": pins.led}.items():
        numbers[f"PART_{name}_PORT"] = known.ports.address(pin) if pin else known.ports.base
        numbers[f"PART_{name}_PIN"] = int(pin[2:]) if pin else _NO_PIN
    return numbers


def _setup_lines(part: Part, setup: Setup) -> Iterator[str]:
    known = family(part.family)
    uart = known.uarts[part.uart_name]
    yield f"#define PART_LED_ON_HIGH {'true' if setup.pins.led_on == 'high' else 'false'}"
    if accelerator := _accelerator(known, part):
        yield f"#define PART_ACCELERATOR ({accelerator})"
    enables = [f"RCC_{name.replace('.', '_')}_MASK" for name in (*setup.enables, uart.enable)]
    switched = [f"ON(RCC_{name.partition('.')[0]}, {mask})" for name, mask in zip((*setup.enables, uart.enable), enables, strict=True)]
    yield f"#define PART_ENABLES(ON) {' '.join([*_ports(known, setup), *switched])}"
    register, _, field = uart.select.partition(".")
    yield f"#define PART_UART_SELECT {f'FIELD_SET(RCC_{register}, {field}, 0)' if uart.select else '(void)0'}"


def _accelerator(known: Family, part: Part) -> str:
    """What of the flash memory's accelerator the part has; the M7's caches stand before it, and it needs none of them."""
    fields = known.peripherals["FLASH"].registers["ACR"].fields
    wanted = ("PRFTEN", "ICEN", "DCEN") if part.core == "cortex-m4" else ("PRFTEN", "ARTEN")
    return " | ".join(f"FLASH_ACR_{field}_MASK" for field in wanted if field in fields)


def _ports(known: Family, setup: Setup) -> list[str]:
    assert known.ports is not None, "a real part has ports"
    pins = [pin for pin in (setup.pins.tx, setup.pins.rx, setup.pins.led) if pin]
    return [f"ON(RCC_{known.ports.enable}, {1 << index:#x}u)" for index in sorted({known.ports.index(pin) for pin in pins})]


COMPILER = '" BUILD_COMPILER "'
"""Stands in what a firmware was built with for whichever compiler that will be."""
_COMPILER_LINES = (
    "#define BUILD_WORDS(value) #value",
    "#define BUILD_TEXT(value) BUILD_WORDS(value)",
    "#if defined(__clang__)",
    '#define BUILD_COMPILER "clang " BUILD_TEXT(__clang_major__) "." BUILD_TEXT(__clang_minor__) "." BUILD_TEXT(__clang_patchlevel__)',
    "#else",
    '#define BUILD_COMPILER "gcc " BUILD_TEXT(__GNUC__) "." BUILD_TEXT(__GNUC_MINOR__) "." BUILD_TEXT(__GNUC_PATCHLEVEL__)',
    "#endif",
)


def build_header(part: Part, built_with: str, options: str) -> str:
    """The text of build.h; `built_with`: compiler and optimization, to which the banner adds the options of all files."""
    major, minor, micro = (int(digits) for digits in edgeloop.__version__.split(".")[:3])
    mhz = part.clock_hz // MHZ
    if part.is_emulated:
        runtime = f"VIRTUAL {part.name} at {mhz} MHz, assumed 1 instruction per cycle"
        banner = f"VIRTUAL board: emulated {part.title}, at {mhz} MHz, assumed 1 instruction per cycle"
    else:
        runtime = f"edgeloop {edgeloop.__version__} {built_with}"[:_RUNTIME_BYTES]
        banner = f"{part.title}, meant to run at {mhz} MHz, built with {built_with}, {options}"
    return "\n".join(
        [
            "/* What this firmware says of itself: written by edgeloop. */",
            "#ifndef BUILD_H",
            "#define BUILD_H",
            *_COMPILER_LINES,
            f'#define BUILD_RUNTIME "{runtime}"',
            f'#define BUILD_BANNER "{banner}"',
            f'#define BUILD_TIME "{datetime.now(UTC):%b %d %Y %H:%M:%S}"',
            f"#define BUILD_VERSION {major << 24 | minor << 16 | micro << 8:#x}u",
            "#endif",
            "",
        ]
    )


def linker_script(part: Part, template: Path) -> str:
    """The text of part.ld."""
    has_second_core = any(region.name == SECOND_CORE for region in part.memories)
    return template.read_text(encoding="utf-8").format(
        title=part.title,
        memories="\n".join(_memory_line(region) for region in part.regions),
        flash=part.flash.name,
        data=part.data,
        stack=part.stack,
        spares="\n".join(_spare_lines(number, name) for number, name in enumerate(part.spares)),
        stack_bytes=STACK_BYTES,
        second_core=f"    .second_core : {{ KEEP(*(.second_core)) }} > {SECOND_CORE}\n" if has_second_core else "",
    )


def _memory_line(region: Region) -> str:
    access = "rwx" if region.writable else "rx"
    return f"    {region.name} ({access}) : ORIGIN = {region.start:#010x}, LENGTH = {region.size:#x}"


def _spare_lines(number: int, memory: str) -> str:
    begin, end = (f"firmware_spare_{number}_{which}" for which in ("begin", "end"))
    section = f"    .spare_{number} (NOLOAD) : {{ . = ALIGN(8); {begin} = .; }} > {memory}"
    return f"{section}\n    {end} = ORIGIN({memory}) + LENGTH({memory});"
