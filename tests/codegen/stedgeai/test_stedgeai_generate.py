"""`edgeloop generate` with ST Edge AI Core, driven through a program that behaves like it: what it runs, what it keeps, how it fails."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import stedgeai_samples as samples
from variant_in_miniature import DATASET, NETWORK, VARIANT, project, write_params

from edgeloop.cli import main
from edgeloop.codegen.generate import Options, generate, generate_file
from edgeloop.codegen.stedgeai import backend
from edgeloop.codegen.stedgeai.inspect import inspect_output
from edgeloop.errors import (
    InputError,
    StedgeaiBoardError,
    StedgeaiDoesNotFit,
    StedgeaiFailure,
    StedgeaiMissing,
    StedgeaiModelRefused,
    StedgeaiTimeout,
    StedgeaiUnreadable,
)
from edgeloop.files import sha256_file
from edgeloop.records import CodegenRecord
from edgeloop.services.processes import identify
from edgeloop.workspace import Workspace

pytest_plugins = ("stedgeai_machine",)
pytestmark = pytest.mark.usefixtures("bare_machine")

Install = Callable[..., Path]
TOOL = Options(backend="stedgeai")
N6 = Options(target="stm32n6", backend="stedgeai", profile="default")


@pytest.fixture
def model(miniatures: Path) -> Path:
    """An int8 model, per channel."""
    return miniatures / "per_channel.tflite"


def calls(traces: Path) -> list[list[str]]:
    """The arguments of the stand-in's runs, --version left out."""
    lines = (traces / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [call for line in lines if (call := json.loads(line)["arguments"]) != ["--version"]]


@contextmanager
def leaves_nothing(out: Path) -> Iterator[None]:
    """A failure: no code, no record; the log stays beside the place where the folder would have been."""
    before = sorted(out.parent.iterdir())
    try:
        yield
    finally:
        log = out.parent / f"{out.name}.stedgeai.log"
        assert sorted(path for path in out.parent.iterdir() if path != log) == before


@pytest.mark.parametrize("version", ["1.0.0-19894", "2.2.0-20266 2adc00962", "4.0.1-20581 7ed50de05"])
def test_code_record_log_and_report_are_in_the_folder(install: Install, model: Path, tmp_path: Path, version: str) -> None:
    traces = install(version=version, components={"STM32CubeAI": "10.2.0"}, progress=3)
    out = tmp_path / "my code"
    record = generate_file(model, out, TOOL)
    files = {path.name for path in out.iterdir()}
    assert files == {
        "network.c",
        "network.h",
        "network_data.c",
        "network_c_info.json",
        "network_generate_report.txt",
        "stedgeai.log",
        "codegen.json",
        "application",
    }
    # A project copies the tool's files by name, and finds no others among them.
    image = {"network_image.c", "network_image.h", "edgeloop_resize.c", "edgeloop_resize.h"}
    assert {path.name for path in (out / "application").iterdir()} == image
    assert CodegenRecord.read(out / "codegen.json") == record
    assert (record.backend.name, record.backend.version) == ("stedgeai", version.split()[0])
    assert (record.weight_bytes, record.activation_ram_bytes, record.macs) == (samples.WEIGHTS, samples.ACTIVATIONS, samples.MACS)
    assert (record.code_flash_bytes, record.runtime_ram_bytes) == (samples.CODE_FLASH, samples.RUNTIME_RAM)
    assert (record.target, record.cpu, record.model_sha256) == ("stm32h7", "cortex-m7", sha256_file(model))
    assert record.compiled is not None
    assert (record.compiled.compiler, record.compiled.code_bytes) == ("arm-none-eabi-gcc (some build) 13.3.1 20240614", samples.TEXT)
    assert record.run is not None
    assert record.run.components == {"STM32CubeAI": "10.2.0"}
    # The whole log, progress bars included.
    assert (out / "stedgeai.log").read_text(encoding="utf-8").count("PASS:") > 50
    (call,) = calls(traces)
    assert call[:5] == ["generate", "--target", "stm32h7", "--name", "network"]
    assert call[call.index("--model") + 1] == str(model)


def test_each_run_has_an_output_folder_of_its_own_that_does_not_stay(install: Install, model: Path, tmp_path: Path) -> None:
    traces = install()
    generate_file(model, tmp_path / "code", TOOL)
    generate_file(model, tmp_path / "code", TOOL)
    outputs = [call[call.index("--output") + 1] for call in calls(traces)]
    assert len(set(outputs)) == 2
    assert not any(Path(output).exists() for output in outputs)


def test_the_npu_takes_its_profile(install: Install, model: Path, tmp_path: Path) -> None:
    traces = install(version="4.0.1-20581 7ed50de05")
    record = generate_file(model, tmp_path / "code", N6)
    (call,) = calls(traces)
    assert call[call.index("--st-neural-art") + 1] == "default"
    assert call[call.index("--target") + 1] == "stm32n6"
    assert (tmp_path / "code" / "network_atonbuf.xSPI2.raw").is_file()
    assert record.epochs is not None
    assert (record.target, record.epochs.total, record.macs) == ("stm32n6", 5, samples.MODEL_MACS)
    assert (record.internal_ram_bytes, record.external_ram_bytes, record.pools_rounded) == (3_072, 1_024, False)
    assert record.run is not None
    assert (record.run.profile, record.run.npu_compiler) == ("default", "1.1.9-99")


def test_a_profile_of_a_file_is_passed_on_with_its_whole_path(
    install: Install, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = install()
    (tmp_path / "board.mpool").write_text(json.dumps({"memory": {"mempools": []}}), encoding="utf-8")
    (tmp_path / "my.json").write_text(json.dumps({"Profiles": {"big": {"memory_pool": "board.mpool"}}}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    generate_file(model, tmp_path / "code", Options(target="stm32n6", profile="big@my.json"))
    assert f"big@{tmp_path / 'my.json'}" in calls(traces)[0]


def test_the_npu_without_a_profile_is_refused_before_the_tool_runs(install: Install, model: Path, tmp_path: Path) -> None:
    traces = install()
    with leaves_nothing(tmp_path / "code"), pytest.raises(InputError, match="needs a Neural-ART profile") as caught:
        generate_file(model, tmp_path / "code", Options(target="stm32n6", backend="stedgeai"))
    assert "stm32n6-cpu" in caught.value.remedy
    assert not (traces / "calls.jsonl").exists()


def test_the_plain_processor_of_the_n6_is_asked_for_by_name(install: Install, model: Path, tmp_path: Path) -> None:
    traces = install()
    record = generate_file(model, tmp_path / "code", Options(target="stm32n6-cpu", backend="stedgeai"))
    (call,) = calls(traces)
    assert call[call.index("--target") + 1] == "stm32n6"
    assert "--st-neural-art" not in call
    assert (record.target, record.epochs) == ("stm32n6-cpu", None)


def test_code_for_the_processor_is_never_taken_for_the_npus(install: Install, model: Path, tmp_path: Path) -> None:
    """The tool makes plain C without a word when it does not see --st-neural-art."""
    install(no_npu=True)
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiUnreadable, match="plain C for the processor"):
        generate_file(model, tmp_path / "code", N6)


@pytest.mark.parametrize("own_folder", [False, True])
def test_the_mp2_gets_its_binary_and_no_figure_that_nobody_stated(
    install: Install, miniatures: Path, tmp_path: Path, own_folder: bool
) -> None:
    traces = install(own_folder=own_folder)
    record = generate_file(miniatures / "per_tensor.tflite", tmp_path / "code", Options(target="stm32mp2", backend="stedgeai"))
    assert (tmp_path / "code" / "per_tensor.nb").read_bytes()[:4] == b"VPMN"
    assert calls(traces)[0][2] == "stm32mp25"
    assert (record.binary_bytes, record.note) == (1_000, "")
    assert (record.weight_bytes, record.activation_ram_bytes, record.macs, record.code_flash_bytes) == (None, None, None, None)


def test_a_per_channel_model_for_the_mp2_is_noted(install: Install, model: Path, tmp_path: Path) -> None:
    install()
    assert "not int8 per-tensor" in generate_file(model, tmp_path / "code", Options(target="stm32mp2", backend="stedgeai")).note


def test_the_mp1_gets_the_model_itself(model: Path, tmp_path: Path) -> None:
    record = generate_file(model, tmp_path / "code", Options(target="stm32mp1", name="colours"))
    assert (tmp_path / "code" / "colours.tflite").read_bytes() == model.read_bytes()
    assert (record.backend.name, record.binary_bytes, record.activation_ram_bytes) == ("none", model.stat().st_size, None)


def test_analyze_runs_when_it_is_asked_for(install: Install, model: Path, tmp_path: Path) -> None:
    traces = install()
    generate_file(model, tmp_path / "code", Options(backend="stedgeai", analyze=True))
    assert [call[0] for call in calls(traces)] == ["generate", "analyze"]
    assert (tmp_path / "code" / "network_analyze_report.txt").is_file()
    assert (tmp_path / "code" / "network.c").is_file()


def test_without_a_compiler_nothing_is_a_zero(install: Install, model: Path, tmp_path: Path) -> None:
    install(version="4.0.1-20581 7ed50de05", measured=False)
    record = generate_file(model, tmp_path / "code", TOOL)
    assert (record.code_flash_bytes, record.runtime_ram_bytes, record.toolchain_flash_bytes, record.compiled) == (None, None, None, None)
    assert record.weight_bytes == samples.WEIGHTS


def test_a_version_that_nobody_tested_is_noted(install: Install, model: Path, tmp_path: Path) -> None:
    install(version="5.3.0-1 abcdef0123")
    assert "5.3.0-1 was not tested" in generate_file(model, tmp_path / "code", TOOL).note


# Failures: each is typed, says the tool's own words, leaves no code and no figure, and the log.


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("E010(InvalidModelError): a parameter is odd", StedgeaiModelRefused),
        ("INTERNAL ERROR: Exported ONNX could be malformed", StedgeaiModelRefused),
        ("E700(UnfeasibleAllocation): Not enough memory on device\nMinimal sizes needed are: {'pool': 6405160}", StedgeaiDoesNotFit),
        ("TOOL ERROR: list index out of range", StedgeaiFailure),
        ("LOAD ERROR: STM32 - no connected board(s)", StedgeaiBoardError),
    ],
)
@pytest.mark.parametrize("status", [255, 0])
def test_the_tools_errors_are_typed_whatever_its_status(
    install: Install, model: Path, tmp_path: Path, words: str, error: type[StedgeaiFailure], status: int
) -> None:
    install(error=words, status=status, progress=1)
    with leaves_nothing(tmp_path / "code"), pytest.raises(error) as caught:
        generate_file(model, tmp_path / "code", TOOL)
    assert type(caught.value) is error
    assert caught.value.words == words.partition(": ")[2]
    log = tmp_path / "code.stedgeai.log"
    assert words in log.read_text(encoding="utf-8")
    assert str(log) in caught.value.remedy


def test_a_status_without_a_message(install: Install, model: Path, tmp_path: Path) -> None:
    install(error="Traceback (most recent call last): odd", status=255)
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiFailure, match=r"(?s)ended with status 255.*Traceback"):
        generate_file(model, tmp_path / "code", TOOL)


