"""The generated files: clean under strict compilers and sanitizers, equal from run to run, linkable side by side, whole or absent."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from converted_models import smooth_images
from generated_code import DSP, STRICT, HostNetwork, generate_folder
from matrix import first_is_short
from random_models import random_model
from reference import Reference

from edgeloop.codegen.generate import Options, generate_file, plan_model
from edgeloop.codegen.portable.emit import Described, emit
from edgeloop.codegen.portable.kernels import kernel_sources
from edgeloop.codegen.portable.literals import check_name, comment, real32, signed, string
from edgeloop.codegen.toolchain import Compiler, find_host_compiler, host_compilers
from edgeloop.errors import InputError, ModelError
from edgeloop.records import CodegenRecord

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SEEDS = (26, 77, 32, 15, 91)
MAIN = """\
#include <stdio.h>
#include "network.h"
{hooks}
int main(void)
{{
    network_init();
    for (unsigned i = 0; i < 3u; i++) {{
        uint8_t *input = network_input();
        for (unsigned k = 0; k < NETWORK_INPUT_BYTES; k++) {{
            input[k] = (uint8_t)(i * 97u + k * 13u + k / 7u);
        }}
        network_run();
    }}
    return puts("done") < 0;
}}
"""
HOOKS = """\
void network_on_begin(uint32_t layer) { (void)layer; }
void network_on_end(uint32_t layer) { (void)layer; }
void network_on_rows(uint32_t layer, uint32_t first, uint32_t rows, const void *data)
{
    (void)layer, (void)first, (void)rows, (void)data;
}
"""
TWO = """\
#include "first.h"
#include "second.h"
int both(const void *pixels, float *one, float *other);
int both(const void *pixels, float *one, float *other)
{
    const uint8_t *from = pixels;
    for (unsigned i = 0; i < FIRST_INPUT_BYTES; i++) {
        ((uint8_t *)first_input())[i] = from[i];
        ((uint8_t *)second_input())[i] = from[i];
    }
    first_run();
    second_run();
    for (unsigned i = 0; i < FIRST_OUTPUT_SIZE; i++) {
        one[i] = first_output()[i];
        other[i] = second_output()[i];
    }
    return (int)FIRST_OUTPUT_SIZE;
}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with an ADD, pads and a streamed or resident input."""
    path = tmp_path_factory.mktemp("small") / "small.tflite"
    path.write_bytes(random_model(3))
    return path


@pytest.mark.parametrize(
    ("compiler", "streamed"), first_is_short((compiler, streamed) for compiler in host_compilers() for streamed in (False, True)), ids=str
)
def test_every_file_is_clean_under_strict_warnings(
    compiler: Compiler, streamed: bool, network_file: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "code"
    generate_folder(network_file("fdmobilenet_0.25", 96), folder, stream_input=streamed)
    for source in sorted(folder.glob("*.c")):
        for flags in ((), ("-DNETWORK_OBSERVE",), (DSP,)) if source.name == "network.c" or source.stem.startswith("edgeloop") else ((),):
            compiler.compile(source, tmp_path / "out.o", [*STRICT, "-O2", *flags])


@pytest.mark.parametrize("flags", [(), pytest.param((DSP,), marks=pytest.mark.thorough)], ids=["portable", "dsp"])
@pytest.mark.parametrize(
    "seed", [*first_is_short([None, 43]), *(pytest.param(seed, marks=pytest.mark.long) for seed in (77, 26, 15, 91, 3))]
)
def test_sanitizers_find_nothing(seed: int | None, flags: tuple[str, ...], network_file: Callable[..., Path], tmp_path: Path) -> None:
    """The random networks have every operator between them, the first one most."""
    model = tmp_path / "model.tflite"
    model.write_bytes(network_file("fdmobilenet_0.25", 96).read_bytes() if seed is None else random_model(seed))
    folder = tmp_path / "code"
    generate_folder(model, folder)
    for observed in (False, True):
        main = folder / "main.c"
        main.write_text(MAIN.format(hooks=HOOKS if observed else ""))
        sources = [
            main,
            folder / "network.c",
            folder / "network_data.c",
            *(folder / name for name in kernel_sources()),
        ]
        hooks = ("-DNETWORK_OBSERVE",) if observed else ()
        find_host_compiler().link(sources, tmp_path / "program", ["-std=c99", "-g", "-O1", f"-I{folder}", *SANITIZERS, *hooks, *flags])
        done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.thorough
def test_two_networks_link_into_one_program(network_file: Callable[..., Path], tmp_path: Path) -> None:
    import ctypes

    models = {"first": network_file("fdmobilenet_0.25", 96), "second": network_file("st_fdmobilenet_v1", 96)}
    for name, model in models.items():
        generate_folder(model, tmp_path / name, name=name)
    program = tmp_path / "two.c"
    program.write_text(TWO)
    kernels = [tmp_path / "first" / name for name in kernel_sources()]
    sources = [program, *kernels, *(tmp_path / name / f"{name}{part}.c" for name in models for part in ("", "_data"))]
    library = tmp_path / "two.so"
    find_host_compiler().link_shared(sources, library, [*STRICT, "-O1", f"-I{tmp_path / 'first'}", f"-I{tmp_path / 'second'}"])
    image = np.ascontiguousarray(smooth_images(np.random.default_rng(5), 1, 96)[0])
    outputs = [np.zeros(5, np.float32), np.zeros(5, np.float32)]
    assert ctypes.CDLL(str(library)).both(*(ctypes.c_void_p(array.ctypes.data) for array in (image, *outputs))) == 5
    for model, output in zip(models.values(), outputs, strict=True):
        reference = Reference(model)
        reference.run(image)
        np.testing.assert_array_equal(output, reference.tensor(reference.output["index"])[0])
    assert not np.array_equal(outputs[0], outputs[1])


def test_a_file_name_cannot_end_a_comment(small: Path, tmp_path: Path) -> None:
    model = tmp_path / "a * ?? \\ ümlaut.tflite"
    model.write_bytes(small.read_bytes())
    network, plan = plan_model(model)
    folder = tmp_path / "code"
    folder.mkdir()
    emit(network, plan, Described("network", 'evil */ #error "no" /* \\', "0" * 64, "this machine"), folder)
    for source in ("network.c", "network_data.c"):
        find_host_compiler().compile(folder / source, tmp_path / "out.o", [*STRICT])
    ET.parse(folder / "plan.svg")


def test_equal_models_give_equal_files(small: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate_folder(small, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "other").iterdir())
    assert {"network.h", "network.c", "network_data.c", "edgeloop_kernels.h", "network.mk", "network.cmake", "README.md", "plan.svg"} <= {
        *files
    }
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_record_states_what_the_header_states(network_file: Callable[..., Path], tmp_path: Path) -> None:
    record = generate_file(network_file("fdmobilenet_0.25", 96), tmp_path / "code", Options(name="flowers"))
    assert CodegenRecord.read(tmp_path / "code" / "codegen.json") == record
    header = (tmp_path / "code" / "flowers.h").read_text()
    stated = {name: int(number) for name, number in re.findall(r"#define FLOWERS_(\w+) (\d+)u", header)}
    assert stated["ACTIVATION_BYTES"] == record.activation_ram_bytes
    assert stated["WEIGHT_BYTES"] == record.weight_bytes == 131_396
    assert (stated["MACS"], stated["LAYERS"]) == (record.macs, len(record.layers or []))
    assert f'"0x{str(record.model_sha256)[:16]}"' in header
    if record.compiled is not None:
        assert record.code_flash_bytes == record.compiled.code_bytes + record.compiled.constant_bytes
        assert 4_000 < record.compiled.code_bytes < 40_000
        assert record.runtime_ram_bytes is not None and 0 < record.runtime_ram_bytes < 1_000


def test_without_a_compiler_the_code_size_is_not_measured(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeloop.codegen.generate.arm_compilers", lambda _: [])
    record = generate_file(small, tmp_path / "code")
    assert (record.code_flash_bytes, record.compiled, record.runtime_ram_bytes) == (None, None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(target="stm32h8"), "did you mean 'stm32h7'"),
        (Options(target="stm32mp2", backend="portable"), "which STM32MP2 .* is not"),
        (Options(backend="portabel"), "did you mean 'portable'"),
        (Options(name="2nd"), "cannot be the prefix"),
        (Options(name="for"), "cannot be the prefix"),
        (Options(name="edgeloop_net"), "kernels' own names"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_written(options: Options, message: str, small: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        generate_file(small, tmp_path / "code", options)
    assert list(tmp_path.iterdir()) == []


def test_an_unsupported_model_leaves_the_older_code_alone(small: Path, miniatures: Path, tmp_path: Path) -> None:
    generate_file(small, tmp_path / "code")
    before = {path.name: path.read_bytes() for path in (tmp_path / "code").iterdir()}
    with pytest.raises(ModelError):
        generate_file(miniatures / "float.tflite", tmp_path / "code")
    assert {path.name: path.read_bytes() for path in (tmp_path / "code").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_a_folder_of_something_else_is_not_replaced(small: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something else"):
        generate_file(small, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_picture_is_well_formed_and_shows_every_area(small: Path, tmp_path: Path) -> None:
    _, plan = generate_folder(small, tmp_path / "code")
    root = ET.parse(tmp_path / "code" / "plan.svg").getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polygon"))) == len(plan.areas)


def test_names_and_literals_cannot_break_out() -> None:
    assert check_name("flowers_2") == "flowers_2"
    assert comment('a */ "b" ?? \u00e9\n') == 'a * / "b" ?? ??'
    assert string('a"b\\c??/') == '"a\\"b\\\\c\\?\\?/"'
    assert signed(-(2**31)) == "(-2147483647 - 1)"
    assert np.float32(real32(0.1)[:-1]) == np.float32(0.1)


def test_dense_rows_are_not_asked_for_out_of_order(small: Path, tmp_path: Path) -> None:
    """A streamed run asks for each row once, in order, several runs on end."""
    network, _ = generate_folder(small, tmp_path / "code", stream_input=True)
    host = HostNetwork(network, tmp_path / "code", find_host_compiler(), observed=False)
    image = np.zeros(network.input.shape, network.input.dtype)
    assert host.run(image).tolist() == host.run(image).tolist()
    host.check_rows()


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_makefile_fragment_builds_a_program(small: Path, tmp_path: Path) -> None:
    generate_folder(small, tmp_path / "the code")
    (tmp_path / "code").symlink_to(tmp_path / "the code")
    (tmp_path / "main.c").write_text(MAIN.format(hooks=""))
    (tmp_path / "Makefile").write_text(
        "include code/network.mk\n"
        "program: main.c $(NETWORK_SOURCES) $(EDGELOOP_KERNEL_SOURCES)\n"
        "\t$(CC) -std=c99 -O1 -I$(NETWORK_DIR) -o $@ $^\n"
    )
    compiler = find_host_compiler()
    subprocess.run(["make", f"CC={' '.join(compiler.base)}"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert subprocess.run([tmp_path / "program"], capture_output=True, text=True, timeout=60, check=True).stdout == "done\n"


@pytest.mark.skipif(shutil.which("cmake") is None, reason="there is no cmake here")
def test_cmake_fragment_builds_a_program_of_two_networks(small: Path, tmp_path: Path) -> None:
    for name in ("network", "other"):
        generate_folder(small, tmp_path / name, name=name)
    (tmp_path / "main.c").write_text(MAIN.format(hooks='#include "other.h"').replace("network_init();", "network_init(); other_init();"))
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(two C)\ninclude(network/network.cmake)\ninclude(other/other.cmake)\n"
        "add_executable(program main.c)\ntarget_link_libraries(program PRIVATE network other)\n"
    )
    for command in (["cmake", "-B", "build", "."], ["cmake", "--build", "build"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert subprocess.run([tmp_path / "build" / "program"], capture_output=True, text=True, timeout=60, check=True).stdout == "done\n"
