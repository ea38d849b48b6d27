"""The commands that make a data set."""

import argparse
from pathlib import Path

from edgeloop.cli.common import Command, add_id, name_or_path, path, project
from edgeloop.console import interruption, say


def add(command: Command) -> None:
    fetch = command("fetch", _fetch, "get the archive of a data set, or the file of a backbone")
    add_id(fetch, "name", stage="fetch", help="a data set, or a file of models/backbones/ without .yaml")
    fetch.add_argument(
        "--from", dest="given", type=name_or_path, metavar="PATH|URL", help="take this archive, or folder of class folders, instead"
    )
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
    add_id(command("validate", _validate, "check a prepared data set against its declared rules"), "dataset", stage="validate")


def _fetch(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.datasets.fetch import fetch
    from edgeloop.training.start import fetch_named_backbone, is_backbone

    if options.name not in params.datasets and is_backbone(workspace, options.name):
        say(fetch_named_backbone(workspace, options.name, Path(options.given) if options.given else None))
        return
    record = fetch(workspace, params, options.name, given=options.given)
    hidden = f"; {record.hidden} hidden files left out" if record.hidden else ""
    say(f"{workspace.dataset(options.name).archive}: {record.bytes / 1e6:.1f} MB from {record.origin}, {record.note}{hidden}")


def _prepare(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.datasets.outside import in_words, outside_of
    from edgeloop.datasets.prepare import prepare

    record = prepare(workspace, params, options.dataset)
    splits = ", ".join(f"{name} {split.images}" for name, split in record.splits.items())
    say(f"{record.images} images of {len(record.classes)} classes ({splits}); {sum(record.quarantined.values())} quarantined")
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


def _ingest(options: argparse.Namespace) -> None:
    workspace, params = project()
    params.dataset(options.dataset)
    from flows.run import run_ingest

    # A folder is meant from where the command is given, not from the project's root.
    origin = options.origin if options.origin is None or "://" in options.origin else str(path(options.origin).absolute())
    wishes = {"origin": origin, "again": options.again, "build": options.build, "publish": options.publish, "push": options.push}
    with interruption("the same command begins again, and adds nothing twice"):
        run_ingest(workspace, options.dataset, wishes)