def test_a_crash(install: Install, model: Path, tmp_path: Path) -> None:
    install(signal=int(signal.SIGSEGV))
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiFailure, match="was ended by signal 11"):
        generate_file(model, tmp_path / "code", TOOL)


def test_a_full_disk_is_said(install: Install, model: Path, tmp_path: Path) -> None:
    install(error="OSError: [Errno 28] No space left on device: 'network_data.c'", status=1)
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiFailure, match="The disk is full") as caught:
        generate_file(model, tmp_path / "code", TOOL)
    assert caught.value.kind == "disk full"


def test_a_disk_that_is_really_full(install: Install, model: Path, tmp_path: Path) -> None:
    """On a file system of 64 KiB: the tool's words are lost with the log, and it is known all the same."""
    install(progress=400)
    small = tmp_path / "small disk"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        with pytest.raises(StedgeaiFailure, match="The disk is full"):
            generate_file(model, small / "code", TOOL)
        assert not (small / "code").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True, timeout=30)


def test_a_hang_ends_at_its_deadline_with_all_of_its_children(
    install: Install, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeloop.codegen.stedgeai.run.GRACE_S", 0.3)
    traces = install(hang_s=600)
    started = time.monotonic()
    monkeypatch.setattr("edgeloop.codegen.generate.Request", partial(backend.Request, deadline_s=2.0))
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiTimeout, match="Analysing the model"):
        generate_file(model, tmp_path / "code", TOOL)
    assert time.monotonic() - started < 20
    child = int((traces / "child.pid").read_text(encoding="utf-8"))
    assert identify(child) is None


