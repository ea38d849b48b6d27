"""From a model to a firmware on a board: code is generated for the board's target, and lab.yaml's commands build and flash it.

A board without `build` gets edgeloop's own firmware, where there is one for its kind (edgeloop/firmware).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.boards.footprint import Footprint, footprint
from edgeloop.boards.lab.command import Command, filled
from edgeloop.boards.lab.config import Generated, LabBoard
from edgeloop.boards.lab.use import BoardInUse, named_tool
from edgeloop.boards.signature import signature_of
from edgeloop.codegen.choice import check_generation, choose_backend, model_format
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.targets import find_target
from edgeloop.errors import FlashError, InputError, ModelError, ToolchainError
from edgeloop.files import sha256_file
from edgeloop.firmware.board import boards
from edgeloop.firmware.build import build_firmware, is_too_large
from edgeloop.firmware.part import Part
from edgeloop.records import CodegenRecord
from edgeloop.tflite.formats import Format
from edgeloop.userpath import user_path

KIB = 1024
PORTABLE = "portable"


@dataclass(frozen=True)
class Firmware:
    """What was built for a board, and what it must say of itself."""

    codegen: CodegenRecord
    signatures: tuple[str, ...]
    """One of these the board must report; empty where nobody knows (ST's firmware for the NPU)."""
    parts: dict[str, str]
    """What commands may name."""
    sha256: str | None
    """The digest of the ELF file; None where no command uses one."""
    build: list[list[str]]
    flash: list[list[str]]
    size: Footprint | None = None
    """Of the whole of it; None where it is not edgeloop's own."""


def form_for(board: LabBoard, project: Path) -> Format:
    """The format of a variant's model that this board runs best, where code can be generated for it at all.

    Raises:
        InputError: no backend generates for it, or nothing builds a firmware around that code.
        StedgeaiMissing: it needs ST Edge AI Core, which is not here, or in no version that generates for it.
    """
    options = _options(board, project)
    target = find_target(options.target)
    check_generation(options.backend, target, options.tool)
    backend = choose_backend(options.backend, target, options.tool)
    if backend != PORTABLE and _wants_own_firmware(board):
        raise InputError(
            f"{board.name} has no `build`, and edgeloop's own firmware takes portable code only, not that of {backend}.",
            "Write `build` in lab.yaml (docs/boards.md), or take out `generate`.",
        )
    return model_format(backend, target)


def build(used: BoardInUse, model: Path, folder: Path) -> Firmware:
    """Generate code of a .tflite file into `folder`/generated and run the `build` commands; their output is kept in build.log.

    Without any, edgeloop's own firmware is built around portable code, for a kind of board that it knows.

    Raises:
        InputError: there is no such file, or no backend for the board.
        ModelError: no code can be generated of the model, or it is too large for the board.
        StedgeaiError, ToolchainError: the generator fails.
        FlashError: nothing can flash the board, a command fails, what it built was not made from this model, or nothing would
            show that it was flashed.
    """
    flash = used.flash_commands
    generated = folder / "generated"
    codegen = generate_file(model, generated, _options(used.board, used.project))
    _check_memory(used.board, codegen, model)
    signatures = _signatures(codegen, generated)
    if not signatures:
        _check_success_is_said(used.board, flash)
    parts = _parts(used, model, generated, folder)
    begun = _file_time(folder)
    commands = used.board.entry.build
    used.build(parts, folder / "build.log")
    own_firmware = _own_firmware(used.board, codegen, flash)
    if own_firmware is not None:
        _build_own(generated, own_firmware, Path(parts["elf"]), model)
    sha256 = None
    if needs := sorted(_uses(flash) & {"elf", "hex", "bin"}):
        for name in needs:
            _check_built(used.board.name, Path(parts[name]), begun if commands and not signatures else None)
        sha256 = _checked_elf(used.board.name, Path(parts["elf"]), signatures if codegen.backend.name == PORTABLE else ())
    own = used.parts | parts
    built = _shown(commands, own)
    if own_firmware is not None:
        built = [["edgeloop", "firmware", str(model), "--board", own_firmware.name]]
    size = footprint(Path(parts["elf"]), own_firmware) if own_firmware is not None else None
    return Firmware(codegen, signatures, parts, sha256, built, _shown(flash, own), size)


def _build_own(generated: Path, part: Part, elf: Path, model: Path) -> None:
    try:
        build_firmware(generated, part, elf)
    except ToolchainError as error:
        if is_too_large(error):
            what = f"{model} with edgeloop's firmware does not fit into the memories of {part.title} that it uses:\n{error.what}"
            raise ModelError(what, "Take a smaller variant, or build another firmware: `build` in lab.yaml.") from error
        raise


def _own_firmware(board: LabBoard, codegen: CodegenRecord, flash: Sequence[Command]) -> Part | None:
    """What edgeloop's own firmware is built for: where nothing else builds one, and something flashes it."""
    if not _wants_own_firmware(board) or codegen.backend.name != PORTABLE or "elf" not in _uses(flash):
        return None
    return boards()[board.entry.kind]


def _wants_own_firmware(board: LabBoard) -> bool:
    """Whether a board is flashed with an ELF that nothing but edgeloop builds."""
    entry = board.entry
    has_another = entry.build or entry.firmware or (entry.flash and "elf" not in _uses(entry.flash))
    return not has_another and entry.kind in boards()


def _target(board: LabBoard) -> str:
    if board.kind.target is None:
        raise InputError(f"No code is generated for boards of the kind {board.entry.kind}.", "Give a board that runs a microcontroller.")
    return board.kind.target


def _options(board: LabBoard, project: Path) -> Options:
    how = board.entry.generate
    name, at, file = (how.profile or "").partition("@")
    profile = f"{name}@{(project / user_path(file)).resolve()}" if at else how.profile
    backend = PORTABLE if how == Generated() and _wants_own_firmware(board) else how.backend
    return Options(target=_target(board), backend=backend, profile=profile, tool=named_tool(board, project))


def _signatures(codegen: CodegenRecord, generated: Path) -> tuple[str, ...]:
    """ST's firmware reports the network's signature or the model's hash; for the NPU neither is that of the tool's output."""
    if codegen.backend.name == PORTABLE:
        return (signature_of(generated),)
    if codegen.run is None or codegen.run.npu_compiler is not None:
        return ()
    return tuple(one for one in (codegen.run.network_signature, codegen.run.model_hash) if one)


def _check_memory(board: LabBoard, codegen: CodegenRecord, model: Path) -> None:
    """Say before the linker does that a model cannot fit; what is not known is not compared."""
    memory = board.memory
    for what, needed, sizes in (
        ("RAM for its activations", codegen.activation_ram_bytes, (memory.ram_kib, memory.external_ram_kib)),
        ("flash for its weights", codegen.weight_bytes, (memory.flash_kib, memory.external_flash_kib)),
    ):
        known = [size for size in sizes if size is not None]
        if needed is not None and known and needed > sum(known) * KIB:
            raise ModelError(
                f"{model} needs {needed / KIB:,.0f} KiB of {what}, and {board.name} ({board.kind.title}) has {sum(known):,} KiB.",
                "Take a smaller variant, or correct `memory` in lab.yaml.",
            )


def _parts(used: BoardInUse, model: Path, generated: Path, folder: Path) -> dict[str, str]:
    known = {"generated": str(generated.resolve()), "model": str(model.resolve())}
    named = used.board.entry.firmware
    elf = (used.project / user_path(filled(named, used.parts | known))) if named else folder.resolve() / "firmware.elf"
    if named is None:
        # Whatever an earlier build left there is not this model's.
        for suffix in (".elf", ".hex", ".bin"):
            elf.with_suffix(suffix).unlink(missing_ok=True)
    return known | {name: str(elf.with_suffix(f".{name}")) for name in ("elf", "hex", "bin")} | {"elf": str(elf)}


def _uses(commands: Sequence[Command]) -> set[str]:
    return {part for command in commands for part in command.parts}


def _check_success_is_said(board: LabBoard, flash: Sequence[Command]) -> None:
    """Without a signature, a flash command that ends well and does nothing would leave the last model to be measured as this one."""
    if not any(command.expect for command in flash):
        raise FlashError(
            f"Nothing would show that a model was flashed to {board.name}: its firmware reports no signature that is known before.",
            "Write `expect:` into its flash command in lab.yaml, with what the tool says of success; see docs/boards.md.",
        )


def _file_time(folder: Path) -> int:
    """Now, in ns, as the clock of this file system tells it."""
    mark = folder / "begun"
    mark.write_bytes(b"")
    now = mark.stat().st_mtime_ns
    mark.unlink()
    return now


def _check_built(board: str, file: Path, begun: int | None) -> None:
    """`begun`: it must have been written since then; None where its signature is known."""
    if begun is not None and file.is_file() and file.stat().st_mtime_ns < begun:
        raise FlashError(
            f"`build` of {board} left {file} as it was before, so it cannot hold the code that was generated now.",
            "Let it compile {generated} and link anew; see build.log.",
        )
    if not file.is_file():
        raise FlashError(
            f"The flash command of {board} needs {file}, which `build` did not make.",
            "Let the last build command write it there ({elf}), or say with `firmware:` in lab.yaml where it is.",
        )


def _checked_elf(board: str, elf: Path, signatures: Sequence[str]) -> str | None:
    if not elf.is_file():
        return None
    if signatures and not any(one.encode() in elf.read_bytes() for one in signatures):
        raise FlashError(
            f"{elf} was not built from the code that was generated now: it does not hold the signature {signatures[0]}.",
            f"Let `build` of {board} compile {{generated}}, and the firmware report NETWORK_SIGNATURE; see docs/boards.md.",
        )
    return sha256_file(elf)


def _shown(commands: Sequence[Command], parts: dict[str, str]) -> list[list[str]]:
    """The commands as they are run; a part that only edgeloop's search finds (`{stedgeai}`) stays named."""
    known = {"stedgeai": "{stedgeai}", **parts}
    return [[filled(argument, known) for argument in command.run] for command in commands]
