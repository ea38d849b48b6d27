"""axe-core in the browser: what keeps people who use a keyboard, a screen reader or little contrast from a page.

It is had from npm, by its own client, into a temporary folder; nothing of it is in the repository.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from chromium import Page

NPM = shutil.which("npm")
ABSENT = "npm is not installed (apt install npm), which axe-core comes by"
WANTED = "axe-core@4.14.1"
INSTALL_S = 120.0
_RUN = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(one =>
  `${one.id}: ${one.help}: ` + one.nodes.map(node => `${node.target.join(' ')} ${node.html.slice(0, 100)}`).join('; ')))"""


def install(folder: Path) -> None:
    """Put axe-core into a folder; where npm cannot reach its registry, the test is skipped, with what it said."""
    assert NPM is not None, ABSENT
    argv = [NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), WANTED]
    folder.mkdir(exist_ok=True)
    try:
        done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {WANTED} in {INSTALL_S:.0f} s")
    if done.returncode:
        pytest.skip(f"npm cannot install {WANTED}: {done.stderr.strip()[-200:]}")


def violations(page: Page, folder: Path) -> list[str]:
    """What axe finds on the page as it is shown now, one line a rule, with the elements."""
    page.run((folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found: Any = page.run(_RUN)
    return [str(line) for line in found]
