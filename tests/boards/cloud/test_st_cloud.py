"""`edgeloop benchmark` on ST's farm, and `edgeloop boards --cloud`, through the real client against a farm in miniature."""

import json
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from card_records import Story, card_folder
from miniature import CLASSES
from st_farm import LOCKED, OLD_API, PASSWORD, USER, Farm
from stedgeai_samples import Layout, c_info, overwritten_c_info

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.boards.side_by_side import side_by_side
from edgeloop.cards.card import card
from edgeloop.cli import main
from edgeloop.codegen.stedgeai.cloud import client, login
from edgeloop.config import load_params
from edgeloop.errors import (
    BoardAbsent,
    ConfigError,
    EdgeloopError,
    FarmError,
    FarmFailed,
    FarmLogin,
    FarmSilent,
    InputError,
    StedgeaiDoesNotFit,
    StedgeaiModelRefused,
)
from edgeloop.files import sha256_file
from edgeloop.records import FarmBenchmark, read_benchmark
from edgeloop.tflite.formats import FILES
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
SECRETS = (PASSWORD, "code-secret", "ticket-secret", "access-secret", "refresh-secret", "JSESSIONID")
NODES = {"conv2d_0": 0.75, "nl_1": 0.25}


def n6_result() -> dict[str, Any]:
    """As the farm joins it: memory of generate, times of validate."""
    whole = c_info(Layout(target="stm32n6", npu=True)) | {"aton_execution_time": overwritten_c_info(Layout())["aton_execution_time"]}
    whole["environment"]["device"] = "stm32 family - 0x486 - STM32N6xx @800/400MHz"
    return {"state": "done", "benchmark": {"info": whole, "report": None, "graph": None}, "memoryMapping": None}


def h7_result() -> dict[str, Any]:
    whole = c_info(Layout())
    whole["environment"]["device"] = "stm32 family - 0x450 - STM32H743/53/50xx @400/200MHz"
    whole["graphs"][0]["exec_time"] = {"counters": [], "cycles": 400_000, "cycles_by_macc": 1.1, "duration_ms": 1.0, "percentage": 100.0}
    for node, spent in zip(whole["graphs"][0]["nodes"], NODES.values(), strict=True):
        node["exec_time"] = {"counters": [], "cycles": 1, "cycles_by_macc": 1.0, "duration_ms": spent, "percentage": 1.0}
    places = {
        "layersInInternalFlash": ["conv2d_0"],
        "layersInExternalFlash": ["dense_9"],
        "useExternalFlash": True,
        "useExternalRam": False,
    }
    return {"state": "done", "benchmark": {"info": whole, "report": {}, "graph": {}}, "memoryMapping": places}


def mp_result(**shares: float) -> dict[str, Any]:
    told = {"npu_percent": 0.9298, "gpu_percent": 0.0702, "cpu_percent": 0.0} | shares
    tool = {"name": "stai_mpu", "major": "6", "minor": "1", "micro": "0"}
    inner = {"board": "STM32MP257F-EV1", "exec_time": {"duration_ms": 3.25, **told}, "model_size": 1.5, "ram_peak": 30.25}
    return {"state": "done", "benchmark": {**inner, "date": "2026-11-29", "tool_version": tool}}


@pytest.fixture
def lab(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Workspace]:
    """A project whose lab has the board `far` of the farm."""

    def write(board: str = "STM32N6570-DK", **cloud: Any) -> Workspace:
        entry = {"kind": "st-cloud", "board": board, "cloud": {"poll_s": 0.01, "queue_s": 5, "run_s": 5} | cloud}
        workspace.lab.write_text(json.dumps({"boards": {"far": entry}}), encoding="utf-8")
        monkeypatch.chdir(workspace.root)
        return workspace

    return write


def tokens_file() -> Path:
    return Path(os.environ["EDGELOOP_ST_TOKENS"])


