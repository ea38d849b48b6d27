"""Whether int8 models and code follow from the float model: really converted and generated again."""

import json
import shutil
from pathlib import Path

import pytest
from built_variant import build
from once import Once

from edgeloop.bundle.deep import verify_deep
from edgeloop.bundle.tools import differences
from edgeloop.cli import main
from edgeloop.errors import BundleError, InputError
from edgeloop.workspace import Workspace

pytestmark = [pytest.mark.thorough, pytest.mark.slow]


@pytest.fixture(scope="module")
def built(once: Once) -> Path:
    """A project with a variant that every step has built, and what was exported of it."""
    return once("built variant", build)


def changed(bundle: Path, name: str, old: bytes, new: bytes) -> None:
    content = (bundle / name).read_bytes()
    assert old in content
    (bundle / name).write_bytes(content.replace(old, new, 1))


def test_what_was_built_comes_out_again_to_the_bit(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built / "project")
    assert main(["verify", str(built / "bundle"), "--deep"]) == 0
    said = capsys.readouterr().out
    assert "calibrated on 20 images with the recorded digest" in said
    assert "converted again, and equal to the bit: models/float.tflite, models/labels.txt, models/per_channel.tflite" in said
    assert "generated again, and equal to the bit" in said


@pytest.mark.long
def test_what_does_not_follow_is_named_with_the_tools_that_differ(built: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(built / "bundle", tmp_path / "bundle")
    model = bundle / "models" / "per_tensor.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    (bundle / "code" / "network.h").write_text("/* another one */\n")
    changed(bundle, "records/quantize.json", b'"tensorflow": "', b'"tensorflow": "1.')
    found = verify_deep(bundle, Workspace(built / "project"))
    converted, why, generated = found.faults
    assert converted.startswith("models/per_tensor.tflite: converted again, and another file (")
    assert why.startswith("other tools here: tensorflow 2.") and "(recorded: 1.2." in why
    assert generated.startswith("code/network.h: generated again, and another file (")
    with pytest.raises(BundleError, match="does not follow from what it is said to be made of"):
        found.require()


def test_images_that_are_missing_are_named_exactly(built: Path, tmp_path: Path) -> None:
    revision = json.loads((built / "bundle" / "data.json").read_text())["revision"][:12]
    wanted = rf"the prepared images of 'sample' with the manifest {revision} \(20 of them calibrated\) are needed"
    with pytest.raises(InputError, match=rf"is in no project, and {wanted}"):
        verify_deep(built / "bundle", None)
    with pytest.raises(InputError, match=rf"manifest\.parquet is not there, and {wanted}"):
        verify_deep(built / "bundle", Workspace(tmp_path))
    images = tmp_path / "data" / "sample" / "images"
    images.mkdir(parents=True)
    (images / "manifest.parquet").write_bytes(b"another one")
    with pytest.raises(InputError, match=rf"is another revision \([0-9a-f]{{12}}\), and {wanted}"):
        verify_deep(built / "bundle", Workspace(tmp_path))


def test_pixels_that_are_not_the_recorded_ones_calibrate_nothing(built: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(built / "bundle", tmp_path / "bundle")
    changed(bundle, "records/quantize.json", b'"calibration_sha256": "', b'"calibration_sha256": "00')
    with pytest.raises(InputError, match="decode to other pixels than the record states"):
        verify_deep(bundle, Workspace(built / "project"))


def test_without_the_float_model_nothing_can_be_converted(built: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(built / "bundle", tmp_path / "bundle")
    (bundle / "models" / "model.keras").unlink()
    with pytest.raises(InputError, match=r"model\.keras is not in the bundle"):
        verify_deep(bundle, Workspace(built / "project"))


def test_tools_that_differ_are_told() -> None:
    assert list(differences({"pydantic": "0.1", "a-tool": "1"})) == [
        "a-tool is not installed (recorded: 1)",
        f"pydantic {__import__('pydantic').VERSION} (recorded: 0.1)",
    ]
