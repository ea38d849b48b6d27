"""The revisions of a data set, as git's history of dvc.lock has them: each commit in which other images were prepared than before."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgeloop.console import in_one_line
from edgeloop.errors import InputError
from edgeloop.lockfile import LOCK_FILE, locked_stage, outputs
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match
from flows.revision import ask_git, said

_FIELDS = "%x00".join(("%H", "%aI", "%an", "%B"))
_END = "\x01"


@dataclass(frozen=True)
class DataRevision:
    """One revision."""

    commit: str
    date: str
    """ISO 8601, as git has it."""
    who: str
    reason: str
    """What somebody gave as one, else the first line of the commit's message."""
    images_md5: str
    manifest_sha256: str | None = None
    """None where the record of `prepare` is not in DVC's cache."""
    splits: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    differences: dict[str, int] = field(default_factory=dict)
    """Images by class, more or fewer than in the revision before."""

    def in_words(self) -> str:
        """Two lines."""
        counts = ", ".join(f"{name} {count}" for name, count in self.splits.items()) or "counts are not here: dvc pull has them"
        changes = ", ".join(f"{name} {count:+d}" for name, count in self.differences.items())
        number = f"  data {self.manifest_sha256[:12]}" if self.manifest_sha256 else ""
        head = in_one_line(f"{self.commit[:12]}  {self.date[:16].replace('T', ' ')}  {self.who}{number}  {self.reason}")
        return f"{head}\n    {counts}{f'; {changes}' if changes else ''}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def revisions(workspace: Workspace, dataset: str) -> list[DataRevision]:
    """All revisions that lead to the present commit, newest first.

    Raises:
        InputError: this is no git repository with a commit.
    """
    if ask_git(workspace, "rev-parse", "--verify", "--quiet", "HEAD", ok=False) is None:
        raise InputError(f"{workspace.root} is not a git repository with a commit.", "Revisions are commits: git init, and commit.")
    found: list[DataRevision] = []
    cache = _cache(workspace)
    images = workspace.dataset(dataset).images.relative_to(workspace.root).as_posix()
    record = workspace.dataset(dataset).prepare_record.relative_to(workspace.root).as_posix()
    for commit, date, who, message in _commits(workspace):
        locked = outputs(locked_stage(lock_at(workspace, commit), f"prepare@{dataset}"))
        if images not in locked or (found and found[-1].images_md5 == locked[images]):
            continue
        one = DataRevision(commit, date, who, _reason(message), locked[images])
        found.append(_counted(one, cache, locked.get(record), found[-1] if found else None))
    return found[::-1]


def find_revision(workspace: Workspace, dataset: str, name: str) -> DataRevision:
    """The revision that a commit, a branch or tag, or the digest of a manifest names; of several the newest.

    Raises:
        InputError: there is none.
    """
    every = revisions(workspace, dataset)
    for one in every:
        if len(name) >= 4 and (one.commit.startswith(name) or (one.manifest_sha256 or "").startswith(name)):
            return one
    commit = ask_git(workspace, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", ok=False)
    if commit is not None:
        images = workspace.dataset(dataset).images.relative_to(workspace.root).as_posix()
        md5 = outputs(locked_stage(lock_at(workspace, commit), f"prepare@{dataset}")).get(images)
        if md5 is not None:
            return next((one for one in every if one.images_md5 == md5), DataRevision(commit, "", "", "", md5))
    names = [one.commit[:12] for one in every]
    raise InputError(f"{dataset} has no revision {name}{near_match(name, names)}.", f"See: edgeloop revisions {dataset}")


def lock_at(workspace: Workspace, commit: str) -> str:
    """The text of dvc.lock in a commit."""
    return ask_git(workspace, "show", f"{commit}:./{LOCK_FILE}", ok=False) or ""


def _commits(workspace: Workspace) -> Iterator[tuple[str, str, str, str]]:
    """Commits that changed dvc.lock, oldest first: hash, date, author, message."""
    arguments = ["log", "--reverse", "--first-parent", "--diff-merges=first-parent", f"--format={_FIELDS}%x01", "--", LOCK_FILE]
    for entry in said(workspace, *arguments).split(_END):
        if len(parts := entry.strip().split("\0")) == 4:
            yield parts[0], parts[1], parts[2], parts[3]


def _reason(message: str) -> str:
    lines = [line.strip() for line in message.strip().splitlines()]
    given = next((line.removeprefix("Reason:").strip() for line in lines if line.startswith("Reason:")), None)
    head = lines[0].removeprefix("Data: ") if lines else ""
    return f"{head}: {given}" if given else head


def _cache(workspace: Workspace) -> Path:
    """Where DVC keeps files by their MD5."""
    from dvc.repo import Repo

    with Repo(str(workspace.root)) as repo:
        return Path(repo.cache.local.path)


def _counted(one: DataRevision, cache: Path, md5: str | None, before: DataRevision | None) -> DataRevision:
    """With the counts of the record of `prepare`, where that is in the cache."""
    try:
        record = json.loads((cache / (md5 or "")[:2] / (md5 or "")[2:]).read_text(encoding="utf-8"))
        splits = {name: int(split["images"]) for name, split in record["splits"].items()}
        classes: dict[str, int] = {}
        for split in record["splits"].values():
            for label, count in split["per_class"].items():
                classes[label] = classes.get(label, 0) + int(count)
        digest = str(record["manifest_sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return one
    names = sorted(classes.keys() | (before.classes if before else {}).keys())
    changes = {name: classes.get(name, 0) - before.classes.get(name, 0) for name in names} if before and before.classes else {}
    return DataRevision(
        one.commit, one.date, one.who, one.reason, one.images_md5, digest, splits, classes, {k: v for k, v in changes.items() if v}
    )
