"""The importer on edgeloop's networks and on real models: published figures, and LiteRT's reference kernels tensor by tensor."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from comparing import all_differ, equal_to_reference
from converted_models import smooth_images
from matrix import first_is_short

from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators import Convolution, Dense, Depthwise
from edgeloop.errors import ModelError
from edgeloop.networks import NETWORKS, multiply_accumulates, network, parameters_folded

NetworkFile = Callable[..., Path]
CHECKED = [name for name in NETWORKS if "fd" in name or name in ("mobilenet_v1_0.25", "mobilenet_v2_0.35")]
"""The others differ from them in width alone."""


def weight_bytes(imported: Network) -> int:
    """Weights and biases, as the published figures count them."""
    layers = [layer for layer in imported.layers if isinstance(layer, Convolution | Depthwise | Dense)]
    return sum(layer.weights.size + 4 * layer.bias.size for layer in layers)


@pytest.mark.parametrize("name", first_is_short(CHECKED))
def test_networks_at_96_equal_the_reference_kernels_tensor_by_tensor(name: str, network_file: NetworkFile) -> None:
    count = 2 if name in ("fdmobilenet_0.25", "st_fdmobilenet_v1") else 1
    images = smooth_images(np.random.default_rng(1), count, 96)
    imported, outputs = equal_to_reference(network_file(name, 96), images)
    assert all_differ(outputs)
    assert imported.macs == multiply_accumulates(network(name), 96, 5)


@pytest.mark.thorough
def test_weights_with_one_scale_for_all_channels_equal_the_reference_kernels(network_file: NetworkFile) -> None:
    _, outputs = equal_to_reference(network_file("fdmobilenet_0.25", 96, per_channel=False), smooth_images(np.random.default_rng(2), 2, 96))
    assert all_differ(outputs)


@pytest.mark.thorough
@pytest.mark.parametrize("resolution", [128, 224])
def test_the_published_networks_equal_the_reference_kernels(resolution: int, network_file: NetworkFile) -> None:
    _, outputs = equal_to_reference(network_file("st_fdmobilenet_v1", resolution), smooth_images(np.random.default_rng(3), 1, resolution))
    assert len(np.unique(outputs[0])) > 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "resolution", "macs", "kibibytes"),
    [
        ("fdmobilenet_0.25", 224, 11_783_232, 128.32),
        ("fdmobilenet_0.25", 128, 3_848_448, 128.32),
        ("st_fdmobilenet_v1", 224, 24_427_584, 144.93),
        ("st_fdmobilenet_v1", 128, 7_977_216, 144.93),
    ],
)
def test_published_figures_come_out(name: str, resolution: int, macs: int, kibibytes: float, network_file: NetworkFile) -> None:
    imported = read_network(network_file(name, resolution))
    assert imported.macs == macs
    assert round(weight_bytes(imported) / 1024, 2) == kibibytes


@pytest.mark.thorough
@pytest.mark.parametrize("resolution", [96, 128, 224])
@pytest.mark.parametrize("name", CHECKED)
def test_every_network_is_imported_at_every_resolution(name: str, resolution: int, network_file: NetworkFile) -> None:
    imported = read_network(network_file(name, resolution))
    assert imported.input.shape == (resolution, resolution, 3)
    assert (imported.input.dtype, imported.output.dtype, imported.output.elements) == ("uint8", "float32", 5)
    assert imported.macs == multiply_accumulates(network(name), resolution, 5)
    weights = [layer for layer in imported.layers if isinstance(layer, Convolution | Depthwise)]
    assert sum(layer.weights.size + layer.bias.size for layer in weights) == parameters_folded(network(name), 5)


@pytest.mark.parametrize("name", ["float", "open_float"])
def test_a_float_model_is_refused(name: str, miniatures: Path) -> None:
    with pytest.raises(ModelError, match=r"takes FLOAT32, where uint8 or int8 is expected(.|\n)*Quantize"):
        read_network(miniatures / f"{name}.tflite")


@pytest.mark.shared
def test_real_models_are_imported_or_refused_by_name(shared: Callable[[str], Path]) -> None:
    paths = sorted(shared("pretrained").rglob("*.tflite"))
    assert paths
    for path in paths:
        try:
            height, width, _ = read_network(path).input.shape
        except ModelError as error:
            assert "operator" in str(error)
            continue
        _, outputs = equal_to_reference(path, smooth_images(np.random.default_rng(6), 3, height, width))
        assert len({output.tobytes() for output in outputs}) > 1
