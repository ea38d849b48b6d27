"""From a model to a firmware project for a board: its code is generated, or taken where a variant has it."""

import tempfile
from pathlib import Path

from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.signature import signature_of
from edgeloop.boards.virtual.driver import generated_from
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.errors import InputError
from edgeloop.firmware.board import boards, find_board
from edgeloop.firmware.part import Part
from edgeloop.firmware.project import write_project
from edgeloop.records import CodegenRecord
from edgeloop.workspace import VariantPaths, find_workspace

BACKEND = "portable"


def target_of(part: Part) -> str:
    """What code is generated for, for a board's part."""
    return f"stm32{part.family}"


def part_of(name: str) -> Part:
    """What firmware is built for, by the kind of a board, or by a board's name in this project's lab.yaml.

    Raises:
        InputError: there is no firmware for it.
        ConfigError: lab.yaml cannot be read.
    """
    if name in boards():
        return boards()[name]
    try:
        entry = load_lab(find_workspace()).boards.get(name)
    except InputError:  # there is no project
        entry = None
    return find_board(entry.kind if entry else name)


def project_of_file(model: Path, part: Part, out: Path) -> None:
    """Generate portable code of a .tflite file and write the board's project around it, as the folder `out`.

    Raises:
        InputError: there is no such file, or `out` holds something else.
        ModelError: no code can be generated of it.
        ToolchainError: the compiler that is there refuses the code.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloop-firmware-") as work:
        generated = Path(work) / "network"
        generate_file(model, generated, Options(target=target_of(part), backend=BACKEND))
        write_project(generated, part, out, signature_of(generated))


def project_of_variant(name: str, paths: VariantPaths, part: Part, out: Path) -> None:
    """Write the board's project around the code that was generated of a variant.

    Raises:
        InputError: none was, or of another model than the variant's present one, or by another generator; or `out` holds something else.
    """
    signature = signature_of(paths.generated)
    generated_from(CodegenRecord.read(paths.generate_record), paths, name)
    write_project(paths.generated, part, out, signature)
