"""A first run of an unknown model in a process of its own: LiteRT crashes on some damaged files that pass its checks.

About one in two thousand randomly damaged files ends the process with a segmentation fault, whatever the caller does.
`python -m edgeloop.tflite.trial FILE` is that process; it imports LiteRT and nothing else that takes time.
"""

import subprocess
import sys
from pathlib import Path

from edgeloop.errors import ModelError
from edgeloop.tflite.file import read_model

DEADLINE_S = 60.0
MEMORY_BYTES = 8 << 30


def try_model(path: Path) -> None:
    """Load a model and run it once on zeros in a child process (about 0.3 s).

    A model that LiteRT refuses in an orderly way passes: loading it here then tells why.

    Raises:
        InputError: there is no such file.
        ModelError: it is no TensorFlow Lite file, or the child crashed, or was not done after 60 s.
    """
    read_model(path)
    command = [sys.executable, "-m", "edgeloop.tflite.trial", str(path.absolute())]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path} was not done with one inference after {DEADLINE_S:.0f} s.", "It is no model for this machine.") from None
    if done.returncode < 0:
        raise ModelError(f"{path} crashes LiteRT (signal {-done.returncode}).", "It is damaged: fetch or convert the model again.")


def _run(path: Path) -> None:
    import resource

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
    interpreter.invoke()
    for tensor in interpreter.get_output_details():
        interpreter.get_tensor(tensor["index"])


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
