"""Whether a float model takes what edgeloop gives: one image, RGB or grey, channels last. The dimension that does not fit is named."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.errors import ModelError
from edgeloop.resolution import CHANNELS, COLORS, Color, Size

if TYPE_CHECKING:
    import keras

Side = int | None


def check_form(path: Path, model: "keras.Model", resolution: int | str, color: Color = "rgb") -> None:
    """Refuse a model that does not take (1, height, width, channels); dimensions that it leaves open fit.

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
    if channels not in (None, CHANNELS[color]):
        raise _other_channels(path, shapes[0], color)
    given = Size.of(resolution)
    if width not in (None, given.width) or height not in (None, given.height):
        taken = Size(width or height or 0, height or width or 0)
        raise ModelError(
            f"{path} takes images of {taken}, not {given} (width x height).",
            f"Give --resolution {taken.resolution}, or correct the preprocessing.json beside it.",
        )


def _input_shapes(model: "keras.Model") -> list[tuple[Side, ...]] | None:
    """None for a model that is not built: Keras has no inputs of it, or refuses to say."""
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):
        return None
    return [tuple(tensor.shape) for tensor in inputs] if inputs else None


def _other_channels(path: Path, shape: tuple[Side, ...], color: Color) -> ModelError:
    if shape[3] in COLORS:
        wanted = COLORS[shape[3]]
        return ModelError(
            f"{path} takes {wanted} images (channels: {shape[3]}), and {color} ones were to be given.",
            f"Give --color {wanted}, or correct the preprocessing.json beside it.",
        )
    if shape[1] in COLORS:
        return ModelError(f"{path} takes its channels first, {_shown(shape)}.", "Save it with channels last (data_format).")
    return ModelError(
        f"{path} takes images of {shape[3]} channels; edgeloop gives RGB (3 channels) or grey (1).",
        "Train it on RGB, or put a layer before it that makes its channels of RGB.",
    )


def _shown(shape: tuple[Side, ...]) -> str:
    return f"({', '.join('open' if size is None else str(size) for size in shape)})"
