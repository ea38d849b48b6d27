"""The commands that make a data set."""

import argparse
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cli.common import Command, add_id, name_or_path, path, project, reason
from edgeloop.console import interruption, say
from edgeloop.plural import in_bytes, many

if TYPE_CHECKING:
    from edgeloop.config import Params
    from edgeloop.datasets.corrections import Corrected
    from edgeloop.workspace import Workspace


def add(command: Command) -> None:
    fetch = command("fetch", _fetch, "get the archive of a data set, or the file of a backbone")
    add_id(fetch, "name", stage="fetch", help="a data set, or a file of models/backbones/ without .yaml")
    fetch.add_argument(
        "--from", dest="given", type=name_or_path, metavar="PATH|URL", help="take this archive, or folder of class folders, instead"
    )
    fetch.add_argument("--split-anew", action="store_true", help="divide all images anew, as a data revision (give --reason)")
    fetch.add_argument("--reason", type=reason, metavar="TEXT", help="why all is divided anew")
    add_id(command("prepare", _prepare, "decode an archive into shards and a manifest"), "dataset", stage="prepare")
    ingest = command("ingest", _ingest, "add new images to a data set as a data revision, and build again what stands on it")
    ingest.add_argument("dataset")
    ingest.add_argument("origin", nargs="?", metavar="FOLDER|s3://BUCKET/PREFIX", help="class folders (default: `ingest` of params.yaml)")
    ingest.add_argument("--again", action="store_true", help="look once more at files that were quarantined before")
    end = ingest.add_mutually_exclusive_group()
    end.add_argument("--no-retrain", dest="build", action="store_false", default=None, help="stop at the new data revision")
    end.add_argument("--publish", action="store_true", default=None, help="publish the cards at the end")
    ingest.add_argument(
        "--push", action="store_true", default=None, help="push the commits to the branch's upstream, and their data to the DVC remote"
    )
    _add_corrections(command)
    _add_history(command)
    add_id(command("validate", _validate, "check a prepared data set against its declared rules"), "dataset", stage="validate")


def _add_corrections(command: Command) -> None:
    relabel = command("relabel", _relabel, "give images of a data set another class, as a data revision")
    relabel.add_argument("--to", metavar="CLASS", help="the right class")
    drop = command("drop", _drop, "take images out of a data set, as a data revision")
    for parser, columns in ((relabel, "path,label"), (drop, "path")):
        parser.add_argument("dataset")
        parser.add_argument("paths", nargs="*", metavar="PATH", help="images as the manifest has them: CLASS/FILE, or more of the path")
        parser.add_argument("--csv", type=path, metavar="FILE", help=f"take them from a list instead, {columns} on each line")
        parser.add_argument("--reason", type=reason, required=True, metavar="TEXT", help="why; it is kept with the revision")


def _add_history(command: Command) -> None:
    revisions = command("revisions", _revisions, "list the revisions of a data set, newest first: when, who, why, counts")
    revisions.add_argument("dataset")
    revisions.add_argument("--json", action="store_true", help="as JSON")
    restore = command("restore", _restore, "bring a data set back as it was in a revision, which is a revision itself")
    restore.add_argument("revision", metavar="DATASET@REVISION", help="a commit of `edgeloop revisions`, or the digest of its data")
    restore.add_argument("--reason", type=reason, metavar="TEXT", help="why; it is kept with the revision")


