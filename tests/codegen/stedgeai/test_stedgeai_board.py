"""An STM32N6: generated with the Neural-ART profile by (a stand-in of) ST's tool, loaded by its n6_loader, verified, measured."""

import json
import sys
from pathlib import Path

import pytest
import stedgeai_standin
from lab_bench import LOADED, PROGRAMS, Bench

from edgeloop.boards.benchmark import benchmark
from edgeloop.boards.lab.config import BoardEntry, Lab, load_lab
from edgeloop.boards.mcu.firmware import form_for
from edgeloop.config import Benchmark, load_params
from edgeloop.errors import ConfigError, FlashError, InputError, StedgeaiMissing
from edgeloop.records import MeasuredBenchmark, read_benchmark
from edgeloop.workspace import VariantPaths, Workspace
from flows.before import before_a_run

VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=1, windows=5, runs_per_window=2)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of an installation: the stand-in of the tool, and one of n6_loader where ST's lies."""
    root = tmp_path / "STEdgeAI"
    stedgeai_standin.install(root)
    loader = root / "scripts" / "N6_scripts" / "n6_loader.py"
    loader.parent.mkdir(parents=True)
    loader.symlink_to(PROGRAMS / "n6_loader.py")
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(root))
    return root


@pytest.fixture
def n6(workspace: Workspace, bench: Bench, measurable: VariantPaths) -> VariantPaths:
    """lab.yaml as docs/boards.md attaches an STM32N6570-DK."""
    load = [sys.executable, "{stedgeai}/scripts/N6_scripts/n6_loader.py", "--n6-loader-config", "{project}/config_n6l.json"]
    bench.write_lab(
        workspace,
        "n6",
        kind="stm32n6570-dk",
        generate={"backend": "stedgeai", "profile": "default"},
        build=[],
        flash=[{"run": load, "deadline_s": 300, "expect": LOADED}],
    )
    config = {
        "network.c": str(workspace.board("n6") / "generated" / "network.c"),
        "project_path": "NPU_Validation",
        "bench": bench.control,
        "model": str(measurable.quantized / "per_channel.tflite"),
        "elf": str(bench.folder / "n6.elf"),
    }
    (workspace.root / "config_n6l.json").write_text(json.dumps(config), encoding="utf-8")
    return measurable


@pytest.mark.thorough
def test_an_n6_is_generated_for_its_npu_loaded_verified_and_measured(
    workspace: Workspace, bench: Bench, n6: VariantPaths, tool: Path
) -> None:
    params = load_params(workspace).model_copy(update={"benchmark": QUICK})
    record = benchmark(workspace, params, VARIANT, "n6", images=3)
    assert isinstance(record, MeasuredBenchmark)
    assert read_benchmark(n6.benchmark_record("n6")) == record
    (measured,), board = record.models, record.microcontroller
    code, firmware = measured.code, measured.firmware
    assert board is not None and code is not None and firmware is not None
    assert (board.device_id, board.clock_hz, board.baud) == (0x486, 800_000_000, 921_600)
    assert (code.target, code.backend, code.profile, measured.engine) == ("stm32n6", "stedgeai", "default", "NPU")
    assert code.external_flash_bytes is not None
    # The loader builds the firmware itself, and the NPU's firmware reports no signature that could be compared: outputs are.
    assert (measured.file_sha256, firmware.signature_checked) == (None, False)
    assert measured.compared.same_class == measured.compared.images == 3
    assert firmware.flash[0][1].endswith("n6_loader.py") and firmware.flash[0][3].endswith("config_n6l.json")
    calls = (tool / "Utilities" / "linux" / "calls.jsonl").read_text(encoding="utf-8")
    assert '"--st-neural-art", "default"' in calls


def test_what_the_loader_says_is_in_the_error(workspace: Workspace, bench: Bench, n6: VariantPaths, tool: Path) -> None:
    (workspace.root / "config_n6l.json").write_text(json.dumps({"network.c": "nowhere"}), encoding="utf-8")
    params = load_params(workspace).model_copy(update={"benchmark": QUICK})
    with pytest.raises(FlashError, match="Error: nowhere does not exist"):
        benchmark(workspace, params, VARIANT, "n6", images=3)
    assert not n6.benchmark_record("n6").exists()


