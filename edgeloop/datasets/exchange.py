"""Another first archive takes the place of the one before: its splits are kept first, and what changed is counted."""

import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgeloop.config import Prepare
from edgeloop.datasets.additions import OF_FETCH, Kept, Step, next_number, read_additions, write_addition, write_named
from edgeloop.datasets.archive import list_members, read_members
from edgeloop.datasets.kept import Memory, known, remembered, state_of
from edgeloop.datasets.layout import class_layout
from edgeloop.datasets.manifest import read_manifest
from edgeloop.datasets.pointers import md5_file, write_pointer
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.lockfile import locked_outputs
from edgeloop.records import Exchanged, PrepareRecord
from edgeloop.workspace import Workspace

NOWHERE = "none"
GIT_S = 30.0


def keep_splits(workspace: Workspace, dataset: str, settings: Prepare, arrived: Path) -> Exchanged | None:
    """Before `arrived` becomes the archive: keep where each image is, and count what changes; None where nothing does.

    Raises:
        InputError: the data set was prepared, and its manifest is not here.
    """
    paths = workspace.dataset(dataset)
    if not paths.manifest.is_file():
        _check_never_divided(workspace, dataset, arrived)
        return None
    if paths.prepare_record.is_file() and PrepareRecord.read(paths.prepare_record).archive.sha256 == sha256_file(arrived):
        return None
    manifest, additions = read_manifest(paths.manifest), read_additions(workspace, dataset, settings.limits)
    memory, state = remembered(additions), state_of(manifest)
    if not additions or not additions[-1].step.whole or additions[-1].step.kept != state:
        rule = memory.rule or PrepareRecord.read(paths.prepare_record).split_rule
        step = Step(rule, state, whole=True)
        prefix = f"{next_number(workspace, dataset):05d}{OF_FETCH}"
        archive = write_named(paths.additions, prefix, lambda target: write_addition(target, step))
        stage(workspace.root, write_pointer(workspace, dataset, archive))
    digests, outside = _digests(arrived, settings)
    found = exchanged(Memory(before=state), digests)
    return found and found.model_copy(update={"outside": outside})


def exchanged(memory: Memory, digests: Mapping[str, str], splits: Mapping[str, str] | None = None) -> Exchanged | None:
    """What changed since the first archive was exchanged: `digests` are those of the images in it now, `splits` where they are."""
    if memory.before is None:
        return None
    before = {path: one for path, one in memory.before.items() if not path.startswith("added/")}
    found = known(digests, before)
    fresh = digests.keys() - found.seated.keys() - found.changed.keys()
    stayed = Counter(one.sha256 for one in found.seated.values())
    gone = {path: one for path, one in before.items() if path not in found.same and path not in found.changed}
    removed = [one for one in gone.values() if not stayed[one.sha256]]
    return Exchanged(
        known=_per_split(found.same.values()),
        added=_counted([(splits or {}).get(path) for path in fresh], "new" if splits is None else NOWHERE),
        removed=_per_split(removed),
        changed=_per_split(found.changed.values()),
        moved=_per_split(found.moved.values()),
    )


def _per_split(images: Iterable[Kept]) -> dict[str, int]:
    return _counted([one.split for one in images], NOWHERE)


def _counted(splits: list[str | None], nowhere: str) -> dict[str, int]:
    return dict(sorted(Counter(split or nowhere for split in splits).items()))


def _digests(archive: Path, settings: Prepare) -> tuple[dict[str, str], int]:
    """SHA-256 by path of the files in the class folders of an archive, and how many files are in none."""
    listing = list_members(archive, settings.limits)
    labels = class_layout(listing.files, settings, listing.folders).labels
    entries = (entry for entry in read_members(archive, settings.limits) if entry.path in labels)
    digests = {entry.path: hashlib.sha256(entry.read()).hexdigest() for entry in entries if entry.size_bytes <= settings.limits.image_bytes}
    return digests, len(set(listing.files) - labels.keys())


def _check_never_divided(workspace: Workspace, dataset: str, arrived: Path) -> None:
    """A clone that has not pulled what was prepared would divide other images anew without a word."""
    paths = workspace.dataset(dataset)
    folder, archive = (path.relative_to(workspace.root).as_posix() for path in (paths.images, paths.archive))
    divided = locked_outputs(workspace, f"prepare@{dataset}").get(folder)
    if divided is None or locked_outputs(workspace, f"fetch@{dataset}").get(archive) == md5_file(arrived):
        return
    raise InputError(
        f"These images of {dataset} are other ones than dvc.lock names, and the splits of those are not here ({paths.manifest}).",
        f"Get them: dvc checkout prepare@{dataset}, or dvc pull prepare@{dataset}. "
        f"To divide all images anew: edgeloop fetch {dataset} --split-anew",
    )


def stage(root: Path, file: Path) -> None:
    """Let git's next commit hold the file, where the project is under git: what it says would be lost in a clone."""
    try:
        subprocess.run(["git", "add", "--", str(file)], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
