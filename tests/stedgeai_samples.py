"""Outputs in the layouts of ST Edge AI Core 1.0 to 4.0, in own words and numbers: a network of two layers, 1,234 bytes of weights.

The stand-in for the tool writes them, and the readers' tests take them apart.
"""

from dataclasses import dataclass
from typing import Any

ACTIVATIONS, WEIGHTS, MACS, MODEL_MACS = 4_096, 1_234, 56_789, 60_000
TEXT, RODATA, DATA, BSS, TOOLCHAIN = 7_000, 300, 200, 40, 900
"""Of the runtime; the toolchain's are part of the text."""
CODE_FLASH, RUNTIME_RAM = TEXT + RODATA + DATA, DATA + BSS

RULE = "-" * 90


@dataclass(frozen=True)
class Layout:
    """Which version wrote it, for which target, and whether a compiler was there."""

    version: str = "2.2.0-20266 2adc00962"
    target: str = "stm32h7"
    npu: bool = False
    measured: bool = True
    name: str = "network"
    command: str = "generate --target stm32h7 --name network --model tiny.tflite --output out"

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def series(self) -> str:
        return f"{self.target}npu" if self.npu else self.target


def banner(layout: Layout) -> str:
    return f"ST Edge AI Core v{layout.version}"


def summary(layout: Layout, step: str = "generate", indent: str = "", activations: int = ACTIVATIONS, macs: int | None = None) -> str:
    """The block of rows; of an NPU, versions before 4 print 0 multiply-accumulates."""
    shown = macs if macs is not None else 0 if layout.npu and layout.major < 4 else MACS
    compression = [] if layout.npu and layout.major == 2 else ["compression        :   lossless   "]
    rows = [
        f"Exec/report summary ({step})",
        RULE,
        "model file         :   /some where/tiny.tflite   ",
        "type               :   tflite   ",
        f"c_name             :   {layout.name}   ",
        *compression,
        "options            :   allocate-inputs, allocate-outputs   ",
        "optimization       :   balanced   ",
        f"target/series      :   {layout.series}   ",
        "workspace dir      :   ws   ",
        "output dir         :   out   ",
        "model_fmt          :   ss/sa per channel   ",
        "model_name         :   tiny   ",
        "model_hash         :   0x00112233445566778899aabbccddeeff   ",
        "params #           :   1,000 items (1.21 KiB)   ",
        RULE,
        "input 1/1          :   'image', int8(1x8x8x3), 192 Bytes, QLinear(0.007843138,0,int8), activations   ",
        "output 1/1         :   'scores', int8(1x5), 5 Bytes, QLinear(0.003906250,-128,int8), activations   ",
        f"macc               :   {shown:,}   ",
        f"weights (ro)       :   {WEIGHTS:,} B (1.21 KiB) (1 segment) / -3,702(-75.0%) vs float model   ",
        f"activations (rw)   :   {activations:,} B (4.00 KiB) (1 segment) *   ",
        f"ram (total)        :   {activations:,} B (4.00 KiB) = {activations:,} + 0 + 0   ",
        RULE,
    ]
    return "\n".join(indent + row for row in rows)


def layer_table(layout: Layout) -> str:
    """With the C model's columns for a processor, without them for the NPU."""
    rule = "------ ---------------------- ---------------------- ------------ --------- ------------- "
    heading = "m_id   layer (original)       oshape                 param/size        macc  connected to "
    rows = [
        "0      image ()               [b:1,h:8,w:8,c:3]                                           ",
        "       conv2d_0 (CONV_2D)     [b:1,h:4,w:4,c:16]     448/496         50,000         image ",
        rule.rstrip(),
        "3      dense_3 (DENSE)        [b:1,c:5]              552/738         10,000      conv2d_0 ",
        "                                                                                    image ",
    ]
    if layout.npu:
        footer = f"model: macc={MODEL_MACS:,} weights={WEIGHTS:,} activations=-- io=--"
    else:
        both = f"macc={MODEL_MACS:,}/{MACS:,} -3,211(-5.4%) weights={WEIGHTS:,}/{WEIGHTS:,}"
        footer = f"model/c-model: {both}  activations=--/{ACTIVATIONS:,} io=--/0"
    return "\n".join(["Model name - tiny", rule, heading, rule, *rows, rule, footer])


