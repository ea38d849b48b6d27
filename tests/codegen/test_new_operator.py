"""A new operator is a room of its own and a line of the registry; nothing else of the generator changes."""

from pathlib import Path

import numpy as np
import pytest
from generated_code import HostNetwork, generate_folder
from model_file import ModelFile
from reference import Reference

from edgeloop.codegen.generate import plan_model
from edgeloop.codegen.portable import operators
from edgeloop.codegen.toolchain import find_host_compiler
from edgeloop.errors import ModelError

ROOM = Path(__file__).parent / "new_operator"
SHAPE = (1, 8, 12, 3)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two of them, one behind the other, and a mean."""
    file = ModelFile()
    image = file.tensor(SHAPE, "int8", 0.5, 3)
    first = file.tensor((1, 4, 6, 12), "int8", 0.5, 3)
    second = file.tensor((1, 2, 3, 48), "int8", 0.5, 3)
    mean = file.tensor((1, 48), "int8", 0.25, -7)
    for taken, given in ((image, first), (first, second)):
        file.operator("SPACE_TO_DEPTH", [taken], [given], "SpaceToDepthOptions", blockSize=2)
    file.operator("MEAN", [second, file.numbers([1, 2])], [mean], "ReducerOptions", keepDims=False)
    path = tmp_path / "squares.tflite"
    path.write_bytes(file.content([image], [mean]))
    return path


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room is where a new one would be, and has its line in the registry."""
    monkeypatch.syspath_prepend(str(ROOM))
    from space_to_depth import SpaceToDepth

    monkeypatch.setattr(operators, "KINDS", [*operators.KINDS, SpaceToDepth])


def test_an_operator_without_a_room_is_refused(model: Path) -> None:
    with pytest.raises(ModelError, match=r"operator 0 \(SPACE_TO_DEPTH\) is not supported"):
        plan_model(model)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("stream_input", [False, True])
def test_a_registered_one_is_generated_and_computes_what_the_reference_does(model: Path, tmp_path: Path, stream_input: bool) -> None:
    network, _ = generate_folder(model, tmp_path / "code", stream_input=stream_input)
    assert '#include "edgeloop_space_to_depth.h"' in (tmp_path / "code" / "edgeloop_kernels.h").read_text(encoding="utf-8")
    assert "edgeloop_space_to_depth.c" in (tmp_path / "code" / "network.mk").read_text(encoding="utf-8")
    code, reference = HostNetwork(network, tmp_path / "code", find_host_compiler()), Reference(model)
    for seed in range(3):
        image = np.random.default_rng(seed).integers(-128, 128, SHAPE[1:]).astype(np.int8)
        reference.run(image)
        np.testing.assert_array_equal(code.run(image).reshape(-1), reference.tensor(reference.output["index"]).reshape(-1))
        code.check_rows()
        for layer, value in code.observed_values():
            expected = reference.tensor(layer.output.tensor).reshape(layer.output.shape)
            np.testing.assert_array_equal(value, expected[: len(value)], f"operator {layer.position}")
