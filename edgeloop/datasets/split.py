"""Dividing images into train, val and test: pure functions of paths, labels, groups of duplicates and a seed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeloop.config import Split
from edgeloop.errors import DataError

# What Keras' image_dataset_from_directory takes for images.
KERAS_EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
CONFLICT = "duplicate with another label"
OF_TEST_IMAGE = "duplicate of a test image"
OF_VAL_IMAGE = "duplicate of a val image"

Groups = Sequence[Sequence[str]]


@dataclass(frozen=True)
class OfficialLists:
    """The lists that an archive holds: `class/name` of each image, without extension."""

    train: frozenset[str]
    test: frozenset[str]


@dataclass
class Assignment:
    """Where each usable image went."""

    splits: dict[str, str] = field(default_factory=dict)
    """`train`, `val` or `test`, by path."""
    quarantined: dict[str, str] = field(default_factory=dict)
    """The reason, by path."""
    rule: str = ""
    """The rule that was applied, in words."""


@dataclass(frozen=True)
class Declared:
    """What an archive itself says about its splits."""

    lists: OfficialLists | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    """`train`, `val` or `test` by path, from the folders of splits."""


def assign(
    labels: Mapping[str, str], groups: Groups, every_file: Sequence[str], split: Split, declared: Declared | None = None
) -> Assignment:
    """Divide usable images, given by path with their label.

    `groups` are duplicates of each other. `every_file` is each file of the class folders, usable or not: the rule
    `keras` counts them all. A group with more than one label is quarantined; so are images outside `test` that
    duplicate one in it; a group within train and val goes to one of them as a whole. Where the archive's folders say
    what is `val`, images of `train` that duplicate one of these are quarantined, too.
    """
    done, declared = Assignment(), declared or Declared()
    done.quarantined.update(_conflicts(labels, groups))
    usable = {path: label for path, label in labels.items() if path not in done.quarantined}
    alike = [group for group in groups if group[0] in usable]
    test, done.rule = _test(usable, alike, every_file, split, declared)
    done.quarantined.update(_copies_of(test, alike, OF_TEST_IMAGE))
    rest = {path: label for path, label in usable.items() if path not in test and path not in done.quarantined}
    val = {path for path in rest if declared.folders.get(path) == "val"}
    if val:
        copies = _copies_of(val, alike, OF_VAL_IMAGE, rest)
        done.quarantined.update(copies)
        rest = {path: label for path, label in rest.items() if path not in copies}
        done.rule += f"; val: the archive's folder ({len(val)} images)"
    else:
        val = stratified_part(rest, alike, split.val_fraction, f"{split.seed} val")
        done.rule += f"; val: {split.val_fraction:g} of the rest of each class, seed {split.seed}"
    done.splits = {path: "test" if path in test else "val" if path in val else "train" for path in (*rest, *test)}
    return done


def keras_test(files: Iterable[str], fraction: float, seed: int) -> list[str]:
    """The files that Keras' `image_dataset_from_directory(validation_split=fraction, seed=seed)` puts into validation.

    Classes sorted, files sorted in each, one shuffle by `RandomState(seed)`, the last int(fraction * n) of n.
    `files` end in <class>/<file>; other extensions than Keras' own are passed over.
    """
    seen = sorted((path for path in files if path.lower().endswith(KERAS_EXTENSIONS)), key=lambda path: path.split("/")[-2:])
    order = np.arange(len(seen))
    np.random.RandomState(seed).shuffle(order)
    return [seen[index] for index in order[len(seen) - int(fraction * len(seen)) :]]


def stratified_part(labels: Mapping[str, str], groups: Groups, fraction: float, seed: str) -> set[str]:
    """About `fraction` of each class, chosen by the digest of seed and path; groups stay whole.

    At least one image of a class with three or more, never a whole class, never more than the rounded share.
    """
    by_label: dict[str, list[list[str]]] = defaultdict(list)
    for unit in _units(labels, groups):
        by_label[labels[unit[0]]].append(unit)
    return {path for units in by_label.values() for path in _share(units, fraction, seed)}


def parse_list(name: str, content: bytes) -> frozenset[str]:
    """The entries of an official list: JSON `{class: [entry, …]}`, or one entry a line.

    Raises:
        DataError: it is neither.
    """
    try:
        text = content.decode("utf-8-sig")
        if not name.endswith(".json"):
            return frozenset(line.strip() for line in text.splitlines() if line.strip())
        return frozenset(str(entry) for entries in json.loads(text).values() for entry in entries)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(
            f"The list {name} of the archive cannot be read: {error}", "Take the official archive, or the split rule 'stratified'."
        ) from error


def entry_of(path: str) -> str:
    """How an official list names a file: `class/name` without extension."""
    label, name = path.split("/")[-2:]
    return f"{label}/{name.rsplit('.', 1)[0]}"


def _conflicts(labels: Mapping[str, str], groups: Groups) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for group in groups:
        for path in group:
            others = [other for other in group if labels[other] != labels[path]]
            if others:
                reasons[path] = f"{CONFLICT}: {others[0]}"
    return reasons


def _copies_of(kept: set[str], groups: Groups, why: str, among: Container[str] | None = None) -> dict[str, str]:
    """The reason of each image (of those `among`) that duplicates one that is kept."""
    reasons: dict[str, str] = {}
    for group in groups:
        first = next((path for path in group if path in kept), None)
        others = [path for path in group if path not in kept and (among is None or path in among)]
        reasons.update({path: f"{why}: {first}" for path in others if first is not None})
    return reasons


def _test(usable: Mapping[str, str], groups: Groups, every_file: Sequence[str], split: Split, declared: Declared) -> tuple[set[str], str]:
    """The usable test images, and the rule in words."""
    if split.rule == "keras":
        return _by_keras(usable, every_file, split)
    if split.rule == "official" and declared.lists is not None:
        return _by_lists(usable, declared.lists)
    if split.rule == "folders":
        return _by_folders(usable, groups, split, declared.folders)
    test = stratified_part(usable, groups, split.test_fraction, f"{split.seed} test")
    words = f"stratified: {split.test_fraction:g} of each class, seed {split.seed}"
    if split.rule == "official":
        words += " (instead of official: the archive holds no lists of training and test images that name its files)"
    return test, words


def _by_keras(usable: Mapping[str, str], every_file: Sequence[str], split: Split) -> tuple[set[str], str]:
    chosen = keras_test(every_file, split.test_fraction, split.seed)
    test = {path for path in chosen if path in usable}
    words = f"keras: image_dataset_from_directory, seed {split.seed}, the last {split.test_fraction:g} ({len(chosen)} files) of its shuffle"
    return test, words + _missing(len(chosen) - len(test), "of these {} are quarantined")


def _by_lists(usable: Mapping[str, str], lists: OfficialLists) -> tuple[set[str], str]:
    test = {path for path in usable if entry_of(path) in lists.test}
    unlisted = sum(entry_of(path) not in lists.train for path in usable if path not in test)
    words = f"official: the archive's list of {len(lists.test)} test images"
    words += _missing(len(lists.test) - len(test), "of these {} are quarantined or absent")
    return test, words + _missing(unlisted, "{} on neither list count as training images")


def _by_folders(usable: Mapping[str, str], groups: Groups, split: Split, folders: Mapping[str, str]) -> tuple[set[str], str]:
    """The archive's folder for test; without one a share of that for training."""
    test = {path for path in usable if folders[path] == "test"}
    if test:
        quarantined = sum(where == "test" for where in folders.values()) - len(test)
        return test, f"folders: the archive's folder for test ({len(test)} images)" + _missing(quarantined, "{} more cannot be used")
    training = {path: label for path, label in usable.items() if folders[path] == "train"}
    test = stratified_part(training, groups, split.test_fraction, f"{split.seed} test")
    return test, f"folders: no folder for test, so {split.test_fraction:g} of each class of that for training, seed {split.seed}"


def _missing(count: int, words: str) -> str:
    return f" ({words.format(count)})" if count else ""


def _units(labels: Mapping[str, str], groups: Groups) -> list[list[str]]:
    """What stays together: the members of each group that are in `labels`, and each other path alone."""
    together = [unit for group in groups if (unit := sorted(path for path in group if path in labels))]
    grouped = {path for unit in together for path in unit}
    return together + [[path] for path in labels if path not in grouped]


def _share(units: list[list[str]], fraction: float, seed: str) -> list[str]:
    total = sum(map(len, units))
    target = min(max(round(fraction * total), 1 if fraction and total >= 3 else 0), total - 1)
    chosen: list[str] = []
    for unit in sorted(units, key=lambda unit: hashlib.sha256(f"{seed} {unit[0]}".encode()).digest()):
        if len(chosen) + len(unit) <= target:
            chosen += unit
    return chosen
