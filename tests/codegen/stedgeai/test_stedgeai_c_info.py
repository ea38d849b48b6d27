"""`network_c_info.json` of every version: its traps, and that a field which is missing is named and never a zero."""

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import stedgeai_samples as samples
from stedgeai_provenance import MADE
from stedgeai_samples import Layout

from edgeloop.codegen.stedgeai.inspect import inspect_output, read_file
from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.render import render_record
from edgeloop.errors import EdgeloopError, InputError, StedgeaiUnreadable
from edgeloop.records import CodegenRecord

N6 = Layout(target="stm32n6", npu=True, command="generate --target stm32n6 --st-neural-art default --model tiny.tflite")
VERSIONS = ["1.0.0-19894", "2.1.0-20194 329b0e98d", "2.2.0-20266 2adc00962", "3.0.0-20426 123672867", "4.0.0-20500 359356bb0"]


def written(folder: Path, content: Any) -> Path:
    path = folder / "network_c_info.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def record_of(folder: Path, content: Any) -> CodegenRecord:
    return make_record([read_file(written(folder, content))], MADE)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_processors_file_of_each_version(tmp_path: Path, version: str) -> None:
    record = record_of(tmp_path, samples.c_info(Layout(version=version)))
    assert (record.activation_ram_bytes, record.weight_bytes, record.io_ram_bytes) == (samples.ACTIVATIONS, samples.WEIGHTS, 0)
    assert (record.code_flash_bytes, record.runtime_ram_bytes) == (samples.CODE_FLASH, samples.RUNTIME_RAM)
    assert (record.macs, record.target, record.backend.version) == (samples.MACS, "stm32h7", version.split()[0])
    assert record.layers is not None
    assert [(layer.name, layer.type, layer.position, layer.output_shape, layer.weight_bytes) for layer in record.layers] == [
        ("conv2d_0", "Conv2D", 0, [4, 4, 16], 496),
        ("dense_3", "Dense", 3, [5], 738),
    ]
    # The linker places a pool at `NULL` or at a C symbol.
    assert (record.pools, record.internal_ram_bytes, record.external_flash_bytes) == (None, None, None)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_an_npus_file_of_each_version(tmp_path: Path, version: str) -> None:
    record = record_of(tmp_path, samples.c_info(Layout(**(vars(N6) | {"version": version}))))
    assert (record.target, record.activation_ram_bytes, record.weight_bytes) == ("stm32n6", samples.ACTIVATIONS, samples.WEIGHTS)
    # Every node of an NPU has 0 multiply-accumulates in this file.
    assert record.macs is None
    assert record.epochs is not None
    assert record.epochs.model_dump() == {
        "total": 5,
        "software": 1,
        "hybrid": 0,
        "hardware": 4,
        "controller": 0,
        "unknown": {},
    }
    assert (record.internal_ram_bytes, record.external_ram_bytes) == (3_072, 1_024)
    assert (record.internal_flash_bytes, record.external_flash_bytes) == (0, samples.WEIGHTS)


@pytest.mark.parametrize(
    ("mapping", "counted"),
    [
        # Both the NPU and the processor: neither hardware nor software.
        ("NODE_SW_HW", {"software": 1, "hybrid": 1, "hardware": 3, "controller": 0, "unknown": {}}),
        ("NODE_EC", {"software": 1, "hybrid": 0, "hardware": 3, "controller": 1, "unknown": {}}),
        ("NODE_SW_NEW", {"software": 1, "hybrid": 0, "hardware": 3, "controller": 0, "unknown": {"NODE_SW_NEW": 1}}),
    ],
)
def test_an_epoch_counts_as_what_it_is(tmp_path: Path, mapping: str, counted: dict[str, Any]) -> None:
    content = samples.c_info(N6)
    content["graphs"][0]["nodes"][1]["mapping"] = mapping
    record = record_of(tmp_path, content)
    assert record.epochs is not None
    assert record.epochs.model_dump() == {"total": 5} | counted
    assert ("unknown type NODE_SW_NEW" in render_record(record)) == bool(counted["unknown"])


