"""What a training may start from, and what is said when it cannot be had or does not fit."""

import hashlib
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from variant_in_miniature import NETWORK, project

from edgeloop.errors import ConfigError, FetchError, InputError, ModelError
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.networks.weights import read_weights
from edgeloop.training.start import fetch_named_backbone, is_backbone, read_start
from edgeloop.workspace import Workspace

SHAPE = network(NETWORK)
LAYERS = 36
"""With weights: conv1 and its normalisation, 11 blocks of three, the classifier."""


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    load_tensorflow()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return project(tmp_path / "project", train=1, val=1, test=1)


def trained(classes: int = 3) -> Any:
    import keras

    keras.utils.set_random_seed(9)
    return build(SHAPE, 96, classes)


def write_keras2(path: Path, classes: int = 3) -> None:
    """A file as Keras 2 writes it: weights by layer, names with `:0`, depthwise kernels under their old name."""
    import h5py

    with h5py.File(path, "w") as file:
        for layer, arrays in read_weights(trained(classes)).items():
            for name, array in arrays.items():
                old = "depthwise_kernel" if "_dw_" in layer and name == "kernel" else name
                file[f"model_weights/{layer}/{layer}/{old}:0"] = array


def backbone(workspace: Workspace, **values: Any) -> Path:
    path = Path("models/backbones/given.yaml")
    (workspace.root / path).write_text(json.dumps(values), encoding="utf-8")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same_backbone(model: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights()[:-2], other.get_weights()[:-2], strict=True))


def test_scratch_loads_nothing(workspace: Workspace) -> None:
    start = read_start(workspace, Path("models/backbones/scratch.yaml"))
    weights = start.load_into(trained())
    assert (weights.kind, weights.layers_loaded, weights.sha256, weights.license) == ("scratch", 0, None, None)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_weights_are_set_by_layer_name(workspace: Workspace, suffix: str) -> None:
    file = workspace.root / f"weights{suffix}"
    trained().save(file) if suffix == ".keras" else write_keras2(file)
    model = build(SHAPE, 96, 3)
    weights = read_start(workspace, Path(file.name)).load_into(model)
    assert (weights.layers_loaded, weights.sha256) == (LAYERS, digest(file))
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), trained().get_weights(), strict=True))


@pytest.mark.thorough
def test_the_classifier_stays_fresh_where_the_classes_are_not_as_many(workspace: Workspace) -> None:
    file = workspace.root / "weights.h5"
    write_keras2(file, 7)
    model = build(SHAPE, 128, 3)
    fresh = model.get_layer("conv_preds").get_weights()
    assert read_start(workspace, Path(file.name)).load_into(model).layers_loaded == LAYERS - 1
    assert same_backbone(model, trained(7))
    assert np.array_equal(model.get_layer("conv_preds").get_weights()[0], fresh[0])


@pytest.mark.thorough
def test_a_backbone_names_a_file_of_this_machine(workspace: Workspace) -> None:
    file = workspace.root / "weights.h5"
    write_keras2(file)
    start = read_start(workspace, backbone(workspace, kind="keras2_h5", path=file.name, sha256=digest(file), license="mit"))
    weights = start.load_into(build(SHAPE, 96, 3))
    assert (weights.kind, weights.origin, weights.license, weights.layers_loaded) == ("keras2_h5", file.name, "mit", LAYERS)


def test_weights_of_another_network_are_refused_at_the_first_layer_that_differs(workspace: Workspace) -> None:
    write_keras2(workspace.root / "weights.h5")
    start = read_start(workspace, Path("weights.h5"))
    with pytest.raises(ModelError, match=r"weights\.h5 does not fit the network at layer conv1: it has .*\(3, 3, 3, 8\)"):
        start.load_into(build(network("st_fdmobilenet_v1"), 96, 3))


def test_weights_that_lack_a_layer_are_refused_by_its_name(workspace: Workspace) -> None:
    import h5py

    write_keras2(workspace.root / "weights.h5")
    with h5py.File(workspace.root / "weights.h5", "a") as file:
        del file["model_weights/conv_dw_7"]
    with pytest.raises(ModelError, match="at layer conv_dw_7: it has no such layer"):
        read_start(workspace, Path("weights.h5")).load_into(build(SHAPE, 96, 3))


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["weights.h5", "weights.keras"])
def test_a_damaged_file_is_named(workspace: Workspace, name: str) -> None:
    (workspace.root / name).write_bytes(b"no weights")
    with pytest.raises(ModelError, match=name):
        read_start(workspace, Path(name))


