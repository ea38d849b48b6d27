"""The image that a model takes, and the preprocessing that makes it: one must fit the other."""

from pathlib import Path
from typing import Any

from edgeloop.errors import InputError
from edgeloop.preprocessing import Preprocessing
from edgeloop.resolution import image_text
from edgeloop.tflite.interpreter import LiteModel


def preprocessing_of(path: Path, model: LiteModel, **given: Any) -> Preprocessing:
    """What is given (not None), else what lies beside the file, else bilinear at the model's own size and colour, with no range stated.

    Raises:
        InputError: it is invalid, or makes other images than the model takes.
    """
    plain: dict[str, Any] = {"resolution": model.resolution, "color": model.color, "resize": "bilinear", "input_range": None}
    found = Preprocessing.beside(path, plain, **given)
    check_fits(path, model, found)
    return found


def check_fits(path: Path, model: LiteModel, preprocessing: Preprocessing) -> None:
    """See that the preprocessing makes the images that the model takes.

    Raises:
        InputError: it makes others.
    """
    if model.image_shape != preprocessing.shape:
        taken, made = (image_text(one.resolution, one.color) for one in (model, preprocessing))
        raise InputError(
            f"{path} takes images of {taken} (width x height x channels), its preprocessing makes {made}.",
            "Put the preprocessing.json of this very model beside it.",
        )
