"""`edgeloop generate --backend st-cloud`: ST's tool at ST, through the real client against a farm in miniature."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from st_farm import Farm
from stedgeai_samples import CODE_FLASH, WEIGHTS, Layout, c_info, report

from edgeloop.cli import main
from edgeloop.codegen.choice import choose_backend
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.codegen.stedgeai.targets import TOOL_ALONE
from edgeloop.codegen.targets import TARGETS
from edgeloop.errors import EdgeloopError, FarmFailed, FarmLogin, InputError, StedgeaiModelRefused, StedgeaiUnreadable
from edgeloop.records import CodegenRecord
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
H7, N6 = Layout(), Layout(target="stm32n6", npu=True)


def archive(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


def output(layout: Layout, folder: str = "") -> dict[str, str]:
    files = {"network.c": "int network;", "network.h": "", "network_c_info.json": json.dumps(c_info(layout))}
    files |= {"network_generate_report.txt": report(layout), "Lib/runtime.a": "!<arch>"}
    return {f"{folder}{name}": content for name, content in files.items()}


def test_a_variants_code_comes_from_st(farm: Farm, measurable: VariantPaths, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.root)
    farm.archive = archive(output(H7))
    assert main(["generate", VARIANT, "--backend", "st-cloud", "--target", "stm32h7"]) == 0
    record = CodegenRecord.read(measurable.generate_record)
    assert (record.backend.name, record.target, record.weight_bytes, record.code_flash_bytes) == (
        "stedgeai",
        "stm32h7",
        WEIGHTS,
        CODE_FLASH,
    )
    assert (record.backend.version or "").startswith("2.2.0") and "version 4.0.1 of the service" in record.note
    assert {entry.name for entry in measurable.generated.iterdir()} >= {"network.c", "network.h", "Lib", "application"}
    assert "code.zip" in measurable.generate_record.with_suffix(".log").read_text(encoding="utf-8")
    assert farm.removed == [farm.started[0][1]["model"]] and farm.started[0][1]["target"] == "stm32h7"


def test_the_npu_is_asked_for_and_looked_for(farm: Farm, miniatures: Path, tmp_path: Path) -> None:
    farm.archive = archive(output(N6, "st_ai_output/"))
    made = generate_file(miniatures / "int8.tflite", tmp_path / "code", Options("stm32n6", "st-cloud"))
    assert made.target == "stm32n6" and made.run is not None and made.run.npu_compiler is not None
    assert farm.started[0][1]["stNeuralArt"] == "default" and (tmp_path / "code" / "network.c").is_file()
    farm.archive = archive(output(Layout(target="stm32n6")))
    with pytest.raises(StedgeaiUnreadable, match="for the wrong processor"):
        generate_file(miniatures / "int8.tflite", tmp_path / "code", Options("stm32n6", "st-cloud"))
    assert (tmp_path / "code" / "network.c").is_file(), "what was there stays"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({**output(H7), "../evil.c": "x"}), "climbs out of its folder"),
        (archive({**output(H7), "/etc/evil": "x"}), "has an absolute name"),
        (b"<html>not found</html>", "is neither a zip"),
        (archive(output(H7))[:-40], "damaged or cut off"),
        (archive({name: text for name, text in output(H7).items() if name != "network.h"}), "holds no network.c with its network.h"),
    ],
)
def test_an_archive_is_looked_at_first(farm: Farm, miniatures: Path, tmp_path: Path, content: bytes, message: str) -> None:
    farm.archive = content
    with pytest.raises(StedgeaiUnreadable, match=message):
        generate_file(miniatures / "int8.tflite", tmp_path / "folder" / "code", Options("stm32h7", "st-cloud"))
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["code.stedgeai.log"] and not farm.models


@pytest.mark.parametrize(
    ("said", "error"), [("E010(InvalidModelError): odd", StedgeaiModelRefused), ("worker died", FarmFailed), (None, FarmFailed)]
)
def test_a_failure_is_the_models_only_where_the_tool_says_so(
    farm: Farm, miniatures: Path, tmp_path: Path, said: str | None, error: type[EdgeloopError]
) -> None:
    farm.says = said
    with pytest.raises(error, match=said.partition("(")[0] if said else "nothing"):
        generate_file(miniatures / "int8.tflite", tmp_path / "code", Options("stm32h7", "st-cloud"))
    assert not (tmp_path / "code").exists() and not farm.models


def test_a_wrong_password_is_sent_once(farm: Farm, miniatures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELOOP_ST_PASSWORD", "no")
    with pytest.raises(FarmLogin):
        generate_file(miniatures / "int8.tflite", tmp_path / "code", Options("stm32h7", "st-cloud"))
    assert farm.asked.count("POST /cas/login") == 1


def test_it_is_never_chosen_by_itself_and_not_for_what_it_cannot_do(farm: Farm, miniatures: Path, tmp_path: Path) -> None:
    assert all(choose_backend("auto", target) != "st-cloud" for name, target in TARGETS.items() if name not in TOOL_ALONE)
    for options in (Options("stm32mp2", "st-cloud"), Options("stm32n6", "st-cloud", profile="own@file.json")):
        with pytest.raises(InputError, match="at ST"):
            generate_file(miniatures / "int8.tflite", tmp_path / "code", options)
    assert not farm.asked
