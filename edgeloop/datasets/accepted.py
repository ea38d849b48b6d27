"""The verdict that `validate` leaves and that training insists on: `accepted.json`."""

import json

from edgeloop.errors import DataError, InputError
from edgeloop.files import sha256_file
from edgeloop.workspace import Workspace


def require_accepted(workspace: Workspace, dataset: str) -> str:
    """The SHA-256 of the data set's manifest, which its validation has accepted.

    Raises:
        InputError: the data set is not prepared or not validated.
        DataError: what was accepted is another manifest than the one that lies there.
    """
    paths = workspace.dataset(dataset)
    if not paths.manifest.is_file():
        raise InputError(f"The data set {dataset} is not prepared.", f"Run: dvc repro prepare@{dataset}")
    if not paths.accepted.is_file():
        raise InputError(f"The data set {dataset} is not accepted by its validation.", f"Run: dvc repro validate@{dataset}")
    digest = sha256_file(paths.manifest)
    if json.loads(paths.accepted.read_text(encoding="utf-8")).get("manifest_sha256") != digest:
        raise DataError(f"The data set {dataset} was changed after it was validated.", f"Run: dvc repro validate@{dataset}")
    return digest