def test_without_the_tool_nothing_is_made_for_the_processor_instead(
    workspace: Workspace, bench: Bench, n6: VariantPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STEDGEAI_CORE_DIR", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    bench.write_lab(workspace, "n6", kind="stm32n6570-dk", generate={"backend": "auto", "profile": "default"})
    with pytest.raises(StedgeaiMissing):
        benchmark(workspace, load_params(workspace), VARIANT, "n6")
    assert bench.flashed == []


def test_a_version_that_cannot_is_refused_before_anything_runs(
    workspace: Workspace, bench: Bench, n6: VariantPaths, tool: Path, tmp_path: Path
) -> None:
    """Named for the board, it is that one or none: by the benchmark, and before a run's first stage; where 2.2 lies is said."""
    stedgeai_standin.install(tmp_path / "ST" / "1.0", {"version": "1.0.0-19899 abcdef012"})
    bench.write_lab(workspace, "n6", kind="stm32n6570-dk", generate={"backend": "stedgeai", "profile": "default", "tool": "../ST/1.0"})
    declared = (workspace.root / "params.yaml").read_text(encoding="utf-8").replace("boards: [host, virtual-h7]", "boards: [host, n6]")
    (workspace.root / "params.yaml").write_text(declared, encoding="utf-8")
    params = load_params(workspace)
    refused = r"NPU of the STM32N6 is made by ST Edge AI Core 2\.0 or later, and here is ST Edge AI Core 1\.0\.0"
    with pytest.raises(StedgeaiMissing, match=refused) as caught:
        benchmark(workspace, params, VARIANT, "n6")
    assert str(tool) in caught.value.remedy
    assert bench.flashed == []
    with pytest.raises(StedgeaiMissing, match=refused):
        list(before_a_run(workspace, params, [f"benchmark@{VARIANT}-n6"]))
    assert f"{VARIANT}-n6" in params.benchmarks
    list(before_a_run(workspace, params, [f"benchmark@{VARIANT}-host"]))


def test_a_version_is_named_in_quotes(workspace: Workspace, bench: Bench) -> None:
    bench.write_lab(workspace, "n6", kind="stm32n6570-dk", generate={"tool": 2.2})
    with pytest.raises(ConfigError, match="write the version in quotes"):
        load_lab(workspace)


def test_where_no_signature_is_known_the_flash_command_must_say_that_it_succeeded(
    workspace: Workspace, bench: Bench, n6: VariantPaths, tool: Path
) -> None:
    lab = json.loads(workspace.lab.read_text(encoding="utf-8"))
    del lab["boards"]["n6"]["flash"][0]["expect"]
    workspace.lab.write_text(json.dumps(lab), encoding="utf-8")
    with pytest.raises(FlashError, match="Nothing would show that a model was flashed to n6"):
        benchmark(workspace, load_params(workspace), VARIANT, "n6", images=3)
    assert bench.flashed == []


def test_where_no_signature_is_known_a_firmware_that_was_not_built_anew_is_not_flashed(
    workspace: Workspace, bench: Bench, n6: VariantPaths, tool: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.elf"
    old.write_bytes(b"the last model's")
    lab = json.loads(workspace.lab.read_text(encoding="utf-8"))
    flash = [sys.executable, str(PROGRAMS / "flash_tool.py"), bench.control, "load", "{elf}"]
    lab["boards"]["n6"] |= {"build": [{"run": ["true"]}], "firmware": str(old), "flash": [{"run": flash, "expect": LOADED}]}
    workspace.lab.write_text(json.dumps(lab), encoding="utf-8")
    with pytest.raises(FlashError, match=r"left .*old\.elf as it was before"):
        benchmark(workspace, load_params(workspace), VARIANT, "n6", images=3)
    assert bench.flashed == []


def test_code_that_nothing_builds_a_firmware_around_is_refused_before_it_is_generated(tool: Path, tmp_path: Path) -> None:
    entry = BoardEntry.model_validate({"kind": "stm32h747i-disco", "generate": {"backend": "stedgeai"}})
    with pytest.raises(InputError, match=r"(?s)h747 has no `build`.*not that of stedgeai.*Write `build`"):
        form_for(Lab(boards={"h747": entry}).board("h747"), tmp_path)
