"""Corrections of a data set: images that get another class, and images that are taken out. What they are is remembered by content."""

import csv
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from edgeloop.config import Dataset, Params
from edgeloop.datasets.additions import Step, dropped_key, next_number, read_additions, write_addition, write_named
from edgeloop.datasets.finding import Finder
from edgeloop.datasets.kept import not_kept_yet, remembered
from edgeloop.datasets.manifest import SPLITS, class_names, read_manifest, was_dropped
from edgeloop.errors import InputError
from edgeloop.files import read_text, sha256_file
from edgeloop.records import CorrectedImage, CorrectionRecord, PrepareRecord, provenance
from edgeloop.records.data import Correction
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match

_NAMED = 5


@dataclass(frozen=True)
class Corrected:
    """What a correction made: the record, and the archive that DVC is to track."""

    record: CorrectionRecord
    archive: Path


def read_csv(path: Path, columns: int) -> list[list[str]]:
    """Rows of a list of corrections: path, and the class where there are two columns; a first row `path…` is a heading.

    Raises:
        InputError: it is absent, no text, or has other columns.
    """
    try:
        rows = [row for row in csv.reader(read_text(path).splitlines()) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}", "Give a CSV file in UTF-8.") from error
    if rows and rows[0][0].strip().lower() == "path":
        rows = rows[1:]
    expected = "path,label" if columns == 2 else "path"
    for number, row in enumerate(rows, 1):
        if len(row) != columns or not all(cell.strip() for cell in row):
            raise InputError(f"{path}: entry {number} ({','.join(row)}) has not the form {expected}.", f"Write {expected} on each line.")
    if not rows:
        raise InputError(f"{path} names no image.", f"Write {expected} on each line.")
    return [[cell.strip() for cell in row] for row in rows]


def relabel(workspace: Workspace, params: Params, dataset: str, labels: Mapping[str, str], reason: str) -> Corrected:
    """Give images, by path with their right class, that class; they keep their split.

    Raises:
        InputError: an image or a class is not known, or a class or split would be empty.
    """
    declared, manifest, found = _found(workspace, params, dataset, list(labels))
    _check_classes(sorted(set(labels.values())), [*class_names(manifest), *(declared.validation.classes or ())])
    wanted: dict[str, str] = {}
    for text, path in found.items():
        if wanted.setdefault(path, labels[text]) != labels[text]:
            raise InputError(f"{path} is to be {wanted[path]} and {labels[text]}.", "Give each image once.")
    rows = manifest.set_index("path")
    by_content: dict[str, str] = {}
    for path, label in wanted.items():
        if by_content.setdefault(str(rows.at[path, "sha256"]), label) != label:
            raise InputError(f"{path} is byte for byte another of these images, and they get different classes.", "Give both the same.")
    after = manifest.assign(label=[by_content.get(sha, label) for sha, label in zip(manifest["sha256"], manifest["label"], strict=True)])
    touched = manifest["sha256"].isin(by_content) & (manifest["label"] != after["label"]) & ~was_dropped(manifest)
    if not touched.any():
        raise InputError("All these images have that class already.", "Nothing was changed.")
    _check_lookalikes(after, set(manifest.loc[touched, "path"]))
    images = _images(manifest[touched], lambda row: by_content[row])
    return _written(workspace, dataset, declared, manifest, after, Step(relabelled=by_content, reason=reason), images, "relabel")


def drop(workspace: Workspace, params: Params, dataset: str, paths: Sequence[str], reason: str) -> Corrected:
    """Take images out of the data set, for good.

    Raises:
        InputError: an image is not known, or a class or split would be empty.
    """
    declared, manifest, found = _found(workspace, params, dataset, paths)
    keys = [dropped_key(str(sha), str(label)) for sha, label in zip(manifest["sha256"], manifest["label"], strict=True)]
    wanted = {key for key, path in zip(keys, manifest["path"], strict=True) if path in set(found.values())}
    touched = pd.Series([key in wanted for key in keys], index=manifest.index) & ~was_dropped(manifest)
    if not touched.any():
        raise InputError("All these images were dropped already.", "Nothing was changed.")
    step = Step(dropped=dict.fromkeys(sorted(wanted), reason), reason=reason)
    return _written(workspace, dataset, declared, manifest, manifest[~touched], step, _images(manifest[touched], lambda _: None), "drop")


def split_anew(workspace: Workspace, params: Params, dataset: str, reason: str) -> Corrected:
    """Forget where the images are: the next `prepare` divides them by the declared rule.

    Raises:
        InputError: the data set is not prepared.
    """
    declared, paths = params.dataset(dataset), workspace.dataset(dataset)
    before = sha256_file(paths.manifest) if paths.manifest.is_file() else None
    return _record(workspace, dataset, declared, Step(anew=True, reason=reason), [], "split anew", before)


