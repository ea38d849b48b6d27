"""The step `generate`: an int8 model to C code for a target, and what the code takes."""

import datetime as dt
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from edgeloop.codegen.portable.codesize import FLAGS, measure
from edgeloop.codegen.portable.emit import Described, emit, network_weight_bytes
from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.literals import check_name
from edgeloop.codegen.portable.lowering import computing_layers, lower
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.plan import Plan, make_plan
from edgeloop.codegen.portable.tables import layer_name, weight_bytes
from edgeloop.codegen.targets import Target, find_target, portable_cpu
from edgeloop.codegen.toolchain import Cpu, arm_compilers
from edgeloop.config import Params
from edgeloop.errors import InputError, ModelError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.records import CodegenBackend, CodegenLayer, CodegenRecord, CompiledSize, Provenance, provenance
from edgeloop.tflite.formats import FILES
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match

Backend = Literal["portable"]
BACKENDS: tuple[Backend, ...] = ("portable",)
RECORD = "codegen.json"
"""In the folder of a model that is no variant's."""
TOOLS = ["ai-edge-litert", "numpy"]
MOST_ARENA_BYTES = 1 << 26
MOST_MACS = (1 << 32) - 1
"""Counts are 32 bits wide in the generated code."""


@dataclass(frozen=True)
class Options:
    """What is generated."""

    target: str = "stm32h7"
    backend: str = "portable"
    name: str = "network"
    """Prefix of the C names."""
    stream_input: bool = False
    """Read the input row by row through a callback, and hold no frame."""


@dataclass(frozen=True)
class _Variant:
    dataset: str
    network: str
    resolution: int


def generate(workspace: Workspace, params: Params, name: str, options: Options | None = None) -> CodegenRecord:
    """Generate C code of the variant's int8 per-channel model; `options` default to `generate` of params.yaml.

    The code goes to the variant's folder `generated`, the record beside it: equal models give an equal folder.

    Raises:
        InputError: there is no such variant, target or backend, or the variant is not quantized.
        ModelError: the model holds something that the backend does not take; nothing is written.
        ToolchainError: the compiler that is there refuses the code.
    """
    started = dt.datetime.now(dt.UTC)
    variant, settings = params.variant(name), params.generate
    chosen = options or Options(settings.target, settings.backend, stream_input=settings.stream_input)
    paths = workspace.variant(variant.dataset, variant.network, variant.resolution)
    model = paths.quantized / f"{FILES['int8 per-channel']}.tflite"
    if not model.is_file():
        raise InputError(f"{name} is not quantized.", f"Run: dvc repro quantize@{name}")
    made = provenance(workspace.root, settings.model_dump(), TOOLS, started)
    with atomic_folder(paths.generated) as folder:
        record = _generate(model, chosen, folder, made, _Variant(variant.dataset, variant.network, variant.resolution))
    record.write(paths.generate_record)
    return record


def generate_file(model: Path, out: Path, options: Options | None = None) -> CodegenRecord:
    """Generate C code of any int8 .tflite classifier into the folder `out`, which is replaced, with its record in it.

    Raises:
        InputError: there is no such file, target or backend, or `out` is a folder that was not generated.
        ModelError: the model holds something that the backend does not take; nothing is written.
        ToolchainError: the compiler that is there refuses the code.
    """
    started = dt.datetime.now(dt.UTC)
    if out.exists() and not (out / RECORD).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds something else than generated code, and would be replaced.", "Give another folder, or empty it.")
    with atomic_folder(out) as folder:
        record = _generate(model, options or Options(), folder, provenance(Path.cwd(), {}, TOOLS, started), None)
        record.write(folder / RECORD)
    return record


def plan_model(model: Path, *, stream_input: bool = False) -> tuple[Network, Plan]:
    """Read a model and plan its memory.

    Raises:
        InputError: there is no such file.
        ModelError: it cannot be generated.
    """
    network = read_network(model)
    plan = make_plan(lower(network, streamed=stream_input))
    if plan.arena_bytes > MOST_ARENA_BYTES or network.macs > MOST_MACS:
        raise ModelError(
            f"{model} takes {plan.arena_bytes / 1024:.0f} KiB of activations and {network.macs} multiply-accumulates.",
            "No microcontroller runs that: give a smaller model.",
        )
    return network, plan


def _generate(model: Path, options: Options, folder: Path, made: Provenance, variant: _Variant | None) -> CodegenRecord:
    if options.backend not in BACKENDS:
        raise InputError(f"There is no backend '{options.backend}'{near_match(options.backend, BACKENDS)}.")
    target = find_target(options.target)
    cpu = portable_cpu(target)
    check_name(options.name)
    network, plan = plan_model(model, stream_input=options.stream_input)
    described = Described(options.name, model.name, sha256_file(model), target.title)
    emit(network, plan, described, folder)
    return _record(network, plan, described, target, options, made, _compiled(folder, options.name, network, plan, cpu), variant)


@dataclass(frozen=True)
class _Measured:
    size: CompiledSize
    runtime_ram_bytes: int


def _compiled(folder: Path, name: str, network: Network, plan: Plan, cpu: Cpu) -> _Measured | None:
    """The size by the preferred compiler; None where there is none."""
    compilers = arm_compilers(cpu)
    if not compilers:
        return None
    sizes = measure(folder, name, compilers[0])
    constants = sizes.constants - network_weight_bytes(network)
    size = CompiledSize(compiler=str(compilers[0]), flags=[*FLAGS], cpu=cpu.name, code_bytes=sizes.code, constant_bytes=constants)
    return _Measured(size, sizes.variables - plan.arena_bytes)


def _record(
    network: Network,
    plan: Plan,
    described: Described,
    target: Target,
    options: Options,
    made: Provenance,
    measured: _Measured | None,
    variant: _Variant | None,
) -> CodegenRecord:
    return CodegenRecord(
        provenance=made,
        dataset=variant.dataset if variant else None,
        network=variant.network if variant else None,
        resolution=variant.resolution if variant else None,
        backend=CodegenBackend(name="portable", version=version("edgeloop")),
        target=target.name,
        cpu=target.cpu.name if target.cpu else None,
        note=target.note,
        model_sha256=described.sha256,
        name=described.name,
        stream_input=options.stream_input,
        macs=network.macs,
        weight_bytes=network_weight_bytes(network),
        activation_ram_bytes=plan.arena_bytes,
        runtime_ram_bytes=measured.runtime_ram_bytes if measured else None,
        code_flash_bytes=measured.size.code_bytes + measured.size.constant_bytes if measured else None,
        compiled=measured.size if measured else None,
        pools=None,
        layers=[
            CodegenLayer(
                name=layer_name(layer),
                type=layer.operator,
                position=layer.position,
                output_shape=list(layer.output.shape),
                macs=layer.macs,
                weight_bytes=weight_bytes(layer),
            )
            for layer in computing_layers(network)
        ],
    )