def test_a_file_that_is_not_there_or_of_no_known_kind_is_named(workspace: Workspace) -> None:
    with pytest.raises(InputError, match=r"models/food/x/model\.keras do not exist"):
        read_start(workspace, Path("models/food/x/model.keras"))
    (workspace.root / "weights.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"weights\.onnx is no starting point"):
        read_start(workspace, Path("weights.onnx"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"kind": "keras2_h5", "path": "a.h5"}, "give the sha256"),
        ({"kind": "keras2_h5", "sha256": "0" * 64}, "exactly one of address and path"),
        ({"kind": "keras2_h5", "sha256": "0" * 64, "path": "a.h5", "address": "http://localhost/a.h5"}, "exactly one of address and path"),
        ({"kind": "keras", "pth": "a.keras"}, "did you mean 'path'"),
        ({"kind": "torch"}, "kind"),
    ],
)
def test_a_backbone_that_cannot_be_meant_is_refused(workspace: Workspace, values: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_start(workspace, backbone(workspace, **values))


def test_another_file_than_was_asked_for_is_refused(workspace: Workspace) -> None:
    write_keras2(workspace.root / "weights.h5")
    with pytest.raises(FetchError, match=f"not {'0' * 64}"):
        read_start(workspace, backbone(workspace, kind="keras2_h5", path="weights.h5", sha256="0" * 64))
    with pytest.raises(FetchError, match=r"absent\.h5 does not exist"):
        read_start(workspace, backbone(workspace, kind="keras2_h5", path="absent.h5", sha256="0" * 64))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """An HTTP server on loopback that gives the files of a folder; the address of the folder."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(timeout=10)


def test_a_backbone_is_downloaded_once_and_then_kept(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    file = tmp_path / "server" / "weights.h5"
    write_keras2(file)
    with serving(file.parent) as address:
        given = backbone(workspace, kind="keras2_h5", address=f"{address}/weights.h5", bytes=file.stat().st_size, sha256=digest(file))
        start = read_start(workspace, given)
    assert start.origin == f"{address}/weights.h5"
    assert read_start(workspace, given).load_into(build(SHAPE, 96, 3)).layers_loaded == LAYERS


def test_a_download_of_something_else_is_refused_and_not_kept(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "weights.h5").write_bytes(b"something else")
    with serving(tmp_path / "server") as address, pytest.raises(FetchError, match="is not what was expected"):
        read_start(workspace, backbone(workspace, kind="keras2_h5", address=f"{address}/weights.h5", sha256="0" * 64))
    assert not list((workspace.cache / "backbones").glob("0*"))


def test_offline_it_says_how_to_go_on_without_the_address(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    given = backbone(workspace, kind="keras2_h5", address=f"http://127.0.0.1:{port}/weights.h5", sha256="0" * 64)
    with pytest.raises(FetchError) as error:
        read_start(workspace, given)
    assert "cannot be reached" in error.value.what
    assert "edgeloop fetch NAME --from PATH" in error.value.remedy
    assert "models/backbones/scratch.yaml" in error.value.remedy


def test_a_copy_of_the_file_takes_the_place_of_the_download(workspace: Workspace, tmp_path: Path) -> None:
    write_keras2(tmp_path / "copy.h5")
    given = backbone(workspace, kind="keras2_h5", address="http://127.0.0.1:1/weights.h5", sha256=digest(tmp_path / "copy.h5"))
    assert is_backbone(workspace, "given") and not is_backbone(workspace, "gven")
    fetch_named_backbone(workspace, "given", tmp_path / "copy.h5")
    assert read_start(workspace, given).load_into(build(SHAPE, 96, 3)).layers_loaded == LAYERS
    (tmp_path / "copy.h5").write_bytes(b"another")
    with pytest.raises(FetchError, match="has the SHA-256"):
        fetch_named_backbone(workspace, "given", tmp_path / "copy.h5")


def test_there_is_nothing_to_fetch_for_fresh_weights(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="nothing to fetch"):
        fetch_named_backbone(workspace, "scratch")


@pytest.mark.thorough
def test_a_keras_3_backbone_is_read_from_the_cache_where_it_has_no_suffix(workspace: Workspace, tmp_path: Path) -> None:
    trained().save(tmp_path / "copy.keras")
    given = backbone(workspace, kind="keras", address="http://127.0.0.1:1/weights.keras", sha256=digest(tmp_path / "copy.keras"))
    fetch_named_backbone(workspace, "given", tmp_path / "copy.keras")
    assert read_start(workspace, given).load_into(build(SHAPE, 96, 3)).layers_loaded == LAYERS


def test_weights_for_rgb_start_a_grey_network_that_says_the_same_of_grey_images(workspace: Workspace) -> None:
    colored = trained()
    colored.save(workspace.root / "colored.keras")
    grey = build(SHAPE, 96, 3, color="grey")
    record = read_start(workspace, Path("colored.keras")).load_into(grey)
    assert (record.summed_over_colors, record.layers_loaded, record.widened) == (True, LAYERS, 1)
    images = np.random.default_rng(1).uniform(-1, 1, (2, 96, 96, 1)).astype(np.float32)
    expected = colored(np.repeat(images, 3, axis=3), training=False)
    np.testing.assert_allclose(grey(images, training=False), expected, rtol=1e-4, atol=1e-5)
    assert not read_start(workspace, Path("colored.keras")).load_into(trained()).summed_over_colors


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "factor"), [("fdmobilenet_0.25", 1), ("fdmobilenet_0.5", 2), ("fdmobilenet_0.75", 3), ("fdmobilenet_1.0", 4)]
)
def test_all_widths_start_from_the_published_weights(workspace: Workspace, shared: Callable[[str], Path], name: str, factor: int) -> None:
    for side in (128, 224):
        file = f"models/backbones/st-food101-{name}-{side}.yaml"
        (workspace.root / file).write_bytes((Path(__file__).parents[2] / file).read_bytes())
        fetch_named_backbone(workspace, Path(file).stem, shared(f"pretrained/food-101_fdmobilenet_0.25_{side}.h5"))
        started = read_start(workspace, Path(file)).load_into(build(network(name), side, 5))
        assert (started.layers_loaded, started.widened) == (LAYERS - 1, factor)
