"""Reports and console logs: layouts of every version, and the traps in them."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import stedgeai_samples as samples
from stedgeai_provenance import MADE
from stedgeai_samples import Layout

from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.render import render_record
from edgeloop.codegen.stedgeai.report import read_report
from edgeloop.codegen.stedgeai.source import option
from edgeloop.codegen.stedgeai.text import clean_lines, read_text
from edgeloop.errors import EdgeloopError, StedgeaiDoesNotFit, StedgeaiUnreadable
from edgeloop.records import CodegenRecord

N6 = Layout(target="stm32n6", npu=True, command="generate --target stm32n6 --st-neural-art default@my.json --model tiny.tflite")
N6_V4 = Layout(version="4.0.1-20581 7ed50de05", target="stm32n6", npu=True, command=N6.command)


def record_of(*texts: str) -> CodegenRecord:
    return make_record([read_report(text, "a report") for text in texts], MADE)


@pytest.mark.parametrize("version", ["1.0.0-19894", "2.1.0-20194 329b0e98d", "2.2.0-20266 2adc00962", "4.0.1-20581 7ed50de05"])
@pytest.mark.parametrize("write", [samples.report, samples.console])
def test_a_processors_report_and_console_state_the_same(version: str, write: Callable[[Layout], str]) -> None:
    record = record_of(write(Layout(version=version)))
    assert (record.activation_ram_bytes, record.weight_bytes) == (samples.ACTIVATIONS, samples.WEIGHTS)
    assert (record.code_flash_bytes, record.runtime_ram_bytes) == (samples.CODE_FLASH, samples.RUNTIME_RAM)
    assert (record.target, record.cpu, record.macs, record.io_ram_bytes) == ("stm32h7", "cortex-m7", samples.MACS, 0)
    assert record.backend.version == version.split()[0]
    assert not record.rounded


@pytest.mark.parametrize("write", [samples.report, samples.console])
def test_the_progress_bar_between_all_lines_changes_nothing(write: Callable[[Layout], str]) -> None:
    bar = "\nPASS:  92%|####1| 91/99 [00:05<00:00, 21.46it/s]\r\n          \n"
    assert record_of(write(N6).replace("\n", bar)) == record_of(write(N6))


def test_a_prefix_of_the_program_around_changes_nothing() -> None:
    prefixed = "\n".join(f"2026-06-16 21:30:05,481 [INFO] CmdLine:76 - {line}" for line in samples.console(N6).split("\n"))
    assert record_of(prefixed) == record_of(samples.console(N6))


@pytest.mark.parametrize(
    ("space", "instead"), [(" ", "\u00a0"), (" ", "\u202f"), ("    ", " \u00a0\u00a0 "), ("\n", "\r\n"), ("\n", "\r"), ("\n", "\u200b\n")]
)
@pytest.mark.parametrize("write", [samples.report, samples.console])
@pytest.mark.parametrize("layout", [N6, N6_V4, Layout()])
def test_what_a_clipboard_makes_of_spaces_and_lines_changes_nothing(
    write: Callable[[Layout], str], layout: Layout, space: str, instead: str
) -> None:
    assert record_of(write(layout).replace(space, instead)) == record_of(write(layout))


def test_spaces_that_became_tabs_are_read(tmp_path: Path) -> None:
    """Eight columns each, as an editor that "tabifies" makes them."""
    lines = [re.sub(r" +$", "", line) for line in samples.console(N6).split("\n")]
    tabbed = ["".join(_tabbed(line[place : place + 8]) for place in range(0, len(line), 8)) for line in lines]
    assert record_of("\n".join(tabbed)) == record_of(samples.console(N6))


def _tabbed(part: str) -> str:
    return part.rstrip() + "\t" if len(part) == 8 and part.endswith("  ") else part


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_file_is_read_in_the_encoding_that_it_has(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "console.txt"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + samples.console(N6)).encode(encoding))
    assert record_of(read_text(path)) == record_of(samples.console(N6))


def test_carriage_returns_end_lines() -> None:
    assert clean_lines("one\r\ntwo\rthree") == ["one", "two", "three"]


def test_code_holds_the_toolchain_once() -> None:
    """ "RT total" lists the toolchain's part already; adding it again would give more than there is."""
    record = record_of(samples.report(Layout()))
    assert record.code_flash_bytes == samples.TEXT + samples.RODATA + samples.DATA
    assert record.toolchain_flash_bytes == samples.TOOLCHAIN


