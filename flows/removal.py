"""A data set or a variant is taken out: its lines of params.yaml, its files, and its entries of dvc.lock; and what of it comes back."""

import difflib
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from edgeloop.config import Params
from edgeloop.config.removal import text_without
from edgeloop.errors import InputError, StageError
from edgeloop.files import read_text
from edgeloop.graph import refresh
from edgeloop.plural import in_bytes, many
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import changed, near_match, save

GIT_S = 60.0
LOCK_FILE = "dvc.lock"
MOST_NAMED = 12


@dataclass(frozen=True)
class Removal:
    """What goes with a data set or a variant."""

    name: str
    text: str
    """Of params.yaml without it."""
    lines: list[str]
    """What changes there, as `diff` writes it."""
    folders: list[Path]
    stages: list[str]
    """With an entry in dvc.lock."""
    lost: list[str]
    """What neither git nor DVC's cache can bring back."""

    def in_words(self, root: Path) -> Iterator[str]:
        """Everything that goes, and whether it comes back."""
        yield "This goes:"
        yield from (f"  params.yaml  {line}" for line in self.lines)
        yield from (f"  files        {folder.relative_to(root)}  ({_size(folder)})" for folder in self.folders)
        if self.stages:
            yield f"  dvc.lock     {_some(self.stages)}"
        if self.lost:
            yield "Nothing brings back, because it is in no commit or not in DVC's cache:"
            yield from (f"  {line}" for line in self.lost)
        else:
            yield "It comes back by git and `dvc checkout`, until `dvc gc` empties the cache. What was published stays."


def removal_of(workspace: Workspace, params: Params, name: str) -> Removal:
    """What goes with the data set or variant of that name; nothing is changed.

    Raises:
        InputError: there is none, or a variant that stays starts from what goes.
        ConfigError: params.yaml does not stand without it.
        StageError: another DVC command holds the workspace.
    """
    if name not in params.datasets and name not in params.variants:
        raise InputError(f"There is no data set or variant '{name}'{near_match(name, [*params.datasets, *params.variants])}.")
    gone = [one for one, variant in params.variants.items() if name in (one, variant.dataset)]
    models = {params.variants[one].paths(Workspace(Path())).model: one for one in gone}
    kept = [variant for one, variant in params.variants.items() if one not in gone]
    bound = [f"{variant.id} starts from {models[variant.start]}" for variant in kept if variant.start in models]
    if bound:
        raise InputError(f"{name} is needed: {_some(bound)}.", "Give these another `start` in params.yaml, or remove them first.")
    before = read_text(workspace.params)
    text = text_without(before, workspace.params, params, name)
    folders = [folder for folder in _folders(workspace, params, name) if folder.is_dir()]
    stages = _stages(workspace, name, params)
    return Removal(name, text, _shown(before, text), folders, stages, _lost(workspace, folders))


