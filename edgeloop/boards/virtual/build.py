"""The validation firmware of a virtual board: generated code and the device's end of the protocol, linked for a part.

The network is compiled twice, as it is and with its layers observed, so that what is timed has no observer in it. Both
share their weights, and their arenas lie in the same memory.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

import edgeloop
from edgeloop.boards.stm32msg.header import protocol_header
from edgeloop.boards.virtual.parts import CounterKind, Part, Region, UartKind
from edgeloop.codegen.toolchain import Compiler, Cpu, find_arm_compiler
from edgeloop.errors import InputError
from edgeloop.files import atomic_path

STACK_BYTES = 8 * 1024
STRICT = ("-Wall", "-Wextra", "-Werror", "-Wconversion")
COMPILE_JOBS = 2
_OPTIONS = ("-std=c99", "-ffunction-sections", "-fdata-sections", "-fno-common")
_OBSERVED = {"inference_observed.c", "network.c"}
_OBSERVED_NAMES = tuple(f"-Dnetwork_{name}=observed_network_{name}" for name in ("init", "input", "run", "output"))
_UARTS = {UartKind.STM32H7: "PART_UART_STM32H7", UartKind.STM32F4: "PART_UART_STM32F4", UartKind.CMSDK: "PART_UART_CMSDK"}
_COUNTERS = {CounterKind.DWT: "PART_COUNTER_DWT", CounterKind.SYSTICK: "PART_COUNTER_SYSTICK"}


def build_firmware(generated: Path, part: Part, out: Path, *, compiler: Compiler | None = None, optimization: str = "-O2") -> Path:
    """Compile and link the firmware around the generated code of a network (named `network`), as the file `out`.

    Floats are computed in software: the emulator's Cortex-M7 has no double precision.

    Raises:
        InputError: there is no network.h and network.c in `generated`.
        ToolchainError: there is no compiler, it refuses something, or the program does not fit into the part's memories.
    """
    if not (generated / "network.h").is_file() or not (generated / "network.c").is_file():
        raise InputError(f"There is no generated network in {generated}.", "Run `edgeloop generate` with the name `network`.")
    compiler = compiler or find_arm_compiler(Cpu(part.core))
    with tempfile.TemporaryDirectory(prefix="edgeloop-firmware-") as name, as_file(files(__package__) / "firmware") as firmware:
        work = Path(name)
        _write_settings(part, firmware, work)
        objects = _compile(compiler, firmware, generated, work, optimization)
        with atomic_path(out) as temporary:
            compiler.link(objects, temporary, [f"-Wl,-T,{work / 'part.ld'}", "-Wl,--gc-sections"])
    return out


def _compile(compiler: Compiler, firmware: Path, generated: Path, work: Path, optimization: str) -> list[Path]:
    plain = [*_OPTIONS, optimization, f"-I{firmware}", f"-I{work}", f"-I{generated}"]
    observed = [*plain, "-DNETWORK_OBSERVE", *_OBSERVED_NAMES, _arena("observed")]
    own = [*STRICT, "-fno-builtin", *(["-fno-tree-loop-distribute-patterns"] if compiler.kind == "gcc" else [])]
    jobs: list[tuple[Path, Path, list[str]]] = []
    for source in sorted(firmware.glob("*.c")):
        flags = observed if source.name in _OBSERVED else plain
        jobs.append((source, work / f"firmware_{source.stem}.o", [*flags, *own]))
    for source in sorted(generated.glob("*.c")):
        jobs.append((source, work / f"{source.stem}.o", [*plain, _arena("plain")]))
        if source.name in _OBSERVED:
            jobs.append((source, work / f"{source.stem}_observed.o", observed))
    with ThreadPoolExecutor(COMPILE_JOBS) as pool:
        for done in [pool.submit(compiler.compile, *job) for job in jobs]:
            done.result()
    return [target for _, target, _ in jobs]


def _arena(which: str) -> str:
    return f'-DNETWORK_ARENA_ATTRIBUTE=__attribute__((section(".bss.arena_{which}")))'


def _write_settings(part: Part, firmware: Path, work: Path) -> None:
    (work / "part.h").write_text(_part_header(part), encoding="utf-8")
    (work / "protocol.h").write_text(protocol_header(), encoding="utf-8")
    (work / "build.h").write_text(_build_header(part), encoding="utf-8")
    script = (firmware / "part.ld.in").read_text(encoding="utf-8")
    (work / "part.ld").write_text(
        script.format(
            title=part.title,
            memories="\n".join(_memory_line(region) for region in part.regions),
            flash=part.flash.name,
            data=part.data,
            stack=part.stack,
            spares="\n".join(_spare_lines(number, name) for number, name in enumerate(part.spares)),
            stack_bytes=STACK_BYTES,
        ),
        encoding="utf-8",
    )


def _memory_line(region: Region) -> str:
    access = "rwx" if region.writable else "rx"
    return f"    {region.name} ({access}) : ORIGIN = {region.start:#010x}, LENGTH = {region.size:#x}"


def _spare_lines(number: int, memory: str) -> str:
    begin, end = (f"firmware_spare_{number}_{which}" for which in ("begin", "end"))
    section = f"    .spare_{number} (NOLOAD) : {{ . = ALIGN(8); {begin} = .; }} > {memory}"
    return f"{section}\n    {end} = ORIGIN({memory}) + LENGTH({memory});"


def _part_header(part: Part) -> str:
    lines = ["/* The part that this firmware is for: written by edgeloop from parts.py. */", "#ifndef PART_H", "#define PART_H"]
    lines += [f"#define {name} {number}" for number, name in enumerate((*_UARTS.values(), *_COUNTERS.values()), 1)]
    numbers = {
        "PART_CLOCK_HZ": part.clock_hz,
        "PART_BUS_HZ": part.bus_hz,
        "PART_DEVICE_ID": part.device_id,
        "PART_SERIES": part.series,
        "PART_UART_BASE": part.uart_base,
        "PART_CYCLES_PER_TICK": part.cycles_per_tick,
    }
    lines += [f"#define PART_UART {_UARTS[part.uart]}", f"#define PART_COUNTER {_COUNTERS[part.counter]}"]
    lines += [f"#define {name} {number}u" for name, number in numbers.items()]
    lines.append(f"#define PART_SPARES(AREA) {' '.join(f'AREA({number})' for number in range(len(part.spares)))}")
    return "\n".join([*lines, "#endif", ""])


def _build_header(part: Part) -> str:
    major, minor, micro = (int(digits) for digits in edgeloop.__version__.split(".")[:3])
    mhz = part.clock_hz // 1_000_000
    return "\n".join(
        [
            "/* What this firmware says of itself: written by edgeloop. */",
            "#ifndef BUILD_H",
            "#define BUILD_H",
            f'#define BUILD_RUNTIME "VIRTUAL {part.name} at {mhz} MHz, assumed 1 instruction per cycle"',
            f'#define BUILD_BANNER "VIRTUAL board: emulated {part.title}, at {mhz} MHz, assumed 1 instruction per cycle"',
            f'#define BUILD_TIME "{datetime.now(UTC):%b %d %Y %H:%M:%S}"',
            f"#define BUILD_VERSION {major << 24 | minor << 16 | micro << 8:#x}u",
            "#endif",
            "",
        ]
    )
