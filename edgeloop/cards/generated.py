"""The generated code on a card: what it takes of a target's memory, and the picture of its memory plan."""

import math
import shutil
from pathlib import Path

from edgeloop.boards.signature import digest_signature, signature_of
from edgeloop.cards.layers import Panel, draw_bars
from edgeloop.cards.markdown import Table
from edgeloop.cards.memory import NOT_STATED, is_npu, kib, memory_table
from edgeloop.cards.performance import format_text, resolution_text
from edgeloop.cards.reference import GeneratedMemory
from edgeloop.cards.sources import Sources
from edgeloop.errors import InputError
from edgeloop.markup import code, text
from edgeloop.records import CodegenRecord

PICTURE = "plan.svg"
LAYERS_PICTURE = "layers-memory.svg"


def code_memory(model: str, sources: Sources, plan: str) -> list[GeneratedMemory]:
    """Memory with the columns of the published cards; none where no code was generated. `plan` is the file of the picture, or empty."""
    record = sources.codegen
    if record is None or record.backend.name == "none":
        return []
    (kind,) = (model.format for model in sources.quantize.models if model.sha256 == record.model_sha256)
    table = memory_table([([text(model), format_text(kind), resolution_text(sources)], record)])
    return [] if table is None else [GeneratedMemory("NPU" if is_npu(record) else "MCU", table, memory_note(record), plan)]


def layers_table(sources: Sources) -> Table | None:
    """Each layer of the generated code with its output, its multiply-accumulates and its weights; None where the record has no layers."""
    record = sources.codegen
    if record is None or not record.layers:
        return None
    rows = [
        [
            text(one.name),
            code(one.type),
            "x".join(map(str, one.output_shape)) if one.output_shape else "-",
            "-" if one.macs is None else f"{one.macs:,}",
            "-" if one.weight_bytes is None else kib(one.weight_bytes),
        ]
        for one in record.layers
    ]
    return Table(["Layer", "Operator", "Output", "MACC", "Weights (KiB)"], rows)


def draw_layers(sources: Sources, path: Path) -> None:
    """Draw what each layer of the generated code has of weights and of output values."""
    layers = sources.codegen.layers if sources.codegen and sources.codegen.layers else []
    weights = [(one.weight_bytes or 0) / 1024 for one in layers]
    outputs = [float(math.prod(one.output_shape or [0])) for one in layers]
    panels = [Panel("Weights (KiB)", weights, "{:.2f}".format), Panel("Output values", outputs, "{:,.0f}".format)]
    draw_bars([one.name for one in layers], panels, path)


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
