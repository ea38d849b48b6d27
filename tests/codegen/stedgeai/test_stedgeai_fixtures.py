"""Real outputs of ST Edge AI Core 1.0 to 4.0.1: all are read, with the figures that they print. Those of STM32Cube.AI are refused."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from stedgeai_provenance import MADE

from edgeloop.codegen.stedgeai.failures import find_failures, typed
from edgeloop.codegen.stedgeai.inspect import inspect_output
from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.codegen.stedgeai.profiles import check_pools, check_profile
from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.report import read_report
from edgeloop.codegen.stedgeai.text import read_text
from edgeloop.codegen.stedgeai.versions import find_components, find_version
from edgeloop.errors import EdgeloopError, StedgeaiDoesNotFit, StedgeaiFailure, StedgeaiModelRefused, StedgeaiUnreadable
from edgeloop.records import CodegenRecord, Epochs

pytestmark = pytest.mark.shared

Shared = Callable[[str], Path]
ROOT = Path(__file__).resolve().parents[3].parent / "shared" / "fixtures" / "stedgeai"

FAILED: dict[str, tuple[type[StedgeaiFailure], str]] = {
    "2.2.0-stm32n6-cubemx-error-resnet34/console.txt": (StedgeaiDoesNotFit, "E103(CliRuntimeError)"),
    "4.0.1-errors/mobileclipB-console.txt": (StedgeaiModelRefused, "E010(InvalidModelError)"),
    "4.0.1-errors/mobileclips0-console.txt": (StedgeaiModelRefused, "NOT IMPLEMENTED"),
    "4.0.1-errors/yolov11n-nonpu-console.txt": (StedgeaiDoesNotFit, "E700(UnfeasibleAllocation)"),
    "4.0.1-errors/yolov11x-console.txt": (StedgeaiDoesNotFit, "E103(CliRuntimeError)"),
}
"""Logs of runs that failed before any figure."""


RETIRED = ("5.0.0", "7.3.0", "8.0.0")
"""Of STM32Cube.AI, before ST Edge AI Core: refused by name."""


def _outputs() -> list[str]:
    """Every report, log, c_info and legacy file."""
    patterns = ("*/*report*.txt", "*/*console.txt", "*/stdout.txt", "*/*_c_info.json", "*/*_report.json", "*/*_c_graph.json")
    return sorted({str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)})


@pytest.mark.parametrize("name", _outputs())
def test_every_output_is_read(shared: Shared, name: str) -> None:
    """To a record whose figures are not 0 where the tool did not state them, or to the tool's own error."""
    path = shared("fixtures/stedgeai") / name
    if name.startswith(RETIRED):
        with pytest.raises(StedgeaiUnreadable, match=rf"STM32Cube\.AI {name.partition('-')[0]}"):
            inspect_output(path)
        return
    if name in FAILED:
        error, kind = FAILED[name]
        with pytest.raises(error) as caught:
            inspect_output(path)
        assert caught.value.kind == kind
        return
    record = inspect_output(path)
    assert record.backend.version is not None
    assert record.weight_bytes != 0
    assert record.activation_ram_bytes != 0
    assert record.macs != 0
    assert record.code_flash_bytes != 0
    assert record.activation_ram_bytes is not None or record.validation is not None
    assert CodegenRecord.model_validate_json(record.model_dump_json()) == record


def test_there_are_outputs_to_read(shared: Shared) -> None:
    assert shared("fixtures/stedgeai").is_dir()
    assert len(_outputs()) > 75