def test_weights_that_were_compiled_are_no_code() -> None:
    """Weights of an NPU as a C file: "RT total" counts them, and the row of the weights counts them again."""
    text = samples.console(N6).replace(samples.sections(N6), samples.sections(N6, weights_as_c=samples.WEIGHTS + 6))
    record = record_of(text)
    assert record.code_flash_bytes == samples.CODE_FLASH
    assert record.weight_bytes == samples.WEIGHTS
    assert "1240 bytes of weights" in record.note


def test_the_row_of_weights_in_the_sections_is_padded_and_not_taken() -> None:
    assert record_of(samples.report(Layout())).weight_bytes == samples.WEIGHTS


def test_multiply_accumulates_are_those_of_the_generated_code() -> None:
    """`model/c-model: macc=a/b`: a is the original model, b what was generated, and they can differ sixfold."""
    assert record_of(samples.report(Layout())).macs == samples.MACS


@pytest.mark.parametrize("layout", [N6, N6_V4])
def test_an_npus_report_has_no_summary(layout: Layout) -> None:
    record = record_of(samples.report(layout))
    assert (record.target, record.activation_ram_bytes, record.weight_bytes) == ("stm32n6", samples.ACTIVATIONS, samples.WEIGHTS)
    assert record.macs == samples.MODEL_MACS
    assert not record.rounded


def test_zero_multiply_accumulates_of_an_npu_are_not_record_of() -> None:
    assert "macc               :   0 " in samples.console(N6)
    assert record_of(samples.console(N6)).macs is None
    assert record_of(samples.console(N6_V4)).macs == samples.MACS


def test_without_section_sizes_an_npus_report_has_rounded_memory_only() -> None:
    record = record_of(samples.report(Layout(**(vars(N6) | {"measured": False}))))
    assert record.rounded
    assert (record.activation_ram_bytes, record.weight_bytes) == (4_096, round(1.205 * 1024))
    assert (record.code_flash_bytes, record.runtime_ram_bytes, record.compiled) == (None, None, None)


def test_pools_of_an_npu_are_on_or_off_the_chip_by_address() -> None:
    record = record_of(samples.console(N6))
    assert record.pools is not None
    assert {pool.name: pool.internal for pool in record.pools} == {"flexMEM": True, "npuRAM3": True, "hyperRAM": False, "octoFlash": False}
    assert (record.internal_ram_bytes, record.external_ram_bytes) == (3_072, 1_024)
    assert (record.internal_flash_bytes, record.external_flash_bytes) == (0, samples.WEIGHTS)
    assert {pool.name: pool.size_bytes for pool in record.pools}["flexMEM"] == 0


def test_epochs_of_both_layouts() -> None:
    older, newer = record_of(samples.console(N6)).epochs, record_of(samples.console(N6_V4)).epochs
    assert older is not None
    assert newer is not None
    assert older.model_dump() == {"total": 5, "software": 1, "hybrid": 0, "hardware": 2, "controller": 2, "unknown": {}}
    # The controller's epochs are ranges of identifiers with gaps: they are not counted by them.
    assert newer.model_dump() == {"total": 5, "software": 1, "hybrid": 1, "hardware": 1, "controller": 2, "unknown": {}}


