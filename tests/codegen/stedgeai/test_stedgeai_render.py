"""A record as text: columns that no name runs over, and sentences that say what is not stated once."""

import re
from typing import Any

import pytest
import stedgeai_samples as samples
from stedgeai_provenance import MADE
from stedgeai_samples import Layout

from edgeloop.codegen.stedgeai.record import make_record
from edgeloop.codegen.stedgeai.render import render_record
from edgeloop.codegen.stedgeai.report import read_report
from edgeloop.records import CodegenLayer, CodegenRecord, MemoryPool

N6 = Layout(target="stm32n6", npu=True)
RECORD = make_record([read_report(samples.report(N6), "a report")], MADE)


def shown(**changes: Any) -> str:
    return render_record(CodegenRecord.model_validate(RECORD.model_dump() | changes))


@pytest.mark.parametrize("name", ["a", "weights_array", "POOL_EXTERNAL_SDRAM", "p" * 80])
@pytest.mark.parametrize(("internal", "place"), [(True, "internal"), (False, "external"), (None, "place not stated")])
def test_a_pools_name_does_not_run_into_its_place(name: str, internal: bool | None, place: str) -> None:
    pools = [MemoryPool(name=pool, internal=internal, weight_bytes=0, activation_ram_bytes=202_800) for pool in (name, "npuRAM3")]
    lines = [line for line in shown(pools=pools).splitlines() if line.startswith("pool ")]
    assert re.match(rf"pool {name} +{place}, weights 0 B", lines[0])
    assert lines[0].index(place) == lines[1].index(place)


@pytest.mark.parametrize("kind", ["A", "K" * 60])
@pytest.mark.parametrize("shape", [[5], [1_000_000, 1_000_000, 1_000_000]])
@pytest.mark.parametrize("macs", [None, 10**18])
def test_columns_of_layers_are_apart(kind: str, shape: list[int], macs: int | None) -> None:
    layers = [
        CodegenLayer(name="first", type=kind, position=123_456_789, output_shape=shape, macs=macs, weight_bytes=None),
        CodegenLayer(name="other", type="Dense", position=None, output_shape=None, macs=1, weight_bytes=None),
    ]
    row = next(line for line in shown(layers=layers).splitlines() if line.endswith("first"))
    dimensions = "x".join(map(str, shape))
    assert row.split() == ["123456789", kind, dimensions, "?" if macs is None else f"{macs:,}", "MACs", "first"]


@pytest.mark.parametrize(
    ("code", "toolchain", "line"),
    [
        (None, None, "code             not stated"),
        (2_048, None, "code             2,048 B (2.00 KiB)"),
        (2_048, 1_024, "code             2,048 B (2.00 KiB), 1,024 B (1.00 KiB) of it the toolchain's"),
    ],
)
def test_code_that_is_not_stated_is_said_once(code: int | None, toolchain: int | None, line: str) -> None:
    assert line in shown(code_flash_bytes=code, toolchain_flash_bytes=toolchain).splitlines()


def test_inputs_and_outputs_are_besides_only_where_they_are_stated() -> None:
    assert "inputs, outputs  not stated\n" in shown(io_ram_bytes=None)
    assert "inputs, outputs  0 B (0.00 KiB) besides\n" in shown(io_ram_bytes=0)
