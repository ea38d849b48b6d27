"""Trained models as files: equal weights give equal bytes."""

import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeloop.files import atomic_path
from edgeloop.networks.weights import CLASSIFIER

if TYPE_CHECKING:
    import keras


def write_model(model: "keras.Model", path: Path) -> None:
    """Save as `.keras`, without the time of saving and with objects numbered anew."""
    with atomic_path(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"])
        members["metadata.json"] = json.dumps({"keras_version": metadata["keras_version"]}).encode()
        members["config.json"] = _renumbered(members["config.json"])
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)


def divide_logits(model: "keras.Model", temperature: float) -> None:
    """Make it part of the last layer: it costs nothing on a board, and changes no predicted class."""
    layer = model.get_layer(CLASSIFIER)
    layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])


def _renumbered(config: bytes) -> bytes:
    """Keras numbers shared objects by their memory addresses; here they are counted from 1."""
    numbers: dict[bytes, bytes] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return match[1] + numbers.setdefault(match[2], str(len(numbers) + 1).encode())

    return re.sub(rb'("shared_object_id": )(\d+)', number, config)
