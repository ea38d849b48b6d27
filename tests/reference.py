"""LiteRT's reference kernels (the BUILTIN_REF resolver): every tensor of a run, by its place in the file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Reference:
    """A model in LiteRT that keeps every intermediate tensor."""

    def __init__(self, model: Path | bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter = Interpreter(
            model_content=model if isinstance(model, bytes) else model.read_bytes(),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self._interpreter.allocate_tensors()
        (self.input,) = self._interpreter.get_input_details()
        (self.output,) = self._interpreter.get_output_details()

    def run(self, image: NDArray[Any]) -> None:
        """Compute everything for one input (height, width, channels) or (1, ...) in the input's own type."""
        self._interpreter.set_tensor(self.input["index"], np.reshape(image, self.input["shape"]))
        self._interpreter.invoke()

    def tensor(self, index: int) -> NDArray[Any]:
        """What the last run left in that tensor, the batch included."""
        values: NDArray[Any] = self._interpreter.get_tensor(index)
        return values