@pytest.mark.parametrize(
    ("layout", "row", "instead", "counted"),
    [
        # Version 2 prints two question marks for what its own files call NODE_SW_HW.
        (N6, "epoch 1       HW", "epoch 1       ??", (1, 1, 1, 2, {})),
        (N6, "epoch 1       HW", "epoch 1       ZZ", (1, 0, 1, 2, {"ZZ": 1})),
        (N6_V4, "|   HW   |", "|  Fused |", (1, 1, 0, 2, {"Fused": 1})),
        (N6_V4, "|   SW   |", "|  Fused |", (0, 1, 1, 2, {"Fused": 1})),
    ],
)
def test_an_epoch_of_another_type_is_counted_as_that(layout: Layout, row: str, instead: str, counted: tuple[object, ...]) -> None:
    assert row in samples.console(layout)
    record = record_of(samples.console(layout).replace(row, instead))
    assert (epochs := record.epochs)
    assert (epochs.software, epochs.hybrid, epochs.hardware, epochs.controller, epochs.unknown) == counted
    assert all(f"1 of the unknown type {kind}" in render_record(record) for kind in epochs.unknown)


@pytest.mark.parametrize(
    ("layout", "line", "field"),
    [
        (N6, "epoch 2      -SW-   (  Transpose  )", "the list of all 5 epochs"),
        (N6_V4, "| epoch_9          |   SW   |    Softmax    |", "the list of all 5 epochs"),
        (N6_V4, "| epochs    1 -> 7 |   EC   |               |", "the list of all 5 epochs"),
        (N6, "epoch 3       EC    ", "the list of all 5 epochs"),
        (N6_V4, ">> hybrid epochs (using both software and hardware)  1", "hybrid epochs"),
        (N6_V4, ">> pure software (SW) epochs                         1", "pure software epochs"),
    ],
)
def test_epochs_that_do_not_add_up_are_no_epochs(layout: Layout, line: str, field: str) -> None:
    with pytest.raises(StedgeaiUnreadable, match=field):
        record_of(samples.console(layout).replace(line + "\n", ""))


@pytest.mark.parametrize("write", [samples.report, samples.console])
@pytest.mark.parametrize("row", ["network.o", "lib (toolchain)*", "network_atonbuf.xSPI2.o", "weights"])
def test_section_sizes_that_lack_a_row_are_refused(write: Callable[[Layout], str], row: str) -> None:
    """One that holds weights would be taken for code without a word."""
    text = write(N6).replace(samples.sections(N6), samples.sections(N6, weights_as_c=samples.WEIGHTS + 6))
    with pytest.raises(StedgeaiUnreadable, match="section sizes"):
        record_of("\n".join(line for line in text.splitlines() if not line.startswith(f" {row} ")))


@pytest.mark.parametrize("row", ["\tnpuRAM3 ", "\thyperRAM ", "\toctoFlash ", "Total: "])
def test_memory_pools_that_lack_one_are_refused(row: str) -> None:
    text = samples.report(Layout(**(vars(N6) | {"measured": False})))
    with pytest.raises(StedgeaiUnreadable, match="use of the memory pools"):
        record_of("\n".join(line for line in text.splitlines() if not line.startswith(row)))


def test_memory_is_that_of_generate_not_of_validate() -> None:
    """The second summary of a log is of a generic C model, with other figures under the same names."""
    both = samples.console(N6) + samples.summary(N6, "validate", activations=133_464, macs=524_320) + "\n" + samples.validation()
    record = record_of(both)
    assert record.activation_ram_bytes == samples.ACTIVATIONS
    assert record.macs is None
    assert record.validation is not None
    assert (record.validation.mode, record.validation.duration_ms, record.validation.cycles) == ("target", 0.462, [30_050, 327_134, 12_470])


def test_the_summary_of_generate_comes_first_where_nothing_else_is_exact() -> None:
    unmeasured = Layout(**(vars(N6) | {"measured": False}))
    for text in (samples.console(unmeasured), samples.console(Layout())):
        record = record_of(text + samples.summary(N6, "validate", activations=133_464))
        assert (record.activation_ram_bytes, record.rounded) == (samples.ACTIVATIONS, False)


def test_a_validation_alone_states_no_memory_of_an_npu() -> None:
    record = record_of(samples.banner(N6) + "\n" + samples.summary(N6, "validate", activations=133_464) + "\n" + samples.validation())
    assert (record.activation_ram_bytes, record.weight_bytes, record.macs) == (None, None, None)


