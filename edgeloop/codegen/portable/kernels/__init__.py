"""The C library of row kernels: its files, what a layer's parameters are, and how much scratch memory a kernel needs."""

from pathlib import Path

FOLDER = Path(__file__).parent
HEADER = "edgeloop_kernels.h"


def kernel_files() -> list[Path]:
    """Every C file that generated code needs beside it, headers included, in order of name."""
    return sorted(path for path in FOLDER.iterdir() if path.suffix in {".c", ".h"})
