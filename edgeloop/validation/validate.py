"""The step `validate`: does a prepared data set keep its declared rules?"""

import datetime as dt
import json
from pathlib import Path

import pandas as pd

from edgeloop.config import Params
from edgeloop.datasets.manifest import read_manifest
from edgeloop.datasets.outside import in_words, outside_of
from edgeloop.errors import InputError, ValidationFailed
from edgeloop.files import sha256_file, write_text
from edgeloop.records import Outside, PrepareRecord, Provenance, RuleResult, ValidateRecord, provenance
from edgeloop.validation.baseline import Baseline, Summary
from edgeloop.validation.facts import Facts, gather, rounding_share
from edgeloop.validation.report import write_report
from edgeloop.validation.rules import DeclaredRule, refuse_unknown, rules_for
from edgeloop.validation.suite import Outcome, run_suite
from edgeloop.workspace import DatasetPaths, Workspace


def validate(workspace: Workspace, params: Params, dataset: str) -> ValidateRecord:
    """Check a prepared data set against its rules; write the report page, the record and, if accepted, `accepted.json`.

    A broken rule of severity `warning` goes into the record. `baseline.json` remembers the accepted manifest for the
    drift rules of the next one; a rejected manifest leaves it as it was.

    Raises:
        ConfigError: params.yaml names a rule that does not exist.
        InputError: the data set is not prepared.
        ValidationFailed: a rule of severity `error` is broken; record and report are written, `accepted.json` is not there.
    """
    started = dt.datetime.now(dt.UTC)
    paths = workspace.dataset(dataset)
    declared = params.dataset(dataset)
    refuse_unknown(dataset, declared)
    paths.accepted.unlink(missing_ok=True)
    manifest, digest = read_manifest(paths.manifest), sha256_file(paths.manifest)
    baseline = Baseline.read(paths.baseline)
    outside = _outside(paths, digest, dataset)
    facts = gather(manifest, digest, declared, baseline.previous_of(digest) if baseline else None, outside)
    rules = rules_for(dataset, declared, rounding_share(facts))
    outcomes = run_suite(dataset, rules, {"images": facts.images, "figures": pd.DataFrame([facts.figures], dtype=float)})
    settings = {"validate": declared.validation.model_dump(), "split": declared.prepare.split.model_dump()}
    origin = provenance(workspace.root, settings, ["great-expectations", "pandas"], started, digest)
    record = _record(dataset, facts, rules, outcomes, origin)
    write_report(paths, record, rules, outcomes, facts)
    if record.accepted:
        _accept(paths, record, rules, facts.summary, baseline)
    record.write(paths.validate_record)
    if not record.accepted:
        raise _failure(dataset, record, outside, paths.report)
    return record


def _outside(paths: DatasetPaths, manifest_sha256: str, dataset: str) -> Outside:
    prepared = PrepareRecord.read(paths.prepare_record)
    if prepared.manifest_sha256 != manifest_sha256:
        raise InputError(f"{paths.prepare_record} speaks of another manifest.", f"Prepare the data set again: dvc repro prepare@{dataset}")
    return outside_of(prepared)


def _record(dataset: str, facts: Facts, rules: list[DeclaredRule], outcomes: dict[str, Outcome], origin: Provenance) -> ValidateRecord:
    results = [_result(rule, outcomes[rule.name], facts) for rule in rules]
    return ValidateRecord(
        provenance=origin,
        dataset=dataset,
        manifest_sha256=facts.summary.manifest_sha256,
        previous_manifest_sha256=facts.previous.manifest_sha256 if facts.previous else None,
        accepted=all(result.holds or result.severity == "warning" for result in results),
        results=results,
    )


def _result(rule: DeclaredRule, outcome: Outcome, facts: Facts) -> RuleResult:
    return RuleResult(
        name=rule.name,
        description=rule.description,
        severity=rule.bounds.severity,
        holds=outcome.holds,
        observed=_observed(rule, facts),
        expected=rule.expected,
        failed_rows=outcome.failed_rows,
    )


def _observed(rule: DeclaredRule, facts: Facts) -> float | str | None:
    """The figure, or for the class list what differs from the declared one."""
    if rule.decides.kind != "distinct_equal_set":
        figure = facts.figures[rule.name]
        return None if figure is None else round(figure, 6)
    declared, found = set(rule.decides.arguments["value_set"]), set(facts.summary.classes)
    missing = [f"missing: {label}" for label in sorted(declared - found)]
    undeclared = [f"not declared: {label}" for label in sorted(found - declared)]
    return "; ".join(missing + undeclared) or "as declared"


def _accept(paths: DatasetPaths, record: ValidateRecord, rules: list[DeclaredRule], summary: Summary, baseline: Baseline | None) -> None:
    """Remember the manifest, and write `accepted.json`: equal for equal manifests and rules, whatever came before."""
    if baseline is None or baseline.accepted.manifest_sha256 != summary.manifest_sha256:
        Baseline(accepted=summary, before=baseline.accepted if baseline else None).write(paths.baseline)
    lasting = {rule.name for rule in rules if rule.group != "Drift"}
    states = {result.name: "holds" if result.holds else "warned" for result in record.results if result.name in lasting}
    accepted = {"dataset": record.dataset, "manifest_sha256": record.manifest_sha256, "rules": states}
    write_text(paths.accepted, json.dumps(accepted, indent=2) + "\n")


def _failure(dataset: str, record: ValidateRecord, outside: Outside, report: Path) -> ValidationFailed:
    broken = [result for result in record.results if not result.holds and result.severity == "error"]
    lines = [f"  {result.name}: {result.description}: {_shown(result.observed)}, expected {result.expected}" for result in broken]
    remedies = [f"See {report}. Correct the data, or change datasets.{dataset}.validate in params.yaml if the rule is wrong."]
    if {result.name for result in broken} & {"outside_class_folders", "empty_class_folders"}:
        lines += [f"  {line}" for line in in_words(outside)]
        remedies.append(
            f"datasets.{dataset}.prepare.layout says where the classes are: `nested: true` takes pictures in folders below a class folder, "
            "`root: FOLDER` leaves out what lies beside that folder (docs/prepare.md)."
        )
    return ValidationFailed(f"The data set {dataset} breaks {len(broken)} of its rules:\n" + "\n".join(lines), " ".join(remedies))


def _shown(observed: float | str | None) -> str:
    return f"{observed:.6g}" if isinstance(observed, float) else str(observed)
