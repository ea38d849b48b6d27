"""Generated code run on this machine: its own example is built by the host's compiler and given pictures."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.toolchain import find_host_compiler
from edgeloop.errors import ModelError
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.shell import session
from edgeloop.tflite.labels import labels_beside, write_labels

DEADLINE_S = 120.0
FLAGS = ("-std=c99", "-O2")


def classify(model: Path, preprocessing: Preprocessing, frames: Sequence[tuple[Path, Pixels]]) -> str:
    """What the example prints for (height, width, 3) RGB frames, each below the name of its picture.

    Raises:
        ModelError: its code cannot be generated, takes floats, or does not run.
        ToolchainError: there is no compiler for this machine.
    """
    compiler = find_host_compiler()
    with tempfile.TemporaryDirectory(prefix="edgeloop-predict-") as name:
        work = Path(name)
        copied = work / "model" / model.name
        copied.parent.mkdir()
        shutil.copyfile(model, copied)
        preprocessing.write(copied.parent / FILE_NAME)
        if (classes := labels_beside(model)) is not None:
            write_labels(copied.parent, classes)
        generate_file(copied, work / "code", Options(backend="portable"))
        example = work / "code" / "example" / "main.c"
        if not example.is_file():
            raise ModelError(f"{model} takes floats; generated code classifies frames by integer models only.", "Give an int8 model.")
        objects = []
        for source in (example, *sorted((work / "code").glob("*.c"))):
            objects.append(work / f"{source.stem}.o")
            compiler.compile(source, objects[-1], [*FLAGS, f"-I{work / 'code'}"])
        program = work / "classify"
        compiler.link(objects, program, [])
        shown = [_write_ppm(work / f"{number}.ppm", pixels) for number, (_, pixels) in enumerate(frames)]
        text = _run([str(program), *map(str, shown)])
        for written, (image, _) in zip(shown, frames, strict=True):
            text = text.replace(f"{written}\n", f"{image}\n")
        return text


def _write_ppm(path: Path, pixels: Pixels) -> Path:
    height, width = pixels.shape[:2]
    path.write_bytes(f"P6\n{width} {height}\n255\n".encode() + pixels.tobytes())
    return path


def _run(command: list[str]) -> str:
    try:
        with session(command, os.environ, subprocess.PIPE, subprocess.PIPE) as process:
            output, words = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise ModelError(f"The generated code was not done within {DEADLINE_S:.0f} s.", "Give fewer pictures.") from None
    if process.returncode:
        raise ModelError(f"The generated code fails: {words.decode(errors='replace').strip()}", "Look at the picture that it names.")
    return output.decode()