def test_a_log_whose_beginning_is_cut_off_is_named_by_its_end() -> None:
    text = samples.console(N6)
    cut = text[text.index(" model file") :]
    assert record_of(cut + samples.summary(N6, "validate", activations=133_464)).activation_ram_bytes == samples.ACTIVATIONS


@pytest.mark.parametrize(("snr", "mode"), [(False, "TARGET"), (True, "TARGET"), (False, "HOST")])
def test_a_validation_names_its_columns(snr: bool, mode: str) -> None:
    validation = record_of(samples.report(Layout()) + samples.validation(mode, snr)).validation
    assert validation is not None
    (output,) = validation.outputs
    assert output.accuracy == pytest.approx(0.98)
    assert (output.rmse, output.l2r, output.nse, output.cos) == (0.000074958, 0.000799048, 0.99969, 1.0)
    # The tool itself calls its times on the host "just indications".
    assert (validation.duration_ms is None) == (mode == "HOST")


def test_layers_by_the_columns_that_the_heading_names() -> None:
    layers = record_of(samples.report(N6)).layers
    assert layers is not None
    assert [(layer.position, layer.name, layer.type) for layer in layers] == [
        (0, "image", "Input"),
        (0, "conv2d_0", "CONV_2D"),
        (3, "dense_3", "DENSE"),
    ]
    assert [(layer.output_shape, layer.macs, layer.weight_bytes) for layer in layers[1:]] == [([4, 4, 16], 50_000, 496), ([5], 10_000, 738)]


@pytest.mark.parametrize("name", ["model_dense", "model", "model: 3", "tiny p=4", "macc=3"])
def test_a_layer_may_have_any_name(name: str) -> None:
    """A table ends at its line of sums, not at a row that begins like it."""
    row = "       conv2d_0 (CONV_2D)     ["
    assert row in samples.report(Layout())
    text = samples.report(Layout()).replace(row, f"       {f'{name} (CONV_2D)':23}[").replace("10,000      conv2d_0", f"10,000 {name:>13}")
    layers = record_of(text).layers
    assert layers is not None
    assert [layer.name for layer in layers] == ["image", name, "dense_3"]


@pytest.mark.parametrize("layout", [N6, Layout()])
@pytest.mark.parametrize("row", ["       conv2d_0 (CONV_2D) ", "3      dense_3 (DENSE) "])
def test_a_table_of_layers_that_lacks_a_row_is_left_out_and_the_note_says_so(layout: Layout, row: str) -> None:
    text = "\n".join(line for line in samples.report(layout).splitlines() if not line.startswith(row))
    record = record_of(text)
    assert record.layers is None
    assert "its last line states 60,000 and 1,234" in record.note
    assert record.weight_bytes == samples.WEIGHTS


def test_a_table_of_layers_without_its_end_is_left_out_and_the_note_says_so() -> None:
    text = "\n".join(line for line in samples.report(Layout()).splitlines() if not line.startswith("model/c-model"))
    record = record_of(text)
    assert record.layers is None
    assert "has no end" in record.note


def test_a_layer_without_work_is_missed_by_those_behind_it() -> None:
    text = "\n".join(line for line in samples.report(Layout()).splitlines() if not line.startswith("0      image ()"))
    record = record_of(text)
    assert record.layers is None
    assert "lacks a layer that others are connected to: image" in record.note


@pytest.mark.parametrize("npu", [True, False])
def test_of_a_report_whose_head_is_cut_off_the_section_sizes_tell_the_target(npu: bool) -> None:
    layout = N6 if npu else Layout(target="stm32n6")
    record = record_of(samples.sections(layout))
    # Of a processor the row of the weights is padded.
    assert (record.target, record.rounded) == ("stm32n6" if npu else "stm32n6-cpu", not npu)


def test_a_validation_whose_first_line_is_lost_is_of_the_device_that_it_names() -> None:
    text = "\n".join(samples.validation("TARGET").splitlines()[1:])
    validation = record_of(samples.report(Layout()) + text).validation
    assert validation is not None
    assert (validation.mode, validation.duration_ms) == ("target", 0.462)