WHOLE: dict[str, dict[str, Any]] = {
    "1.0.0-stm32-gs": {"weight_bytes": 139_176, "activation_ram_bytes": 112_196, "code_flash_bytes": 52_285, "macs": 23_932_020},
    "1.0.0-stm32h7-mnist": {
        "weight_bytes": 109_992,
        "activation_ram_bytes": 3_760,
        "code_flash_bytes": 9_612,
        "runtime_ram_bytes": 1_996,
        "toolchain_flash_bytes": 0,
        "macs": 109_386,
        "internal_ram_bytes": 3_760,
        "external_ram_bytes": 0,
    },
    "1.0.0-stm32l4-sww": {"weight_bytes": 49_412, "activation_ram_bytes": 10_116, "code_flash_bytes": None, "macs": 827_256},
    "2.1.0-stm32-generic-tito": {
        "weight_bytes": 2_154_368,
        "activation_ram_bytes": 545_056,
        "code_flash_bytes": None,
        "macs": 8_411_143_898,
    },
    "2.1.0-stm32n6-mobilenet_v2_128": {
        "weight_bytes": 367_233,
        "activation_ram_bytes": 245_760,
        "code_flash_bytes": None,
        "macs": 22_464_344,
    },
    "2.2.0-stm32f4-generate-resnet": {"weight_bytes": 9_471_328, "code_flash_bytes": None, "macs": 313_298_016},
    # kernel_flash equals "RT total", in which the toolchain's 968 bytes are.
    "2.2.0-stm32h7-pid": {
        "weight_bytes": 20_748,
        "activation_ram_bytes": 512,
        "code_flash_bytes": 8_946 + 64 + 1_836,
        "toolchain_flash_bytes": 968,
        "runtime_ram_bytes": 1_984,
        "macs": 5_345,
        "target": "stm32h7",
        "cpu": "cortex-m7",
    },
    "2.2.0-stm32n6-analyze-blazeface": {
        "weight_bytes": 166_225,
        "activation_ram_bytes": 540_672,
        "code_flash_bytes": 122_685,
        "toolchain_flash_bytes": 1_526,
        "macs": 32_092_044,
        "internal_ram_bytes": 540_672,
        "external_flash_bytes": 166_225,
    },
    # Its c_info file was overwritten by a validation on the board: memory comes from the report of generate.
    "2.2.0-stm32n6-board-conv2d_1x1": {"weight_bytes": 225, "activation_ram_bytes": 12_320, "code_flash_bytes": 14_906, "macs": 655_392},
    # The same log has 133,464 bytes of activations and 524,320 MACs: of the generic C model that `validate` makes.
    "2.2.0-stm32n6-cloud-conv2d_1x1": {"weight_bytes": 225, "activation_ram_bytes": 12_320, "code_flash_bytes": 14_674, "macs": None},
    "2.2.0-stm32n6-cloud-transformer": {
        "weight_bytes": 4_574_097,
        "activation_ram_bytes": 1_266_240,
        "code_flash_bytes": 509_957,
        "toolchain_flash_bytes": 13_074,
        "macs": 172_531_800,
    },
    "2.2.0-stm32n6-cubemx-mobilenet_v2_224": {"weight_bytes": 4_137_361, "activation_ram_bytes": 2_107_392, "code_flash_bytes": 121_005},
    "3.0.0-stm32n6-mobilenet_v2_128": {
        "weight_bytes": 212_609,
        "activation_ram_bytes": 245_760,
        "code_flash_bytes": None,
        "rounded": False,
    },
    "4.0.0-stm32n6-cloud-conv2d_1x1": {"weight_bytes": 225, "activation_ram_bytes": 143_360, "macs": 458_752},
    # The second number of `model/c-model: macc=1,444,725,377/241,438,339`; kernel_flash is 0 with "generic".
    "4.0.0-stm32n6-nonpu-packetqc": {
        "weight_bytes": 1_383_956,
        "activation_ram_bytes": 327_960,
        "macs": 241_438_339,
        "code_flash_bytes": None,
        "runtime_ram_bytes": None,
        "target": "stm32n6-cpu",
    },
    # "RT total" is 3,817,589, 3,669,800 of them the weights as an object file.
    "4.0.1-stm32n6-studio-mobilenet_v2_224": {"weight_bytes": 3_669_793, "code_flash_bytes": 147_789, "runtime_ram_bytes": 126_221},
    "4.0.1-stm32n6-stt": {"activation_ram_bytes": 947_200, "rounded": True, "macs": 2_233_884_515, "code_flash_bytes": None},
}
"""Figures of whole folders, copied by hand from what the tool printed."""


@pytest.mark.parametrize("folder", WHOLE)
def test_a_folder_states_what_the_tool_printed(shared: Shared, folder: str) -> None:
    record = inspect_output(shared("fixtures/stedgeai") / folder)
    assert {key: getattr(record, key) for key in WHOLE[folder]} == WHOLE[folder]


@pytest.mark.parametrize(
    ("folder", "epochs"),
    [
        ("2.1.0-stm32n6-mobilenet_v2_128", (56, 1, 0, 55, 0)),
        ("2.2.0-stm32n6-analyze-blazeface", (85, 27, 0, 58, 0)),
        ("2.2.0-stm32n6-analyze-audio", (51, 16, 0, 35, 0)),
        ("2.2.0-stm32n6-cloud-transformer", (407, 150, 0, 0, 257)),
        ("3.0.0-stm32n6-mobilenet_v2_128", (56, 1, 0, 55, 0)),
        ("4.0.1-stm32n6-stt", (618, 0, 0, 618, 0)),
        ("4.0.1-stm32n6-studio-yolov11n", (151, 10, 12, 0, 129)),
        ("4.0.1-stm32n6-studio-mobilenet_v2_224", (58, 3, 0, 0, 55)),
    ],
)
def test_epochs(shared: Shared, folder: str, epochs: tuple[int | None, ...]) -> None:
    found = inspect_output(shared("fixtures/stedgeai") / folder).epochs
    assert found is not None
    assert (found.total, found.software, found.hybrid, found.hardware, found.controller) == epochs


