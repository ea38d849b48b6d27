"""The commands that generate code, and write a firmware around it."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.cli.common import FILE, VARIANT, Command, add_id, path, project, subject
from edgeloop.console import notice, say

if TYPE_CHECKING:
    from edgeloop.records import CodegenRecord

GENERATE = ("target", "backend", "name", "stream_input", "profile", "tool", "analyze")
"""The options of `generate` that are passed on where they are given."""


def add(command: Command) -> None:
    generate = command("generate", _generate, "generate C code of an int8 model")
    add_id(generate, "model", stage="generate", metavar="VARIANT|MODEL.tflite")
    generate.add_argument("--target", help="what the code is for, e.g. stm32h7 (for a variant: by default that of params.yaml)")
    generate.add_argument(
        "--backend", help="portable (edgeloop's own), stedgeai (ST Edge AI Core), st-cloud (it, at ST), or auto: stedgeai where it is"
    )
    generate.add_argument("--profile", metavar="NAME[@FILE]", help="Neural-ART profile (for stm32n6, by ST Edge AI Core)")
    generate.add_argument("--tool", type=path, metavar="PATH|VERSION", help="ST Edge AI Core: program, root, version (default: what fits)")
    generate.add_argument("--analyze", action="store_true", default=None, help="run ST Edge AI Core's analyze as well, and keep its report")
    generate.add_argument("-o", "--out", type=path, metavar="DIR", help="the folder to write to (for a variant: by default its own)")
    generate.add_option_for(FILE, "--name", help="prefix of the C names and files (for a model file; default: network)")
    generate.add_argument("--stream-input", action="store_true", default=None, help="read the input row by row, and hold no frame")
    firmware = command("firmware", _firmware, "write a board's firmware around a model, as a project to build")
    add_id(firmware, "model", stage="generate", metavar="VARIANT|MODEL.tflite")
    firmware.add_argument(
        "--board", dest="part", required=True, metavar="NAME", help="the board: a kind, e.g. stm32h747i-disco, or a name of lab.yaml"
    )
    firmware.add_argument("-o", "--out", type=path, required=True, metavar="DIR", help="the folder to write to")


def _firmware(options: argparse.Namespace) -> None:
    from edgeloop.boards.firmware import part_of, project_of_file, project_of_variant

    part = part_of(options.part)
    if subject(options, ".tflite") == FILE:
        project_of_file(Path(options.model), part, options.out)
    else:
        workspace, params = project()
        project_of_variant(options.model, params.variant(options.model).paths(workspace), part, options.out)
    say(f"{options.out}: firmware for {part.title}, {part.clock_hz // 1_000_000} MHz; it has run in an emulator, never on hardware")
    say(f"Build it: make -C {shlex.quote(str(options.out))} (or make ZIG=1, or cmake); it becomes build/firmware.elf there")


def _generate(options: argparse.Namespace) -> None:
    from edgeloop.codegen.generate import Options, generate_file
    from edgeloop.errors import InputError

    given = {key: value for key in GENERATE if (value := getattr(options, key)) is not None}
    if subject(options, ".tflite") == VARIANT:
        _generate_variant(options, given)
    elif options.out is None:
        raise InputError("The code of a model file is written to a folder.", "Add -o FOLDER.")
    else:
        _say(options.out, generate_file(Path(options.model), options.out, Options(**given)))


def _generate_variant(options: argparse.Namespace, given: dict[str, Any]) -> None:
    from edgeloop.codegen.generate import Options, generate, generate_file, int8_model

    workspace, params = project()
    declared = Options(**params.generate.model_dump())
    chosen = Options(**(params.generate.model_dump() | given))
    if options.out is not None:
        _say(options.out, generate_file(int8_model(workspace, params, options.model, chosen), options.out, chosen))
        return
    folder = params.variant(options.model).paths(workspace).generated
    _say(folder, generate(workspace, params, options.model, chosen))
    if chosen != declared:
        changed = ", ".join(key for key, value in given.items() if value != getattr(declared, key))
        notice(
            f"DVC tracks this folder, and params.yaml declares another {changed}: dvc repro puts back what it declares. "
            "With -o FOLDER the code goes elsewhere."
        )


def _say(folder: Path, record: "CodegenRecord") -> None:
    memory = f"{_kib(record.weight_bytes)} of weights, {_kib(record.activation_ram_bytes)} of activations"
    say(f"{folder}: {memory}, {_kib(record.code_flash_bytes)} of code")


def _kib(size: int | None) -> str:
    return "an unknown size" if size is None else f"{size / 1024:.2f} KiB"