def test_epochs_of_the_controller_are_counted_where_they_are_told_apart(tmp_path: Path) -> None:
    content = samples.c_info(N6)
    content["ec_blobs_info"] = [{"name": "blob"}]
    assert (epochs := record_of(tmp_path, content).epochs)
    assert (epochs.hardware, epochs.controller) == (None, None)
    content["graphs"][0]["nodes"][1]["mapping"] = "NODE_EC"
    assert (epochs := record_of(tmp_path, content).epochs)
    assert (epochs.hardware, epochs.controller) == (3, 1)


def test_an_aggregate_of_pools_is_not_counted_again(tmp_path: Path) -> None:
    record = record_of(tmp_path, samples.c_info(N6))
    assert record.pools is not None
    assert [pool.name for pool in record.pools] == ["npuRAM3", "hyperRAM", "octoFlash"]
    assert sum(pool.activation_ram_bytes or 0 for pool in record.pools) == samples.ACTIVATIONS


def test_a_disabled_pool_has_no_room_and_an_unlimited_one_no_size(tmp_path: Path) -> None:
    content = samples.c_info(N6)
    content["memory_pools"] += [samples.pool("flexMEM", str(0x34000000), 0, size_bytes=0), samples.pool("more", "0x20000000", 0)]
    pools = {pool.name: pool.size_bytes for pool in record_of(tmp_path, content).pools or []}
    assert (pools["flexMEM"], pools["more"], pools["npuRAM3"]) == (0, None, 458_752)


def test_a_virtual_pool_is_not_counted(tmp_path: Path) -> None:
    content = samples.c_info(N6)
    content["memory_pools"].append(samples.pool("virtual", "0x34200000", 9_999, virtual=True))
    record = record_of(tmp_path, content)
    assert (record.internal_ram_bytes, record.note) == (3_072, "")


@pytest.mark.parametrize(("version", "missing"), [("2.2.0-20266", None), ("4.0.0-20500", 0)])
def test_null_or_zero_with_generic_is_not_measured(tmp_path: Path, version: str, missing: int | None) -> None:
    content = samples.c_info(Layout(version=version, measured=False))
    assert content["memory_footprint"]["kernel_flash"] == missing
    record = record_of(tmp_path, content)
    assert (record.code_flash_bytes, record.runtime_ram_bytes, record.toolchain_flash_bytes) == (None, None, None)
    assert "No code sizes are stated" in record.note


def test_a_measured_zero_is_a_zero(tmp_path: Path) -> None:
    content = samples.c_info(Layout())
    content["memory_footprint"]["toolchain_flash"] = 0
    assert record_of(tmp_path, content).toolchain_flash_bytes == 0


def test_code_holds_the_toolchain_already(tmp_path: Path) -> None:
    record = record_of(tmp_path, samples.c_info(Layout()))
    assert (record.code_flash_bytes, record.toolchain_flash_bytes) == (samples.CODE_FLASH, samples.TOOLCHAIN)


def test_weights_written_as_c_make_the_size_of_code_unknown(tmp_path: Path) -> None:
    content = samples.c_info(N6)
    content["environment"]["generated_model"]["model_files"].append({"name": "network_atonbuf.xSPI2.c", "signature": "0x12"})
    record = record_of(tmp_path, content)
    assert record.code_flash_bytes is None
    assert "weights that were written as C" in record.note


def test_a_file_that_validate_overwrote_has_no_memory(tmp_path: Path) -> None:
    record = record_of(tmp_path, samples.overwritten_c_info(N6))
    assert (record.activation_ram_bytes, record.weight_bytes, record.code_flash_bytes, record.pools) == (None, None, None, None)
    assert "was overwritten by `validate`" in record.note
    assert record.validation is not None
    assert (record.validation.mode, record.validation.duration_ms, record.validation.cycles) == ("target", 0.25, [20, 200, 10])


def generic_c_info(command: str) -> dict[str, Any]:
    """What `validate` on a board writes over the file of generate: the same keys, of a C model that does not run there."""
    content = samples.c_info(Layout(target="stm32n6", command=command, measured=False))
    overwritten = samples.overwritten_c_info(N6)
    content |= {key: overwritten[key] for key in ("aton_execution_time", "validation")}
    content["environment"]["device"] = overwritten["environment"]["device"]
    return content