@pytest.mark.parametrize(
    ("folder", "mode", "duration_ms", "rmse"),
    [
        ("2.2.0-stm32n6-board-conv2d_1x1", "target", 0.146, 8.2811e-05),
        ("2.2.0-stm32n6-cubemx-mobilenet_v2_224", "target", 20.694, 0.14191407),
        ("4.0.0-stm32n6-cloud-conv2d_16f_3x3", "target", 0.086, 0.000166509),
        ("2.2.0-stm32f4-host-resnet", "host", None, 4.5e-08),
        ("2.2.0-stm32-host-pid", "host", None, 7.3e-08),
    ],
)
def test_validations(shared: Shared, folder: str, mode: str, duration_ms: float | None, rmse: float) -> None:
    validation = inspect_output(shared("fixtures/stedgeai") / folder).validation
    assert validation is not None
    assert (validation.mode, validation.duration_ms, validation.outputs[0].rmse) == (mode, duration_ms, rmse)


def test_c_info_and_report_of_one_run_state_the_same(shared: Shared) -> None:
    """Where both are exact: two readers, one figure."""
    for folder in ("2.2.0-stm32h7-pid", "2.2.0-stm32n6-analyze-blazeface", "4.0.0-stm32n6-nonpu-packetqc", "2.2.0-stm32f4-analyze-resnet"):
        files = shared(f"fixtures/stedgeai/{folder}")
        report = next(path for path in files.iterdir() if path.name.endswith("_report.txt"))
        one, other = inspect_output(files / "network_c_info.json"), inspect_output(report)
        for key in ("weight_bytes", "activation_ram_bytes", "code_flash_bytes", "runtime_ram_bytes", "toolchain_flash_bytes"):
            assert getattr(one, key) == getattr(other, key), (folder, key)
        assert one.target == other.target


def test_layers_of_the_two_tables_add_up(shared: Shared) -> None:
    """MACs of all layers are the table's own total."""
    for folder, macs in (
        ("2.2.0-stm32n6-board-depthwise_3x3", 135_171),
        ("2.2.0-stm32h7-pid", 5_345),
        ("2.2.0-stm32n6-analyze-audio", 65_217_184),
    ):
        layers = inspect_output(shared(f"fixtures/stedgeai/{folder}")).layers
        assert layers is not None
        assert sum(layer.macs or 0 for layer in layers) == macs


def test_bytes_that_do_not_fit_are_told(shared: Shared) -> None:
    logs = {"4.0.1-errors/yolov11n-nonpu-console.txt": 6_405_160, "2.2.0-stm32n6-cubemx-error-resnet34/console.txt": 3_211_264}
    for name, count in logs.items():
        failure = find_failures(read_text(shared("fixtures/stedgeai") / name))[-1]
        assert failure.needed_bytes == count
        assert str(count) in typed(failure, name).remedy


def test_an_earlier_error_of_the_same_log_is_another_one(shared: Shared) -> None:
    failures = find_failures(read_text(shared("fixtures/stedgeai/2.2.0-stm32n6-cubemx-error-resnet34/console.txt")))
    assert [failure.kind for failure in failures] == ["INTERNAL ERROR", "E103(CliRuntimeError)"]
    assert failures[0].words == "Your model ir_version 10 is higher than the checker's (9)."
    assert failures[0].needed_bytes is None


def test_a_board_that_stopped_leaves_the_figures_of_generate(shared: Shared) -> None:
    record = inspect_output(shared("fixtures/stedgeai/4.0.0-stm32n6-cloud-timeout"))
    assert (record.activation_ram_bytes, record.validation) == (1_585_152, None)
    assert record.run is not None
    assert record.run.errors == ["LOAD ERROR: STM32 - read timeout 50094.0ms/50000ms"]


def test_the_answer_to_version(shared: Shared) -> None:
    text = read_text(shared("fixtures/stedgeai/4.0.1-cli-help/version-block-of-help.txt"))
    assert str(find_version(text)) == "4.0.1-20581"
    assert find_components(text) == {"ISPU": "2.0.1-RC2", "MLC": "1.2.4-RC2", "STM32CubeAI": "12.0.1-RC2"}