def carry_out(workspace: Workspace, removal: Removal) -> None:
    """Do it. A kill on the way leaves a rest that the same removal, or `git checkout`, deals with: params.yaml comes last.

    Raises:
        StageError: another DVC command holds the workspace.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.utils.serialize import modify_yaml

    try:
        with Repo(str(workspace.root)) as repo, repo.lock:
            for folder in removal.folders:
                shutil.rmtree(folder)
            for mark in (workspace.private / "ingest").glob(f"{removal.name}.*"):
                mark.unlink()
            if removal.stages:
                with modify_yaml(str(workspace.root / LOCK_FILE)) as lock:
                    for stage in removal.stages:
                        del lock["stages"][stage]
            save(workspace.params, removal.text)
            refresh(workspace)
    except LockError as error:
        raise StageError(f"Another DVC command holds the workspace: {error}", "Wait for it to end, then try again.") from error


def _folders(workspace: Workspace, params: Params, name: str) -> list[Path]:
    if name in params.datasets:
        return [workspace.dataset(name).folder, workspace.root / "models" / name, workspace.ingests(name)]
    return [params.variants[name].paths(workspace).folder]


def _stages(workspace: Workspace, name: str, params: Params) -> list[str]:
    """Entries of dvc.lock whose outputs lie in the folders that go."""
    places = tuple(f"{folder.relative_to(workspace.root).as_posix()}/" for folder in _folders(workspace, params, name))
    stages = _read_lock(read_text(workspace.root / LOCK_FILE)) if (workspace.root / LOCK_FILE).is_file() else {}
    return [stage for stage, entry in stages.items() if any(str(out["path"]).startswith(places) for out in entry.get("outs", ()))]


def _read_lock(text: str) -> dict[str, Any]:
    return dict((YAML(typ="safe").load(text) or {}).get("stages") or {})


def _shown(before: str, after: str) -> list[str]:
    """The lines that change; where most only begin in another column, as DVC leaves a file that it has written, not these."""
    exact, content = _diff(before, after), _diff(changed(before, lambda _: None), after)
    return exact if len(exact) <= len(content) else [*content, "other lines are indented otherwise, and nothing else"]


def _diff(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-" and line[1:].strip()]


def _lost(workspace: Workspace, folders: list[Path]) -> list[str]:
    """What is in no commit, or has another content than there, or is not in DVC's cache."""
    lost = [f"{name}, as it is now: it has changes that are not committed" for name in ("params.yaml",) if _is_changed(workspace, name)]
    known = _committed(workspace)
    for folder in folders:
        in_git = set((_git(workspace, "ls-files", "-z", "--", str(folder.relative_to(workspace.root))) or "").split("\0"))
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore"]
        odd = [path.relative_to(workspace.root).as_posix() for path in files]
        odd = [name for name in odd if not _comes_back(workspace, name, known, in_git)]
        lost += odd if len(odd) <= MOST_NAMED else [*odd[:MOST_NAMED], f"and {len(odd) - MOST_NAMED} more files of {folder.name}"]
    return lost


def _comes_back(workspace: Workspace, name: str, known: dict[str, str], in_git: set[str]) -> bool:
    if name in in_git:
        return not _is_changed(workspace, name)
    return known.get(name) == _md5(workspace.root / name)


def _committed(workspace: Workspace) -> dict[str, str]:
    """The files that the last commit tracks by DVC and that are in its cache: MD5 by path."""
    from dvc.repo import Repo

    outs = [out for entry in _read_lock(_git(workspace, "show", f"HEAD:./{LOCK_FILE}") or "").values() for out in entry.get("outs", ())]
    for pointer in (_git(workspace, "ls-files", "-z", "--", "additions/*.dvc") or "").split("\0"):
        if pointer and (text := _git(workspace, "show", f"HEAD:./{pointer}")):
            folder = Path(pointer).parent
            outs += [out | {"path": _plain(folder / out["path"])} for out in YAML(typ="safe").load(text)["outs"]]
    with Repo(str(workspace.root)) as repo:
        cache = repo.cache.local
        return {path: md5 for out in outs for path, md5 in _files_of(out, cache) if cache.exists(md5)}


def _files_of(out: dict[str, Any], cache: Any) -> Iterator[tuple[str, str]]:
    path, md5 = str(out["path"]), str(out.get("md5"))
    if not md5.endswith(".dir"):
        yield path, md5
    elif cache.exists(md5):
        for entry in json.loads(Path(cache.oid_to_path(md5)).read_text(encoding="utf-8")):
            yield f"{path}/{entry['relpath']}", entry["md5"]


def _plain(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def _md5(path: Path) -> str:
    """As DVC names content; not for security."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _is_changed(workspace: Workspace, name: str) -> bool:
    """Whether the last commit has it otherwise, or not at all."""
    return _git(workspace, "diff", "--quiet", "HEAD", "--", name) is None or not _git(workspace, "ls-files", "--", name)


def _git(workspace: Workspace, *arguments: str) -> str | None:
    """What git says; None where it fails, is absent, or there is no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=workspace.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GIT_S, check=False
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise StageError(f"git {arguments[0]} was not done within {GIT_S:.0f} s.", "Look for another git that waits.") from None
    return done.stdout if done.returncode == 0 else None


def _size(folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{many(len(sizes), 'file')}, {in_bytes(sum(sizes))}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
