"""Generated C on this machine: every intermediate tensor equals LiteRT's reference kernels, bit for bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparing import all_differ
from converted_models import smooth_images
from generated_code import HostNetwork, generate_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_models import random_images, random_model
from reference import Reference

from edgeloop.codegen.toolchain import find_host_compiler
from edgeloop.networks.table import NETWORKS

DSP = "-DEDGELOOP_EMULATE_DSP"
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def check_equal(
    model: Path, folder: Path, images: list[NDArray[Any]], flags: tuple[str, ...] = (), *, plain: bool = True
) -> list[NDArray[Any]]:
    """Compare resident and streamed code, observed and not, with the reference on every image; returns the outputs."""
    reference, compiler = Reference(model), find_host_compiler()
    builds = []
    for streamed in (False, True):
        network, _ = generate_folder(model, folder / ("streamed" if streamed else "resident"), stream_input=streamed)
        for observed in (True, False) if plain else (True,):
            builds.append(HostNetwork(network, folder / ("streamed" if streamed else "resident"), compiler, flags, observed=observed))
    outputs = []
    for image in images:
        reference.run(image)
        expected = reference.tensor(reference.output["index"])
        for build in builds:
            output = build.run(image)
            np.testing.assert_array_equal(output.reshape(-1), expected.reshape(-1), strict=True)
        for build in builds:
            build.check_rows()
            for layer, value in zip(build.layers, build.values, strict=True) if build.observed else ():
                wanted = reference.tensor(layer.output.tensor).reshape(layer.output.shape)
                np.testing.assert_array_equal(value, wanted, f"operator {layer.position} ({layer.operator})", strict=True)
        outputs.append(output)
    return outputs


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_equal_the_reference(name: str, network_file: Callable[..., Path], tmp_path: Path) -> None:
    images = list(smooth_images(np.random.default_rng(11), 4, 96))
    flags = (DSP,) if name.endswith(("5", "v1")) else ()
    assert all_differ(check_equal(network_file(name, 96), tmp_path, images, flags))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), extreme=st.booleans(), flags=st.sampled_from([(), (DSP,)]))
def test_random_small_graphs_equal_the_reference(
    seed: int, extreme: bool, flags: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("random")
    model = folder / "model.tflite"
    model.write_bytes(random_model(seed, extreme=extreme))
    details = Reference(model).input
    check_equal(model, folder, random_images(details["shape"][1:], np.dtype(details["dtype"]).name, 3, seed), flags)
