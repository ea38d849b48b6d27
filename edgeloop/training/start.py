"""What a training starts from: fresh weights, a `.keras`, or a Keras 2 `.h5` read by layer name."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from edgeloop.config import Section, Sha256
from edgeloop.datasets.download import Wanted, download
from edgeloop.errors import FetchError, InputError, ModelError
from edgeloop.files import atomic_path, sha256_file
from edgeloop.networks.grey import summed_over_colors
from edgeloop.networks.weights import CLASSIFIER, Weights, load_layer, read_weights_file
from edgeloop.networks.widen import widened, width_factor
from edgeloop.preprocessing import FILE_NAME, Preprocessing
from edgeloop.records import StartingWeights
from edgeloop.userpath import UserPath, named, without_login
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import read_yaml

if TYPE_CHECKING:
    import keras


class Backbone(Section):
    """A file of `models/backbones/`: where weights come from. A relative `path` counts from the project folder."""

    kind: Literal["scratch", "keras", "keras2_h5"]
    address: str | None = None
    path: UserPath | None = None
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    license: str | None = None
    input_range: tuple[float, float] | None = None
    """What 0..255 was mapped to when they were trained; a training from them takes it over."""

    @model_validator(mode="after")
    def _complete(self) -> "Backbone":
        if self.kind == "scratch":
            return self
        if (self.address is None) == (self.path is None):
            raise ValueError("give exactly one of address and path")
        if self.sha256 is None:
            raise ValueError("give the sha256 of the file, so that a training is always repeated from the same weights")
        return self


@dataclass(frozen=True)
class Start:
    """Starting weights, read; `weights` is empty for fresh ones."""

    kind: Literal["scratch", "keras", "keras2_h5"]
    origin: str
    sha256: str | None
    license: str | None
    weights: Weights
    input_range: tuple[float, float] | None = None
    """The one that the weights were trained with; None where it is not known."""

    def load_into(self, network: "keras.Model", seed: int = 0) -> StartingWeights:
        """Set the network's layers by name; the classifier only when its shape fits too.

        Weights of a network that is narrower by a whole number are widened first (`networks.widen`); those of one for RGB are
        summed over the colours for grey (`networks.grey`).

        Raises:
            ModelError: a layer of the backbone is missing or has another shape.
        """
        weights = summed_over_colors(self.weights, network)
        loaded, factor = 0, width_factor(weights, network) if weights else 1
        wide = widened(weights, factor, seed) if factor > 1 else weights
        for layer in network.layers if wide else ():
            if layer.weights and self._load_layer(layer, wide):
                loaded += 1
        return StartingWeights(
            kind=self.kind,
            origin=self.origin,
            sha256=self.sha256,
            license=self.license,
            layers_loaded=loaded,
            widened=factor,
            summed_over_colors=weights is not self.weights,
        )

    def _load_layer(self, layer: "keras.Layer", weights: Weights) -> bool:
        fits = load_layer(layer, weights)
        if not fits and layer.name != CLASSIFIER:
            shapes = {name: array.shape for name, array in self.weights.get(layer.name, {}).items()} or "no such layer"
            raise ModelError(
                f"{self.origin} does not fit the network at layer {layer.name}: it has {shapes}.",
                "Start from a model of the same network, of one narrower by a whole number, or from models/backbones/scratch.yaml.",
            )
        return fits


def read_start(workspace: Workspace, path: Path) -> Start:
    """Read starting weights from a file of `models/backbones/`, a `.keras` or a `.h5`.

    Raises:
        InputError: there is no such file, or its kind is not known.
        FetchError: a backbone's address cannot be reached, or its file is not the one that was asked for.
        ModelError: the file is damaged.
    """
    file = workspace.root / path
    if not file.is_file():
        raise InputError(f"The starting weights {path} do not exist.", "Train the variant that they come from first, or correct `start`.")
    if file.suffix == ".keras":
        return Start(
            "keras", named(file, workspace.root), sha256_file(file), _inherited_license(file), read_weights_file(file), _range_beside(file)
        )
    if file.suffix == ".h5":
        return Start("keras2_h5", named(file, workspace.root), sha256_file(file), None, read_weights_file(file))
    if file.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path} is no starting point.", "It may be a .yaml of models/backbones, a .keras or a .h5.")
    backbone = read_yaml(file, Backbone)
    if backbone.kind == "scratch":
        return Start("scratch", "fresh weights", None, None, {})
    weights_file = fetch_backbone(workspace, backbone)
    origin = without_login(backbone.address) if backbone.address else named(weights_file, workspace.root)
    return Start(backbone.kind, origin, backbone.sha256, backbone.license, read_weights_file(weights_file), backbone.input_range)


def cached_backbone(workspace: Workspace, backbone: Backbone) -> Path:
    """Where its file is kept once it was fetched."""
    return workspace.cache / "backbones" / str(backbone.sha256)


def fetch_backbone(workspace: Workspace, backbone: Backbone, given: Path | None = None) -> Path:
    """The backbone's file: downloaded once into the cache, or taken from `path` or `given`, its SHA-256 checked.

    Raises:
        FetchError: it cannot be had, or is not the one that was asked for.
    """
    cached = cached_backbone(workspace, backbone)
    if given is not None:
        _check_local(given, backbone)
        with atomic_path(cached) as temporary:
            shutil.copyfile(given, temporary)
    elif backbone.path is not None:
        local = workspace.root / backbone.path
        _check_local(local, backbone)
        return local
    elif not cached.exists():
        _download(backbone, cached)
    return cached


def _check_local(file: Path, backbone: Backbone) -> None:
    if not file.is_file():
        raise FetchError(f"{file} does not exist.", "Give the path of the backbone's file.")
    if (found := sha256_file(file)) != backbone.sha256:
        raise FetchError(f"{file} has the SHA-256 {found}, not {backbone.sha256}.", "It is another file, or damaged.")


def _download(backbone: Backbone, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(Wanted(str(backbone.address), backbone.bytes, backbone.sha256), target, lambda _: None)
    except FetchError as error:
        raise FetchError(
            error.what,
            "With a copy of the file: edgeloop fetch NAME --from PATH, where NAME is the file in models/backbones/ without .yaml. "
            "Or set the variant's `start` to models/backbones/scratch.yaml.",
        ) from error


def _range_beside(model: Path) -> tuple[float, float] | None:
    """The range of a variant's model, as its preprocessing says."""
    file = model.parent / FILE_NAME
    return Preprocessing.read(file).input_range if file.is_file() else None


def _inherited_license(model: Path) -> str | None:
    """The licence that a variant's model carries on from its own start, as its record says."""
    from edgeloop.records import TrainRecord

    record = model.parent.parent / "train.json"
    return TrainRecord.read(record).start.license if record.is_file() else None


def is_backbone(workspace: Workspace, name: str) -> bool:
    """Whether `models/backbones/<name>.yaml` exists."""
    return Path(name).name == name and _backbone_file(workspace, name).is_file()


def fetch_named_backbone(workspace: Workspace, name: str, given: Path | None = None) -> Path:
    """Get the file of `models/backbones/<name>.yaml`, from `given` instead of its address where that is set.

    Raises:
        FetchError: it cannot be had, or is not the one that was asked for.
        InputError: it is the backbone of fresh weights, which has no file.
    """
    backbone = read_yaml(_backbone_file(workspace, name), Backbone)
    if backbone.kind == "scratch":
        raise InputError(f"The backbone {name} is fresh weights: there is nothing to fetch.")
    return fetch_backbone(workspace, backbone, given)


def _backbone_file(workspace: Workspace, name: str) -> Path:
    return workspace.backbones / f"{name}.yaml"
