"""A wrong program on a board is caught by the comparison of outputs, every time that an output differs.

EDGELOOP_WRONG_KERNELS=200 makes so many programs wrong. One that changes no output of the sample is not counted as caught: it
must give a record that says that all outputs are equal, and the campaign says how many there were.
"""

import logging
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from lab_bench import PROGRAMS, Bench
from miniature import CLASSES, coloured, prepare
from wrong_kernels import host_outputs, make_wrong, reference_stored, stored_bytes

from edgeloop.boards.benchmark import benchmark
from edgeloop.boards.subject import variant_subject
from edgeloop.cli import main
from edgeloop.codegen.generate import Options, generate
from edgeloop.codegen.toolchain import find_host_compiler
from edgeloop.config import Params, load_params
from edgeloop.errors import EdgeloopError, WrongOutputs
from edgeloop.records import EmulatedBenchmark
from edgeloop.workspace import VariantPaths, Workspace

PROGRAMS_MADE_WRONG = int(os.environ.get("EDGELOOP_WRONG_KERNELS", "5"))
FIRST = int(os.environ.get("EDGELOOP_WRONG_KERNELS_FIRST", "0"))
VARIANT = "sample-fdmobilenet_0.25-96"
BOARD = "virtual-h7"
IMAGES = 3


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace)


@pytest.fixture
def variant(workspace: Workspace, params: Params, miniatures: Path) -> VariantPaths:
    prepare(workspace, "sample", [(label, "test", coloured(label, number)) for label in CLASSES for number in range(1)])
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    shutil.copytree(miniatures, paths.quantized)
    generate(workspace, params, VARIANT, Options(target="stm32h7", backend="portable"))
    return paths


@pytest.mark.timeout(7200)
@pytest.mark.long
def test_every_wrong_program_whose_outputs_differ_is_caught(
    workspace: Workspace, params: Params, variant: VariantPaths, tmp_path: Path
) -> None:
    right, ended = tmp_path / "right", Counter[str]()
    shutil.copytree(variant.generated, right)
    model = variant.quantized / "per_channel.tflite"
    inputs = variant_subject(workspace, params, VARIANT, IMAGES).inputs(model)
    expected = stored_bytes(reference_stored(model, inputs))
    compiler = find_host_compiler()
    assert host_outputs(right, compiler, tmp_path, inputs) == expected, "the oracle itself is wrong"
    for seed in range(FIRST, FIRST + PROGRAMS_MADE_WRONG):
        shutil.rmtree(variant.generated)
        shutil.copytree(right, variant.generated)
        what = f"seed {seed}: {make_wrong(seed, variant.generated)}"
        truth = host_outputs(variant.generated, compiler, tmp_path, inputs)
        outcome = outcome_on_board(workspace, params, variant)
        if truth == expected:
            assert outcome == "a record", what
            ended["changes no output of the sample"] += 1
        else:
            assert outcome == "WrongOutputs" or (truth is None and outcome != "a record"), f"{what}: {outcome}"
            ended["caught"] += 1
        logging.getLogger(__name__).info("%s: %s", what, "no output changed" if truth == expected else outcome)
    logging.getLogger(__name__).info("%d wrong programs: %s", PROGRAMS_MADE_WRONG, dict(ended))
    assert ended["caught"] >= max(1, PROGRAMS_MADE_WRONG // 4), "the changes are too harmless"


def outcome_on_board(workspace: Workspace, params: Params, variant: VariantPaths) -> str:
    """The name of the error, or `a record`, which must say that all is equal."""
    path = variant.benchmark_record(BOARD)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a record of an earlier run", encoding="utf-8")
    try:
        record = benchmark(workspace, params, VARIANT, BOARD, IMAGES)
    except EdgeloopError as error:
        assert not path.exists()
        return type(error).__name__
    assert isinstance(record, EmulatedBenchmark)
    assert record.equal_outputs == record.images == IMAGES
    return "a record"


@pytest.mark.thorough
def test_the_command_says_so_and_gives_no_figure(
    workspace: Workspace, variant: VariantPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = variant.generated / "network.c"
    network.write_text(network.read_text(encoding="utf-8").replace("    .zero_point = -128", "    .zero_point = -127"), encoding="utf-8")
    monkeypatch.chdir(workspace.root)
    assert main(["benchmark", VARIANT, "--board", BOARD, "--images", "2"]) == 1
    printed = capsys.readouterr()
    assert "gives other outputs than LiteRT's reference kernels on 2 of 2 images" in printed.err
    assert "instructions," not in printed.out
    assert not variant.benchmark_record(BOARD).exists()


@pytest.mark.thorough
def test_a_wrong_kernel_on_a_microcontroller_gives_no_time(
    workspace: Workspace, params: Params, variant: VariantPaths, bench: Bench
) -> None:
    """What the board's own build makes of the right code is wrong: a compiler's or a library's fault."""
    breaks = (
        "import runpy, sys; from pathlib import Path; p = Path(sys.argv[1]) / 'edgeloop_fixed_point.h'; "
        "p.write_text(p.read_text().replace('(INT64_C(1) << 30)', '0')); p = Path(sys.argv[1]) / 'network.c'; "
        "p.write_text(p.read_text().replace('    .zero_point = -128', '    .zero_point = -127')); "
        f"sys.argv = ['build', *sys.argv[1:]]; runpy.run_path({str(PROGRAMS / 'build_firmware_project.py')!r}, run_name='__main__')"
    )
    import sys

    bench.write_lab(workspace, build=[{"run": [sys.executable, "-c", breaks, "{generated}", "{elf}", bench.part], "deadline_s": 300}])
    with pytest.raises(WrongOutputs, match=r"other outputs than .* on 2 of 2 images"):
        benchmark(workspace, params, VARIANT, "h747", images=2)
    assert not variant.benchmark_record("h747").exists()
