"""What a board answers, checked: whatever does not fit is an error and never becomes a number."""

from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeloop.errors import ProtocolError
from edgeloop.tflite.ending import class_scores
from edgeloop.tflite.interpreter import Scores

DType = Literal["uint8", "int8", "float16", "float32"]
Shown = TypeVar("Shown", bound=BaseModel)
Size = Annotated[int, Field(gt=0, le=1 << 31)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Tensor(_Answer):
    """An input or output of the model as the board's runtime describes it."""

    name: str
    shape: list[Size]
    dtype: DType
    scale: float
    """For an integer tensor: value = scale * (stored - zero_point); 0 where it is not quantized."""
    zero_point: int


class Runtime(_Answer):
    """What executes models on the board."""

    runtime: str
    version: str | None


class LoadedModel(Runtime):
    """A model that is loaded there."""

    engine: str
    threads: int | None
    inputs: Annotated[list[Tensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[Tensor], Field(min_length=1, max_length=1)]


class Ran(_Answer):
    """The times and the outputs of some inferences."""

    latencies_ns: list[Annotated[int, Field(gt=0)]]
    shape: Annotated[list[Size], Field(min_length=2, max_length=2)]
    dtype: DType


class Tool(_Answer):
    """How a command of the board ended; the other fields are absent where it is not found."""

    found: bool
    late: bool = False
    exit: int | None = None
    output: str = ""

    def failure(self, program: str) -> str:
        """Why there is no output of `program` to read; empty where it ended well."""
        if not self.found:
            return f"{program} is not on the board"
        if self.late:
            return f"{program} did not end in time"
        return f"{program} failed with exit code {self.exit}: {self.output.strip()[-200:]}" if self.exit != 0 else ""


class Facts(_Answer):
    """Files of the board, by path."""

    files: dict[str, str]
    uname: Annotated[list[str], Field(min_length=5, max_length=5)]
    cpus: int | None


def checked(kind: type[Shown], board: str, answer: dict[str, Any]) -> Shown:
    """An answer as the type that it must have.

    Raises:
        ProtocolError: it is not.
    """
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ProtocolError(
            f"The board '{board}' gives an answer that does not fit: {place}: {first['msg']} ({first['input']!r:.80}).", "Run it again."
        ) from None


def scores(ran: Ran, content: bytes, output: Tensor, board: str) -> Scores:
    """The outputs of a run, (n, classes) float32, dequantized where they are integers.

    Raises:
        ProtocolError: sizes do not fit, or a score is not a number.
    """
    count, classes = ran.shape
    expected = int(np.prod(output.shape, dtype=np.int64))
    if count != len(ran.latencies_ns) or classes != expected or len(content) != count * classes * np.dtype(ran.dtype).itemsize:
        raise ProtocolError(
            f"The board '{board}' gives {len(content)} bytes of {ran.dtype} outputs for {count} inferences of {expected} values.",
            "Run it again.",
        )
    stored: NDArray[Any] = np.frombuffer(content, ran.dtype).reshape(count, classes)
    values: Scores = stored.astype(np.float32)
    if ran.dtype in ("uint8", "int8"):
        values = (values - np.float32(output.zero_point)) * np.float32(output.scale or 1.0)
    if not np.isfinite(values).all():
        raise ProtocolError(f"The board '{board}' gives scores that are not numbers.", "Its runtime or its memory is damaged.")
    return class_scores(values)
