"""TensorFlow in this process: quiet at its start, with the kernels that are fastest, on a number of threads that is always the same."""

import importlib
import os
import sys
from contextlib import suppress

from edgeloop.cpus import usable_cpus
from edgeloop.errors import ConfigError
from edgeloop.quiet import quiet

THREADS = 1
"""What an operation runs on where nothing else is said, however many cores there are: what TensorFlow adds up, and so the trained
weights, depends on it to the last bit. A second one gives small networks nothing on two cores, as their input takes some of the other
core, and large ones a quarter more; two trainings side by side do more in the same time (benchmarks/threads.py)."""


def load_tensorflow(threads: int | None = None) -> None:
    """Import TensorFlow and Keras (some seconds, once in a process) without their start-up notes, for operations on `threads` threads.

    The number is settled once in a process: None takes what there is, or THREADS. oneDNN's kernels are asked for: by itself TensorFlow
    takes them where the processor has AVX512 or AMX alone, and with AVX2 they train twice as fast (docs/train.md).
    TF_ENABLE_ONEDNN_OPTS=0 in the environment keeps them out.

    Raises:
        ConfigError: it runs in this process already, on another number of threads.
    """
    if "tensorflow" not in sys.modules or "keras" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # read once, while TensorFlow is imported
        with quiet():
            importlib.import_module("keras")
            _settle(threads or THREADS)
            importlib.import_module("tensorflow").config.list_logical_devices()  # the first look at the processor is noted too
    elif threads is not None:
        _settle(threads)
    if threads not in (None, running_threads()):
        raise ConfigError(
            f"TensorFlow runs in this process already, and not with threads: {threads}, which `train` asks for.",
            "Train in a process of its own (edgeloop train VARIANT), or call edgeloop.framework.load_tensorflow(threads) first.",
        )


def _settle(threads: int) -> None:
    """Unless it has run something, on as many threads as it was told or chose."""
    with suppress(RuntimeError):
        importlib.import_module("tensorflow").config.threading.set_intra_op_parallelism_threads(threads)


def running_threads() -> int:
    """How many threads TensorFlow has for an operation: by its own choice those of its environment variable, or one a core."""
    settled: int = importlib.import_module("tensorflow").config.threading.get_intra_op_parallelism_threads()
    return settled or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or usable_cpus()
