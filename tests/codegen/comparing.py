"""Whether a `Network` computes what LiteRT's reference kernels compute: every tensor of every run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from interpret import interpret
from numpy.typing import NDArray
from reference import Reference

from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.network import Network


def equal_to_reference(path: Path, images: Iterable[NDArray[Any]]) -> tuple[Network, list[NDArray[Any]]]:
    """Import the model and compare every value of every layer for each image; the network and its outputs."""
    network, reference = read_network(path), Reference(path)
    outputs = []
    for image in images:
        reference.run(image)
        values = interpret(network, image)
        for layer in network.layers:
            expected = reference.tensor(layer.output.tensor).reshape(layer.output.shape)
            np.testing.assert_array_equal(
                values[layer.output.tensor], expected, f"operator {layer.position} ({layer.operator})", strict=True
            )
        outputs.append(values[network.output.tensor])
    return network, outputs


def all_differ(outputs: list[NDArray[Any]]) -> bool:
    """Whether no two outputs are equal: comparing dull networks proves nothing."""
    return len({output.tobytes() for output in outputs}) == len(outputs)
