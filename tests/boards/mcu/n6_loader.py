"""Stands in for ST's n6_loader: builds a firmware around the generated network and loads it. --n6-loader-config CONFIG.

ST's validation project cannot be here: what is loaded is portable code of the same model, in a firmware that calls itself an
STM32N6 (device id 0x486, 800 MHz) and runs on the bench's emulated core. The CONFIG names `network.c`, as ST's does, which
must be there; and `bench`, `model` and `elf`, which ST's does not.
"""

import dataclasses
import json
import sys
from pathlib import Path

import build_firmware_project
import flash_tool

from edgeloop.boards.virtual.parts import find_part
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.firmware import build

N6_ID, N6_HZ, N6_SERIES = 0x486, 800_000_000, 5


def main(config: Path) -> int:
    said = json.loads(config.read_text(encoding="utf-8"))
    if not Path(said["network.c"]).is_file():
        sys.stdout.write(f"Error: {said['network.c']} does not exist\n")
        return 1
    sys.stdout.write(f"Copying network.c to project: -> {said['project_path']}\n")
    generated, elf = Path(said["elf"]).parent / "loaded code", Path(said["elf"])
    generate_file(Path(said["model"]), generated, Options(target="stm32h7", backend="portable"))
    part = dataclasses.replace(find_part("stm32h747"), device_id=N6_ID, clock_hz=N6_HZ, series=N6_SERIES)
    build_firmware_project.say_no_more_that_it_is_virtual()
    build.build_firmware(generated, part, elf)
    sys.stdout.write("Loading internal memories & Running the program\n")
    sys.stdout.flush()
    return flash_tool.main(said["bench"], "load", str(elf))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[sys.argv.index("--n6-loader-config") + 1])))