def test_what_the_tool_leaves_running_is_ended(install: Install, model: Path, tmp_path: Path) -> None:
    traces = install(background_s=600)
    generate_file(model, tmp_path / "code", TOOL)
    child = int((traces / "child.pid").read_text(encoding="utf-8"))
    deadline = time.monotonic() + 5
    while identify(child) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert identify(child) is None


def test_a_question_of_the_first_start(install: Install, model: Path, tmp_path: Path) -> None:
    install(prompt="give up")
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiMissing, match="Do you agree"):
        generate_file(model, tmp_path / "code", TOOL)


@pytest.mark.parametrize("file", ["network.c", "network.h", "network_c_info.json", "network_generate_report.txt"])
def test_a_file_that_was_not_written(install: Install, model: Path, tmp_path: Path, file: str) -> None:
    install(omit=[file])
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiUnreadable, match=file):
        generate_file(model, tmp_path / "code", TOOL)


def test_a_file_that_was_half_written(install: Install, model: Path, tmp_path: Path) -> None:
    install(cut=["network_c_info.json"])
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiUnreadable, match="is no JSON"):
        generate_file(model, tmp_path / "code", TOOL)


def test_a_binary_that_was_not_written_for_the_mp2(install: Install, miniatures: Path, tmp_path: Path) -> None:
    install(omit=["per_tensor.nb"])
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiUnreadable, match=r"<model>\.nb"):
        generate_file(miniatures / "per_tensor.tflite", tmp_path / "code", Options(target="stm32mp2", backend="stedgeai"))


