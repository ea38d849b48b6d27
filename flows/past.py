"""Files as they were in another git revision, with git and DVC underneath; nothing of the checkout is touched."""

from pathlib import Path

from edgeloop.errors import InputError
from edgeloop.workspace import Workspace


def take_from(workspace: Workspace, revision: str, wanted: Path, folder: Path) -> Path:
    """Copy a file or folder of the project from a git revision (a commit, a branch, a tag) into `folder`; returns where it is.

    Raises:
        InputError: git knows no such revision, or neither DVC's cache nor its remote has that file of it.
    """
    from dvc.api import DVCFileSystem
    from dvc.scm import RevError

    name = wanted.relative_to(workspace.root).as_posix()
    try:
        there = DVCFileSystem(str(workspace.root), rev=revision)
        there.get(name, str(folder / wanted.name), recursive=True)
    except RevError as error:
        raise InputError(f"git knows no revision '{revision}'.", "Take a commit, a branch or a tag: git log dvc.lock") from error
    except OSError as error:
        remedy = "Was it built and committed then? If its files are in a remote: git checkout it in another clone, and dvc pull."
        raise InputError(f"{name} of the revision {revision} is neither in DVC's cache here nor in a remote.", remedy) from error
    return folder / wanted.name