def test_macs_are_those_of_the_generated_code_or_none() -> None:
    """Without the summary only the model's are in a report; they are not the generated code's."""
    lines = samples.report(Layout()).splitlines()
    named = [line for line in lines if not line.startswith("c_name")]
    assert record_of("\n".join(named)).macs == samples.MACS
    summary = samples.summary(Layout()).splitlines()
    assert record_of("\n".join(line for line in lines if line not in summary)).macs is None


def test_a_row_of_layers_that_is_not_understood_is_named() -> None:
    record = record_of(samples.report(Layout()).replace("image ()  ", "image     "))
    assert record.layers is None
    assert "not understood: 0      image" in record.note


@pytest.mark.parametrize("row", ["weights (ro)", "activations (rw)"])
def test_a_row_that_is_missing_is_named(row: str) -> None:
    lines = [line for line in samples.report(Layout()).splitlines() if not line.startswith(row)]
    with pytest.raises(StedgeaiUnreadable, match=row.split()[0]):
        record_of("\n".join(lines))


def test_a_figure_in_other_words_is_no_zero() -> None:
    text = samples.report(Layout()).replace(f"{samples.ACTIVATIONS:,} B (4.00 KiB) (1 segment) *", "see below")
    with pytest.raises(StedgeaiUnreadable, match="activations"):
        record_of(text)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("Neural Network Tools for STM32 v1.2.0 (AI tools v5.0.0)", "5.0.0"),
        ("Neural Network Tools for STM32AI v1.6.0 (STM.ai v7.2.0-RC5)", "7.2.0-RC5"),
        ("Neural Network Tools for STM32 family v1.7.0 (stm.ai v8.1.0-19520)", "8.1.0-19520"),
    ],
)
def test_a_report_of_an_older_tool_is_refused_by_its_name(line: str, version: str) -> None:
    text = samples.report(Layout()).replace(samples.banner(Layout()), line)
    with pytest.raises(StedgeaiUnreadable, match=rf"written by STM32Cube\.AI {re.escape(version)}, which edgeloop cannot drive") as caught:
        record_of(text)
    assert "ST Edge AI Core 1.0 or later" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "hello\nworld\n", samples.banner(Layout()) + "\n"])
def test_a_text_without_figures_is_refused_by_what_is_missing(text: str) -> None:
    with pytest.raises(StedgeaiUnreadable, match="memory figures"):
        record_of(text)


def test_a_run_that_failed_is_its_own_error() -> None:
    with pytest.raises(StedgeaiDoesNotFit, match="Not enough memory"):
        record_of(samples.banner(Layout()) + "\nE700(UnfeasibleAllocation): Not enough memory\n")


def test_a_failure_after_generation_stays_beside_its_figures() -> None:
    record = record_of(samples.console(N6) + "\nLOAD ERROR: STM32 - read timeout 50094.0ms/50000ms\n")
    assert record.activation_ram_bytes == samples.ACTIVATIONS
    assert record.validation is None
    assert record.run is not None
    assert record.run.errors == ["LOAD ERROR: STM32 - read timeout 50094.0ms/50000ms"]


def test_without_an_npu_the_same_series_is_its_processor() -> None:
    plain = Layout(version="4.0.0-20500 359356bb0", target="stm32n6", command="generate --target stm32n6 --model tiny.tflite")
    record = record_of(samples.report(plain))
    assert (record.target, record.cpu, record.epochs) == ("stm32n6-cpu", "cortex-m55", None)


def test_what_the_tool_ignored_in_a_profile_is_noted() -> None:
    warning = "WARNING: Unsupported keys in the current profile mine are ignored: memory_desc"
    assert warning in record_of(f"{warning}\n" + samples.console(N6)).note


