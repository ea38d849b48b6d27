"""Going back: one data set as it was in an earlier revision, which becomes a revision itself. Nothing else is touched."""

import hashlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeloop.errors import InputError, StageError
from edgeloop.files import write_text
from edgeloop.lockfile import LOCK_FILE
from edgeloop.workspace import Workspace
from flows.commands import Say, environment, run
from flows.data_entries import Entries, commit_entries, entries_in, lock_text, with_entries
from flows.history import DataRevision, find_revision, lock_at
from flows.revise import alone
from flows.revision import STAGES, check_repository, commit, is_detached, said, uncommitted
from flows.supervisor import is_ending
from flows.transfer import judged

_MD5 = re.compile(r"^- md5: (\S+)$", re.MULTILINE)
_SHOWN = 3


def restore(workspace: Workspace, dataset: str, name: str, reason: str | None, say: Say) -> list[str]:
    """Bring back the data set of a revision, and commit that; returns lines that say what was done.

    Raises:
        InputError: there is no such revision, params.yaml declares something else since, or something that no commit holds
            would be overwritten.
        StageError: files of it are neither in DVC's cache nor in its remote. Nothing was changed then.
    """
    check_repository(workspace, to_be_pushed=False)
    with alone(workspace, dataset):
        wanted = find_revision(workspace, dataset, name)
        begun = workspace.private / "ingest" / f"{dataset}.restoring"
        goes_on = begun.is_file() and begun.read_text(encoding="utf-8") == f"{wanted.commit} {_digest(workspace)}"
        others = set() if goes_on else uncommitted(workspace) & {LOCK_FILE}
        entries = entries_in(lock_at(workspace, wanted.commit), dataset)
        pointers = _files_at(workspace, dataset, wanted.commit)
        if not goes_on:
            if _is_there(workspace, dataset, entries, pointers):
                raise InputError(f"{dataset} is at the revision {wanted.commit[:12]} already.", "Nothing was changed.")
            _check_params(workspace, dataset, entries)
            _check_saved(workspace, dataset)
        _have(workspace, [*_digests(entries), *(md5 for text in pointers.values() for md5 in _MD5.findall(text))], say)
        _write(workspace, dataset, wanted, entries, pointers, begun)
        _checkout(workspace, dataset, pointers)
        made = _commit(workspace, dataset, wanted, reason, alone_in_lock=not others)
        begun.unlink(missing_ok=True)
    lines = [f"{dataset} is as in {wanted.commit[:12]} ({wanted.reason})", f"committed as {made[:12]}"]
    lines += ["HEAD is on no branch: keep the commit with: git switch -c NAME"] if is_detached(workspace) else []
    return [*lines, "what stands on the data is out of date: dvc repro; an ingest takes again what its source still has"]


def _files_at(workspace: Workspace, dataset: str, commit: str) -> dict[str, str]:
    """Pointers and records below `additions/<data set>/` in a commit, by name."""
    folder = _relative(workspace, workspace.ingests(dataset))
    names = [name for name in said(workspace, "ls-tree", "-z", "--name-only", commit, f"{folder}/").split("\0") if name]
    return {name.rsplit("/", 1)[-1]: said(workspace, "show", f"{commit}:./{name}") + "\n" for name in names}


def _is_there(workspace: Workspace, dataset: str, entries: Entries, pointers: dict[str, str]) -> bool:
    now = entries_in(lock_text(workspace), dataset)
    folder = workspace.ingests(dataset)
    here = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return now == entries and here == pointers.keys()


def _check_params(workspace: Workspace, dataset: str, entries: Entries) -> None:
    """With other settings than the revision's, the next run would build something else."""
    from dvc.repo import Repo

    with Repo(str(workspace.root)) as repo:
        for address, entry in entries.items():
            if address.startswith("validate@"):
                continue
            then = {key: value for values in entry.get("params", {}).values() for key, value in values.items()}
            (stage,) = repo.stage.collect(address)
            now = {key: value for dep in stage.params for key, value in dep.read_params().items()}
            if changed := sorted(key for key in then if key in now and now[key] != then[key]):
                listed = "\n".join(f"  {key}: then {then[key]}, now {now[key]}" for key in changed)
                raise InputError(
                    f"params.yaml declares {dataset} otherwise than the revision does:\n{listed}",
                    "Write in params.yaml what the revision had, then restore again.",
                )


def _check_saved(workspace: Workspace, dataset: str) -> None:
    """Refuse to overwrite what no commit holds."""
    folder = _relative(workspace, workspace.ingests(dataset))
    remedy = f"Commit it first (dvc repro validate@{dataset}; git add {folder} {LOCK_FILE}; git commit), or put it back."
    if changed := said(workspace, "status", "--porcelain", "--", folder):
        raise InputError(f"{dataset} has changes that no revision holds:\n{changed}", remedy)
    if entries_in(lock_text(workspace), dataset) != entries_in(lock_at(workspace, "HEAD"), dataset):
        raise InputError(f"{dataset} was built since the last commit: what {LOCK_FILE} says of it is in no commit.", remedy)
    from dvc.repo import Repo

    with Repo(str(workspace.root)) as repo:
        stages = [stage for one in STAGES for stage in repo.stage.collect(f"{one}@{dataset}")]
        modified = [out for stage in stages for out in stage.outs if out.exists and out.changed_checksum()]
        lost = [str(out) for out in modified if not _is_whole(repo, out.get_hash())]
    if lost:
        raise InputError(f"These were changed, and DVC's cache does not have them as they are: {', '.join(lost)}.", remedy)