@pytest.mark.parametrize("timed", [True, False])
def test_figures_of_a_generic_c_model_are_not_those_of_the_npus_network(tmp_path: Path, timed: bool) -> None:
    content = generic_c_info(N6.command.replace("generate", "validate"))
    if not timed:
        del content["aton_execution_time"]
    record = record_of(tmp_path, content)
    assert (record.activation_ram_bytes, record.weight_bytes, record.macs, record.layers, record.pools) == (None, None, None, None, None)
    assert "its figures are those of a generic C model" in record.note
    assert record.validation is not None


def test_beside_the_report_of_generate_the_overwritten_file_states_the_validation(tmp_path: Path) -> None:
    written(tmp_path, generic_c_info(N6.command.replace("generate", "validate")))
    (tmp_path / "network_generate_report.txt").write_text(samples.report(N6), encoding="utf-8")
    record = inspect_output(tmp_path)
    assert (record.target, record.activation_ram_bytes, record.macs) == ("stm32n6", samples.ACTIVATIONS, samples.MODEL_MACS)
    assert record.validation is not None
    assert record.validation.duration_ms == 0.25


def test_the_option_alone_makes_no_npus_file(tmp_path: Path) -> None:
    command = "generate --target stm32n6 --st-neural-art=-E --model tiny.tflite"
    record = record_of(tmp_path, samples.c_info(Layout(target="stm32n6", command=command)))
    assert record.run is not None
    assert (record.target, record.run.profile, record.macs) == ("stm32n6-cpu", None, samples.MACS)


def test_cycles_of_a_processor_are_those_of_the_graph(tmp_path: Path) -> None:
    content = samples.c_info(Layout())
    content["environment"]["device"] = "stm32 family - 0x450 - STM32H743/53/50xx @480/240MHz"
    content["graphs"][0]["exec_time"] = {
        "counters": None,
        "cycles": 47_049,
        "cycles_by_macc": 0.8,
        "duration_ms": 0.098,
        "percentage": 100.0,
    }
    content["validation"] = {"val_metrics": [{"desc": "X-cross #1", "acc": "n.a.", "rmse": 1e-8}]}
    validation = record_of(tmp_path, content).validation
    assert validation is not None
    assert (validation.duration_ms, validation.cycles) == (0.098, [47_049])


@pytest.mark.parametrize("io", [[49_152, 4], [0, 0]])
def test_inputs_and_outputs_may_have_a_place_of_their_own(tmp_path: Path, io: list[int]) -> None:
    """In a pool outside of the chip, for one: that does not contradict the activations."""
    content = samples.c_info(Layout())
    content["memory_footprint"]["io"] = io
    content["memory_pools"][0]["address"] = "0x24000000"
    content["memory_pools"].append(samples.pool("POOL_EXTERNAL_SDRAM", "0xD0000000", sum(io), virtual=False))
    record = record_of(tmp_path, content)
    assert (record.internal_ram_bytes, record.external_ram_bytes, record.io_ram_bytes) == (samples.ACTIVATIONS, sum(io), sum(io))
    assert "contradict" not in record.note
    assert "hold" not in record.note


def test_times_of_the_host_are_none(tmp_path: Path) -> None:
    content = samples.c_info(Layout())
    content["environment"]["device"] = "x86_64, x86_64, Linux"
    content["graphs"][0]["exec_time"] = {"counters": None, "cycles": 0, "cycles_by_macc": 0.0, "duration_ms": 173.8, "percentage": 100.0}
    content["validation"] = {"val_metrics": [{"desc": "X-cross #1", "acc": "100.00%", "rmse": 1e-8}]}
    validation = record_of(tmp_path, content).validation
    assert validation is not None
    assert (validation.mode, validation.duration_ms, validation.outputs[0].accuracy) == ("host", None, 1.0)


@pytest.mark.parametrize("address", ["0x24000000", str(0x24000000)])
def test_addresses_are_hexadecimal_or_decimal_text(tmp_path: Path, address: str) -> None:
    content = samples.c_info(Layout())
    content["memory_pools"][0]["address"] = address
    record = record_of(tmp_path, content)
    assert record.pools is not None
    assert (record.pools[0].address, record.internal_ram_bytes) == (0x24000000, samples.ACTIVATIONS)
    # The weights are still where the linker puts them.
    assert (record.internal_flash_bytes, record.external_flash_bytes) == (None, None)


def test_a_pool_that_is_called_external_is(tmp_path: Path) -> None:
    content = samples.c_info(Layout())
    content["memory_pools"][0] |= {"address": "0x24000000", "name": "POOL_EXTERNAL_SDRAM"}
    assert record_of(tmp_path, content).external_ram_bytes == samples.ACTIVATIONS