def _fetch(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.datasets.fetch import fetch_images
    from edgeloop.errors import InputError
    from edgeloop.training.start import fetch_named_backbone, is_backbone

    if options.name not in params.datasets and is_backbone(workspace, options.name):
        say(fetch_named_backbone(workspace, options.name, Path(options.given) if options.given else None))
        return
    if options.split_anew:
        _split_anew(workspace, params, options)
        return
    if options.reason:
        raise InputError("--reason: of use with --split-anew only.", "Leave it away.")
    by_hand = "DVC_STAGE" not in os.environ
    with _alone(workspace, options.name) if by_hand and options.name in params.datasets else nullcontext():
        fetched = fetch_images(workspace, params, options.name, given=options.given)
    record = fetched.record
    hidden = f"; {many(record.hidden, 'hidden file')} left out" if record.hidden else ""
    say(f"{workspace.dataset(options.name).archive}: {in_bytes(record.bytes)} from {record.origin}, {record.note}{hidden}")
    if fetched.exchanged is not None:
        say(f"  {fetched.exchanged.in_words()}; what is known keeps its split")
    if fetched.exchanged is not None and by_hand:
        say(f"  next: dvc repro, then commit additions/{options.name} together with dvc.lock")


def _alone(workspace: "Workspace", dataset: str) -> AbstractContextManager[None]:
    """A fetch by hand waits for no ingest; one that is a stage belongs to whoever has the lock."""
    from flows.revise import alone

    return alone(workspace, dataset)


def _split_anew(workspace: "Workspace", params: "Params", options: argparse.Namespace) -> None:
    from edgeloop.datasets.corrections import Corrected, split_anew
    from edgeloop.datasets.fetch import fetch_images
    from edgeloop.errors import InputError
    from flows.revise import correct

    if options.reason is None:
        raise InputError("To divide all images anew needs a reason.", 'Give it: --reason "what was wrong"')

    def change() -> Corrected:
        fetch_images(workspace, params, options.name, given=options.given, keep=False)
        return split_anew(workspace, params, options.name, options.reason)

    for line in correct(workspace, params, options.name, change, say, as_it_is=True):
        say(line)


def _prepare(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.datasets.manifest import DROPPED
    from edgeloop.datasets.outside import in_words, outside_of
    from edgeloop.datasets.prepare import prepare

    record = prepare(workspace, params, options.dataset)
    splits = ", ".join(f"{name} {split.images}" for name, split in record.splits.items())
    say(
        f"{many(record.images, 'image')} of {many(len(record.classes), 'class')} ({splits}); {sum(record.quarantined.values())} quarantined"
    )
    dropped = record.quarantined.get(DROPPED, 0)
    if record.relabelled or dropped:
        say(f"  corrections: {record.relabelled} of another class than their folder's, {dropped} of the quarantined taken out by hand")
    if record.exchanged is not None:
        say(f"  since the archive was exchanged: {record.exchanged.in_words()}")
    for line in in_words(outside_of(record)):
        say(f"  {line}")


def _validate(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.validation.validate import validate

    record = validate(workspace, params, options.dataset)
    broken = [result for result in record.results if not result.holds]
    for result in broken:
        say(f"{result.severity}: {result.description}: {result.observed}, expected {result.expected}")
    say(f"{len(record.results) - len(broken)} of {len(record.results)} rules hold; report: {workspace.dataset(options.dataset).report}")


def _relabel(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.datasets.corrections import read_csv, relabel
    from edgeloop.errors import InputError

    if (options.csv is None) == (not options.paths) or (options.csv is None) == (options.to is None):
        raise InputError("It is not clear what gets which class.", "Give PATH... --to CLASS, or --csv FILE with path,label on each line.")
    rows = (
        [(one, options.to) for one in options.paths] if options.csv is None else [(one, label) for one, label in read_csv(options.csv, 2)]
    )
    labels: dict[str, str] = {}
    for one, label in rows:
        if labels.setdefault(one, label) != label:
            raise InputError(f"{one} is to be {labels[one]} and {label}.", "Give each image once.")
    _correct(workspace, params, options.dataset, lambda: relabel(workspace, params, options.dataset, labels, options.reason))


def _drop(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.datasets.corrections import drop, read_csv
    from edgeloop.errors import InputError

    if (options.csv is None) == (not options.paths):
        raise InputError("It is not clear what is to be taken out.", "Give PATH..., or --csv FILE with a path on each line.")
    paths = options.paths if options.csv is None else [one for (one,) in read_csv(options.csv, 1)]
    _correct(workspace, params, options.dataset, lambda: drop(workspace, params, options.dataset, paths, options.reason))


def _correct(workspace: "Workspace", params: "Params", dataset: str, change: "Callable[[], Corrected]") -> None:
    from flows.revise import correct

    with interruption("nothing was changed; give the same command again"):
        for line in correct(workspace, params, dataset, change, say):
            say(line)


def _ingest(options: argparse.Namespace) -> None:
    workspace, params = project()
    params.dataset(options.dataset)
    from flows.run import run_ingest

    # A folder is meant from where the command is given, not from the project's root.
    origin = options.origin if options.origin is None or "://" in options.origin else str(path(options.origin).absolute())
    wishes = {"origin": origin, "again": options.again, "build": options.build, "publish": options.publish, "push": options.push}
    with interruption("the same command begins again, and adds nothing twice"):
        run_ingest(workspace, options.dataset, wishes)


def _revisions(options: argparse.Namespace) -> None:
    workspace, params = project()
    params.dataset(options.dataset)
    from flows.history import revisions

    found = revisions(workspace, options.dataset)
    if options.json:
        say(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
        return
    for one in found:
        say(one.in_words())
    if not found:
        say(f"no commit holds a revision of {options.dataset} yet: dvc repro, then commit dvc.lock")


def _restore(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.errors import InputError

    dataset, at, name = options.revision.partition("@")
    if not at or not name:
        raise InputError(f"{options.revision} is not DATASET@REVISION.", f"See: edgeloop revisions {dataset or 'DATASET'}")
    params.dataset(dataset)
    from flows.restore import restore

    with interruption("give the same command again: it goes on"):
        for line in restore(workspace, dataset, name, options.reason, say):
            say(line)
