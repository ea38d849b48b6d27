"""Generated C computes what LiteRT's reference kernels compute: every intermediate tensor, bit for bit.

On this machine, on the emulated Cortex-M7, and with vectors on QEMU's Cortex-M55; with all of the input in memory and with its rows
streamed in; observed and not.
"""

import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from architectures import ARCHITECTURES, architecture_model
from comparing import all_differ
from converted_models import random_converted_model, smooth_images
from emulated_code import EmulatedNetwork
from generated_code import DSP, HostNetwork, generate_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from m55_code import M55Network
from numpy.typing import NDArray
from random_models import random_images, random_model
from reference import Reference

from edgeloop.boards.virtual import m55
from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.operators import KINDS
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers, find_host_compiler
from edgeloop.errors import ModelError
from edgeloop.networks.table import NETWORKS

CORTEX_M7 = Cpu("cortex-m7")
NARROW = ("fdmobilenet_0.25", "st_fdmobilenet_v1", "mobilenet_v1_0.25", "mobilenet_v2_0.35")
"""The others differ from them in width alone."""
WIDE_ONES_ARE_LONG = [pytest.param(name, marks=pytest.mark.thorough if name in NARROW else pytest.mark.long) for name in [*NETWORKS][1:]]
EACH = [*NETWORKS][:1] + WIDE_ONES_ARE_LONG
USUAL = ("ds_cnn", "camera", "mnist", "person_detection", "squeezenet", "mobilenet_v3_small")
"""Architectures that a merge is tested with: every operator and every ending among them."""
EMULATED = [pytest.param("camera", marks=pytest.mark.thorough), *(pytest.param(name, marks=pytest.mark.long) for name in USUAL[::5])]
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
GRAPHS = int(os.environ.get("EDGELOOP_GRAPHS", "12"))
WATCHED = ("-fsanitize=undefined", "-fno-sanitize-recover=all", "-fsanitize-undefined-trap-on-error")
"""What is not defined in C ends the process."""
M55 = pytest.mark.skipif(not m55.is_here(), reason=f"{m55.QEMU} is not installed (Debian package qemu-system-arm)")
NO_ARM = pytest.mark.skipif(not arm_compilers(CORTEX_M7), reason="there is no compiler for Arm here: pip install ziglang")


def check_equal(model: Path, folder: Path, images: list[NDArray[Any]], flags: tuple[str, ...] = ()) -> list[NDArray[Any]]:
    """Compare the code on this machine, in all its forms, with the reference on every image; returns the outputs."""
    reference, compiler = Reference(model), find_host_compiler()
    builds: list[HostNetwork] = []
    for kind in ("resident", "streamed"):
        network, _ = generate_folder(model, folder / kind, stream_input=kind == "streamed")
        builds.extend(HostNetwork(network, folder / kind, compiler, flags, observed=observed) for observed in (True, False))
    outputs = [check_build(build, reference, images) for build in builds]
    return outputs[-1]


