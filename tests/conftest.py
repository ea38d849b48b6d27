"""What all tests share: a workspace of their own, and the real photographs and models where they lie beside the checkout."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from edgeloop.boards.lockfiles import VARIABLE
from edgeloop.framework import THREADS
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    from once import Once

pytest_plugins = ("once", "flows_in_miniature", "lab_bench", "linux_board", "network_files", "tiny_firmware", "fault_desk", "st_farm")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# Several test processes start services at once, beside those that a user may run.
os.environ["EDGELOOP_PORTS"] = "any"

# Tests import TensorFlow by themselves too: it is to run as edgeloop's trainings in the same process ask for, on any number of cores.
os.environ["TF_NUM_INTRAOP_THREADS"] = str(THREADS)

# A background job of a shell without job control ignores Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("edgeloop", deadline=None)
hypothesis.settings.load_profile("edgeloop")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow files, so that the last one does not run alone; leave out what needs ../shared where it is not."""
    slow = {item.path for item in items if "slow" in item.keywords}
    items.sort(key=lambda item: item.path not in slow)
    if not SHARED.is_dir():
        reason = pytest.mark.skip(reason=f"real photographs and models are not at {SHARED}; the drawn sample set covers the chain")
        for item in items:
            if "shared" in item.keywords:
                item.add_marker(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A run with a limit begins no test after it; the summary counts those that it left out."""
    if time.time() > float(os.environ.get("EDGELOOP_TESTS_UNTIL", "inf")):
        pytest.skip("the time of this run was up (EDGELOOP_TESTS_UNTIL)")


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Path of a file below ../shared; mark the test with `shared`."""
    return lambda name: SHARED / name


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a machine of its own as far as locks of boards go."""
    folder = tmp_path / "machine-wide locks"
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty project folder with the repository's params.yaml."""
    folder = tmp_path / "project with spaces"
    folder.mkdir()
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return Workspace(folder)


@pytest.fixture(scope="session")
def miniatures(once: "Once") -> Path:
    """A folder with the classifier of colours in every form that `miniature.convert_models` names."""
    from miniature import convert_models

    return once("miniatures", convert_models)
