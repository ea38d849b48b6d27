"""Damaged and hostile files: a ModelError or a consistent network, soon and in little memory.

The ordinary run takes a share; EDGELOOP_FUZZ=20000 (or more) in the environment sets the number of files.
"""

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from converted_models import random_converted_model
from interpret import interpret
from mutations import damaged_bytes, damaged_meaning
from random_models import random_model

from edgeloop.codegen.portable.check import check
from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.network import Network
from edgeloop.errors import ModelError

FILES = int(os.environ.get("EDGELOOP_FUZZ", "1200"))
MOST_SECONDS = 5.0
"""For one file, on a busy machine."""
MOST_MEBIBYTES = 400
"""By which the process may grow over the whole run."""
MOST_MACS = 200_000
"""Of a network that is run in NumPy to see that every operand has the size that it should have."""


@pytest.fixture(scope="module")
def models(network_file: Callable[..., Path], miniatures: Path) -> list[bytes]:
    """An edgeloop network, the classifier of colours with an open batch, converted and drawn small networks."""
    real = [network_file("fdmobilenet_0.25", 96).read_bytes(), (miniatures / "open_batch.tflite").read_bytes()]
    converted = [random_converted_model(seed, open_batch=seed % 2 == 0) for seed in range(4)]
    return real + converted + [random_model(seed) for seed in range(60)]


def imported(content: bytes, path: Path) -> Network | None:
    """The network, checked once more and run where it is small; None where the file is refused with a ModelError."""
    path.write_bytes(content)
    begin = time.monotonic()
    try:
        network = read_network(path)
    except ModelError:
        return None
    finally:
        assert time.monotonic() - begin < MOST_SECONDS
    check(network, path)
    if network.macs < MOST_MACS and sum(layer.output.elements for layer in network.layers) < MOST_MACS:
        values = interpret(network, np.zeros(network.input.shape, network.input.dtype))
        assert all(values[layer.output.tensor].shape == layer.output.shape for layer in network.layers)
    return network


@pytest.mark.thorough
def test_damaged_bytes_end_in_a_model_error_or_a_consistent_network(models: list[bytes], tmp_path: Path) -> None:
    assert_all_end_well(models, damaged_bytes, FILES // 2, tmp_path / "model.tflite")


@pytest.mark.thorough
def test_files_that_say_what_they_should_not_end_in_a_model_error_or_a_consistent_network(models: list[bytes], tmp_path: Path) -> None:
    # Taking a file apart and putting it together again takes long for large ones.
    assert_all_end_well(models[2:], damaged_meaning, FILES // 2, tmp_path / "model.tflite")


def assert_all_end_well(models: list[bytes], damage: Callable[[bytes, np.random.Generator], bytes], count: int, path: Path) -> None:
    outcomes: Counter[bool] = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(count):
        rng = np.random.default_rng(seed)
        try:
            content = damage(models[seed % len(models)], rng)
        except (OverflowError, TypeError, ValueError):
            continue  # The change cannot be written to a file.
        outcomes[imported(content, path) is not None] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MOST_MEBIBYTES
    assert sum(outcomes.values()) > 0.95 * count
    assert outcomes[False] > 0.3 * count
    assert outcomes[True] > 0.03 * count, "some damage is harmless: the importer does not just refuse everything"