def check_build(build: HostNetwork, reference: Reference, images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Compare one build with the reference on every image; returns the outputs."""
    outputs = []
    for image in images:
        reference.run(image)
        outputs.append(build.run(image))
        expected = reference.tensor(reference.output["index"]).reshape(-1)
        np.testing.assert_array_equal(outputs[-1].reshape(-1), expected, strict=True)
        build.check_rows()
        for layer, value in build.observed_values():
            check_layer(reference, layer, value)
    return outputs


def check_equal_emulated(
    model: Path, folder: Path, images: list[NDArray[Any]], compiler: Compiler, level: str = "-O2"
) -> list[NDArray[Any]]:
    """Compare the code on the emulated core with the reference on every image; returns the outputs."""
    network, _ = generate_folder(model, folder / "emulated")
    return check_emulated(EmulatedNetwork(network, folder / "emulated", compiler, level), Reference(model), images)


def check_equal_with_vectors(
    model: Path, folder: Path, images: list[NDArray[Any]], compiler: Compiler, level: str = "-O2"
) -> list[NDArray[Any]]:
    """The same on a Cortex-M55, with its vector instructions."""
    network, _ = generate_folder(model, folder / "vectors")
    return check_emulated(M55Network(network, folder / "vectors", compiler, level), Reference(model), images)


def check_emulated(emulated: EmulatedNetwork | M55Network, reference: Reference, images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Compare what an emulated core computes of every layer; returns the outputs."""
    outputs = []
    for image in images:
        reference.run(image)
        output, values = emulated.run(image)
        np.testing.assert_array_equal(output.reshape(-1), reference.tensor(reference.output["index"]).reshape(-1), strict=True)
        for layer, value in zip(emulated.layers, values, strict=True):
            check_layer(reference, layer, value)
        outputs.append(output)
    return outputs


def check_layer(reference: Reference, layer: Layer, value: NDArray[Any]) -> None:
    """The first rows of a layer's output, as many as `value` has."""
    wanted = reference.tensor(layer.output.tensor).reshape(layer.output.shape)[: len(value)]
    np.testing.assert_array_equal(value, wanted, f"operator {layer.position} ({layer.operator})", strict=True)


@pytest.mark.parametrize("name", EACH)
def test_networks_equal_the_reference(name: str, network_file: Callable[..., Path], tmp_path: Path) -> None:
    images = list(smooth_images(np.random.default_rng(11), 3, 96))
    flags = (DSP,) if name in ("fdmobilenet_0.25", "st_fdmobilenet_v1") else ()
    assert all_differ(check_equal(network_file(name, 96), tmp_path, images, flags))


@NO_ARM
@pytest.mark.parametrize("name", EACH)
def test_networks_equal_the_reference_on_the_emulated_core(name: str, network_file: Callable[..., Path], tmp_path: Path) -> None:
    images = list(smooth_images(np.random.default_rng(12), 2, 96))
    compilers = arm_compilers(CORTEX_M7)
    compiler = compilers[sorted(NETWORKS).index(name) % len(compilers)]
    assert all_differ(check_equal_emulated(network_file(name, 96), tmp_path, images, compiler))


@pytest.mark.long
@pytest.mark.parametrize("resolution", [128, 224])
@pytest.mark.parametrize("name", EACH)
def test_large_inputs_equal_the_reference(name: str, resolution: int, network_file: Callable[..., Path], tmp_path: Path) -> None:
    images = list(smooth_images(np.random.default_rng(13), 2, resolution))
    model = network_file(name, resolution)
    assert all_differ(check_equal(model, tmp_path, images, (DSP,)))
    compilers = arm_compilers(CORTEX_M7)
    if compilers:
        assert all_differ(check_equal_emulated(model, tmp_path, images, compilers[resolution % len(compilers)]))


@pytest.mark.long
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), extreme=st.booleans(), flags=st.sampled_from([(), (DSP,)]))
def test_random_small_graphs_equal_the_reference(
    seed: int, extreme: bool, flags: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("random")
    check_equal(*_random_case(seed, extreme, folder), flags)


@pytest.mark.thorough
def test_many_random_graphs_equal_the_reference(tmp_path: Path) -> None:
    """Every other one with its input streamed, every third one with the kernels for the DSP extension; EDGELOOP_GRAPHS says how many."""
    lively, operators = 0, set()
    for seed in range(GRAPHS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        model, _, images = _random_case(10_000 * seed, seed % 5 == 4, folder)
        network, _ = generate_folder(model, folder / "code", stream_input=seed % 2 == 1)
        build = HostNetwork(network, folder / "code", find_host_compiler(), (*WATCHED, *((DSP,) if seed % 3 == 0 else ())))
        lively += all_differ(check_build(build, Reference(model), images))
        operators |= {layer.operator for layer in network.layers}
        shutil.rmtree(folder)
    assert lively > 0.5 * GRAPHS
    assert GRAPHS < 200 or operators >= {name for kind in KINDS for name in kind.OPERATORS}


@NO_ARM
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), extreme=st.booleans(), level=st.sampled_from(["-O2", "-Os"]), data=st.data())
@pytest.mark.long
def test_random_small_graphs_equal_the_reference_on_the_emulated_core(
    seed: int, extreme: bool, level: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    compiler = data.draw(st.sampled_from(arm_compilers(CORTEX_M7)))
    folder = tmp_path_factory.mktemp("random")
    check_equal_emulated(*_random_case(seed, extreme, folder), compiler, level)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 2])
