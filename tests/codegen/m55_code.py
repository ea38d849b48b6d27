"""Generated code on QEMU's Cortex-M55 with its vector instructions: the same observer as on this machine, its results in a file."""

from pathlib import Path
from typing import Any

import numpy as np
from emulated_code import LIBRARY
from generated_code import OBSERVER, RUNNER
from numpy.typing import NDArray

from edgeloop.boards.virtual import m55
from edgeloop.codegen.portable.bare import link_bare
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.toolchain import Compiler

START = """\
extern uint8_t *observed[NETWORK_LAYERS];
extern uint32_t counts[NETWORK_LAYERS];
int32_t host_open(const char *name, uint32_t to_write);
void host_read(int32_t file, void *to, uint32_t bytes);
void host_write(int32_t file, const void *from, uint32_t bytes);
uint32_t start(void);
uint32_t start(void)
{{
    uint8_t *const input = (uint8_t *){spare:#x}u, *const output = input + NETWORK_INPUT_BYTES;
    uint8_t *at = output + NETWORK_OUTPUT_BYTES;
    host_read(host_open("input", 0), input, NETWORK_INPUT_BYTES);
    for (uint32_t i = 0; i < NETWORK_LAYERS; i++) {{
        const network_layer_info *info = &network_layer_table[i];
        at += -(uintptr_t)at & 7u;
        observed[i] = at;
        at += (info->format >> 7 & 127u) / 8u * info->height * info->width * info->channels;
    }}
    network_init();
    run(input, output);
    const int32_t file = host_open("values", 1);
    host_write(file, &faults, 4);
    host_write(file, counts, sizeof counts);
    host_write(file, output, NETWORK_OUTPUT_BYTES);
    for (uint32_t i = 0; i < NETWORK_LAYERS; i++) {{
        const network_layer_info *info = &network_layer_table[i];
        host_write(file, observed[i], (info->format >> 7 & 127u) / 8u * info->height * info->width * info->channels);
    }}
    return 0;
}}
"""


class M55Network:
    """Generated code, observed, on a Cortex-M55."""

    def __init__(self, network: Network, folder: Path, compiler: Compiler, level: str = "-O2") -> None:
        self.layers: list[Layer] = network.computing
        self._output, self._folder, self._elf = network.output, folder, folder / "m55.elf"
        texts = [text.format(name="network", upper="NETWORK", spare=m55.SPARE) for text in (RUNNER, OBSERVER, START)]
        link_bare(
            folder,
            "network",
            compiler,
            self._elf,
            flash=m55.FLASH,
            ram=m55.RAM,
            flags=(level, "-DNETWORK_OBSERVE"),
            extra="".join([m55.START.read_text(encoding="utf-8"), *texts]).replace("#include <string.h>", LIBRARY),
            entry="reset",
        )

    def run(self, image: NDArray[Any]) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """The output, and every layer's output (height, width, channels), for one input in the model's own type."""
        (self._folder / "input").write_bytes(np.ascontiguousarray(image).tobytes())
        assert m55.run_program(self._elf, self._folder) == 0
        content = memoryview((self._folder / "values").read_bytes())
        heads = 1 + len(self.layers)
        faults, *counts = np.frombuffer(content[: 4 * heads], np.uint32).tolist()
        assert faults == 0
        assert counts == [layer.output.height for layer in self.layers]
        values, at = [], 4 * heads
        for value in (self._output, *(layer.output for layer in self.layers)):
            values.append(np.frombuffer(content[at : at + value.bytes], value.dtype).reshape(value.shape))
            at += value.bytes
        assert at == len(content)
        return values[0], values[1:]
