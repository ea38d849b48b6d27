"""A first run of an unknown model in a process of its own: LiteRT crashes on some damaged files that pass its checks.

About one in two thousand randomly damaged files ends the process with a segmentation fault, whatever the caller does.
"""

from pathlib import Path

from edgeloop.child import Limits, Tell, in_child
from edgeloop.errors import ModelError
from edgeloop.tflite.file import read_model

LIMITS = Limits(deadline_s=60.0, memory_bytes=8 << 30)


def try_model(path: Path) -> None:
    """Load a model and run it once on zeros in a child process (about 0.3 s).

    A model that LiteRT refuses in an orderly way passes: loading it here then tells why.

    Raises:
        InputError: there is no such file.
        ModelError: it is no TensorFlow Lite file, or the child crashed, or was not done after 60 s.
    """
    read_model(path)

    def died(how: str) -> ModelError:
        return ModelError(
            f"LiteRT {how} in one inference of {path}.", "It is damaged, or no model for this machine: fetch or convert it again."
        )

    in_child(run_once, path, limits=LIMITS, died=died)


def run_once(_: Tell, path: Path) -> None:
    """The child's function; it imports LiteRT and nothing else that takes time."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
        interpreter.allocate_tensors()
        for tensor in interpreter.get_input_details():
            interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
        interpreter.invoke()
        for tensor in interpreter.get_output_details():
            interpreter.get_tensor(tensor["index"])
    except (ValueError, RuntimeError, MemoryError):
        return
