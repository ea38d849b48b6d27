"""The generated code on a card: what it takes of a target's memory, and the picture of its memory plan."""

import shutil
from pathlib import Path

from edgeloop.boards.signature import digest_signature, signature_of
from edgeloop.cards.markdown import Table
from edgeloop.cards.performance import NOT_MEASURED, format_text, resolution_text
from edgeloop.cards.sources import Sources
from edgeloop.errors import InputError
from edgeloop.markup import text
from edgeloop.records import CodegenRecord

PICTURE = "plan.svg"
NOT_STATED = "an unknown target"


def memory_table(model: str, sources: Sources) -> Table | None:
    """Memory with the columns of the published cards; None where no code was generated."""
    record = sources.codegen
    if record is None or record.backend.name == "none":
        return None
    (kind,) = (model.format for model in sources.quantize.models if model.sha256 == record.model_sha256)
    row = [
        text(model),
        format_text(kind),
        resolution_text(sources.evaluate.resolution),
        text(record.target or NOT_STATED),
        _kib(record.activation_ram_bytes),
        _kib(record.runtime_ram_bytes),
        _kib(record.weight_bytes),
        _kib(record.code_flash_bytes),
        _kib(_sum(record.activation_ram_bytes, record.runtime_ram_bytes)),
        _kib(_sum(record.weight_bytes, record.code_flash_bytes)),
    ]
    heads = [
        "Model",
        "Format",
        "Resolution",
        "Series",
        "Activation RAM (KiB)",
        "Runtime RAM (KiB)",
        "Weights Flash (KiB)",
        "Code Flash (KiB)",
        "Total RAM (KiB)",
        "Total Flash (KiB)",
    ]
    return Table(heads, [row])


def memory_note(record: CodegenRecord) -> str:
    """How the figures came about."""
    flags = f" ({' '.join(record.compiled.flags)})" if record.compiled and record.compiled.flags else ""
    compiled = f", code as {text(record.compiled.compiler)} compiles it{flags}" if record.compiled else ""
    streamed = " The input comes row by row, so that no frame is held." if record.stream_input else ""
    noted = f" {text(record.note)}" if record.note else ""
    return (
        f"Code from the {text(record.backend.name)} generator for {text(record.target or NOT_STATED)}: "
        f"RAM as planned, the input included{compiled}.{streamed}{noted} No board was involved."
    )


def copy_picture(generated: Path, sources: Sources, target: Path) -> bool:
    """Copy the plan's picture, where there is one; returns whether there is.

    Raises:
        InputError: the generated code is of another model than the record.
    """
    record = sources.codegen
    if record is None or not (generated / PICTURE).is_file():
        return False
    if record.model_sha256 is None or signature_of(generated) != digest_signature(record.model_sha256):
        raise InputError(f"{generated} and generate.json speak of different models.", "Run dvc repro.")
    shutil.copyfile(generated / PICTURE, target)
    return True


def _kib(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / 1024:.2f}"


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