def sections(layout: Layout, weights_as_c: int = 0) -> str:
    """What the built network takes; `weights_as_c` bytes of them are an object among the code."""
    library = "NetworkRuntime1020_CM55_GCC.a" if layout.target.startswith("stm32n6") else "NetworkRuntime1020_CM7_GCC.a"
    padded = WEIGHTS if layout.npu else WEIGHTS + 6
    rows = [
        *([("network_atonbuf.xSPI2.o", 0, weights_as_c, 0, 0)] if weights_as_c else []),
        (library, TEXT - TOOLCHAIN - 100, 0, 0, 0),
        ("network.o", 100, RODATA, DATA, BSS),
        ("lib (toolchain)*", TOOLCHAIN, 0, 0, 0),
        ("RT total**", TEXT, RODATA + weights_as_c, DATA, BSS),
        ("weights", 0, padded, 0, 0),
        ("activations", 0, 0, 0, ACTIVATIONS),
        ("io", 0, 0, 0, 0),
        ("TOTAL", TEXT, RODATA + padded + weights_as_c, DATA, BSS + ACTIVATIONS),
    ]
    lines = [f" {name:34}{text:>10,}{rodata:>10,}{data:>10,}{bss:>10,} " for name, text, rodata, data, bss in rows]
    total = CODE_FLASH + weights_as_c
    return "\n".join(
        [
            f' Requested memory size by section - "{layout.series}" target',
            " ------------------------------ ------- -------- ------- ----- ",
            " module                            text   rodata    data   bss ",
            *lines,
            " *  toolchain objects (libm/libgcc*)",
            f'  Summary - "{layout.series}" target',
            f"  RT total         {total:,}   34.3%      {RUNTIME_RAM:,}   79.5% ",
            f"  TOTAL            {total + padded:,}              {RUNTIME_RAM + ACTIVATIONS:,}         ",
        ]
    )


def memory_usage() -> str:
    """Pools of the NPU, rounded to three decimals; one is disabled."""
    return "\n".join(
        [
            "Compilation details",
            "Compiler version: 1.1.9-99",
            "Compiler arguments:  -i tiny.onnx -O3",
            "Memory usage information  (input/output buffers are included in activations)",
            "\tflexMEM    [0x34000000 - 0x34000000]:          0  B /          0  B  (  0.00 % used) -- weights:          0  B "
            "(  0.00 % used)  activations:          0  B (  0.00 % used)",
            "\tnpuRAM3    [0x34200000 - 0x34270000]:      3.000 kB /    448.000 kB  (  0.67 % used) -- weights:          0  B "
            "(  0.00 % used)  activations:      3.000 kB (  0.67 % used)",
            "\thyperRAM   [0x90000000 - 0x92000000]:      1.000 kB /     32.000 MB  (  0.00 % used) -- weights:          0  B "
            "(  0.00 % used)  activations:      1.000 kB (  0.00 % used)",
            "\toctoFlash  [0x71000000 - 0x78000000]:      1.205 kB /    112.000 MB  (  0.00 % used) -- weights:      1.205 kB "
            "(  0.00 % used)  activations:          0  B (  0.00 % used)",
            "Total:                                             5.205 kB                                  -- weights:      1.205 kB "
            "                 activations:      4.000 kB                   ",
        ]
    )


def epochs(layout: Layout) -> str:
    """Five epochs, one of them in software, two by the epoch controller (and one hybrid, since version 3)."""
    if layout.major < 3:
        kinds = ["  HW    ", " -SW-   (  Transpose  )", "  EC    ", "  EC    ", "  HW    "]
        rows = [f"epoch {number}     {kind}" for number, kind in enumerate(kinds, 1)]
        return "\n".join(["Total number of epochs: 5 of which 1 implemented in software", "epoch ID   HW/SW/EC Operation (SW only)", *rows])
    return "\n".join(
        [
            "Total number of epochs                               5",
            ">> pure software (SW) epochs                         1",
            ">> hybrid epochs (using both software and hardware)  1",
            ">> pure hardware (HW or EC) epochs                   3  (implemented in 1 epoch controller blobs/meta epochs)",
            "+------------------+--------+---------------+",
            "| epoch ID         |  Type  |    Details    |",
            "+------------------+--------+---------------+",
            "| epochs    1 -> 7 |   EC   |               |",
            "| epoch_8          | Hybrid |     Split     |",
            "| epoch_9          |   SW   |    Softmax    |",
            "| epoch_11         |   HW   |               |",
            "+------------------+--------+---------------+",
            "=" * 60,
        ]
    )


