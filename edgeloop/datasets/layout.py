"""Which members of an archive are images of which class, and which folders look like classes but are read otherwise.

Without settings, classes are the folders directly in the folder that holds most pictures: `<root>/<class>/<file>`. An
archive that can as well be read in another way is refused, with both readings and what to write for each.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from edgeloop.config import Prepare
from edgeloop.datasets.filenames import is_picture, lies_hidden
from edgeloop.datasets.split_folders import split_folders, split_of
from edgeloop.errors import DataError

# Beyond this share of all pictures, what the usual reading leaves out is reason to ask; below, it is only counted.
DOUBT_SHARE = 0.1
# A folder that holds this share of the pictures is what matters, whatever lies beside it (samples, pictures of a README).
_NEARLY_ALL = 0.95
_NAMED = 4


@dataclass(frozen=True)
class ClassLayout:
    """The members of an archive by what they are."""

    root: str
    """The folder that holds the class folders, or the folders of splits; empty when they are at the top."""
    labels: dict[str, str]
    """Class by path, for each file of a class folder, in the archive's order."""
    outside: list[str]
    """All other files, sorted."""
    pictures_outside: list[str] = field(default_factory=list)
    """Those of them that are named like pictures, hidden ones apart."""
    left_out: int = 0
    """Pictures that do not lie below the declared root; not among `pictures_outside`."""
    splits: dict[str, str] = field(default_factory=dict)
    """`train`, `val` or `test` by path, where the archive's folders say so."""
    empty: list[str] = field(default_factory=list)
    """Folders beside the class folders without a picture that counts."""


@dataclass(frozen=True)
class _Reading:
    """One way to read an archive: the folders that hold class folders."""

    roots: Sequence[str]
    nested: bool

    def class_folder(self, path: str, is_file: bool = True) -> str | None:
        """The class folder that a file belongs to; of a folder, the one that it is or lies in."""
        for root in self.roots:
            if not root or path.startswith(f"{root}/"):
                parts = path[len(root) + 1 if root else 0 :].split("/")
                if not is_file or len(parts) == 2 or (self.nested and len(parts) > 2):
                    return f"{root}/{parts[0]}" if root else parts[0]
        return None


def class_layout(
    paths: Iterable[str], settings: Prepare | None = None, folders: Iterable[str] = (), known: Collection[str] | None = None
) -> ClassLayout:
    """Find the class folders among `paths`; `folders` are those that the archive names itself.

    `known` are the classes that new pictures may have: with them, the declared root does not count, and folders of that
    name are looked for first. Hidden files and what desktop systems leave behind are never in a class.

    Raises:
        DataError: there are no class folders, or it is not clear which they are.
    """
    wanted, every = settings or Prepare(), list(paths)
    root = wanted.layout.root if known is None else None
    visible = [path for path in every if not lies_hidden(path)]
    candidates = [path for path in visible if "/" in path and _is_below(path, root)]
    pictures = [path for path in candidates if is_picture(path)] or candidates
    if not pictures:
        raise _no_classes(root)
    reading = _reading(pictures, wanted, root, known)
    folder_of = {path: reading.class_folder(path) for path in candidates}
    classes = {folder for path in pictures if (folder := folder_of[path])}
    if not classes:
        raise _no_classes(root)
    of_class = {path: folder for path, folder in folder_of.items() if folder is not None and folder in classes}
    named = [path for path in visible if is_picture(path)] or pictures
    outside = [path for path in named if path not in of_class]
    return ClassLayout(
        root=_common(reading.roots),
        labels={path: folder.rsplit("/", 1)[-1] for path, folder in of_class.items()},
        outside=sorted(path for path in every if path not in of_class),
        pictures_outside=sorted(path for path in outside if _is_below(path, root)),
        left_out=sum(not _is_below(path, root) for path in outside),
        splits=_splits(of_class) if wanted.split.rule == "folders" and known is None else {},
        empty=_empty(reading, classes, candidates, folders),
    )


def _reading(pictures: Sequence[str], settings: Prepare, root: str | None, known: Collection[str] | None) -> _Reading:
    nested = settings.layout.nested
    if found := _split_roots(pictures, settings, known):
        return _Reading(found, nested)
    if root is not None:
        return _Reading([root], nested)
    if nested:
        return _Reading([_nested_root(pictures, known)], nested)
    flat = _Reading([_flat_root(pictures, known or ())], nested)
    _check_clear(pictures, flat, known)
    return flat


def _split_roots(pictures: Sequence[str], settings: Prepare, known: Collection[str] | None) -> list[str]:
    """The folders of splits, where there are some and they are wanted."""
    counts = split_folders(pictures, settings.layout.nested)
    splits = [split_of(folder.rsplit("/", 1)[-1]) for folder in counts]
    if len(set(splits)) < 2 or counts.total() <= DOUBT_SHARE * len(pictures):
        if settings.takes_split_folders and known is None:
            raise DataError(
                "The archive has no folders for training, validation and test (train, valid, test) with class folders in them.",
                "Leave prepare.split.rule: folders, or prepare.layout.merge, out of params.yaml for this data set.",
            )
        return []
    listed = ", ".join(f"{folder} ({count:,} pictures)" for folder, count in sorted(counts.items()))
    if not settings.takes_split_folders:
        raise DataError(
            f"There are folders of splits with class folders in each: {listed}.",
            "Write in params.yaml, for this data set, prepare: {split: {rule: folders}} to use them as the splits, "
            "or prepare: {layout: {merge: true}} to merge them and divide anew.",
        )
    if known is None and settings.split.rule == "folders" and ("train" not in splits or len(set(splits)) < len(splits)):
        raise DataError(
            f"The folders of splits are not one each for training, validation and test: {listed}.",
            "Name the folder that holds them with prepare.layout.root in params.yaml, or merge all: prepare: {layout: {merge: true}}.",
        )
    return sorted(counts)


