"""The step `generate`, and its command: a variant's int8 model to C code with its record."""

from collections.abc import Callable
from pathlib import Path

import pytest
from miniature import SIDE
from model_file import packed, unpacked
from random_models import random_model
from variant_in_miniature import DATASET, NETWORK, VARIANT, project, write_params

from edgeloop.cli import main
from edgeloop.codegen.generate import generate
from edgeloop.config import load_params
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import CodegenRecord
from edgeloop.workspace import VariantPaths, Workspace

CONCATENATION = 2
"""schema.fbs: BuiltinOperator."""


@pytest.fixture
def quantized(tmp_path: Path, network_file: Callable[..., Path]) -> Workspace:
    """A project whose variant is quantized."""
    workspace = project(tmp_path / "a project")
    write_params(workspace)
    folder = paths(workspace).quantized
    folder.mkdir(parents=True)
    (folder / "per_channel.tflite").write_bytes(network_file(NETWORK, SIDE).read_bytes())
    return workspace


def paths(workspace: Workspace) -> VariantPaths:
    return workspace.variant(DATASET, NETWORK, SIDE)


def test_a_variant_gets_its_folder_and_its_record(quantized: Workspace) -> None:
    record = generate(quantized, load_params(quantized), VARIANT)
    assert CodegenRecord.read(paths(quantized).generate_record) == record
    assert (record.dataset, record.network, record.resolution) == (DATASET, NETWORK, SIDE)
    assert (record.target, record.backend.name, record.stream_input) == ("stm32h7", "portable", False)
    assert record.model_sha256 == sha256_file(paths(quantized).quantized / "per_channel.tflite")
    assert (paths(quantized).generated / "network.c").is_file()
    # The stage's folder is equal for equal models: the record, with its time, lies beside it.
    assert not (paths(quantized).generated / "codegen.json").exists()


def test_a_variant_that_is_not_quantized_is_refused(quantized: Workspace) -> None:
    (paths(quantized).quantized / "per_channel.tflite").unlink()
    with pytest.raises(InputError, match="is not quantized"):
        generate(quantized, load_params(quantized), VARIANT)
    assert not paths(quantized).generated.exists()


def test_the_command_takes_a_variant(quantized: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(quantized.root)
    assert main(["generate", VARIANT, "-o", "elsewhere", "--stream-input"]) == 0
    assert CodegenRecord.read(Path("elsewhere/codegen.json")).stream_input
    assert not paths(quantized).generated.exists()
    assert "DVC tracks" not in capsys.readouterr().err
    assert main(["generate", VARIANT, "--stream-input"]) == 0
    said = capsys.readouterr()
    assert "KiB of activations" in said.out
    assert "params.yaml declares another stream_input" in said.err
    assert CodegenRecord.read(paths(quantized).generate_record).stream_input is True


def test_the_command_takes_a_model_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = tmp_path / "model.tflite", tmp_path / "code"
    model.write_bytes(random_model(3))
    assert main(["generate", str(model), "--target", "stm32f4", "-o", str(out), "--name", "colours"]) == 0
    assert (out / "colours.h").is_file()
    assert CodegenRecord.read(out / "codegen.json").cpu == "cortex-m4"
    assert main(["generate", str(model)]) == 1
    assert "Add -o FOLDER" in capsys.readouterr().err


def test_an_unsupported_operator_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = unpacked(random_model(3))
    operator = model.subgraphs[0].operators[-2]
    code = model.operatorCodes[operator.opcodeIndex]
    code.builtinCode, code.deprecatedBuiltinCode = CONCATENATION, CONCATENATION
    file = tmp_path / "model.tflite"
    file.write_bytes(packed(model))
    assert main(["generate", str(file), "-o", str(tmp_path / "code")]) == 1
    assert "(CONCATENATION)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]
