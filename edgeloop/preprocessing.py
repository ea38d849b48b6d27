"""From an encoded image to the pixels that a model takes: decode, resize, and the scale that lies beside the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import (
    BaseModel,
    ConfigDict,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from edgeloop.config import Resize
from edgeloop.decoding import Pixels, decode_file
from edgeloop.errors import DataError, InputError
from edgeloop.files import read_text, write_text
from edgeloop.resolution import CHANNELS, AnyResolution, Color, Size

__all__ = ["FILE_NAME", "Pixels", "Preprocessing", "as_picture", "colored", "decode", "decode_stored", "resize_pixels"]

Range = tuple[float, float]
FILE_NAME = "preprocessing.json"


class Preprocessing(BaseModel):
    """What lies between an image file and a model's input; written beside every model as `preprocessing.json`.

    A model takes pixels of shape (1, height, width, channels), RGB or grey. An RGB image becomes grey (`colored`) before anything
    else, and is then stretched to that size by `resize`, whatever its own proportions.
    What 0..255 is mapped to is `input_range`; null: the raw pixel, which only an integer input can take (`tflite.encoding`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    resolution: AnyResolution
    resize: Resize
    input_range: tuple[FiniteFloat, FiniteFloat] | None
    color: Color = "rgb"

    @model_serializer(mode="wrap")
    def _stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the colour where it is RGB, as the files of before it could be another one are."""
        return {name: value for name, value in handler(self).items() if (name, value) != ("color", "rgb")}

    @field_validator("input_range")
    @classmethod
    def _has_extent(cls, value: Range | None) -> Range | None:
        if value is not None and value[0] == value[1]:
            raise ValueError("its two ends are the same: every pixel would be")
        return value

    @property
    def stated_range(self) -> Range:
        """The range, where a float model needs one.

        Raises:
            InputError: none is stated.
        """
        if self.input_range is None:
            raise InputError("Nothing says which range the pixels of this float model are mapped to.", f"State it in its {FILE_NAME}.")
        return self.input_range

    @property
    def size(self) -> Size:
        """Of the model's image."""
        return Size.of(self.resolution)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the model's image."""
        return self.size.height, self.size.width, CHANNELS[self.color]

    def of_frame(self, frame: Pixels) -> Pixels:
        """(height, width, 3) uint8 RGB as the model takes it: uint8 of `shape`."""
        return resize_pixels(colored(frame, self.color), self.resolution, self.resize)

    def pixels(self, encoded: bytes) -> Pixels:
        """Decode an image file: uint8 of `shape`."""
        return self.of_frame(decode(encoded))

    def stored_pixels(self, stored: bytes) -> Pixels:
        """As `pixels`, for what `prepare` stores."""
        return self.of_frame(decode_stored(stored))

    def normalised(self, pixels: Pixels) -> NDArray[np.float32]:
        """uint8 pixels of any shape as the float model takes them: float32 in `input_range`."""
        low, high = self.stated_range
        return pixels.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)

    def write(self, path: Path) -> None:
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def given(cls, **values: Any) -> Self:
        """The preprocessing that a user gave.

        Raises:
            InputError: it is invalid.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            said = "; ".join(f"{' '.join(map(str, one['loc'][:1]))}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors())
            raise InputError(f"This preprocessing is invalid: {said}.", "Correct the option, or the preprocessing.json.") from error

    @classmethod
    def beside(cls, model: Path, default: Mapping[str, Any], **given: Any) -> Self:
        """The preprocessing of a model file: what is given (not None), else what its `preprocessing.json` says, or without one the default.

        Raises:
            InputError: it is invalid, or the file is damaged.
        """
        file = model.parent / FILE_NAME
        known = cls.read(file).model_dump() if file.is_file() else default
        return cls.given(**{**known, **{name: value for name, value in given.items() if value is not None}})

    @classmethod
    def read(cls, path: Path) -> "Preprocessing":
        """Read a `preprocessing.json`.

        Raises:
            InputError: it is absent or says something else.
        """
        try:
            return cls.model_validate_json(read_text(path))
        except FileNotFoundError:
            raise InputError(f"{path} does not exist.", "A model is only usable with the preprocessing it was trained with.") from None
        except (ValidationError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a preprocessing description: {error}") from error


def decode(encoded: bytes) -> Pixels:
    """The pixels of any image file, upright RGB: uint8 of shape (height, width, 3); see `decoding.decode_file`.

    Raises:
        PictureError: it cannot be used.
    """
    return decode_file(encoded).pixels


def decode_stored(stored: bytes) -> Pixels:
    """Decode what `prepare` stores, an upright JPEG, to RGB with OpenCV: a third less CPU than Pillow for the same pixels.

    Raises:
        DataError: it does not decode.
    """
    pixels = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise DataError("A stored image does not decode.", "The shard is damaged: restore it with dvc checkout.")
    return np.asarray(pixels, np.uint8)


def colored(pixels: Pixels, color: Color) -> Pixels:
    """(height, width, 3) RGB in this colour: itself, or grey of shape (height, width, 1).

    grey = (19595 red + 38470 green + 7471 blue + 32768) >> 16: the luma of ITU-R BT.601 in whole numbers, as Pillow's mode L has
    it. What is grey already stays as it is. The generated C code has the same formula (codegen/application).
    """
    return pixels if color == "rgb" else np.asarray(Image.fromarray(pixels).convert("L"), np.uint8)[..., np.newaxis]


def as_picture(pixels: Pixels) -> Image.Image:
    """(height, width, 1 or 3) as Pillow has it, to be saved."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def resize_pixels(pixels: Pixels, resolution: int | str, rule: Resize) -> Pixels:
    """Stretch (height, width, channels) to the size of a resolution; of grey or RGB each channel is stretched as if it were alone.

    `nearest` and `bilinear` sample as TensorFlow's image resize does (half-pixel centres, no antialiasing: the nearest
    source pixel of output i is floor((i + 0.5) * size / side)); `area` averages when shrinking.
    """
    (height, width), size = pixels.shape[:2], Size.of(resolution)
    if rule == "nearest":
        return np.ascontiguousarray(pixels.take(_nearest(height, size.height), axis=0).take(_nearest(width, size.width), axis=1))
    if (width, height) == size:
        return np.ascontiguousarray(pixels)
    shrinks = height >= size.height and width >= size.width
    averages = rule == "area" and shrinks
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if averages else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8).reshape(size.height, size.width, pixels.shape[2])


def _nearest(size: int, side: int) -> NDArray[np.intp]:
    """Source index of each output pixel, in single precision as TensorFlow computes it: double differs at some sizes."""
    centres = np.arange(side, dtype=np.float32) + np.float32(0.5)
    return (centres * np.float32(size / side)).astype(np.intp).clip(0, size - 1)
