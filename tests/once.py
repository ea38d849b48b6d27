"""What all processes of a test session share: each file or folder is made once, by whoever needs it first.

EDGELOOP_ONCE names a folder that several sessions of the same files share, too.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeloop.services.locks import exclusive

Once = Callable[[str, Callable[[Path], object]], Path]
DEADLINE_S = 500.0


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """`once("name", make)` is the path that `make(path)` wrote, in this process or in another one. It is never changed again."""
    named = os.environ.get("EDGELOOP_ONCE")
    shared = Path(named) if named else common_folder(tmp_path_factory) / "once"

    def made(name: str, make: Callable[[Path], object]) -> Path:
        target, done = shared / name, shared / f".{name}.done"
        shared.mkdir(exist_ok=True)
        with exclusive(target.with_name(f".{name}.lock"), DEADLINE_S):
            if not done.exists():
                make(target)
                done.touch()
        return target

    return made


def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole session, the same one in all of its processes."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
