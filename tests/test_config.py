"""params.yaml: what does not fit is refused, with file, line and the near match, and quickly."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgeloop.config import load_params
from edgeloop.errors import ConfigError, InputError
from edgeloop.workspace import Workspace, find_workspace


def change(workspace: Workspace, old: str, new: str) -> int:
    """Replace the first `old` in params.yaml; returns its line."""
    text = workspace.params.read_text(encoding="utf-8")
    assert old in text
    workspace.params.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_the_projects_own_file_is_read(workspace: Workspace) -> None:
    params = load_params(workspace)
    assert set(params.datasets) == {"sample", "flowers", "plant", "food"}
    networks = {"fdmobilenet_0.25", "fdmobilenet_0.5", "fdmobilenet_0.75", "fdmobilenet_1.0", "st_fdmobilenet_v1"}
    built = {(variant.dataset, variant.network, variant.resolution) for variant in params.variants.values()}
    assert built >= {(d, n, r) for d in ("flowers", "plant", "food") for n in networks for r in (128, 224)}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch_size: 32", "batchsize: 32", "unknown key 'datasets.sample.train.batchsize' (did you mean 'batch_size'?)"),
        ("brightness: 0.1", "brigtness: 0.1", "(did you mean 'brightness'?)"),
        ("quantize:", "quantise:", "unknown key 'quantise' (did you mean 'quantize'?)"),
        ("epochs: 40,", "epochs: many,", "datasets.sample.train.phases.0.epochs: "),
        ("{resolutions: 96}", "{resolutions: 9}", "between 16 and 1024 pixels"),
        ("networks: [fdmobilenet_0.25,", "networks: [fdmobilenet_0.3,", "fdmobilenet_0.25"),
        ("op: flip", "op: flop", "'flip'"),
        ("batch_size: 32", "input_range: [1, -1]", "the lower end comes first"),
        ("batch_size: 32", "overrides: [{resolution: 160x, set: {seed: 1}}]", "WIDTHxHEIGHT, such as 160x120"),
        ("batch_size: 32", "overrides: [{set: {}}]", "at least 1 item"),
        ("    title: Drawn flowers", "    color: grey", "write prepare: {color: grey}"),
        ("  top5_from_classes: 11", "  batch_size: 32", "unknown key 'evaluate.batch_size'"),
    ],
)
def test_a_key_or_value_that_does_not_fit_is_named_with_its_line(workspace: Workspace, old: str, new: str, said: str) -> None:
    line = change(workspace, old, new)
    with pytest.raises(ConfigError) as refused:
        load_params(workspace)
    assert f"{workspace.params}:{line}: " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("early_stopping: 20}", "early_stopping: 100}", "early_stopping: 100 can never end a phase of 100 epochs"),
        ("drawn: {per_class: 120, size: 160, seed: 127}", "{drawn: {}, bytes: 5}", "bytes and sha256 are those of an archive"),
        ("{mode: scratch, epochs: 40,", "{mode: head, epochs: 40,", "augmentation has no use where all phases are of mode head"),
        ("backend: portable", "backend: portable\n  tool: /opt/stedgeai", "generate: profile and tool are of use for ST Edge AI Core only"),
        ("backend: portable\n  stream_input: false", "backend: stedgeai\n  stream_input: true", "generate: stream_input is of use for"),
        ("ingest: {}", "ingest: {flowers: {from: /x, retrain: false, publish: true}}", "publish has no use without retrain"),
    ],
)
def test_a_key_that_would_do_nothing_beside_the_others_is_refused(workspace: Workspace, old: str, new: str, said: str) -> None:
    change(workspace, old, new)
    with pytest.raises(ConfigError) as refused:
        load_params(workspace)
    assert f"{workspace.params}:" in str(refused.value) and said in str(refused.value)


def test_all_misfits_are_listed_at_once(workspace: Workspace) -> None:
    lines = [change(workspace, "batch_size: 32", "batchsize: 32"), change(workspace, "threads: 1", "treads: 1")]
    with pytest.raises(ConfigError) as refused:
        load_params(workspace)
    for line in lines:
        assert f"params.yaml:{line}: unknown key" in str(refused.value)


def test_a_missing_section_names_the_data_set_that_lacks_it(workspace: Workspace) -> None:
    line = change(workspace, "  plant:", "  shrub:\n    source: {folder: /somewhere}\n  plant:")
    assert load_params(workspace).dataset("shrub").train.phases is None
    change(workspace, "  train: {}\n  variants:", "  variants:")
    with pytest.raises(ConfigError) as refused:
        load_params(workspace)
    assert f"params.yaml:{line}: the key 'datasets.shrub.train' is missing" in str(refused.value)


def test_damaged_yaml_names_the_line(workspace: Workspace) -> None:
    change(workspace, "sample:\n", "sample: [\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_params(workspace)


def test_an_unknown_name_is_answered_with_the_near_match(workspace: Workspace) -> None:
    params = load_params(workspace)
    with pytest.raises(InputError, match="did you mean 'flowers'"):
        params.dataset("flower")
    with pytest.raises(InputError, match=r"did you mean 'flowers-fdmobilenet_0\.25-128'"):
        params.variant("flowers-fdmobilenet_0.25-129")


def test_overrides_apply_to_the_variants_that_they_name(workspace: Workspace) -> None:
    change(workspace, "train: {}", "train: {input_range: [-1, 1], overrides: [{network: st_fdmobilenet_v1, set: {input_range: [0, 1]}}]}")
    params = load_params(workspace)
    plain, other = params.variants["flowers-fdmobilenet_0.25-128"], params.variants["flowers-st_fdmobilenet_v1-128"]
    assert params.train_settings(plain).input_range == (-1, 1)
    assert params.train_settings(other).input_range == (0, 1)
    assert params.train_settings(other).batch_size == params.train_settings(plain).batch_size


def test_an_override_with_an_unknown_key_is_refused(workspace: Workspace) -> None:
    change(workspace, "train: {}", "train: {overrides: [{set: {input_rnge: [0, 1]}}]}")
    with pytest.raises(ConfigError, match="input_rnge"):
        load_params(workspace)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ("{split: {rule: folders}, layout: {merge: true}}", "layout.merge and the split rule 'folders' exclude each other"),
        ("{split: {rule: keras}, layout: {nested: true}}", "the split rule 'keras' knows plain class folders only"),
        ("{layout: {nest: true}}", "did you mean 'nested'"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(workspace: Workspace, prepare: str, words: str) -> None:
    change(workspace, "prepare: {}", f"prepare: {prepare}")
    with pytest.raises(ConfigError, match=f"params.yaml:.*{words}"):
        load_params(workspace)


def test_a_mistyped_key_is_refused_before_anything_heavy_is_imported(workspace: Workspace) -> None:
    change(workspace, "batch_size: 32", "batchsize: 32")
    program = (
        "import sys\nfrom edgeloop.cli import main\ncode = main(['train', 'sample-fdmobilenet_0.25-96'])\n"
        "print(code, sorted({'tensorflow', 'keras', 'numpy', 'pandas', 'cv2', 'prefect', 'dvc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=workspace.root, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "1 []"
    assert "did you mean 'batch_size'" in done.stderr


def test_the_workspace_is_found_from_below_and_its_absence_is_explained(workspace: Workspace, tmp_path: Path) -> None:
    below = workspace.root / "data" / "deep"
    below.mkdir(parents=True)
    assert find_workspace(below) == Workspace(workspace.root.resolve())
    with pytest.raises(InputError, match="not an edgeloop project"):
        find_workspace(tmp_path)