def _digests(entries: Entries) -> list[str]:
    return [str(out["md5"]) for entry in entries.values() for out in entry.get("outs", []) if "md5" in out]


def _have(workspace: Workspace, digests: Iterable[str], say: Say) -> None:
    """See that DVC's cache has all these; what it lacks comes from the remote.

    Raises:
        StageError: something is in neither.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    with Repo(str(workspace.root)) as repo:
        wanted = [HashInfo("md5", digest) for digest in dict.fromkeys(digests)]
        if not (absent := [one for one in wanted if not _is_whole(repo, one)]):
            return
        say(f"{len(absent)} of its {len(wanted)} files are not in DVC's cache: they are pulled from the remote")
        cause = ""
        try:
            repo.cloud.pull(absent)
            if inner := [content for one in absent if one.isdir for content in _contents(repo, one)]:
                repo.cloud.pull(inner)  # the first pull brings the list of a folder's files, not these
        except DvcException as error:
            cause = f": {error}"
        except Exception as error:  # of any library that a remote may use: it is judged, and told
            raise judged([error]) from error
        if lost := [str(one.value) for one in absent if not _is_whole(repo, one)]:
            shown = ", ".join(lost[:_SHOWN]) + ", …" * (len(lost) > _SHOWN)
            raise StageError(
                f"{len(lost)} files of that revision are neither in DVC's cache nor in its remote (MD5 {shown}){cause}",
                "Nothing was changed. Where a colleague's clone has the revision: dvc push there, then again here.",
            )


def _is_whole(repo: Any, one: Any) -> bool:
    """Whether the cache has a file, or a folder with all that is in it."""
    from dvc_objects.errors import ObjectFormatError

    try:
        repo.cache.local.check(one.value)
    except (FileNotFoundError, ObjectFormatError):
        return False
    return not one.isdir or all(repo.cache.local.exists(content.value) for content in _contents(repo, one))


def _contents(repo: Any, one: Any) -> list[Any]:
    """The hashes of the files in a folder; none where the cache has no list of them."""
    from dvc_data.hashfile import load
    from dvc_objects.errors import ObjectFormatError

    try:
        folder: Any = load(repo.cache.local, one)
        return [content for _, _, content in folder]
    except (FileNotFoundError, ObjectFormatError):
        return []


def _write(workspace: Workspace, dataset: str, wanted: DataRevision, entries: Entries, pointers: dict[str, str], begun: Path) -> None:
    """dvc.lock and the pointers as they were. A restore that is killed from here on is gone on with by the same command."""
    text = with_entries(lock_text(workspace), dataset, entries)
    begun.parent.mkdir(parents=True, exist_ok=True)
    write_text(begun, f"{wanted.commit} {hashlib.sha256(text.encode()).hexdigest()}")
    write_text(workspace.root / LOCK_FILE, text)
    folder = workspace.ingests(dataset)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in pointers:
            path.unlink()
    for name, text in pointers.items():
        write_text(folder / name, text)


def _checkout(workspace: Workspace, dataset: str, pointers: dict[str, str]) -> None:
    folder = _relative(workspace, workspace.ingests(dataset))
    targets = [f"{stage}@{dataset}" for stage in STAGES] + [f"{folder}/{name}" for name in pointers if name.endswith(".dvc")]
    argv = [sys.executable, "-m", "dvc", "checkout", "--force", *targets]
    done = run(argv, workspace.root, environment(), lambda _: None, is_ending)
    if done.code != 0:
        raise done.failure("dvc checkout", f"dvc checkout {' '.join(targets)}")
    paths, pointed = workspace.dataset(dataset), {name.removesuffix(".dvc") for name in pointers}
    for path in (*paths.additions.glob("*.tar"), *paths.rejected.glob("*.tar")):
        if path.name not in pointed:
            path.unlink()


def _commit(workspace: Workspace, dataset: str, wanted: DataRevision, reason: str | None, *, alone_in_lock: bool) -> str:
    folder = workspace.ingests(dataset)
    place = _relative(workspace, folder)
    changed = said(workspace, "diff", "-z", "--name-only", "--no-renames", "--relative", "HEAD", "--", place)
    fresh = said(workspace, "ls-files", "-z", "--others", "--exclude-standard", "--", place)
    files = [workspace.root / name for name in dict.fromkeys([*changed.split("\0"), *fresh.split("\0")]) if name]
    if entries_in(lock_text(workspace), dataset) == entries_in(lock_at(workspace, "HEAD"), dataset) and not files:
        return said(workspace, "rev-parse", "HEAD")
    why = [f"Reason: {' '.join(reason.split())}"] if reason else []
    message = "\n".join([f"Data: {dataset} restored as in {wanted.commit[:12]}", "", *why, f"That was: {wanted.reason}"])
    if alone_in_lock:
        return commit(workspace, message, [*files, workspace.root / LOCK_FILE])
    return commit_entries(workspace, dataset, message, files)


def _digest(workspace: Workspace) -> str:
    lock = workspace.root / LOCK_FILE
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""


def _relative(workspace: Workspace, path: Path) -> str:
    return path.relative_to(workspace.root).as_posix()
