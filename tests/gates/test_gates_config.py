"""`gates` of params.yaml: by words as in `build`, the later entry counts, and what cannot be meant is refused with its line."""

from pathlib import Path

import pytest

from edgeloop.config import Params, load_params
from edgeloop.config.removal import text_without
from edgeloop.errors import ConfigError
from edgeloop.graph import refresh
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import parse_yaml

ROOT = Path(__file__).resolve().parents[2]


def state(workspace: Workspace, gates: str) -> Params:
    text = workspace.params.read_text(encoding="utf-8")
    workspace.params.write_text(text.replace("gates: {}", f"gates:\n{gates}"), encoding="utf-8")
    return load_params(workspace)


def test_nothing_is_judged_by_default(workspace: Workspace) -> None:
    params = load_params(workspace)
    assert {params.gates_of(name) for name in params.variants} == {None}


def test_entries_add_up_and_the_later_one_counts(workspace: Workspace) -> None:
    params = state(
        workspace,
        '  all: {top1_at_least: 0.7, warnings: refused}\n  "flowers-*-128": {top1_at_least: 0.8}\n  published: {unstable: refused}\n',
    )
    sample, flowers = (params.gates_of(name) for name in ("sample-fdmobilenet_0.25-96", "flowers-fdmobilenet_0.25-128"))
    assert sample is not None and (sample.top1_at_least, sample.warnings, sample.unstable) == (0.7, "refused", "allowed")
    assert flowers is not None and (flowers.top1_at_least, flowers.warnings, flowers.unstable) == (0.8, "refused", "refused")


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ("  flower: {top1_at_least: 0.8}", "there is no variant, data set or set 'flower' (did you mean 'flowers'?)"),
        ("  flowers-*-127: {top1_at_least: 0.8}", "no variant is named like 'flowers-*-127'"),
        ("  sample: {top1_least: 0.8}", "unknown key 'gates.sample.top1_least' (did you mean 'top1_at_least'?)"),
        ("  sample: {top1_at_least: 80}", "gates.sample.top1_at_least"),
        ("  sample: {}", "it states no rule"),
        ("  sample: {warnings: refuse}", "'refused'"),
        ("  sample: {champion: {rule: not worse}}", "`not worse` needs a margin"),
        ("  sample: {champion: {rule: better, margin: 0.1}}", "margin is of use for `not worse` only"),
        ("  all: {latency_ms_at_most: {virtual-h7: 5}}", "is not measured on the board 'virtual-h7'"),
        ("  sample: {latency_ms_at_most: {hots: 5}}", "the board 'hots' (did you mean 'host'?)"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(workspace: Workspace, gates: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        state(workspace, gates)
    lines = workspace.params.read_text(encoding="utf-8").splitlines()
    number = next(place for place, line in enumerate(lines, 1) if line == gates)
    assert f"{workspace.params}:{number}: " in str(refused.value) and said in str(refused.value)


def test_no_stage_depends_on_them(workspace: Workspace) -> None:
    (workspace.root / "models" / "backbones").mkdir(parents=True)
    refresh(workspace)
    before = workspace.graph.read_text(encoding="utf-8")
    state(workspace, "  all: {top1_at_least: 0.8}")
    assert refresh(workspace) is None and workspace.graph.read_text(encoding="utf-8") == before
    assert "gates" not in (ROOT / "dvc.yaml").read_text(encoding="utf-8")


def test_gates_of_a_data_set_that_is_removed_go_along(workspace: Workspace) -> None:
    params = state(workspace, "  all: {top1_at_least: 0.5}\n  sample: {top1_at_least: 0.8}\n")
    text = text_without(workspace.params.read_text(encoding="utf-8"), workspace.params, params, "sample")
    assert list(parse_yaml(text, workspace.params, Params).gates) == ["all"]
    (workspace.root / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    params = state(workspace, "  sample: {top1_at_least: 0.8}\n")
    text = text_without(workspace.params.read_text(encoding="utf-8"), workspace.params, params, "sample")
    assert parse_yaml(text, workspace.params, Params).gates == {}