def report(layout: Layout, step: str = "generate") -> str:
    """The report file: that of the NPU has no summary."""
    parts = [banner(layout), "Created date          : 2030-01-02 03:04:05", f"Parameters            : {layout.command}", ""]
    parts += [] if layout.npu else [summary(layout, step)]
    parts += [layer_table(layout), ""]
    parts += [memory_usage(), epochs(layout)] if layout.npu else []
    parts += [sections(layout)] if layout.measured else []
    return "\n".join(parts) + "\n"


def console(layout: Layout, step: str = "generate") -> str:
    """The log: the summary of every target, indented by a space, and no table of layers."""
    took = f"elapsed time ({step if layout.major < 4 else step.upper()}): 1.234s"
    parts = [banner(layout), summary(layout, step, " ")]
    parts += [memory_usage(), epochs(layout)] if layout.npu else []
    parts += [sections(layout)] if layout.measured else []
    return "\n".join([*parts, f"Creating txt report file out/{layout.name}_{step}_report.txt", took]) + "\n"


def validation(mode: str = "TARGET", snr: bool = False) -> str:
    """What `validate` prints behind the table of layers."""
    timing = [
        '  ST.AI Profiling results v2.0 - "network"',
        "  nb sample(s)   :   10                                       ",
        "  duration       :   0.462 ms by sample (0.461/0.473/0.004)   ",
        "  CPU cycles     :   [30,050 327,134 12,470]                  ",
    ]
    return "\n".join(
        [
            f"Running the ST.AI c-model (AI RUNNER)...(name=network, mode={mode})",
            "  device.desc                 :   stm32 family - 0x486 - STM32N6xx @800/400MHz   ",
            *timing,
            "Evaluation report (summary)",
            RULE,
            "Output       acc      rmse          mae           l2r           mean       std        "
            f"{'snr         ' if snr else ''}nse        cos        tensor",
            RULE,
            "X-cross #1   98.00%   0.000074958   0.000013251   0.000799048   0.000011   0.000074   "
            f"{'57.896423   ' if snr else ''}0.999690   1.000000   'dense', 10 x int8(1x5), m_id=[1]   ",
        ]
    )


def c_info(layout: Layout) -> dict[str, Any]:
    """`network_c_info.json` of generate."""
    missing = 0 if layout.major >= 4 else None
    footprint = {
        "activations": ACTIVATIONS,
        "weights": WEIGHTS,
        "io": [0, 0],
        "kernel_flash": CODE_FLASH if layout.measured else missing,
        "kernel_ram": RUNTIME_RAM if layout.measured else missing,
        "toolchain_flash": TOOLCHAIN if layout.measured else missing,
        "toolchain_ram": 0 if layout.measured else missing,
        "series": layout.series if layout.measured else "generic",
        "toolchain": "arm-none-eabi-gcc (some build) 13.3.1 20240614" if layout.measured else None,
    }
    whole: dict[str, Any] = {
        "json_schema_version": "2.0",
        "environment": _environment(layout),
        "memory_footprint": footprint,
        "memory_pools": _npu_pools() if layout.npu else _pools(layout),
        "buffers": [] if layout.npu else _buffers(),
        "graphs": [{"name": "tiny", "nodes": _epoch_nodes(layout) if layout.npu else _nodes(layout)}],
    }
    if layout.npu:
        whole |= {"ec_blobs_info": [], "memory_accesses": [], "power_estimates": []}
    if layout.major == 1:
        whole |= {
            "memory_accesses": [],
            "power_estimates": [],
            "validation": {"val_error": None, "val_error_desc": None, "val_metrics": []},
        }
    return whole


def overwritten_c_info(layout: Layout) -> dict[str, Any]:
    """What a `validate` on the board leaves of it."""
    metric = {
        "desc": "X-cross #1",
        "acc": "n.a.",
        "cos": 0.99,
        "l2r": 0.01,
        "mae": 0.001,
        "mean": 0.0,
        "nse": 0.98,
        "rmse": 0.002,
        "std": 0.1,
    }
    environment = _environment(layout) | {"device": "stm32 family - 0x486 - STM32N6xx @800/400MHz"}
    times = [{"counters": [10, 100, 5], "cycles": 115, "cycles_by_macc": 0, "duration_ms": 0.125, "percentage": 50.0}] * 2
    return {
        "json_schema_version": "2.0",
        "environment": environment,
        "aton_execution_time": times,
        "validation": {"val_error": 0.002, "val_error_desc": "x-cross (rmse) #1", "val_metrics": [metric]},
    }