def test_a_variant_goes_there_and_one_figure_comes_back(
    farm: Farm,
    lab: Callable[..., Workspace],
    measurable: VariantPaths,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    lab()
    farm.states[1] |= {"queuePosition": 3}
    farm.result = n6_result()
    with caplog.at_level(logging.DEBUG):
        assert main(["benchmark", VARIANT, "--board", "far"]) == 0
    printed = capsys.readouterr()
    assert (
        "int8 per-channel on far (STM32N6570-DK): 0.250 ms, one figure of ST's farm, measured on hardware; no spread is told" in printed.out
    )
    assert "not compared with the host's, accuracy on the board not known" in printed.out and "NPU at 800 MHz" in printed.out
    told = [line.rpartition(": ")[2] for line in printed.err.splitlines() if "of ST's farm: " in line]
    assert told == [
        "waiting for build", "in queue, place 3 in its queue", "generating sources", "copying sources", "loading sources", "building",
        "flashing", "validation", "done",
    ]  # fmt: skip

    record = read_benchmark(measurable.benchmark_record("far"))
    assert isinstance(record, FarmBenchmark)
    (one,) = record.models
    assert (record.target, record.farm_board, record.dataset, record.pixels.startswith("random data")) == (
        "MCU",
        "STM32N6570-DK",
        "sample",
        True,
    )
    assert (one.model_sha256, one.clock_hz, one.cycles) == (
        sha256_file(measurable.quantized / f"{FILES['int8 per-channel']}.tflite"),
        800_000_000,
        [20, 200, 10],
    )
    assert one.code is not None and (one.code.activation_ram_bytes, one.code.external_ram_bytes) == (4096, 1024)
    assert [layer.duration_ms for layer in one.layers] == [0.125, 0.125] and one.tool.startswith("ST Edge AI Core 2.2.0")

    (route, options), (name,) = farm.started[0], farm.removed
    assert route == "stm32n6570-dk" and name.startswith("edgeloop-") and not farm.models
    assert options == {
        "model": name, "version": "4.0.1", "target": "stm32n6", "type": "tflite", "optimization": "balanced", "allocateInputs": True,
        "allocateOutputs": True, "stNeuralArt": "default", "atonnOptions": {"enable_epoch_controller": True},
    }  # fmt: skip
    kept = measurable.benchmark_answer("far")
    assert json.loads(kept.read_bytes()) == farm.result and sha256_file(kept) == one.answer_sha256

    written = measurable.benchmark_record("far").read_text(encoding="utf-8") + printed.out + printed.err + caplog.text
    assert not [secret for secret in SECRETS if secret in written]
    assert stat.S_IMODE(tokens_file().stat().st_mode) == 0o600 and PASSWORD not in tokens_file().read_text(encoding="utf-8")


def test_flash_is_where_the_farm_says_and_layers_have_their_times(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths
) -> None:
    workspace = lab("STM32H747I-DISCO", version="2.2.0")
    farm.result, farm.api = h7_result(), json.loads(json.dumps(OLD_API))
    farm.api["paths"]["/benchmark/{queue}"]["post"]["requestBody"]["content"]["application/json"]["schema"] = {
        "properties": {"model": {}, "args": {}}
    }
    record = benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert isinstance(record, FarmBenchmark)
    (one,) = record.models
    assert (one.memory.layers_in_internal_flash, one.memory.layers_in_external_flash) == (["conv2d_0"], ["dense_9"])
    assert (one.memory.uses_external_flash, one.memory.uses_external_ram, one.engine, one.clock_hz) == (True, False, "CPU", 400_000_000)
    assert [layer.duration_ms for layer in one.layers] == list(NODES.values()) and one.latency_ms == 1.0
    assert one.code is not None and (one.code.code_flash_bytes, one.code.runtime_ram_bytes) == (7500, 240), (
        "the toolchain is not added again"
    )
    # The service's own description says that it takes the options as one text.
    assert set(farm.started[0][1]) == {"model", "args"} and json.loads(farm.started[0][1]["args"])["target"] == "stm32h7"


def test_a_linux_board_tells_shares(farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths) -> None:
    workspace = lab("stm32mp257f-ev1")
    farm.result = mp_result()
    record = benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert isinstance(record, FarmBenchmark) and record.target == "MPU"
    (one,) = record.models
    assert one.shares is not None and (one.shares.npu_percent, one.shares.gpu_percent, one.shares.cpu_percent) == (92.98, 7.02, 0.0)
    assert (one.format, one.latency_ms, one.tool, one.cores, one.ram_peak) == ("int8 per-tensor", 3.25, "stai_mpu 6.1.0", 2, 30.25)
    version = "2.2.0"  # the only one with its platform, although it is not the latest
    assert farm.started[0] == (
        "mpu/stm32mp257f-ev1",
        {"model": farm.removed[0], "version": version, "engine": "hw_accelerator", "nbCores": 2},
    )


def test_shares_that_do_not_add_up_are_none(farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths) -> None:
    workspace = lab("STM32MP215F-DK", engine="cpu", cores=1)
    farm.result = mp_result(gpu_percent=0.5)
    record = benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert isinstance(record, FarmBenchmark) and record.models[0].shares is None and "add up to 1.4298" in record.models[0].no_shares


def test_a_model_file_goes_there_too(farm: Farm, lab: Callable[..., Workspace], miniatures: Path) -> None:
    workspace = lab("STM32H747I-DISCO")
    farm.result = h7_result()
    record = benchmark_model(miniatures / "int8.tflite", "far")
    assert isinstance(record, FarmBenchmark) and record.models[0].format is None
    assert json.loads((workspace.root / record.models[0].answer).read_bytes()) == farm.result


def test_the_card_says_how_the_figure_came_about(farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths) -> None:
    workspace = lab()
    farm.result = n6_result()
    record = benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert isinstance(record, FarmBenchmark)
    story = Story()
    params = story.write(workspace)
    known = read_benchmark(measurable.benchmark_record("host"))
    assert "measured by ST's farm in its own way and the other measured: no ratio" in side_by_side("a", record, "b", known).in_words()
    assert [ratio.value for ratio in side_by_side("a", record, "b", record).ratios] == [1.0]
    of_the_card = record.models[0].model_copy(update={"model_sha256": sorted(known.digests)[0]})
    told = {"models": [of_the_card], "provenance": known.provenance}
    record.model_copy(update=told).write(measurable.benchmark_record("far"))
    card(workspace, params, story.variant)
    text = (card_folder(workspace, params, story.variant) / "README.md").read_text(encoding="utf-8")
    targets = text.partition("## Metrics")[2].partition("\n## ")[0]
    section = targets.partition("### Reference **NPU** inference time")[2].partition("\n### ")[0]
    assert "**far (STM32N6570-DK of ST's farm)**: Measured on hardware, by ST" in section and "| 800 MHz | 0.250 | not told |" in section
    assert "| STM32N6 | 4.00 KiB | " in targets
    assert "one figure" in section and "| not told | not compared | not measured |" in section and "median" not in section


def test_a_board_says_what_the_farm_lists_of_it(farm: Farm, lab: Callable[..., Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    lab()
    assert main(["boards"]) == main(["boards", "identify", "far"]) == 0
    printed = capsys.readouterr().out
    assert "free    STM32N6570-DK of ST's farm" in printed and "boards     3" in printed and "device     STM32N6" in printed


def test_the_list_of_the_farm(farm: Farm, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it needs no project
    farm.boards["WALL-E"] = {}
    assert main(["boards", "--cloud"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "STM32N6570-DK     3 there, STM32N6, flash 128 MB, stm32n6" in lines and "STM32MP257F-EV1   1 there, STM32MP2, stm32mp2" in lines
    assert "NUCLEO-G474RE     1 there, stm32g4" in lines and any(line.startswith("WALL-E") and "unknown family" in line for line in lines)
    assert main(["boards", "--cloud", "--probes"]) == 1


def test_tokens_are_renewed_and_the_password_is_sent_once(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = lab()
    assert main(["boards", "--cloud"]) == 0 and farm.times("/cas/login") == 2
    monkeypatch.delenv("EDGELOOP_ST_PASSWORD")
    monkeypatch.delenv("EDGELOOP_ST_USERNAME")
    farm.access.clear()  # ended before its time
    farm.result = n6_result()
    benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert (farm.times("/cas/login"), farm.times("/api/user_service/login/refresh")) == (2, 1)
    told = json.loads(tokens_file().read_text(encoding="utf-8"))
    assert (told["access_token"], told["user"]) == ("access-secret-2", USER)
    tokens_file().write_text(json.dumps(told | {"expires_at": 1.0}), encoding="utf-8")
    assert main(["boards", "--cloud"]) == 0 and farm.times("/api/user_service/login/refresh") == 2
    farm.access.clear()
    farm.refresh.clear()
    with pytest.raises(FarmLogin, match="no account for ST's farm here, or its tokens have ended"):
        benchmark(workspace, load_params(workspace), VARIANT, "far")


def test_tokens_are_shown_to_no_other_service(farm: Farm, lab: Callable[..., Workspace]) -> None:
    lab()
    assert main(["boards", "--cloud"]) == 0
    told = json.loads(tokens_file().read_text(encoding="utf-8"))
    tokens_file().write_text(json.dumps(told | {"api": "https://elsewhere.example"}), encoding="utf-8")
    assert main(["boards", "--cloud"]) == 0 and farm.times("/cas/login") == 4


def test_a_benchmark_outlives_a_few_silences(farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths) -> None:
    workspace = lab()
    farm.result, farm.trouble = n6_result(), {"/api/benchmark/benchmark/run-1": [503, 429, 502]}
    assert isinstance(benchmark(workspace, load_params(workspace), VARIANT, "far"), FarmBenchmark)


def test_an_upload_that_stays_is_said(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = lab()
    farm.result, farm.trouble = n6_result(), {"/api/file/files/models/edgeloop": [500]}
    benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert "could not be removed from your files at ST's farm" in capsys.readouterr().err


def ends(message: str) -> Callable[[Farm], None]:
    def arrange(farm: Farm) -> None:
        farm.states = [{"state": "validation"}, {"state": "error", "board": "STM32N6570-DK", "message": message}]

    return arrange


def told(**fields: Any) -> Callable[[Farm], None]:
    def arrange(farm: Farm) -> None:
        for name, value in fields.items():
            setattr(farm, name, value)

    return arrange


def of_the_host(farm: Farm) -> None:
    farm.result = h7_result()
    farm.result["benchmark"]["info"]["environment"]["device"] = "Linux PC, AMD"


def timeless(farm: Farm) -> None:
    farm.result = n6_result()
    del farm.result["benchmark"]["info"]["aton_execution_time"]


def open_tokens(farm: Farm) -> None:
    tokens_file().parent.mkdir()
    tokens_file().write_text("{}", encoding="utf-8")
    tokens_file().chmod(0o644)


RUN = "/api/benchmark/benchmark/run-1"
DOES_NOT_FIT = (
    "E700(UnfeasibleAllocation): Allocation Pass failed. Not enough memory\nMinimal sizes needed are: {'unlimited memory': 6405160}"
)
FAULTS: list[tuple[str, Callable[[Farm], None], type[EdgeloopError], str]] = [
    ("wrong password", lambda _: os.environ.update(EDGELOOP_ST_PASSWORD="no"), FarmLogin, "does not accept.*after five wrong"),
    ("locked account", told(after_login=LOCKED), FarmLogin, "has locked the account"),
    ("no account", lambda _: os.environ.update(EDGELOOP_ST_PASSWORD=""), FarmLogin, "Set EDGELOOP_ST_USERNAME and EDGELOOP_ST_P"),
    ("other login page", told(login_page="<form><input name=user></form>"), FarmError, "no form with the field 'lt'.*has changed its"),
    ("other page behind it", told(after_login="<p>Welcome</p>"), FarmError, "answers the login with a page that edgeloop does not know"),
    ("login leads elsewhere", told(leads_to="http://phishing.example/cas"), FarmError, "leads to http://phishing.example, which is"),
    ("no TLS", lambda _: os.environ.update(EDGELOOP_ST_SSO="http://sso.example"), FarmError, "is no address.*a password may"),
    ("login in circles", told(leads_to="/as/circle"), FarmError, "in circles"),
    ("tokens that others read", open_tokens, FarmLogin, "mode 0644.*chmod 600"),
    ("never let in", told(trouble={"/api/file": [401, 401]}), FarmLogin, "refuses an upload to this account .status 401"),
    ("in trouble", told(trouble={"/api/benchmark/boards": [503]}), FarmSilent, "status 503; it asks for a pause of 7 s"),
    ("overloaded", told(trouble={"/api/file": [429]}), FarmSilent, "overloaded .status 429"),
    ("in trouble for long", told(trouble={RUN: [500] * 20}), FarmSilent, "status 500"),
    ("cut off", told(cut="/api/benchmark/boards"), FarmSilent, "broke off"),
    ("nobody there", lambda _: os.environ.update(EDGELOOP_ST_SITE="http://127.0.0.1:9"), FarmSilent, "127.0.0.1:9 cannot be reached"),
    ("byte by byte", told(drip="/cas/login"), FarmSilent, "was not done answering after 0.5 s"),
    ("no JSON", told(bodies={"/api/benchmark/boards": b"<html>"}), FarmError, "the list of boards in a form that edgeloop does not know"),
    ("other form", told(boards={"X": 3}), FarmError, "in a form that edgeloop does not know .X"),
    ("no such board", told(boards={"STM32N6570-DKX": {}}), BoardAbsent, "has no STM32N6570-DK.*did you mean 'STM32N6570-DKX'"),
    ("no version", told(versions=[]), FarmError, "lists no version for stm32"),
    ("no room", told(bodies={"/api/file/files/models": b'{"upload": false}'}), FarmError, "did not take the model"),
    ("wrong options", told(trouble={"/api/benchmark/benchmark/stm32": [400]}, says={"errors": ["odd one"]}), FarmError, "odd one"),
    ("board hangs", ends("LOAD ERROR: STM32 - read timeout 50094.0ms/50000ms"), FarmFailed, "LOAD ERROR.*nothing about the model"),
    ("build broke", ends("make: *** [all] Error 2"), FarmFailed, "STM32N6570-DK.*make: "),
    ("their disk is full", ends("INTERNAL ERROR: [Errno 28] No space left on device"), FarmFailed, "No space left"),
    ("failed without words", told(states=[{"state": "error"}, {"state": "error"}]), FarmFailed, "which says: nothing"),
    ("model refused", ends("E010(InvalidModelError): Unsupported layer: Wombat"), StedgeaiModelRefused, "Unsupported layer: Wombat"),
    ("model too large", ends(DOES_NOT_FIT), StedgeaiDoesNotFit, "6405160 bytes"),
    ("queue too long", told(states=[{"state": "in_queue"}]), FarmSilent, "was in queue for 0.3 s.*queue_s"),
    ("work too long", told(states=[{"state": "flashing"}]), FarmSilent, "was flashing for 0.3 s.*run_s"),
    ("unknown state", told(states=[{"state": "dancing"}]), FarmError, "in the state 'dancing'"),
    ("done without result", told(result={"state": "done"}), FarmError, "it holds no `benchmark`"),
    ("done without figures", told(result={"state": "done", "benchmark": {"info": {"x": 1}}}), FarmError, "edgeloop does not know"),
    ("times of a PC", of_the_host, FarmError, "times of Linux PC, AMD, which is no board"),
    ("no times", timeless, FarmError, "no time of an inference"),
]  # fmt: skip


FIRST = {fault[2]: fault for fault in reversed(FAULTS)}
"""The first of each kind of error is in the short run."""


@pytest.mark.parametrize(
    ("arrange", "error", "message"),
    [pytest.param(*fault[1:], id=fault[0], marks=[] if fault in FIRST.values() else [pytest.mark.thorough]) for fault in FAULTS],
)
def test_every_failure_is_typed_leaves_no_record_and_no_upload(
    farm: Farm,
    lab: Callable[..., Workspace],
    measurable: VariantPaths,
    monkeypatch: pytest.MonkeyPatch,
    arrange: Callable[[Farm], None],
    error: type[EdgeloopError],
    message: str,
) -> None:
    # Short where the deadline itself is the fault: the rest must not fail of a slow machine.
    is_short = "0.3 s" in message or "0.5 s" in message
    workspace = lab(queue_s=0.3 if is_short else 30, run_s=0.3 if is_short else 30)
    monkeypatch.setattr(login, "STEP_S", 0.5 if is_short else 30.0)
    monkeypatch.setattr(client, "LONGEST_PAUSE_S", 0.01)
    arrange(farm)
    measurable.benchmark_record("far").parent.mkdir(parents=True)
    measurable.benchmark_record("far").write_text("an older one", encoding="utf-8")
    with pytest.raises(error, match=f"(?s){message}") as raised:
        benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert type(raised.value) is error and raised.value.may_pass == (error in (FarmSilent, FarmFailed))
    assert not measurable.benchmark_record("far").exists() and not farm.models
    assert farm.asked.count("POST /cas/login") <= 1, "ST locks accounts"
    assert not [secret for secret in SECRETS if secret in str(raised.value)]


@pytest.mark.parametrize(("message", "code"), [("LOAD ERROR: STM32 - read timeout", 75), ("E010(InvalidModelError): odd", 1)])
def test_a_flow_tries_again_what_failed_at_the_farm_only(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths, message: str, code: int
) -> None:
    lab()
    ends(message)(farm)
    assert main(["benchmark", VARIANT, "--board", "far"]) == code
    assert message in measurable.benchmark_answer("far").read_text(encoding="utf-8"), "the whole answer is kept of a failure, too"


def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths
) -> None:
    workspace = lab("STM32MP215F-DK")
    params = load_params(workspace)
    with pytest.raises(InputError, match="Nobody has said how ST's farm runs models on the board STM32MP215F-DK"):
        benchmark(workspace, params, VARIANT, "far")
    assert not farm.times("/api/file")
    with pytest.raises(InputError, match="far runs no images of ours"):
        benchmark(lab(), params, VARIANT, "far", images=5)
    with pytest.raises(InputError, match="family of the board WALL-E"):
        benchmark(lab("WALL-E"), params, VARIANT, "far")
    workspace.lab.write_text("boards: {far: {kind: st-cloud}}", encoding="utf-8")
    with pytest.raises(ConfigError, match="give board"):
        benchmark(workspace, params, VARIANT, "far")
    assert len(CLASSES) > 1


@pytest.mark.shared
@pytest.mark.parametrize("name", ["4.0.0-stm32n6-cloud-timeout", "4.0.0-stm32n6-cloud-timeout-b"])
def test_real_time_outs_of_the_farm_are_none_of_the_model(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths, shared: Callable[[str], Path], name: str
) -> None:
    workspace = lab()
    ends((shared(f"fixtures/stedgeai/{name}") / "console.txt").read_text(encoding="utf-8"))(farm)
    with pytest.raises(FarmFailed, match="LOAD ERROR: STM32 - read timeout 50"):
        benchmark(workspace, load_params(workspace), VARIANT, "far")


@pytest.mark.shared
@pytest.mark.parametrize(("name", "latency_ms"), [("conv2d_1x1", 0.14592), ("depthwise_3x3", 0.04248)])
def test_real_files_of_validate_on_a_board(
    farm: Farm, lab: Callable[..., Workspace], measurable: VariantPaths, shared: Callable[[str], Path], name: str, latency_ms: float
) -> None:
    workspace = lab()
    info = json.loads((shared(f"fixtures/stedgeai/2.2.0-stm32n6-board-{name}") / "network_c_info.json").read_bytes())
    farm.result = {"state": "done", "benchmark": {"info": info, "report": None, "graph": None}, "memoryMapping": None}
    record = benchmark(workspace, load_params(workspace), VARIANT, "far")
    assert isinstance(record, FarmBenchmark)
    (one,) = record.models
    assert one.latency_ms == pytest.approx(latency_ms, abs=1e-5) and one.layers
    assert one.latency_ms == pytest.approx(sum(layer.duration_ms for layer in one.layers), abs=1e-6)
    assert one.code is not None and one.code.activation_ram_bytes is None and one.validation is not None
    assert one.validation.outputs[0].rmse is not None and one.clock_hz == 800_000_000