def test_profiles_and_memory_pools(shared: Shared) -> None:
    folder = shared("fixtures/stedgeai/config-npu-profiles").resolve()
    assert check_profile("optionB_sram@user_neuralart_optionB.json", folder) == f"optionB_sram@{folder / 'user_neuralart_optionB.json'}"
    assert {"cpuRAM2", "octoFlash"} <= {*check_pools(folder / "stt_audio.mpool")}
    for mpool in (*folder.glob("*.mpool"), *shared("fixtures/stedgeai").glob("*/stm32n6.mpool")):
        assert check_pools(mpool)


def test_code_and_weights_within_it_are_the_tools_own_sum(shared: Shared) -> None:
    """Of every text with section sizes: flash and RAM of "RT total" as the block below them states it."""
    checked = 0
    for name in TEXTS:
        text = read_text(shared("fixtures/stedgeai") / name)
        stated = re.search(r"^.*  RT total\s+([\d,]+)\s+[\d.]+%\s+([\d,]+)\s+[\d.]+%", text, re.MULTILINE)
        record = _record(text)
        if stated and record.code_flash_bytes is not None:
            within = re.search(r'"RT total" holds (\d+) bytes of weights', record.note)
            flash = record.code_flash_bytes + (int(within[1]) if within else 0)
            assert (flash, record.runtime_ram_bytes) == (integer(stated[1]), integer(stated[2])), name
            checked += 1
    assert checked > 20


def test_epochs_that_the_tool_calls_hybrid(shared: Shared) -> None:
    epochs = inspect_output(shared("cases/stedgeai/2.2.0-stm32n6-hybrid-epochs")).epochs
    assert epochs is not None
    assert (epochs.total, epochs.software, epochs.hybrid) == (245, 181, 47)


def test_a_table_with_layers_that_are_called_model(shared: Shared) -> None:
    layers = inspect_output(shared("cases/stedgeai/3.1.0-stm32u5-model-rows")).layers
    assert layers is not None
    assert len(layers) == 31


def test_an_npus_report_of_the_older_form(shared: Shared) -> None:
    record = inspect_output(shared("cases/stedgeai/2.0.0-stm32n6-legacy-json/network_report.json"))
    assert (record.target, record.macs, record.weight_bytes, record.activation_ram_bytes) == ("stm32n6", None, 11_064_337, 351_232)


def test_a_c_info_of_the_generic_model_states_nothing_of_the_npus_network(shared: Shared) -> None:
    record = inspect_output(shared("cases/stedgeai/2.0.0-stm32n6-validate-overwrote/network_c_info.json"))
    assert (record.target, record.activation_ram_bytes, record.weight_bytes, record.macs) == ("stm32n6", None, None, None)
    assert "of a generic C model" in record.note


def test_an_npus_run_without_a_profile_has_none(shared: Shared) -> None:
    record = inspect_output(shared("cases/stedgeai/4.0.0-stm32n6-profile-absent"))
    assert record.run is not None
    assert (record.run.profile, record.target, record.macs) == (None, "stm32n6", 5_130_705)


FIGURES = (
    "target",
    "macs",
    "weight_bytes",
    "activation_ram_bytes",
    "io_ram_bytes",
    "runtime_ram_bytes",
    "code_flash_bytes",
    "toolchain_flash_bytes",
    "internal_ram_bytes",
    "external_ram_bytes",
    "internal_flash_bytes",
    "external_flash_bytes",
    "epochs",
)
TEXTS = [name for name in _outputs() if name.endswith(".txt") and name not in FAILED and not name.startswith(RETIRED)]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("cut", [False, True])
def test_a_text_that_lost_a_line_or_its_end_states_no_other_figure(shared: Shared, name: str, cut: bool) -> None:
    """The same, none, a typed error; or one that is marked as rounded."""
    text = read_text(shared("fixtures/stedgeai") / name)
    lines, whole = text.split("\n"), _record(text)
    random = Random(f"{name} {cut}")
    for place in random.sample(range(len(lines)), min(4, len(lines))):
        try:
            record = _record("\n".join(lines[:place] if cut else [*lines[:place], *lines[place + 1 :]]))
        except EdgeloopError:
            continue
        stated = {key: value for key in FIGURES if (value := getattr(record, key)) is not None}
        if record.rounded and not whole.rounded:
            stated = {key: value for key, value in stated.items() if not key.endswith("_bytes")}
        if record.epochs:
            stated["epochs"] = _as_far_as_told(record.epochs, whole.epochs)
        assert stated == {key: getattr(whole, key) for key in stated}, (place, lines[place])


def _as_far_as_told(epochs: Epochs, whole: Epochs | None) -> Epochs | None:
    """Those of the whole text where all that is told is the same."""
    told = {key: value for key, value in epochs.model_dump().items() if value is not None}
    return whole if whole and told.items() <= whole.model_dump().items() else epochs


def _record(text: str) -> CodegenRecord:
    return make_record([read_report(text, "a text")], MADE)
