"""The command line: quick help, near matches, and errors without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgeloop.cli import main
from edgeloop.workspace import Workspace

HEAVY = {"numpy", "pandas", "pydantic", "tensorflow", "keras", "cv2", "prefect", "dvc", "boto3", "great_expectations", "rich", "httpx"}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom edgeloop.cli import main\ntry:\n    main(['--help'])\n"
        f"except SystemExit:\n    print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    steps = ("fetch", "prepare", "validate", "train", "quantize", "generate", "evaluate", "benchmark", "card", "publish")
    for command in (*steps, "run", "store", "up", "down", "status", "boards", "doctor"):
        assert command in done.stdout


def test_a_mistyped_command_is_answered_with_the_near_match(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["trian", "x"])
    assert stopped.value.code == 2
    assert "Did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["prepare", "validate", "fetch"])
def test_an_unknown_data_set_is_one_clear_error(
    workspace: Workspace, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    assert main([command, "flwers"]) == 1
    assert "did you mean 'flowers'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "quantize", "evaluate", "benchmark", "card", "publish"])
def test_an_unknown_variant_is_one_clear_error(
    workspace: Workspace, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    assert main([command, "flowers-fdmobilenet_0.25-129"]) == 1
    assert "did you mean 'flowers-fdmobilenet_0.25-128'" in capsys.readouterr().err


def test_outside_a_project_the_error_says_where_to_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "flowers"]) == 1
    assert "Change to the folder of your clone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "options", "only"),
    [
        ("quantize VARIANT --images a --out b", "--images and --out", "a model file"),
        ("quantize VARIANT --resolution 96", "--resolution", "a model file"),
        ("quantize VARIANT --input-range 0 1 --resize area", "--resize and --input-range", "a model file"),
        ("evaluate VARIANT --images a --classes b", "--images and --classes", "a model file"),
        ("evaluate VARIANT --input-range 0 1", "--input-range", "a model file"),
        ("generate VARIANT --name net", "--name", "a model file"),
        ("boards --probes --json out", "--json", "the list of boards"),
        ("boards --json out identify host", "--json", "the list of boards"),
        ("boards --probes identify host", "--probes", "the list of probes"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    workspace: Workspace, line: str, options: str, only: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    assert main(line.replace("VARIANT", "flowers-fdmobilenet_0.25-128").split()) == 1
    assert f"edgeloop: {options}: of use for {only} only" in capsys.readouterr().err


def test_cards_of_a_data_revision_that_is_not_built_on_cannot_be_published(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ingest", "flowers", "--no-retrain", "--publish"])
    assert "not allowed with argument --no-retrain" in capsys.readouterr().err


def test_the_range_given_for_a_float_model_overrides_what_lies_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["quantize", "absent.keras", "--images", "images", "--out", "out"]
    assert main([*command, "--input-range", "0", "1"]) == 1
    assert "preprocessing.json does not exist.\n  Add --resolution SIDE" in capsys.readouterr().err
    Path("preprocessing.json").write_text('{"resolution": 64, "resize": "area", "input_range": [-1, 1]}', encoding="utf-8")
    assert main([*command, "--input-range", "0", "255"]) == 1
    said = capsys.readouterr()
    assert said.out == "images of 64x64, rgb: area, 0 to 255 mapped to 0 to 255\n"
    assert "absent.keras does not exist" in said.err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["train", "x", "--foo", "y"], "edgeloop train: it takes no --foo y\n  See: edgeloop train --help"),
        (["quantize", "x", "--explian"], "edgeloop quantize: it takes no --explian\n  Did you mean '--explain'?"),
    ],
)
def test_an_unknown_option_names_the_commands_own_help(capsys: pytest.CaptureFixture[str], arguments: list[str], wanted: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert wanted in capsys.readouterr().err
