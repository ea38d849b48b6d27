"""Firmware around the tiny network, built once for all tests of the virtual board."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from once import Once

from edgeloop.boards.virtual.parts import find_part
from edgeloop.firmware.build import build_firmware


@pytest.fixture(scope="session")
def firmware(once: Once) -> Callable[[str], Path]:
    """The firmware for a part, by its name."""
    return lambda part: once(f"{part}.elf", lambda elf: build_firmware(tiny.FOLDER, find_part(part), elf))


@pytest.fixture(scope="session")
def streaming(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware for the STM32H747 around the tiny network without a buffer for its input."""
    folder = tmp_path_factory.mktemp("streaming")
    for source in tiny.FOLDER.iterdir():
        (folder / source.name).write_text(source.read_text().replace("#ifndef NETWORK_H\n", "#ifndef NETWORK_H\n#define TINY_STREAMS\n"))
    return once("streaming.elf", lambda elf: build_firmware(folder, find_part("stm32h747"), elf))
