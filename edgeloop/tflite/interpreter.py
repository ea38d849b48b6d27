"""One image classifier in LiteRT: loaded with clear errors, fed with encoded pixels, answering with class scores.

The only module that imports LiteRT's interpreter.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import ModelError
from edgeloop.quiet import quiet_at_first
from edgeloop.resolution import COLORS, Color, Size
from edgeloop.tflite.ending import ONE_CLASS, class_scores, unfit_ending
from edgeloop.tflite.file import read_model
from edgeloop.tflite.graph import graph_of, read_graph

RUNTIME = "ai-edge-litert"
MOST_COMPUTED_BYTES = 2 << 30
"""A model that computes more than this in one inference is refused, before memory is asked for it."""
INPUT_TYPES = ("uint8", "int8", "float32")

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class TensorInfo:
    """The input or the output of a loaded model."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    """For an integer tensor: value = scale * (stored - zero_point); 0 for a float tensor."""
    zero_point: int


class LiteModel:
    """A .tflite image classifier: one input (batch, height, width, channels), RGB or grey, one output with a score for each class, or one
    sigmoid for two.

    Not to be shared between threads; `invoke` releases the interpreter lock, so several models run side by side.

    Raises:
        InputError: there is no such file.
        ModelError: the file is damaged, LiteRT refuses it, or it is not an image classifier of that form.
    """

    def __init__(self, path: Path, *, threads: int = 1, batch: int = 1, verified: bytes | None = None, reference: bool = False) -> None:
        """`verified` is the `content` of another LiteModel of the same path, which spares reading it again.

        `reference` takes LiteRT's reference kernels: slow, and the same on every machine.
        """
        self._path = path
        self.content = _verified(path) if verified is None else verified
        self.batch = batch
        self.open_batch = False
        """Whether the file declares its batch size as open."""
        with quiet_at_first(RUNTIME):
            self._interpreter = self._load(threads, reference)
        self.input, self.output = self._tensors()
        self.image_shape = self.input.shape[1:]
        """Height, width and channels of the image that it takes."""
        self.outputs = math.prod(self.output.shape[1:])
        """Values of one image."""
        self.classes = max(2, self.outputs)
        if reason := unfit_ending(graph_of(self.content, str(path))):
            raise ModelError(f"{path} {reason}.", ONE_CLASS)

    @property
    def resolution(self) -> int | str:
        """Of the image that it takes."""
        height, width, _ = self.image_shape
        return Size(width, height).resolution

    @property
    def color(self) -> Color:
        """Of the image that it takes."""
        return COLORS[self.image_shape[-1]]

    def set_input(self, images: NDArray[Any]) -> None:
        """Hand over (batch, height, width, channels) in the input's own type."""
        self._interpreter.set_tensor(self._input_index, images)

    def invoke(self) -> None:
        """Run one inference on what was handed over.

        Raises:
            ModelError: LiteRT fails.
        """
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._path} does not run: {error}", "Convert the model again.") from error

    def stored(self) -> NDArray[Any]:
        """The result (batch, outputs) in the output's own type."""
        result: NDArray[Any] = self._interpreter.get_tensor(self._output_index).reshape(self.batch, self.outputs)
        return result

    def scores(self) -> Scores:
        """The result: float32 of shape (batch, classes), dequantized where the output is an integer.

        Raises:
            ModelError: a score is not a number.
        """
        stored = self.stored()
        values: Scores = stored.astype(np.float32)
        if stored.dtype != np.float32:
            values = (values - np.float32(self.output.zero_point)) * np.float32(self.output.scale)
        if not np.isfinite(values).all():
            raise ModelError(f"{self._path} gives scores that are not numbers.", "Its weights are damaged: convert the model again.")
        return class_scores(values)

    def run(self, images: NDArray[Any]) -> Scores:
        """Scores (n, classes) of n <= batch images in the input's own type."""
        count = len(images)
        if count < self.batch:
            images = np.concatenate([images, np.zeros((self.batch - count, *images.shape[1:]), images.dtype)])
        self.set_input(images)
        self.invoke()
        return self.scores()[:count]

    def _load(self, threads: int, reference: bool) -> Any:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        try:  # From memory: LiteRT then verifies every offset before it uses one.
            interpreter = Interpreter(model_content=self.content, num_threads=threads, experimental_op_resolver_type=kernels)
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
            self._check_form(inputs, outputs)
            self.open_batch = [int(size) for size in inputs[0]["shape_signature"][:1]] == [-1]
            self._input_index, self._output_index = inputs[0]["index"], outputs[0]["index"]
            if self.batch > 1:
                interpreter.resize_tensor_input(self._input_index, [self.batch, *inputs[0]["shape"][1:]], strict=True)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError, MemoryError) as error:
            reason = str(error).strip() or type(error).__name__
            raise ModelError(f"LiteRT refuses {self._path}: {reason}", "Fetch or convert the model again.") from error
        return interpreter

    def _check_form(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        """Refuse what is not (1, height, width, 1 or 3) -> (1, .., classes)."""
        if len(inputs) != 1 or len(outputs) != 1:
            raise self._unfit(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
        image, scores = [int(size) for size in inputs[0]["shape"]], [int(size) for size in outputs[0]["shape"]]
        if len(image) != 4 or image[0] != 1 or min(image) < 1 or image[3] not in COLORS:
            raise self._unfit(f"its input has the shape {image}")
        if len(scores) < 2 or scores[0] != 1 or math.prod(scores) < 1 or math.prod(scores) != max(scores):
            raise self._unfit(f"its output has the shape {scores}")
        kinds = [np.dtype(tensor["dtype"]).name for tensor in (inputs[0], outputs[0])]
        if not set(kinds) <= set(INPUT_TYPES):
            raise self._unfit(f"its input and output have the types {' and '.join(kinds)}")

    def _unfit(self, what: str) -> ModelError:
        return ModelError(
            f"{self._path} is not an image classifier that edgeloop can run: {what}.",
            "It takes models with one input (1, height, width, 3) for RGB or (1, height, width, 1) for grey, and one output (1, classes), "
            "in uint8, int8 or float32.",
        )

    def _tensors(self) -> tuple[TensorInfo, TensorInfo]:
        return _info(self._interpreter.get_input_details()[0]), _info(self._interpreter.get_output_details()[0])


class ObservedModel:
    """A model of this process that keeps what every operator computes; one thread, plain kernels, so that integers are exact.

    `content` is trusted: it comes from the converter, not from a user.
    """

    def __init__(self, content: bytes | bytearray) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        with quiet_at_first(RUNTIME):
            self._interpreter = Interpreter(
                model_content=bytes(content),
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._quantized = {tensor["index"]: tensor["quantization"] for tensor in self._interpreter.get_tensor_details()}
        self.input = _info(self._input)

    def run(self, image: NDArray[Any]) -> None:
        """Compute everything for one image (1, height, width, channels) in the input's own type."""
        self._interpreter.set_tensor(self._input["index"], image)
        self._interpreter.invoke()

    def values(self, index: int) -> NDArray[np.float32]:
        """What the last run left in a tensor, by its place in the file: float32 of the tensor's shape, dequantized."""
        stored: NDArray[Any] = self._interpreter.get_tensor(index)
        scale, zero_point = self._quantized[index]
        if stored.dtype == np.float32 or not scale:
            return stored.astype(np.float32)
        return (stored.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _verified(path: Path) -> bytes:
    """The bytes of a model whose values fit into memory."""
    computed = sum(tensor.computed_bytes for tensor in read_graph(path).tensors)
    if computed > MOST_COMPUTED_BYTES:
        raise ModelError(f"{path} computes {computed:,} bytes in one inference.", f"The limit is {MOST_COMPUTED_BYTES:,} bytes.")
    return read_model(path)


def _info(details: dict[str, Any]) -> TensorInfo:
    scale, zero_point = details["quantization"]
    return TensorInfo(
        name=str(details["name"]),
        shape=tuple(int(size) for size in details["shape"]),
        dtype=np.dtype(details["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
    )
