"""What a bundle tells of itself: bills of materials that the schema takes, provenance that in-toto takes, licenses, the data."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from once import Once
from signed_bundle import VARIANT, Project, finished, opened, project

from edgeloop.bundle.build import build
from edgeloop.bundle.files import Bundle
from edgeloop.bundle.verify import verify
from edgeloop.cards.licenses import holds_back
from edgeloop.errors import InputError
from edgeloop.records import StartingWeights
from edgeloop.store.export import export
from edgeloop.workspace import Workspace

ST = StartingWeights(kind="keras2_h5", origin="https://st.example/m.h5", sha256="ee" * 32, license="sla0044", layers_loaded=9)


@pytest.fixture(scope="module")
def made(once: Once) -> Project:
    return finished(once)


@pytest.fixture(scope="module")
def bundle(made: Project) -> Bundle:
    return build(made.workspace, made.params, VARIANT)


@pytest.fixture(scope="module")
def schema() -> JsonStrictValidator:
    return JsonStrictValidator(SchemaVersion.V1_6)


def told(bundle: Bundle, name: str) -> Any:
    return json.loads(bundle.files[name])


@pytest.fixture(scope="module")
def derived(once: Once) -> Bundle:
    """Of a model that started from ST's weights."""
    found = opened(once("started from ST", lambda folder: project(folder, start=ST)))
    return build(found.workspace, found.params, VARIANT)


@pytest.fixture(scope="module")
def ours(once: Once) -> Project:
    """With a model that started from weights under a license that nobody knows."""
    start = ST.model_copy(update={"license": "Our House"})
    return opened(once("started from ours", lambda folder: project(folder, start=start)))


def test_equal_records_make_equal_bytes(made: Project, bundle: Bundle) -> None:
    again = build(made.workspace, made.params, VARIANT)
    assert (again.files, again.name) == (bundle.files, bundle.name)


@pytest.mark.parametrize("name", ["sbom.cdx.json", "mlbom.cdx.json"])
def test_bills_of_materials_are_of_the_strict_schema(name: str, schema: JsonStrictValidator, bundle: Bundle) -> None:
    assert schema.validate_str(bundle.files[name].decode()) is None
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", told(bundle, name)["serialNumber"])


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sbom.cdx.json", "mlbom.cdx.json"])
def test_so_are_those_of_models_that_started_from_others(name: str, schema: JsonStrictValidator, derived: Bundle, ours: Project) -> None:
    for found in (derived, build(ours.workspace, ours.params, VARIANT)):
        assert schema.validate_str(found.files[name].decode()) is None


def test_the_software_bill_names_the_tools_and_each_file_of_the_code(bundle: Bundle) -> None:
    bill = told(bundle, "sbom.cdx.json")
    tools = {(one["name"], one.get("version")) for one in bill["metadata"]["tools"]["components"]}
    assert {("tensorflow", "2.21.0"), ("python", "3.12.4"), ("a-compiler 1.2", None)} <= tools
    files = {one["name"]: one["hashes"][0]["content"] for one in bill["components"] if one["type"] == "file"}
    assert files == {name: digest for name, digest in bundle.digests.items() if name.startswith("code/")}
    assert [one["name"] for one in bill["components"] if one["type"] == "library"] == ["edgeloop kernels"]
    assert bill["metadata"]["component"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_the_model_bill_says_how_each_figure_came_about(bundle: Bundle) -> None:
    model = told(bundle, "mlbom.cdx.json")["metadata"]["component"]
    assert (model["type"], model["modelCard"]["modelParameters"]["task"]) == ("machine-learning-model", "image-classification")
    metrics = {one["type"]: one for one in model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]}
    assert {*metrics} == {
        *("top-1 accuracy", "executed instructions, emulated", "median latency in ms, measured"),
        "median latency in ms, measured on a host that is no target",
    }
    evaluated = told(bundle, "records/evaluate.json")["formats"][-1]["top1"]
    assert metrics["top-1 accuracy"]["value"] == f"{evaluated['value']:.6g}"
    assert metrics["top-1 accuracy"]["confidenceInterval"]["lowerBound"] == f"{evaluated['ci95'][0]:.6g}"
    assert metrics["executed instructions, emulated"]["value"] == "6354644"
    assert metrics["median latency in ms, measured"]["slice"].startswith("int8 per-")


