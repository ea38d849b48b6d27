"""Firmware around the tiny network, built once for all tests of the virtual board."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny

from edgeloop.boards.virtual.build import build_firmware
from edgeloop.boards.virtual.parts import find_part


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The firmware for a part, by its name."""
    folder = tmp_path_factory.mktemp("firmware")

    def built(part: str) -> Path:
        elf = folder / f"{part}.elf"
        return elf if elf.is_file() else build_firmware(tiny.FOLDER, find_part(part), elf)

    return built


@pytest.fixture(scope="session")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware for the STM32H747 around the tiny network without a buffer for its input."""
    folder = tmp_path_factory.mktemp("streaming")
    for source in tiny.FOLDER.iterdir():
        (folder / source.name).write_text(source.read_text().replace("#ifndef NETWORK_H\n", "#ifndef NETWORK_H\n#define TINY_STREAMS\n"))
    return build_firmware(folder, find_part("stm32h747"), folder / "firmware.elf")
