"""Tab completion as bash itself does it, with this project's names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeloop.cli import main

ROOT = Path(__file__).resolve().parent.parent


def completed(line: str, folder: Path = ROOT) -> set[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    script = f"""
        source <("{sys.executable}" -m edgeloop completion bash)
        COMP_WORDS=({" ".join(f'"{word}"' for word in words)}); COMP_CWORD={len(words) - 1}
        $(complete -p edgeloop | grep -o -- '-F [^ ]*' | cut -c4-) edgeloop "{words[-1]}" "{words[-2]}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_bash_completes_commands_options_and_what_is_declared() -> None:
    assert {"train", "quantize"} <= completed("edgeloop ")
    assert completed("edgeloop tra") == {"train"}
    assert "--publish" in completed("edgeloop run --")
    assert completed("edgeloop train sample-fd") == {"sample-fdmobilenet_0.25-96"}
    assert completed("edgeloop prepare flow") == {"flowers"}
    assert completed("edgeloop run flowers st_") == {"st_fdmobilenet_v1"}
    assert completed("edgeloop benchmark sample-fdmobilenet_0.25-96 --board ho") == {"host"}


def test_outside_of_a_project_nothing_is_offered_or_said(tmp_path: Path) -> None:
    assert completed("edgeloop train sam", tmp_path) == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "edgeloop names variants" in capsys.readouterr().out
