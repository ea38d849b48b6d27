"""Targets that run the .tflite file itself (STM32MP1): the file is copied, with a record of what it holds."""

import shutil
from importlib.metadata import version
from pathlib import Path

from edgeloop.records import CodegenBackend, CodegenRecord, Provenance
from edgeloop.tflite.inspect import inspect_model


def copy_model(model: Path, folder: Path, name: str, target: str, made: Provenance) -> CodegenRecord:
    """Copy the model to `folder`, which is empty, as `<name>.tflite`. The runtime's memory on the target is not known.

    Raises:
        InputError: there is no such model.
        ModelError: it is damaged.
    """
    report = inspect_model(model)
    shutil.copyfile(model, folder / f"{name}.tflite")
    return CodegenRecord(
        provenance=made,
        backend=CodegenBackend(name="none", version=version("edgeloop")),
        target=target,
        cpu=None,
        note="The target runs the .tflite file itself; no code is generated.",
        model_sha256=report.sha256,
        name=name,
        stream_input=None,
        macs=report.macs,
        weight_bytes=report.weight_bytes,
        activation_ram_bytes=None,
        runtime_ram_bytes=None,
        code_flash_bytes=None,
        compiled=None,
        pools=None,
        layers=None,
        binary_bytes=report.bytes,
    )