def test_the_provenance_says_what_was_made_from_what(bundle: Bundle) -> None:
    statements = [json.loads(line) for line in bundle.files["provenance.jsonl"].decode().splitlines()]
    steps = {one["predicate"]["buildDefinition"]["buildType"].rpartition(":")[2]: one for one in statements}
    assert {*steps} == {"prepare", "validate", "train", "quantize", "generate", "evaluate", "benchmarks", "card"}
    made = {one["name"]: one["digest"]["sha256"] for one in steps["quantize"]["subject"]}
    from_what = {one["name"]: one["digest"] for one in steps["quantize"]["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert made["models/per_channel.tflite"] == bundle.digests["models/per_channel.tflite"]
    assert from_what["models/model.keras"] == {"sha256": bundle.digests["models/model.keras"]}
    assert from_what["calibration pixels"] == {"sha256": "ef" * 32}
    assert from_what["project"] == {"gitCommit": "0123456789abcdef0123456789abcdef01234567"}
    run = steps["quantize"]["predicate"]["runDetails"]
    assert (run["builder"]["id"], run["builder"]["version"]["tensorflow"]) == ("urn:edgeloop:machine:a-host", "2.21.0")
    assert (run["metadata"]["startedOn"], run["metadata"]["finishedOn"]) == ("2026-03-02T10:20:17.700Z", "2026-03-02T10:20:30.000Z")


def test_the_data_are_described(bundle: Bundle) -> None:
    data = told(bundle, "data.json")
    assert (data["dataset"], data["license"], data["archive"]["origin"]) == ("sample", "apache-2.0", "drawn")
    assert data["splits"]["test"]["images"] == 120
    assert data["revision"] == told(bundle, "records/prepare.json")["manifest_sha256"]


@pytest.mark.thorough
def test_the_texts_of_the_licenses_travel_along(bundle: Bundle, derived: Bundle) -> None:
    assert b"Apache License" in bundle.files["licenses/apache-2.0.txt"]
    assert b"SLA0044" in derived.files["licenses/sla0044.txt"]
    said = derived.files["licenses/README.md"].decode()
    assert "| the models, and the weights in the code | [sla0044](sla0044.txt) |" in said
    assert "| the generated code without its weights | [apache-2.0](apache-2.0.txt) |" in said
    assert "models/per_channel.tflite" in derived.files, "that license allows to hand it on"


def test_what_a_license_forbids_stays_here(ours: Project, tmp_path: Path) -> None:
    export(ours.workspace, ours.params, VARIANT, tmp_path / "out")
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith(("code/", "models/"))} == {"models/preprocessing.json"}
    assert "Models and code are not in this folder" in (tmp_path / "out" / "licenses" / "README.md").read_text()
    page = (tmp_path / "out" / "index.html").read_text()
    leads = {address for address in re.findall(r'href="([^"#]+)"', page) if "://" not in address} - {"../../index.html", "../index.html"}
    assert "licenses/README.md" in leads
    assert [address for address in leads if not (tmp_path / "out" / address).is_file()] == []
    assert verify(tmp_path / "out").faults == []


def test_a_license_that_somebody_has_read_lets_the_models_go(ours: Project) -> None:
    assert "models/float.tflite" not in build(ours.workspace, ours.params, VARIANT).files
    assert "models/float.tflite" in build(ours.workspace, ours.publishing(permitted_licenses=("our house",)), VARIANT).files


@pytest.mark.parametrize(
    ("weights", "pictures", "goes"),
    [
        (None, "cc-by-2.0", True),
        (None, "cc-by-nc-4.0", True),
        (None, "cc-by-nd-4.0", False),
        (None, None, True),
        (None, "Proprietary", False),
        ("apache-2.0", None, True),
        ("cc-by-nc-4.0", None, True),
        ("cc-by-nd-4.0", None, False),
        ("SLA0044", None, True),
        ("unknown terms", None, False),
    ],
)
def test_which_licenses_hold_a_model_back(weights: str | None, pictures: str | None, goes: bool) -> None:
    start = StartingWeights(kind="scratch", origin="scratch", sha256=None, license=weights, layers_loaded=0)
    assert (holds_back(start, pictures) == "") is goes


def test_a_float_model_that_is_another_one_is_refused(made: Project, tmp_path: Path) -> None:
    root = shutil.copytree(made.workspace.root, tmp_path / "it")
    found = Project(Workspace(root), made.params)
    found.params.variant(VARIANT).paths(found.workspace).model.write_bytes(b"trained again")
    with pytest.raises(InputError, match=r"model\.keras is not the file"):
        build(found.workspace, found.params, VARIANT)


@pytest.mark.thorough
def test_without_code_there_is_no_license_of_it(tmp_path: Path, schema: JsonStrictValidator) -> None:
    found = project(tmp_path, generated=False)
    bundle = build(found.workspace, found.params, VARIANT)
    assert not [name for name in bundle.files if name.startswith("code/")]
    assert "generated code" not in bundle.files["licenses/README.md"].decode()
    assert schema.validate_str(bundle.files["sbom.cdx.json"].decode()) is None


@pytest.mark.thorough
def test_a_version_is_named_by_what_is_in_it(bundle: Bundle, derived: Bundle) -> None:
    assert bundle.name != derived.name
