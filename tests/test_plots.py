"""`dvc plots`: the page asks nothing of the internet, draws a line for each revision, and leaves nothing untracked."""

import shutil
import sys
from pathlib import Path

import pytest
from chromium import ABSENT, PROGRAM, chromium
from flows_in_miniature import Project, environment, initialised

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = """\
stages:
  train:
    cmd: cp input.csv history.csv
    deps: [input.csv]
    plots:
      - history.csv: {x: epoch, y: val_accuracy}
"""


@pytest.fixture
def plotted(tmp_path: Path) -> Project:
    """A project with the repository's settings of DVC, a curve in its last commit, and another one now."""
    made = initialised(Project(tmp_path, environment(tmp_path)))
    shutil.copytree(ROOT / ".dvc" / "plots", tmp_path / ".dvc" / "plots")
    shutil.copy(ROOT / ".dvc" / "config", tmp_path / ".dvc" / "config")
    shutil.copy(ROOT / ".gitignore", tmp_path / ".gitignore")
    (tmp_path / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    for power, message in ((1, "First"), (2, None)):
        rows = "".join(f"{epoch},{(epoch / 10) ** power}\n" for epoch in range(10))
        (tmp_path / "input.csv").write_text(f"epoch,val_accuracy\n{rows}", encoding="utf-8")
        made.run(sys.executable, "-m", "dvc", "repro")
        if message:
            made.run("git", "add", ".dvc", "dvc.yaml", "dvc.lock", "input.csv", ".gitignore")
            made.run("git", "commit", "--quiet", "--message", message)
    return made


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.skipif(PROGRAM is None, reason=ABSENT)
def test_the_curves_are_drawn_without_the_internet(plotted: Project, tmp_path: Path) -> None:
    plotted.run(sys.executable, "-m", "dvc", "plots", "diff")
    file = plotted.root / "dvc_plots" / "index.html"
    assert " src=" not in file.read_text(encoding="utf-8")
    with chromium(tmp_path / "profile", 1300, 900) as page:
        page.open(file.as_uri())
        page.see("val_accuracy", "epoch", "workspace", "HEAD")
        drawn = page.run("document.querySelectorAll('figure path').length")
        assert (drawn, page.foreign, page.complaints) == (2, set(), [])
    assert "dvc_plots" not in plotted.run("git", "status", "--short")