def test_pools_that_contradict_the_footprint_are_noted(tmp_path: Path) -> None:
    content = samples.c_info(N6)
    content["memory_pools"][0]["used_size_bytes"] += 8
    assert "hold 4104 bytes, memory_footprint states 4096" in record_of(tmp_path, content).note


def test_the_npu_compilers_own_file_has_no_footprint(tmp_path: Path) -> None:
    content = samples.c_info(N6)
    del content["memory_footprint"]
    record = record_of(tmp_path, content)
    assert (record.activation_ram_bytes, record.weight_bytes, record.code_flash_bytes) == (samples.ACTIVATIONS, samples.WEIGHTS, None)


REQUIRED = [
    "json_schema_version",
    "environment",
    "environment.generated_model",
    "memory_footprint.activations",
    "memory_footprint.weights",
    "memory_footprint.io",
    "memory_footprint.kernel_flash",
    "memory_footprint.kernel_ram",
    "memory_footprint.toolchain_flash",
    "memory_pools[0].subpools",
    "memory_pools[0].address",
    "memory_pools[0].used_size_bytes",
    "memory_pools[0].rights",
    "memory_pools[0].size_bytes",
    "graphs[0].nodes",
    "graphs[0].nodes[1].macc",
    "graphs[0].nodes[1].name",
    "graphs[0].nodes[1].outputs",
    "buffers",
    "buffers[1].size_bytes",
    "buffers[3].is_param",
]


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("instead", ["missing", "text", "null"])
def test_a_required_field_that_is_missing_or_odd_is_named(tmp_path: Path, field: str, instead: str) -> None:
    content = copy.deepcopy(samples.c_info(Layout()))
    holder, key = _holder(content, field)
    if instead == "missing":
        del holder[key]
    else:
        holder[key] = None if instead == "null" else [] if isinstance(holder[key], str) else "many"
    with pytest.raises(StedgeaiUnreadable, match="unknown layout") as caught:
        record_of(tmp_path, content)
    assert field in str(caught.value)


def test_no_damage_is_anything_but_an_error_that_is_explained(tmp_path: Path) -> None:
    """Any value of any version's file in exchange for any other: read, or refused by name; never a crash."""
    random = Random(5)
    layouts = [Layout(), Layout(version=VERSIONS[0]), N6, Layout(**(vars(N6) | {"version": VERSIONS[-1]}))]
    contents = [*map(samples.c_info, layouts), samples.overwritten_c_info(N6)]
    refused = 0
    for _ in range(1_500):
        content = copy.deepcopy(random.choice(contents))
        _damage(content, random)
        try:
            record_of(tmp_path, content)
        except EdgeloopError:
            refused += 1
    assert refused > 200


def _damage(content: Any, random: Random) -> None:
    """Exchange one value somewhere in it."""
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = random.choice(keys)
    if isinstance(content[key], dict | list) and content[key] and random.random() < 0.85:
        _damage(content[key], random)
    else:
        content[key] = random.choice([None, True, -1, 0, 1e400, 12.5, "", "NULL", "0x12", [], [[]], {}, {"a": 1}, [None]])


def _holder(content: Any, field: str) -> tuple[Any, str]:
    *path, key = field.replace("[", ".#").replace("]", "").split(".")
    for part in path:
        content = content[int(part[1:])] if part.startswith("#") else content[part]
    return content, key


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "12"])
def test_a_size_is_a_whole_number_from_zero_on(tmp_path: Path, wrong: Any) -> None:
    content = samples.c_info(Layout())
    content["memory_footprint"]["activations"] = wrong
    with pytest.raises(StedgeaiUnreadable, match=r"memory_footprint\.activations"):
        record_of(tmp_path, content)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StedgeaiUnreadable, match="json_schema_version"):
        record_of(tmp_path, samples.c_info(Layout()) | {"json_schema_version": "3.0"})


