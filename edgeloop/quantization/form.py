"""Whether a float model takes what edgeloop gives: one square RGB image, channels last. The dimension that does not fit is named."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.errors import ModelError

if TYPE_CHECKING:
    import keras

CHANNELS = 3
Size = int | None


def check_form(path: Path, model: "keras.Model", side: int) -> None:
    """Refuse a model that does not take (1, side, side, 3); dimensions that it leaves open fit.

    Raises:
        ModelError: what does not fit, and what to do.
    """
    shapes = _input_shapes(model)
    if shapes is None:
        raise ModelError(
            f"{path} was saved before it was built: its input has no shape.", "Give it a keras.Input, train it, and save it again."
        )
    if len(shapes) != 1 or len(shapes[0]) != 4:
        inputs = " and ".join(map(_shown, shapes)) or "none"
        raise ModelError(f"{path} takes {inputs}, not one image (batch, height, width, channels).", "Quantize an image classifier.")
    batch, height, width, channels = shapes[0]
    if batch not in (None, 1):
        raise ModelError(f"{path} takes {batch} images at a time, not one.", "Save it with an open batch, or a batch of 1.")
    if channels not in (None, CHANNELS):
        raise _other_channels(path, shapes[0])
    if None not in (height, width) and height != width:
        raise ModelError(f"{path} takes images of {height} x {width} (height x width), not square ones.", "Save it with a square input.")
    if not {height, width} <= {None, side}:
        wanted = height or width
        raise ModelError(
            f"{path} takes images of {wanted} x {wanted}, not {side} x {side}.",
            f"Give --resolution {wanted}, or correct the preprocessing.json beside it.",
        )


def _input_shapes(model: "keras.Model") -> list[tuple[Size, ...]] | None:
    """None for a model that is not built: Keras has no inputs of it, or refuses to say."""
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):
        return None
    return [tuple(tensor.shape) for tensor in inputs] if inputs else None


def _other_channels(path: Path, shape: tuple[Size, ...]) -> ModelError:
    if shape[1] == CHANNELS:
        return ModelError(f"{path} takes its channels first, {_shown(shape)}.", "Save it with channels last (data_format).")
    grey = "grey images (1 channel)" if shape[3] == 1 else f"images of {shape[3]} channels"
    return ModelError(
        f"{path} takes {grey}; edgeloop gives RGB (3 channels).",
        "Train it on RGB, or put a layer before it that makes its channels of RGB.",
    )


def _shown(shape: tuple[Size, ...]) -> str:
    return f"({', '.join('open' if size is None else str(size) for size in shape)})"
