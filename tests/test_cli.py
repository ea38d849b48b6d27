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
