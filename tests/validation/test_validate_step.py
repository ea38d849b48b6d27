"""The step `validate`: what is accepted, what is only warned of, what stops the pipeline, and what it leaves behind."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prepared_sets import Row, healthy_rows, image_row, params_of, prepare, quarantined_row

from edgeloop.config import Rule, Split, Validate, load_params
from edgeloop.datasets.manifest import read_manifest
from edgeloop.errors import ConfigError, InputError, ValidationFailed
from edgeloop.files import sha256_file
from edgeloop.records import Outside, RuleResult, ValidateRecord
from edgeloop.validation import validate
from edgeloop.workspace import Workspace

Change = Callable[[list[Row]], object]


def test_a_healthy_set_is_accepted_and_only_read(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows())
    paths = workspace.dataset("sample")
    before = read_manifest(paths.manifest)
    record = validate(workspace, load_params(workspace), "sample")
    assert read_manifest(paths.manifest).equals(before)
    assert record.accepted
    assert not [result.name for result in record.results if not result.holds]
    assert ValidateRecord.read(paths.validate_record) == record
    assert record.manifest_sha256 == record.provenance.data_revision == sha256_file(paths.manifest)
    assert paths.report.is_file()
    accepted = json.loads(paths.accepted.read_text())
    assert accepted.keys() == {"dataset", "manifest_sha256", "rules"}, "and no time"
    assert accepted["manifest_sha256"] == record.manifest_sha256
    assert set(accepted["rules"].values()) == {"holds"}


MUCH = Outside(pictures=60, places={"m/cats/more": 29, "m/dogs/more": 31}, left_out=5, hidden=2, empty_class_folders=[])


def test_a_rule_bounds_the_pictures_outside_the_class_folders(workspace: Workspace) -> None:
    params, little = load_params(workspace), MUCH.model_copy(update={"pictures": 1, "places": {"": 1}})
    prepare(workspace, healthy_rows(), outside=little)
    assert validate(workspace, params, "sample").accepted, "1 of 151 pictures"
    prepare(workspace, healthy_rows(), outside=MUCH)
    with pytest.raises(ValidationFailed) as failed:
        validate(workspace, params, "sample")
    assert "outside_class_folders: Share of the archive's pictures that are outside the class folders: 0.285714" in failed.value.what
    assert "60 pictures outside the class folders: 31 in m/dogs/more, 29 in m/cats/more" in failed.value.what
    assert "nested: true" in failed.value.remedy
    allowed = params_of(workspace, Validate(rules={"outside_class_folders": Rule(at_most=0.5)}))
    assert validate(workspace, allowed, "sample").accepted


def test_a_rule_bounds_the_class_folders_without_pictures(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows(), outside=MUCH.model_copy(update={"pictures": 0, "places": {}, "empty_class_folders": ["m/birds"]}))
    with pytest.raises(ValidationFailed, match=r"empty_class_folders: .*(?s:.*)class folders without pictures: m/birds"):
        validate(workspace, load_params(workspace), "sample")


def test_a_prepare_record_of_before_is_judged_by_the_files_that_it_lists(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows(), outside=None, outside_class_folders=["m/LICENSE.txt"])
    assert validate(workspace, load_params(workspace), "sample").accepted
    prepare(workspace, healthy_rows(), outside=None, outside_class_folders=[f"m/cats/more/{n}.jpg" for n in range(9)])
    with pytest.raises(ValidationFailed, match="9 in m/cats/more"):
        validate(workspace, load_params(workspace), "sample")


def test_a_prepare_record_of_another_manifest_is_refused(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows(), manifest_sha256="0" * 64)
    with pytest.raises(InputError, match=r"prepare\.json speaks of another manifest"):
        validate(workspace, load_params(workspace), "sample")


def _without_tulips(rows: list[Row]) -> None:
    rows[:] = [row for row in rows if row["label"] != "tulip"]


def _with_roses(rows: list[Row]) -> None:
    rows += healthy_rows(("rose",))


def _hardly_any_bells(rows: list[Row]) -> None:
    rows[:] = [row for row in rows if row["label"] != "bell"] + healthy_rows(("daisy",), 300) + [image_row("bell", 0, "train")]


def _quarantine_ten(rows: list[Row]) -> None:
    rows += [quarantined_row("bell", 1000 + index, "does not decode") for index in range(10)]


def _same_bytes_in_train_and_test(rows: list[Row]) -> None:
    rows[0]["sha256"] = rows[29]["sha256"]
    assert rows[0]["split"] != rows[29]["split"]


def _same_group_in_train_and_test(rows: list[Row]) -> None:
    rows[0]["duplicate_group"] = rows[28]["duplicate_group"] = 7
    assert rows[0]["split"] != rows[28]["split"]


def _no_bell_in_val(rows: list[Row]) -> None:
    for row in rows:
        if row["label"] == "bell" and row["split"] == "val":
            row["split"] = "train"


def _everything_in_test(rows: list[Row]) -> None:
    for row in rows:
        if row["split"] == "train" and int(row["path"][-8:-4]) % 2:
            row["split"] = "test"


def _many_copies(rows: list[Row]) -> None:
    trained = [row for row in rows if row["split"] == "train"]
    for row in trained[:40]:
        row |= {"sha256": trained[0]["sha256"], "label": trained[0]["label"]}


BROKEN: list[dict[str, Change]] = [
    {"class_count": _without_tulips},
    {"classes": _with_roses},
    {"smallest_class": _hardly_any_bells},
    {"image_count": lambda rows: rows.__delitem__(slice(6, None))},
    {"test_share": _everything_in_test, "split_leaks": _same_group_in_train_and_test},
    {
        "short_side": lambda rows: rows[3].update(height=31),
        "unusual_formats": lambda rows: rows[3].update(format="PSD"),
        "quarantine_rate": _quarantine_ten,
        "split_leaks": _same_bytes_in_train_and_test,
        "missing_in_splits": _no_bell_in_val,
    },
    {"exact_duplicate_rate": _many_copies},
]
"""Rules that break together, each by its own change."""


@pytest.mark.parametrize("changes", BROKEN, ids=" ".join)
def test_a_broken_rule_stops_the_pipeline(workspace: Workspace, changes: dict[str, Change]) -> None:
    rows = healthy_rows()
    for change in changes.values():
        change(rows)
    prepare(workspace, rows)
    with pytest.raises(ValidationFailed) as failure:
        validate(workspace, load_params(workspace), "sample")
    broken = _broken(workspace)
    for rule in changes:
        assert rule in failure.value.what
        assert broken[rule].severity == "error"


def _near_copies(rows: list[Row]) -> None:
    trained = [row for row in rows if row["split"] == "train" and row["label"] == "bell"]
    trained += [row for row in rows if row["split"] == "train" and row["label"] == "daisy"]
    for row in trained:
        row["duplicate_group"] = {"bell": 1, "daisy": 2}[row["label"]]


def _look_alikes(rows: list[Row]) -> None:
    bell, tulip = (next(row for row in rows if row["label"] == label) for label in ("bell", "tulip"))
    tulip["phash"] = f"{int(bell['phash'], 16) ^ 0b1011:016x}"


def _outliers(rows: list[Row]) -> None:
    rows[3]["width"] = 1600
    for row in rows[:4]:
        row["brightness"] = 253.0
    for row in rows[:5]:
        row["sharpness"] = 0.5


def test_a_hint_is_a_warning_that_the_record_states(workspace: Workspace) -> None:
    rows = healthy_rows()
    for change in (_look_alikes, _outliers, _near_copies):
        change(rows)
    prepare(workspace, rows)
    record = validate(workspace, load_params(workspace), "sample")
    assert record.accepted
    named = {"label_conflicts": 2, "aspect_ratio": 1, "brightness_outliers": 4, "sharpness_outliers": 5, "duplicate_rate": 40}
    assert {rule: result.failed_rows for rule, result in _broken(workspace).items()} == named
    states = json.loads(workspace.dataset("sample").accepted.read_text())["rules"]
    assert {rule for rule, state in states.items() if state == "warned"} == named.keys()


def test_a_rejected_set_leaves_record_and_report_but_no_acceptance(workspace: Workspace) -> None:
    paths = workspace.dataset("sample")
    prepare(workspace, healthy_rows())
    validate(workspace, load_params(workspace), "sample")
    baseline = paths.baseline.read_bytes()
    prepare(workspace, [row for row in healthy_rows() if row["label"] != "tulip"])
    paths.report.unlink()
    with pytest.raises(ValidationFailed) as failure:
        validate(workspace, load_params(workspace), "sample")
    assert not ValidateRecord.read(paths.validate_record).accepted
    assert paths.report.is_file()
    assert not paths.accepted.exists()
    assert paths.baseline.read_bytes() == baseline
    assert "missing: tulip" in failure.value.what
    assert str(paths.report) in failure.value.remedy


def test_observed_figures_are_those_of_the_manifest(workspace: Workspace) -> None:
    rows = healthy_rows()
    rows[3]["height"] = 40
    rows.append(quarantined_row("bell", 1000, "does not decode"))
    prepare(workspace, rows)
    results = {result.name: result for result in validate(workspace, load_params(workspace), "sample").results}
    assert results["short_side"].observed == 40
    assert results["short_side"].expected == "at least 32 px"
    assert results["image_count"].observed == 150
    assert results["quarantine_rate"].observed == pytest.approx(1 / 151, abs=1e-6)
    assert results["test_share"].observed == 0.2
    assert results["classes"].observed == "as declared"
    assert results["class_drift"].observed is None


def test_drift_is_measured_against_the_manifest_accepted_before(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows())
    first = validate(workspace, load_params(workspace), "sample")
    darker = [row | {"brightness": row["brightness"] - 60, "width": 320, "height": 240} for row in healthy_rows()]
    prepare(workspace, darker)
    second = validate(workspace, load_params(workspace), "sample")
    assert first.previous_manifest_sha256 is None
    assert second.previous_manifest_sha256 == first.manifest_sha256
    assert second.accepted
    assert set(_broken(workspace)) == {"brightness_drift", "size_drift"}
    again = validate(workspace, load_params(workspace), "sample")
    assert again.results == second.results


def test_a_class_that_grows_is_drift_of_class_shares(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows())
    validate(workspace, load_params(workspace), "sample")
    grown = healthy_rows() + [
        image_row("tulip", 100 + index, split) for index, split in enumerate(["train"] * 110 + ["val"] * 10 + ["test"] * 30)
    ]
    prepare(workspace, grown)
    validate(workspace, load_params(workspace), "sample")
    drift = _broken(workspace)["class_drift"]
    assert drift.observed == pytest.approx(180 / 300 - 30 / 150)


def test_acceptance_does_not_depend_on_what_was_accepted_before(workspace: Workspace) -> None:
    paths = workspace.dataset("sample")
    prepare(workspace, healthy_rows())
    validate(workspace, load_params(workspace), "sample")
    fresh = paths.accepted.read_bytes()
    prepare(workspace, [row | {"brightness": row["brightness"] - 60} for row in healthy_rows()])
    validate(workspace, load_params(workspace), "sample")
    prepare(workspace, healthy_rows())
    record = validate(workspace, load_params(workspace), "sample")
    assert not {result.name: result.holds for result in record.results}["brightness_drift"]
    assert paths.accepted.read_bytes() == fresh


def test_a_rule_of_the_parameters_changes_only_what_it_names(workspace: Workspace) -> None:
    rows = healthy_rows()
    rows[3]["height"] = 20
    prepare(workspace, rows)
    lenient = params_of(workspace, Validate(rules={"short_side": Rule(severity="warning")}))
    assert validate(workspace, lenient, "sample").accepted
    assert _broken(workspace)["short_side"].expected == "at least 32 px"
    strict = params_of(workspace, Validate(rules={"aspect_ratio": Rule(at_most=2, severity="error")}))
    with pytest.raises(ValidationFailed, match="aspect_ratio"):
        validate(workspace, strict, "sample")


def test_a_rule_without_bounds_is_off(workspace: Workspace) -> None:
    rows = healthy_rows()
    rows[3]["height"] = 20
    prepare(workspace, rows)
    record = validate(workspace, params_of(workspace, Validate(rules={"short_side": Rule(at_least=None)})), "sample")
    assert "short_side" not in {result.name for result in record.results}


def test_an_unknown_rule_is_answered_with_the_near_match(workspace: Workspace) -> None:
    params = params_of(workspace, Validate(rules={"quarantine_rat": Rule(at_most=0.5)}))
    with pytest.raises(ConfigError, match=r"datasets\.sample\.validate.*did you mean 'quarantine_rate'"):
        validate(workspace, params, "sample")


def test_bounds_that_exclude_each_other_are_refused(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows())
    params = params_of(workspace, Validate(rules={"test_share": Rule(at_least=0.9)}))
    with pytest.raises(ConfigError, match="exclude each other"):
        validate(workspace, params, "sample")


def test_a_set_without_val_needs_no_image_in_val(workspace: Workspace) -> None:
    prepare(workspace, [row | {"split": "train" if row["split"] == "val" else row["split"]} for row in healthy_rows()])
    assert validate(workspace, params_of(workspace, split=Split(val_fraction=0)), "sample").accepted


def test_a_set_of_quarantined_members_only_is_rejected_not_a_crash(workspace: Workspace) -> None:
    prepare(workspace, [quarantined_row("bell", index, "does not decode") for index in range(5)])
    with pytest.raises(ValidationFailed, match="image_count"):
        validate(workspace, load_params(workspace), "sample")
    assert workspace.dataset("sample").report.is_file()


def test_without_a_manifest_the_remedy_is_to_prepare(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="dvc repro prepare@sample"):
        validate(workspace, load_params(workspace), "sample")


def test_a_damaged_baseline_is_named(workspace: Workspace) -> None:
    prepare(workspace, healthy_rows())
    workspace.dataset("sample").baseline.write_text("{}")
    with pytest.raises(InputError, match=r"baseline\.json"):
        validate(workspace, load_params(workspace), "sample")


@pytest.mark.thorough
def test_nothing_is_written_outside_the_project_and_nothing_shown(workspace: Workspace, tmp_path: Path) -> None:
    prepare(workspace, healthy_rows())
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import sys; from edgeloop.validation import validate; from edgeloop.config import load_params\n"
        "from edgeloop.workspace import find_workspace; assert 'great_expectations' not in sys.modules\n"
        "workspace = find_workspace(); validate(workspace, load_params(workspace), 'sample')"
    )
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=workspace.root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(home.iterdir())
    assert {path.name for path in workspace.root.iterdir()} == {"params.yaml", "data"}


def _broken(workspace: Workspace) -> dict[str, RuleResult]:
    record = ValidateRecord.read(workspace.dataset("sample").validate_record)
    return {result.name: result for result in record.results if not result.holds}