def test_an_old_report_is_never_taken_for_the_result(install: Install, model: Path, tmp_path: Path) -> None:
    """A run before left its code and reports; the next one fails: they stay as they were, and nothing is read from them."""
    out = tmp_path / "code"
    install()
    generate_file(model, out, TOOL)
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}
    install(omit=["network_generate_report.txt", "network_c_info.json"])
    with pytest.raises(StedgeaiUnreadable):
        generate_file(model, out, TOOL)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(target="stm32h7", backend="stedgeai", profile="default"), "has no Neural-ART profile"),
        (Options(backend="stedgeai", stream_input=True), "--stream-input .* is of use for the portable generator only"),
        (Options(backend="stedgeay"), "did you mean 'stedgeai'"),
        (Options(backend="stedgeai", name="2nd"), "cannot be the prefix"),
        (Options(backend="portable", profile="default"), "--profile .* is of use for ST Edge AI Core only"),
    ],
)
def test_what_cannot_be_meant_is_refused(install: Install, model: Path, tmp_path: Path, options: Options, words: str) -> None:
    traces = install()
    with leaves_nothing(tmp_path / "code"), pytest.raises(InputError, match=words):
        generate_file(model, tmp_path / "code", options)
    assert not (traces / "calls.jsonl").exists()


def test_a_model_that_is_not_there(install: Install, tmp_path: Path) -> None:
    install()
    with leaves_nothing(tmp_path / "code"), pytest.raises(InputError, match="no model"):
        generate_file(tmp_path / "none.tflite", tmp_path / "code", TOOL)


# Which backend generates when none is named.


def test_the_portable_one_where_the_tool_is_absent(model: Path, tmp_path: Path) -> None:
    assert generate_file(model, tmp_path / "code").backend.name == "portable"


def test_the_tool_where_it_is(install: Install, model: Path, tmp_path: Path) -> None:
    install()
    assert generate_file(model, tmp_path / "code").backend.name == "stedgeai"
    assert generate_file(model, tmp_path / "other", Options(backend="portable")).backend.name == "portable"


@pytest.mark.parametrize("target", ["stm32n6", "stm32mp2"])
def test_an_npu_is_never_replaced_by_its_processor(model: Path, tmp_path: Path, target: str) -> None:
    with leaves_nothing(tmp_path / "code"), pytest.raises(StedgeaiMissing, match="needs ST Edge AI Core"):
        generate_file(model, tmp_path / "code", Options(target=target, profile="default"))


def test_a_backend_that_is_named_is_taken_or_an_error(model: Path, tmp_path: Path) -> None:
    record = generate_file(model, tmp_path / "code", Options(target="stm32n6", backend="portable"))
    assert (record.backend.name, record.note) == ("portable", "The code runs on the CPU; the Neural-ART NPU is not used.")
    with leaves_nothing(tmp_path / "other"), pytest.raises(StedgeaiMissing, match="not installed"):
        generate_file(model, tmp_path / "other", Options(backend="stedgeai"))


# A variant, and the commands.


@pytest.fixture
def quantized(tmp_path: Path, miniatures: Path) -> Workspace:
    """A project whose variant has both int8 models."""
    workspace = project(tmp_path / "a project")
    write_params(workspace)
    folder = workspace.variant(DATASET, NETWORK, 96).quantized
    folder.mkdir(parents=True)
    for name in ("per_channel.tflite", "per_tensor.tflite"):
        (folder / name).write_bytes((miniatures / name).read_bytes())
    return workspace