def test_no_damage_is_anything_but_an_error_that_is_explained() -> None:
    """Lines and characters that are lost, doubled, moved or exchanged: read, or refused by name; never a crash."""
    random = Random(5)
    texts = [write(layout) for write in (samples.report, samples.console) for layout in (Layout(), N6, N6_V4)]
    texts.append(texts[2] + samples.validation())
    refused = 0
    for _ in range(600):
        lines = random.choice(texts).splitlines()
        for _ in range(random.randint(1, 8)):
            _damage(lines, random)
        try:
            record_of("\n".join(lines))
        except EdgeloopError:
            refused += 1
    assert 50 < refused < 590


def _damage(lines: list[str], random: Random) -> None:
    """Do one thing to one line."""
    place = random.randrange(len(lines))
    line = lines[place]
    cut = random.randint(0, len(line))
    lines[place] = random.choice(
        ["", line[:cut], line[cut:], line * 2, line.replace("1", "x"), line.replace(" ", ""), "9" * 5_000 + line, line.replace("0", "²")]
    )
    other = random.randrange(len(lines))
    if random.random() < 0.3:
        lines[place], lines[other] = lines[other], lines[place]


def test_a_line_without_end_takes_no_time_without_end() -> None:
    started = time.monotonic()
    record_of(samples.report(Layout()) + "x" + " " * 2_000_000 + "1\n")
    assert time.monotonic() - started < 20


def test_options_of_a_command_line() -> None:
    command = r'generate --target stm32n6 --name net -m "C:\some where\tiny.tflite" --st-neural-art custom@C:\p.json'
    assert option(command, "--target", "--series") == "stm32n6"
    assert option(command, "--model", "-m") == "C:/some where/tiny.tflite"
    assert option("an open 'quote --target x", "--target") == "x"
    assert option(None, "--target") is None
    assert option("generate --target=stm32n6", "--target") == "stm32n6"


@pytest.mark.parametrize(
    ("words", "profile"),
    [
        ("--st-neural-art --output out", None),
        ("-m tiny.tflite --st-neural-art", None),
        ("--st-neural-art my@my.json --output out", "my@my.json"),
        ("--st-neural-art=my@my.json", "my@my.json"),
    ],
)
def test_a_profile_may_be_left_out(words: str, profile: str | None) -> None:
    record = record_of(samples.report(Layout(**(vars(N6) | {"command": f"generate --target stm32n6 {words}"}))))
    assert record.run is not None
    assert (record.target, record.run.profile) == ("stm32n6", profile)


@pytest.mark.parametrize("write", [samples.report, samples.console])
def test_whether_an_npu_was_used_is_read_from_the_results(write: Callable[[Layout], str]) -> None:
    """The same option, and plain C: nothing was compiled for the NPU."""
    command = "generate --target stm32n6 --st-neural-art=-E --model tiny.tflite"
    record = record_of(write(Layout(version=N6_V4.version, target="stm32n6", command=command)))
    assert record.run is not None
    assert (record.target, record.run.profile, record.macs, record.epochs) == ("stm32n6-cpu", None, samples.MACS, None)
    assert "mapped to the NPU" not in record.note


def test_a_validations_report_of_an_npu_is_known_by_its_warning() -> None:
    lines = samples.report(N6_V4, "validate").splitlines()
    table = "\n".join(lines[: lines.index("Compilation details")])
    warning = " Warning: C-network signature checking is skipped on ST Neural-ART NPU\n"
    assert record_of(f"{table}\n{samples.validation()}").target == "stm32n6"
    record = record_of(f"{table}\n{warning}{samples.validation()}")
    assert (record.target, record.macs, record.activation_ram_bytes) == ("stm32n6", samples.MODEL_MACS, None)


def test_the_note_on_the_models_macs_is_only_where_they_are_its() -> None:
    """A console of version 4 states those of the mapped network, a report the model's."""
    note = "MACs are the model's, before it was mapped to the NPU."
    assert note in record_of(samples.report(N6_V4)).note
    assert record_of(samples.console(N6_V4)).macs == samples.MACS
    assert note not in record_of(samples.console(N6_V4)).note
    assert note not in record_of(samples.console(N6_V4), samples.report(N6_V4)).note
