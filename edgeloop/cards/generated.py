"""The generated code on a card: what it takes of a target's memory, and the picture of its memory plan."""

import shutil
from pathlib import Path

from edgeloop.boards.signature import digest_signature, signature_of
from edgeloop.cards.markdown import Table
from edgeloop.cards.memory import NOT_STATED, memory_table
from edgeloop.cards.performance import format_text, resolution_text
from edgeloop.cards.sources import Sources
from edgeloop.errors import InputError
from edgeloop.markup import text
from edgeloop.records import CodegenRecord

PICTURE = "plan.svg"


def code_memory(model: str, sources: Sources) -> Table | None:
    """Memory with the columns of the published cards; None where no code was generated."""
    record = sources.codegen
    if record is None or record.backend.name == "none":
        return None
    (kind,) = (model.format for model in sources.quantize.models if model.sha256 == record.model_sha256)
    return memory_table([([text(model), format_text(kind), resolution_text(sources)], record)])


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