@pytest.mark.parametrize(("target", "file"), [("stm32h7", "per_channel.tflite"), ("stm32mp2", "per_tensor.tflite")])
def test_a_variant_takes_the_model_that_the_target_runs_best(install: Install, quantized: Workspace, target: str, file: str) -> None:
    traces = install()
    params, paths = write_params(quantized), quantized.variant(DATASET, NETWORK, 96)
    record = generate(quantized, params, VARIANT, Options(target=target, backend="stedgeai"))
    assert calls(traces)[0][calls(traces)[0].index("--model") + 1] == str(paths.quantized / file)
    assert (record.dataset, record.network, record.resolution, record.target) == (DATASET, NETWORK, 96, target)
    assert record.model_sha256 == sha256_file(paths.quantized / file)
    assert CodegenRecord.read(paths.generate_record) == record
    # The log lies beside the record, not among the outputs of the stage.
    assert "ST Edge AI Core" in (paths.folder / "generate.log").read_text(encoding="utf-8")
    assert not (paths.generated / "stedgeai.log").exists()


def test_the_commands(install: Install, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(version="4.0.1-20581 7ed50de05")
    out = tmp_path / "code"
    arguments = ["generate", str(model), "--target", "stm32n6", "--backend", "stedgeai", "--profile", "default", "-o", str(out)]
    assert main(arguments) == 0
    assert "1.21 KiB of weights, 4.00 KiB of activations, 7.32 KiB of code" in capsys.readouterr().out
    assert main(["inspect", str(out), "--json", str(tmp_path / "record.json")]) == 0
    assert (tmp_path / "record.json").read_bytes() == (out / "codegen.json").read_bytes()
    shown = capsys.readouterr().out
    for words in ("network for stm32n6, by stedgeai 4.0.1-20581", "1,234 B (1.21 KiB)", "5: 1 hardware", "pool npuRAM3", "CONV_2D"):
        assert words in shown
    (out / "codegen.json").unlink()
    assert main(["inspect", str(out)]) == 0
    assert "network for stm32n6, by stedgeai 4.0.1-20581" in capsys.readouterr().out


def test_the_command_says_what_is_missing(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(model), "--backend", "stedgeai", "-o", str(tmp_path / "code")]) == 1
    assert "STEDGEAI_CORE_DIR" in capsys.readouterr().err


def test_folders_with_nothing_or_with_too_much(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Nothing of ST Edge AI Core"):
        inspect_output(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"{name}_generate_report.txt").write_text(samples.report(samples.Layout()), encoding="utf-8")
    with pytest.raises(StedgeaiUnreadable, match="several networks: one, two"):
        inspect_output(tmp_path)


def test_a_workspace_of_the_npus_compiler(tmp_path: Path) -> None:
    content = samples.c_info(samples.Layout(target="stm32n6", npu=True, command="generate --target stm32n6 --st-neural-art default"))
    del content["memory_footprint"]
    (tmp_path / "c_info.json").write_text(json.dumps(content), encoding="utf-8")
    assert inspect_output(tmp_path).activation_ram_bytes == samples.ACTIVATIONS


def test_files_of_two_runs_give_no_figure(tmp_path: Path) -> None:
    (tmp_path / "network_generate_report.txt").write_text(samples.report(samples.Layout()), encoding="utf-8")
    other = samples.c_info(samples.Layout())
    other["memory_footprint"]["weights"] += 1
    (tmp_path / "network_c_info.json").write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(StedgeaiUnreadable, match=r"not of one run: .* 1235 and 1234 of weights"):
        inspect_output(tmp_path)


def test_memory_of_generate_and_times_of_validate_are_joined(tmp_path: Path) -> None:
    """A validation on the board overwrites the c_info file; the report of generate still has the memory."""
    layout = samples.Layout(target="stm32n6", npu=True, command="generate --target stm32n6 --st-neural-art default -m tiny.tflite")
    (tmp_path / "network_generate_report.txt").write_text(samples.report(layout), encoding="utf-8")
    (tmp_path / "network_c_info.json").write_text(json.dumps(samples.overwritten_c_info(layout)), encoding="utf-8")
    record = inspect_output(tmp_path)
    assert (record.weight_bytes, record.activation_ram_bytes) == (samples.WEIGHTS, samples.ACTIVATIONS)
    assert record.validation is not None
    assert record.validation.duration_ms == 0.25
