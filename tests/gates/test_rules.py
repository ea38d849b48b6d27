"""Each rule on the records of one variant: what keeps it, what does not, and what no record states."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from card_records import Story

from edgeloop.config import Gates
from edgeloop.gates.facts import Facts
from edgeloop.gates.rules import checks
from edgeloop.records import RuleResult, Verdict
from edgeloop.workspace import Workspace

STORY = Story(generated=True)
BOARDS = ("host", "virtual-h7")
WARNING = RuleResult(name="drift", description="", severity="warning", holds=False, observed=None, expected="", failed_rows=1)


def facts_of(workspace: Workspace, story: Story, boards: tuple[str, ...] = BOARDS) -> Facts:
    """The records of a story, by the names that they have in a published version."""
    variant = story.write(workspace).variant(story.variant).paths(workspace)
    validate = workspace.dataset("sample").validate_record
    paths: dict[str, Path] = {f"records/{path.relative_to(variant.folder)}": path for path in variant.folder.rglob("*.json")}
    files = {name: path.read_bytes() for name, path in ({"records/validate.json": validate} | paths).items()}
    return Facts(files, {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}, boards)


@pytest.mark.parametrize(
    ("rule", "gates", "story", "verdict"),
    [
        ("top1_at_least", {"top1_at_least": 0.8}, {}, "passes"),
        ("top1_at_least", {"top1_at_least": 0.99}, {}, "fails"),
        ("drop_at_most", {"drop_at_most": 0.1}, {}, "passes"),
        ("drop_at_most", {"drop_at_most": 0.03}, {"seed": 6}, "fails"),
        ("ram_kib_at_most", {"ram_kib_at_most": 50}, {}, "passes"),
        ("ram_kib_at_most", {"ram_kib_at_most": 49}, {}, "fails"),
        ("ram_kib_at_most", {"ram_kib_at_most": 64}, {"generated": False}, "not known"),
        ("flash_kib_at_most", {"flash_kib_at_most": 150}, {}, "passes"),
        ("flash_kib_at_most", {"flash_kib_at_most": 149}, {}, "fails"),
        ("latency_ms_at_most.host", {"latency_ms_at_most": {"host": 0.62}}, {}, "passes"),
        ("latency_ms_at_most.host", {"latency_ms_at_most": {"host": 0.6}}, {}, "fails"),
        ("latency_ms_at_most.host", {"latency_ms_at_most": {"host": 9}}, {"benchmark": False}, "not known"),
        ("latency_ms_at_most.virtual-h7", {"latency_ms_at_most": {"virtual-h7": 100}}, {}, "not known"),
        ("agreement_at_least", {"agreement_at_least": 0.98}, {}, "passes"),
        ("agreement_at_least", {"agreement_at_least": 0.99}, {}, "fails"),
        ("agreement_at_least", {"agreement_at_least": 0.95}, {"equal_outputs": 15}, "fails"),
        ("agreement_at_least", {"agreement_at_least": 0.1}, {"benchmark": False}, "not known"),
        ("warnings", {"warnings": "refused"}, {}, "passes"),
        ("warnings", {"warnings": "refused"}, {"broken_rules": [WARNING]}, "fails"),
    ],
)
def test_a_rule(rule: str, gates: dict[str, Any], story: dict[str, Any], verdict: Verdict, workspace: Workspace) -> None:
    facts = facts_of(workspace, replace(STORY, **story))
    (check,) = checks(Gates.model_validate(gates), facts)
    assert (check.rule, check.verdict) == (rule, verdict), check.said
    assert (check.value is None) == (verdict == "not known")
    assert check.record is None or check.record_sha256 == facts.digests[check.record]


def test_a_measurement_that_drifts_is_unstable(workspace: Workspace) -> None:
    gates = Gates(unstable="refused")
    for drift, verdict in ((0.0, "passes"), (0.05, "fails")):
        facts = facts_of(workspace, replace(STORY, mcu_board="h7", drift=drift), (*BOARDS, "desk", "absent"))
        found = {check.rule: check.verdict for check in checks(gates, facts)}
        assert found == {
            "unstable.host": "passes",
            "unstable.virtual-h7": "passes",
            "unstable.desk": verdict,
            "unstable.absent": "not known",
        }


def test_a_board_that_ran_other_models_says_nothing_of_these(workspace: Workspace) -> None:
    before = facts_of(workspace, STORY)
    after = facts_of(workspace, replace(STORY, seed=6))
    mixed = replace(after, files={**after.files, "records/benchmarks/host.json": before.files["records/benchmarks/host.json"]})
    (check,) = checks(Gates(latency_ms_at_most={"host": 9}), mixed)
    assert check.verdict == "not known" and "no benchmark of this version's int8 model" in check.said


def test_a_linux_board_is_judged_by_the_int8_model_that_it_takes(workspace: Workspace) -> None:
    facts = facts_of(workspace, replace(STORY, linux_board="stm32mp"), (*BOARDS, "mp2"))
    (check,) = checks(Gates(latency_ms_at_most={"mp2": 4}), facts)
    assert check.verdict == "passes" and "3.217 ms on mp2 (int8 per-tensor" in check.said


def test_with_an_npu_ram_is_what_lies_on_and_off_the_chip(workspace: Workspace) -> None:
    from edgeloop.gates.rules import flash_bytes, ram_bytes
    from edgeloop.records import CodegenRecord, ToolRun

    code = CodegenRecord.model_validate_json(facts_of(workspace, STORY).files["records/generate.json"])
    npu = code.model_copy(update={"run": ToolRun(npu_compiler="atonn"), "internal_ram_bytes": 3000, "external_ram_bytes": 500})
    assert (ram_bytes(code), ram_bytes(npu)) == (50_552, 3500)
    assert ram_bytes(npu.model_copy(update={"external_ram_bytes": None})) is None
    assert flash_bytes(code.model_copy(update={"code_flash_bytes": None})) is None
