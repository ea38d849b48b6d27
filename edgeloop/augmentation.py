"""The augmentations that params.yaml may list, as data; training/augment.py applies them to pixels."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]


class _Op(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Flip(_Op):
    """Mirror with probability 1/2 along each named axis."""

    op: Literal["flip"]
    horizontal: bool = True
    vertical: bool = False


class Crop(_Op):
    """A random window of `area` (share of the image) and `aspect` (width over height), scaled to the input size."""

    op: Literal["crop"]
    area: tuple[float, float] = (0.6, 1.0)
    aspect: tuple[float, float] = (0.8, 1.25)


class Affine(_Op):
    """With `probability`: rotation up to +-`degrees`, shift (share of the side), zoom, and shear up to +-`shear` (tangent)."""

    op: Literal["affine"]
    probability: Probability = 1.0
    degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shear: Annotated[float, Field(ge=0, le=1)] = 0.0


class Color(_Op):
    """Brightness shift (share of the range), contrast and saturation factors within 1 +- the value, hue in turns."""

    op: Literal["color"]
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class Noise(_Op):
    """Gaussian noise with a standard deviation up to `std` (share of the range)."""

    op: Literal["noise"]
    std: Annotated[float, Field(ge=0, le=0.5)] = 0.02


class Erase(_Op):
    """With `probability`, one random rectangle of `area` (share of the image) is filled with one random colour."""

    op: Literal["erase"]
    probability: Probability = 0.25
    area: tuple[float, float] = (0.02, 0.2)


class Mixup(_Op):
    """Pairs of images and of their labels are blended with a weight drawn from Beta(alpha, alpha)."""

    op: Literal["mixup"]
    alpha: Annotated[float, Field(gt=0)] = 0.2


Augmentation = Annotated[Flip | Crop | Affine | Color | Noise | Erase | Mixup, Field(discriminator="op")]