def test_converted_residual_networks_equal_the_reference(seed: int, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(random_converted_model(seed))
    taken = Reference(model).input
    images = random_images(tuple(taken["shape"][1:]), np.dtype(taken["dtype"]).name, 3, seed)
    assert all_differ(check_equal(model, tmp_path, images, (DSP,)))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough if name in USUAL else pytest.mark.long) for name in ARCHITECTURES]
)
def test_published_architectures_equal_the_reference(name: str, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(architecture_model(name))
    taken = Reference(model).input
    images = random_images(tuple(taken["shape"][1:]), np.dtype(taken["dtype"]).name, 2, 7)
    assert all_differ(check_equal(model, tmp_path, images, (DSP,)))


@NO_ARM
@pytest.mark.parametrize("name", EMULATED)
def test_published_architectures_equal_the_reference_on_the_emulated_core(name: str, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(architecture_model(name))
    taken = Reference(model).input
    images = random_images(tuple(taken["shape"][1:]), np.dtype(taken["dtype"]).name, 2, 8)
    assert all_differ(check_equal_emulated(model, tmp_path, images, arm_compilers(CORTEX_M7)[0]))


VECTORS = ("mnist", "ds_cnn", "person_detection", "mobilenet_v2", "mcunet", "squeezenet")
"""Architectures that are run with vectors, beside networks of ours and of MLPerf: grey images, windows of all sizes, values used twice."""


def _marks(compiler: int, name: str) -> list[pytest.MarkDecorator]:
    """One of them is short; all with the first compiler belong to the rest."""
    if compiler:
        return [pytest.mark.long]
    return [] if name == "mnist" else [pytest.mark.thorough]


@M55
@pytest.mark.parametrize(
    ("compiler", "name"),
    [
        pytest.param(compiler, name, marks=_marks(row, name), id=f"{compiler} {name}")
        for row, compiler in enumerate(arm_compilers(m55.CPU))
        for name in VECTORS
    ],
)
def test_published_architectures_equal_the_reference_with_vectors(compiler: Compiler, name: str, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(architecture_model(name))
    assert all_differ(check_equal_with_vectors(model, tmp_path, _noise(model, 2, 9), compiler))


@M55
@pytest.mark.thorough
@pytest.mark.parametrize(
    "compiler",
    [pytest.param(each, marks=[pytest.mark.long] if row else [], id=str(each)) for row, each in enumerate(arm_compilers(m55.CPU))],
)
@pytest.mark.parametrize("name", ["fdmobilenet_0.25", "st_fdmobilenet_v1", pytest.param("mobilenet_v2_0.35", marks=pytest.mark.long)])
def test_networks_equal_the_reference_with_vectors(
    name: str, compiler: Compiler, network_file: Callable[..., Path], tmp_path: Path
) -> None:
    images = list(smooth_images(np.random.default_rng(14), 2, 96))
    assert all_differ(check_equal_with_vectors(network_file(name, 96), tmp_path, images, compiler))


@M55
@pytest.mark.thorough
@pytest.mark.parametrize("compiler", arm_compilers(m55.CPU), ids=str)
@pytest.mark.parametrize(("name", "resolution"), [("mlperf_vww", 96), ("mlperf_resnet8", 32)])
def test_networks_of_mlperf_equal_the_reference_with_vectors(
    name: str, resolution: int, compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    model = tmp_path / "model.tflite"
    model.write_bytes(importlib.import_module("portable").random_model(name, resolution, 5))
    assert all_differ(check_equal_with_vectors(model, tmp_path, _noise(model, 2, 10), compiler))


@M55
@pytest.mark.thorough
@pytest.mark.parametrize("level", ["-O2", pytest.param("-Os", marks=pytest.mark.long)])
def test_random_graphs_equal_the_reference_with_vectors(level: str, tmp_path: Path) -> None:
    """EDGELOOP_GRAPHS says how many."""
    compilers = arm_compilers(m55.CPU)
    for seed in range(GRAPHS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        model, _, images = _random_case(10_000 * seed + 77, seed % 5 == 4, folder)
        check_equal_with_vectors(model, folder, images[:1], compilers[seed % len(compilers)], level)
        shutil.rmtree(folder)


def _noise(model: Path, count: int, seed: int) -> list[NDArray[Any]]:
    taken = Reference(model).input
    return random_images(tuple(taken["shape"][1:]), np.dtype(taken["dtype"]).name, count, seed)


def _random_case(seed: int, extreme: bool, folder: Path) -> tuple[Path, Path, list[NDArray[Any]]]:
    """A random network, or the next one where extreme scales are refused; where its code goes; and inputs."""
    model = folder / "model.tflite"
    for number in range(seed, seed + 100):
        model.write_bytes(random_model(number, extreme=extreme))
        try:
            taken = read_network(model).input
        except ModelError:
            assert extreme
            continue
        return model, folder, random_images(taken.shape, taken.dtype, 3, number)
    raise AssertionError("a hundred networks were refused")