def _environment(layout: Layout) -> dict[str, Any]:
    core = {
        "name": "ST.EdgeAI.Core",
        "version": layout.version,
        "arguments": layout.command,
        "input_model": {"name": "tiny", "type": "tflite", "size": 4000, "n_params": 1000},
    }
    compiler = {"name": "ATONN Compiler", "version": "1.1.9-99 Internal Build", "arguments": " -i tiny.onnx -O3", "input_model": {}}
    return {
        "generated_model": {"name": layout.name, "generated_time": None, "model_files": [{"name": "network.c", "signature": "0x12"}]},
        "network_signature": "0x0123456789abcdef",
        "tools": [core, compiler] if layout.npu else [core],
    }


def pool(name: str, address: str, used: int, rights: str = "ACC_WRITE", **more: Any) -> dict[str, Any]:
    """One memory pool."""
    whole = {"name": name, "address": address, "used_size_bytes": used, "rights": rights, "size_bytes": -1, "subpools": [], "id": 1}
    return whole | more


def _pools(layout: Layout) -> list[dict[str, Any]]:
    symbol = "NULL" if layout.major == 1 else "s_network_weights_array_u64"
    weights = pool("weights_array", symbol, WEIGHTS, "ACC_READ", virtual=False)
    return [pool("heap_overlay_pool", "NULL", ACTIVATIONS, virtual=False), weights]


def _npu_pools() -> list[dict[str, Any]]:
    """Addresses are decimal, `virtual` is missing, and an aggregate repeats the pools that it joins."""
    return [
        pool("npuRAM3", str(0x34200000), 3_072, size_bytes=458_752),
        pool("hyperRAM", str(0x90000000), 1_024, size_bytes=1 << 25),
        pool("octoFlash", str(0x71000000), WEIGHTS, "ACC_READ", size_bytes=112 << 20),
        pool("cpuRAM2_npuRAM3", str(0x34100000), 500_000, size_bytes=1 << 21, subpools=[1, 2]),
    ]


def _nodes(layout: Layout) -> list[dict[str, Any]]:
    kind = "type" if layout.major >= 4 else "description"
    common: dict[str, Any] = {"mapping": "NODE_SW", "subgraph_nodes": [], "scratchs": []}
    return [
        {"name": "conv2d_0", kind: "Conv2D", "macc": MACS - 10_000, "inputs": [1, 2], "outputs": [3], "original_nodes": ["0"], **common},
        {"name": "dense_3", kind: "Dense", "macc": 10_000, "inputs": [3, 4], "outputs": [5], "original_nodes": ["3"], **common},
    ]


def _buffers() -> list[dict[str, Any]]:
    sizes = {
        1: ([8, 8, 3], 192, False),
        2: ([16, 28], 496, True),
        3: ([4, 4, 16], 256, False),
        4: ([5, 110], 738, True),
        5: ([5], 5, False),
    }
    return [{"id": number, "shape": shape, "size_bytes": size, "is_param": param} for number, (shape, size, param) in sizes.items()]


def _epoch_nodes(layout: Layout) -> list[dict[str, Any]]:
    """The first one only holds parameters, the last one returns: neither counts."""
    mapping = "NODE_NO_X" if layout.major >= 3 else "NODE_HW"

    def node(name: str, mapping: str, kind: str) -> dict[str, Any]:
        inner = {"type": kind} if layout.major >= 3 else {"description": f"Node kind={kind}"}
        return {"name": name, "mapping": mapping, "macc": 0, "inputs": [], "outputs": [], "subgraph_nodes": [{"name": "inner", **inner}]}

    kinds = [("NODE_HW", "Conv"), ("NODE_SW", "Softmax"), ("NODE_HW", "Conv"), ("NODE_HW", "Conv"), ("NODE_HW", "Add")]
    works = [node(f"epoch_{number}", where, kind) for number, (where, kind) in enumerate(kinds, 1)]
    return [node("epoch_0", mapping, "Param"), *works, node("epoch_6", mapping.replace("HW", "SW"), "Return")]
