"""Which file was made from which, by which commit, tools and machine: an in-toto statement for each step, one a line.

Source of the form: in-toto Attestation Framework v1 (Statement) with the predicate of SLSA Provenance v1.0. The lines are not signed one
by one: the signature of the bundle is of this file, too.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from edgeloop.bundle.files import FLOAT_MODEL, sha256
from edgeloop.bundle.stated import CARD, FOLDER, GENERATE, Stated
from edgeloop.errors import BundleError
from edgeloop.records import CodegenRecord, PrepareRecord, Record

PREDICATE = "https://slsa.dev/provenance/v1"
STATEMENT = "https://in-toto.io/Statement/v1"
STEP, MACHINE = "urn:edgeloop:step:", "urn:edgeloop:machine:"
CARDS = ("README.md", "index.html", "plots/")
MANIFEST = "manifest.parquet"
"""Of the data set; its pictures are not in the bundle, and it is neither."""
Named = dict[str, str]
"""SHA-256 by name."""


def statements(stated: Stated, digests: Mapping[str, str]) -> bytes:
    """A statement for each step that made a file of the bundle, or what such a file was made from."""
    made = [_statement(name, record, subjects, materials) for name, record, subjects, materials in _steps(stated, dict(digests))]
    for one in made:
        _check_form(one)
    return "".join(json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n" for one in made).encode()


def subjects_of(content: bytes) -> list[tuple[str, str]]:
    """Name and digest of everything that the statements say was made.

    Raises:
        BundleError: a line is no such statement.
    """
    found = []
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        try:
            told = json.loads(line)
            _check_form(told)
            found += [(one["name"], one["digest"]["sha256"]) for one in told["subject"]]
        except (ValueError, KeyError, TypeError):
            raise BundleError(f"provenance.jsonl, line {number}: it is no in-toto statement with SLSA provenance.") from None
    return found


def must_be_stated(name: str) -> bool:
    """Whether the provenance has to say what made that file of a bundle."""
    return name.startswith(("models/", "code/", *CARDS))


def _check_form(told: dict[str, Any]) -> None:
    """See that in-toto's own definitions take it.

    Raises:
        ValueError: they do not.
    """
    from google.protobuf.json_format import ParseDict, ParseError
    from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
    from in_toto_attestation.v1.statement import Statement
    from in_toto_attestation.v1.statement_pb2 import Statement as Form

    try:
        ParseDict(told["predicate"], Provenance())
        statement = Statement.copy_from_pb(ParseDict(told, Form()))
        statement.validate()
    except (ParseError, KeyError) as error:
        raise ValueError(str(error)) from None
    if told.get("predicateType") != PREDICATE:
        raise ValueError(f"its predicate is {told.get('predicateType')}")


def _steps(stated: Stated, digests: Named) -> Iterator[tuple[str, Record, Named, Named]]:
    """Each step: the name of its record, the record, what it made, and what from."""
    manifest = {MANIFEST: stated.prepare.manifest_sha256}
    models = {f"models/{model.file}": model.sha256 for model in stated.quantize.models}
    beside = {name: digest for name, digest in digests.items() if name.startswith("models/") and name not in {*models, FLOAT_MODEL}}
    trained = {FLOAT_MODEL: stated.train.model_sha256}
    calibration = {"calibration pixels": stated.quantize.calibration_sha256}
    start = {stated.train.start.origin: stated.train.start.sha256} if stated.train.start.sha256 else {}
    yield "prepare", stated.prepare, manifest, {"archive": stated.prepare.archive.sha256}
    yield "validate", stated.validate, _record("validate", digests), manifest
    yield "train", stated.train, trained, manifest | start
    yield "quantize", stated.quantize, models | beside, trained | manifest | calibration
    if stated.codegen:
        code = {name: digest for name, digest in digests.items() if name.startswith("code/")}
        yield "generate", stated.codegen, code or {GENERATE: digests[GENERATE]}, _only(models, stated.codegen)
    yield "evaluate", stated.evaluate, _record("evaluate", digests), models | manifest
    for name, record in stated.benchmarks.items():
        yield name.removeprefix(FOLDER).removesuffix(".json"), record, {name: digests[name]}, models | manifest
    pages = {name: digest for name, digest in digests.items() if name.startswith(CARDS)}
    yield "card", stated.card, pages, {f"{FOLDER}{name}": digest for name, digest in stated.card.records.items()}


def _record(step: str, digests: Named) -> Named:
    name = f"{FOLDER}{step}.json"
    return {name: digests[name]}


def _only(models: Named, record: CodegenRecord) -> Named:
    return {name: digest for name, digest in models.items() if digest == record.model_sha256}


def _statement(step: str, record: Record, subjects: Named, materials: Named) -> dict[str, Any]:
    made = record.provenance
    kind, _, _ = step.partition("/")
    project: list[dict[str, Any]] = []
    if made.git_commit is not None:
        told = {"name": "project", "digest": {"gitCommit": made.git_commit}}
        project = [told | {"annotations": {"changed since": made.git_dirty}}]
    return {
        "_type": STATEMENT,
        "subject": _descriptors(subjects),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": f"{STEP}{kind}",
                "externalParameters": {"command": made.command, "params": made.params} | _origin(record),
                "internalParameters": {"host": made.host, "cpu": made.cpu, "cpus": made.cpus},
                "resolvedDependencies": project + _descriptors(materials),
            },
            "runDetails": {
                "builder": {"id": f"{MACHINE}{made.host}", "version": made.tools},
                "metadata": {"startedOn": _time(made.time_utc, made.duration_s), "finishedOn": _time(made.time_utc, 0.0)},
            },
        },
    }


def _origin(record: Record) -> dict[str, str]:
    return {"archive": record.archive.origin} if isinstance(record, PrepareRecord) else {}


def _descriptors(named: Named) -> list[dict[str, Any]]:
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(named.items())]


def _time(finished: str, before_s: float) -> str:
    """RFC 3339, in UTC."""
    moment = dt.datetime.fromisoformat(finished).astimezone(dt.UTC) - dt.timedelta(seconds=before_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_digests(files: Mapping[str, bytes]) -> Named:
    """What `card.json` should state: the digest of each record that the card was made from."""
    return {name.removeprefix(FOLDER): sha256(content) for name, content in files.items() if name.startswith(FOLDER) and name != CARD}