def test_a_file_without_anything_is_refused(tmp_path: Path) -> None:
    content = samples.c_info(Layout())
    with pytest.raises(StedgeaiUnreadable, match="memory_footprint"):
        record_of(tmp_path, {key: content[key] for key in ("json_schema_version", "environment")})


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1', "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "network_c_info.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StedgeaiUnreadable):
        inspect_output(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        inspect_output(tmp_path / "network_c_info.json")


LEGACY_REPORT: dict[str, Any] = {
    "report_version": 1.1,
    "cli_version_str": "1.0.0-19899",
    "tools_version": "1.0.0-19899",
    "cli_parameters": "generate --target stm32l4 -m tiny.tflite",
    "name": "network",
    "model_name": "tiny",
    "hash": "0x12",
    "_allocate_inputs": 4,
    "_allocate_outputs": 4,
    "ram_size": 100,
    "ram_io_size": [0, 0],
    "rom_size": 55,
    "rom_n_macc": 7,
    "code_size": 0,
    "layers": [{"name": "dense", "type": "Dense", "original": "", "id": 3, "extras": {"n_macc": 7, "psize": 11}}],
}


def legacy_record(folder: Path, **more: Any) -> CodegenRecord:
    path = folder / "network_report.json"
    path.write_text(json.dumps(LEGACY_REPORT | more), encoding="utf-8")
    return inspect_output(path)


def test_the_older_form_of_report_that_the_workspace_has(tmp_path: Path) -> None:
    record = legacy_record(tmp_path)
    assert (record.activation_ram_bytes, record.io_ram_bytes, record.weight_bytes, record.macs) == (100, 0, 55, 7)
    # `code_size` is 0 in all of these files: it is not measured.
    assert (record.target, record.code_flash_bytes, record.backend.version) == ("stm32l4", None, "1.0.0-19899")
    with pytest.raises(StedgeaiUnreadable, match="ram_size"):
        legacy_record(tmp_path, ram_size=None)


def test_figures_of_the_older_form_are_not_added_up(tmp_path: Path) -> None:
    """Of a list the first is the whole; inputs and outputs count besides only where they are not allocated within."""
    record = legacy_record(tmp_path, ram_size=[4000, 4000], ram_io_size=[1200, 8])
    assert (record.activation_ram_bytes, record.io_ram_bytes) == (4_000, 0)
    assert legacy_record(tmp_path, ram_io_size=[1200, 8], _allocate_outputs=0).io_ram_bytes == 8


def test_an_npus_report_of_the_older_form_states_no_macs(tmp_path: Path) -> None:
    """Its own sum is 0, its layers are the model's."""
    record = legacy_record(tmp_path, rom_n_macc=0, cli_parameters="generate --target stm32n6 --st-neural-art my@my.json")
    assert (record.target, record.macs) == ("stm32n6", None)
    plain = legacy_record(tmp_path, cli_parameters="generate --target stm32n6 --st-neural-art=-E")
    assert (plain.target, plain.macs) == ("stm32n6-cpu", 7)


@pytest.mark.parametrize("version", [{"major": 7, "minor": 2, "micro": 0, "extra": "RC5"}, "7.2.0"])
def test_the_older_form_by_an_older_tool_is_refused_by_its_name(tmp_path: Path, version: Any) -> None:
    """`cli_version_str` is not its version: Core states one version for both."""
    with pytest.raises(StedgeaiUnreadable, match=r"written by STM32Cube\.AI 7\.2\.0.*\n*.*ST Edge AI Core 1\.0 or later"):
        legacy_record(tmp_path, cli_version_str="1.6.0", tools_version=version)


@pytest.mark.parametrize("versions", [{"tool_version": "8.0.0"}, {"st_ai_version": "1.7.0", "tool_version": "8.0.0"}])
def test_a_c_graph_by_an_older_tool_is_refused_by_its_name(tmp_path: Path, versions: dict[str, str]) -> None:
    path = tmp_path / "network_c_graph.json"
    path.write_text(json.dumps({"c_layers": [{"name": "dense"}], "macc": 7} | versions), encoding="utf-8")
    with pytest.raises(StedgeaiUnreadable, match=r"written by STM32Cube\.AI 8\.0\.0"):
        inspect_output(path)


def test_a_file_by_another_tool_is_refused_by_its_name(tmp_path: Path) -> None:
    content = samples.c_info(Layout())
    content["environment"]["tools"][0]["name"] = "STM.ai"
    with pytest.raises(StedgeaiUnreadable, match=r"written by STM\.ai, not by ST Edge AI Core"):
        record_of(tmp_path, content)