def _splits(of_class: dict[str, str]) -> dict[str, str]:
    return {path: split for path, folder in of_class.items() if (split := split_of(folder.split("/")[-2]))}


def _flat_root(pictures: Sequence[str], known: Collection[str]) -> str:
    """The folder whose subfolders directly hold most pictures: of known classes first, then of any."""
    counts: Counter[str] = Counter()
    of_known: Counter[str] = Counter()
    for path in pictures:
        *above, label, _ = path.split("/")
        root = "/".join(above)
        counts[root] += 1
        of_known[root] += label in known
    return min(counts, key=lambda root: (-of_known[root], -counts[root], root.count("/"), root))


def _nested_root(pictures: Sequence[str], known: Collection[str] | None) -> str:
    """The folder below which every folder is a class with all that lies in it."""
    if known:
        counts = Counter(root for path in pictures if (root := _root_of_known(path, known)) is not None)
        if counts:
            return min(counts, key=lambda root: (-counts[root], root.count("/"), root))
    return _first_fork(pictures)


def _root_of_known(path: str, known: Collection[str]) -> str | None:
    parts = path.split("/")[:-1]
    return next(("/".join(parts[:place]) for place, part in enumerate(parts) if part in known), None)


def _first_fork(pictures: Sequence[str]) -> str:
    """Down from the top, as long as one folder holds nearly everything and has folders with pictures."""
    root: list[str] = []
    within = [path.split("/") for path in pictures]
    while True:
        depth = len(root)
        counts = Counter(parts[depth] for parts in within if len(parts) > depth + 1)
        name, count = counts.most_common(1)[0]
        deeper = [parts for parts in within if len(parts) > depth + 2 and parts[depth] == name]
        if not deeper or count < _NEARLY_ALL * counts.total():
            return "/".join(root)
        root.append(name)
        within = [parts for parts in within if parts[: depth + 1] == root]


def _check_clear(pictures: Sequence[str], flat: _Reading, known: Collection[str] | None) -> None:
    """Refuse where class folders of folders are as likely meant: `cats/monday/1.jpg`."""
    nested = _Reading([_nested_root(pictures, known)], nested=True)
    usual, other = _classes(pictures, flat), _classes(pictures, nested)
    if known is None:
        usual_root, other_root = flat.roots[0], nested.roots[0]
        # `train/<class>/…` beside a folder `test` of pictures without classes: nobody means the classes train and test.
        is_above = usual_root != other_root and _is_below(usual_root, other_root) and split_of(usual_root.rsplit("/", 1)[-1]) is None
        unclear = is_above and len(other) > 1 and other.total() - usual.total() > DOUBT_SHARE * len(pictures)
    else:
        unclear = not set(usual) & set(known) and bool(set(other) & set(known))
    if unclear:
        raise _unclear(flat.roots[0], usual, other, known is not None)


def _classes(pictures: Sequence[str], reading: _Reading) -> Counter[str]:
    """Pictures by class."""
    return Counter(folder.rsplit("/", 1)[-1] for path in pictures if (folder := reading.class_folder(path)))


def _unclear(root: str, usual: Counter[str], other: Counter[str], arrived: bool) -> DataError:
    first = f"{_few(other)} ({other.total():,} pictures, in folders below them)"
    second = f"{_few(usual)} ({usual.total():,} pictures, directly in the folders of {root or 'the top'})"
    write = "write in params.yaml, for this data set, prepare: {layout: {nested: true}}"
    others = (
        "or move the pictures into their class folders."
        if arrived
        else f"if {_few(usual)} are, write prepare: {{layout: {{root: '{root}'}}}}."
    )
    return DataError(f"Which folders are the classes? {first}, or {second}.", f"If {_few(other)} are meant, {write}; {others}")


def _few(names: Collection[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more


def _empty(reading: _Reading, classes: Collection[str], files: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Folders directly in a root that are no classes, named by the archive or by a file that lies in them."""
    named = {path.rsplit("/", 1)[0] for path in files} | {path for path in folders if not lies_hidden(path)}
    seen = {reading.class_folder(path, is_file=False) for path in named - set(reading.roots)}
    return sorted(folder for folder in seen if folder and folder not in classes)


def _is_below(path: str, root: str | None) -> bool:
    return not root or path.startswith(f"{root}/")


def _common(roots: Sequence[str]) -> str:
    """The folder that holds all these, or the only one of them."""
    if len(roots) == 1:
        return roots[0]
    above: list[str] = []
    for parts in zip(*(root.split("/")[:-1] for root in roots), strict=False):
        if len(set(parts)) > 1:
            break
        above.append(parts[0])
    return "/".join(above)


def _no_classes(root: str | None) -> DataError:
    if root is not None:
        return DataError(
            f"The archive has no class folders with images directly in {root or 'its top'}.", "Correct prepare.layout.root in params.yaml."
        )
    return DataError(
        "The archive has no class folders with images.", "Pack one folder of images for each class: <anything>/<class>/<image>."
    )