def _found(workspace: Workspace, params: Params, dataset: str, wanted: Sequence[str]) -> tuple[Dataset, pd.DataFrame, dict[str, str]]:
    """The declaration, the manifest, and the path of each image that is wanted."""
    declared, manifest = params.dataset(dataset), read_manifest(workspace.dataset(dataset).manifest)
    readable = manifest[manifest["sha256"].notna()]
    found = Finder(readable["path"]).find(wanted)
    return declared, manifest, dict(zip(wanted, found, strict=True))


def _check_classes(wanted: Sequence[str], known: Sequence[str]) -> None:
    for label in wanted:
        if label not in known:
            raise InputError(
                f"The data set has no class '{label}'{near_match(label, known)}.",
                "A new class changes what a network is: declare it in validate.classes first.",
            )


def _check_lookalikes(after: pd.DataFrame, touched: set[str]) -> None:
    """The same picture may not be of two classes."""
    used = after[after["split"].notna() & after["duplicate_group"].notna()]
    groups = set(after.loc[after["path"].isin(touched) & after["split"].notna(), "duplicate_group"].dropna())
    for _, rows in used[used["duplicate_group"].isin(groups)].groupby("duplicate_group"):
        if rows["label"].nunique() > 1:
            listed = ", ".join(f"{path} ({label})" for path, label in zip(rows["path"], rows["label"], strict=True))
            raise InputError(f"These show the same picture, and would be of several classes: {listed}.", "Correct all of them at once.")


def _images(rows: pd.DataFrame, after: Callable[[str], str | None]) -> list[CorrectedImage]:
    plain = rows["split"].astype(object).where(rows["split"].notna(), None)
    return [
        CorrectedImage(path=path, sha256=sha256, split=split, before=label, after=after(sha256))
        for path, sha256, split, label in zip(rows["path"], rows["sha256"], plain, rows["label"], strict=True)
    ]


def _written(
    workspace: Workspace,
    dataset: str,
    declared: Dataset,
    before: pd.DataFrame,
    after: pd.DataFrame,
    step: Step,
    images: list[CorrectedImage],
    action: Correction,
) -> Corrected:
    _check_not_empty(before, after)
    memory = remembered(read_additions(workspace, dataset, declared.prepare.limits))
    paths = workspace.dataset(dataset)
    rule = memory.rule or PrepareRecord.read(paths.prepare_record).split_rule
    step = replace(step, rule=rule, kept=not_kept_yet(before, memory.kept))
    return _record(workspace, dataset, declared, step, images, action, sha256_file(paths.manifest))


def _check_not_empty(before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Refuse what would leave a class or a split without images."""
    used, left = before[before["split"].notna()], after[after["split"].notna()]
    classes = set(used["label"]) - set(left["label"])
    training = set(used.loc[used["split"] == "train", "label"]) - set(left.loc[left["split"] == "train", "label"]) - classes
    empty = [f"the class {label}" for label in sorted(classes)]
    empty += [f"the class {label} in train" for label in sorted(training)]
    empty += [f"the split {split}" for split in SPLITS if (used["split"] == split).any() and not (left["split"] == split).any()]
    if empty:
        raise InputError(f"That would leave no image in {', '.join(empty)}.", "Add images first, or correct fewer of them.")


def _record(
    workspace: Workspace, dataset: str, declared: Dataset, step: Step, images: list[CorrectedImage], action: Correction, before: str | None
) -> Corrected:
    started, number = dt.datetime.now(dt.UTC), next_number(workspace, dataset)
    archive = write_named(workspace.dataset(dataset).additions, f"{number:05d}-", lambda target: write_addition(target, step))
    record = CorrectionRecord(
        dataset=dataset,
        number=number,
        action=action,
        reason=step.reason,
        images=images,
        archive=archive.name,
        revision_before=before,
        revision_after=before or "",
        provenance=provenance(workspace.root, {"prepare": declared.prepare.model_dump(mode="json")}, ["pandas"], started, before),
    )
    return Corrected(record, archive)


def many(count: int) -> str:
    """A number of images."""
    return f"{count} image{'s' * (count != 1)}"


def in_words(record: CorrectionRecord) -> list[str]:
    """What a correction did, in lines."""
    splits = Counter(image.split or "none" for image in record.images)
    where = ", ".join(f"{split} {count}" for split, count in sorted(splits.items()))
    if record.action == "split anew":
        return ["all images divided anew"]
    done = "given another class, with the split as before" if record.action == "relabel" else "taken out"
    lines = [f"{many(len(record.images))} {done} ({where})"]
    lines += [f"  {image.path}: {image.before}{f' -> {image.after}' if image.after else ''}" for image in record.images[:_NAMED]]
    more = len(record.images) - _NAMED
    return [*lines, *([f"  … and {more} more"] if more > 0 else [])]
