"""The step `generate`: an int8 model to C code for a target, and what the code takes."""

import datetime as dt
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edgeloop.codegen.application.emit import write_application
from edgeloop.codegen.choice import Chosen, choose_backend, model_format
from edgeloop.codegen.copy_model import copy_model
from edgeloop.codegen.portable.codesize import FLAGS, Sizes, measure
from edgeloop.codegen.portable.emit import Described, emit
from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.kernels import kernel_sources
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.literals import check_name
from edgeloop.codegen.portable.lowering import lower
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.plan import Plan, make_plan
from edgeloop.codegen.stedgeai.backend import Request, generate_with_tool
from edgeloop.codegen.targets import find_target, portable_cpu
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers
from edgeloop.config import Params
from edgeloop.errors import InputError, ModelError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.records import CodegenBackend, CodegenLayer, CodegenRecord, CompiledSize, Provenance, provenance
from edgeloop.tflite.formats import FILES
from edgeloop.userpath import without_places
from edgeloop.workspace import Workspace

RECORD = "codegen.json"
"""In the folder of a model that is no variant's."""
LOG = "stedgeai.log"
"""ST Edge AI Core's words, in the same folder; beside it, with the folder's name before it, where it failed."""
APPLICATION = "application"
"""In a folder of ST Edge AI Core's files: class names, and the way from a frame to the input."""
TOOLS = ["ai-edge-litert", "numpy"]
MOST_ARENA_BYTES = 1 << 26
MOST_ROWS = 50_000
"""The most rows of all values together: planning goes through them row by row."""
MOST_MACS = (1 << 32) - 1
"""Counts are 32 bits wide in the generated code."""


@dataclass(frozen=True)
class Options:
    """What is generated."""

    target: str = "stm32h7"
    backend: str = "auto"
    """`portable`, `stedgeai`, `st-cloud`, or `auto`: ST Edge AI Core where it is installed."""
    name: str = "network"
    """Prefix of the C names."""
    stream_input: bool = False
    """Read the input row by row through a callback, and hold no frame."""
    profile: str | None = None
    """The profile of the Neural-ART compiler (stm32n6), NAME or NAME@FILE."""
    tool: Path | None = None
    """ST Edge AI Core's program, root or version; else it is searched for."""
    analyze: bool = False
    """Run ST Edge AI Core's `analyze` as well, and keep its report."""


OPTIONS_OF: dict[Chosen, tuple[str, ...]] = {
    "portable": ("stream_input",),
    "stedgeai": ("profile", "tool", "analyze"),
    "st-cloud": ("profile",),
    "none": (),
}
"""Which options each backend has a use for, beside those of all."""
BACKEND_TITLES: dict[Chosen, str] = {
    "portable": "the portable generator",
    "stedgeai": "ST Edge AI Core",
    "st-cloud": "ST Edge AI Developer Cloud",
    "none": "a target that runs the model file itself",
}


def generate(workspace: Workspace, params: Params, name: str, options: Options | None = None) -> CodegenRecord:
    """Generate code of the variant's int8 model; `options` default to `generate` of params.yaml.

    The model is the per-channel one, or the one that the target runs best. The code goes to the variant's folder `generated`,
    the record beside it (and ST Edge AI Core's log, generate.log): equal models give an equal folder.

    Raises:
        InputError: there is no such variant, target or backend, or the variant is not quantized.
        ModelError: the model holds something that the backend does not take; nothing is written.
        ToolchainError: the compiler that is there refuses the code.
        StedgeaiError: ST Edge AI Core is not here, or fails.
    """
    started = dt.datetime.now(dt.UTC)
    variant, settings = params.variant(name), params.generate
    chosen = options or Options(**settings.model_dump())
    model, paths = int8_model(workspace, params, name, chosen), variant.paths(workspace)
    with atomic_folder(paths.generated) as folder:
        made = provenance(workspace.root, settings.model_dump(mode="json"), TOOLS, started)
        record = _generate(model, chosen, folder, paths.generate_record.with_suffix(".log"), made)
        record = _told(record, workspace.root).model_copy(
            update={"dataset": variant.dataset, "network": variant.network, "resolution": variant.resolution}
        )
    record.write(paths.generate_record)
    return record


def int8_model(workspace: Workspace, params: Params, name: str, options: Options) -> Path:
    """The file of a variant that these options generate from: the per-channel one, or the one that the target runs best.

    Raises:
        InputError: there is no such variant, target or backend, or the variant is not quantized.
    """
    target = find_target(options.target)
    form = model_format(choose_backend(options.backend, target, options.tool), target)
    model = params.variant(name).paths(workspace).quantized / f"{FILES[form]}.tflite"
    if not model.is_file():
        raise InputError(f"{name} is not quantized.", f"Run: dvc repro quantize@{name}")
    return model


def generate_file(model: Path, out: Path, options: Options | None = None) -> CodegenRecord:
    """Generate C code of any int8 .tflite classifier into the folder `out`, which is replaced, with its record in it.

    Raises:
        InputError: there is no such file, target or backend, or `out` is a folder that was not generated.
        ModelError: the model holds something that the backend does not take; nothing is written.
        ToolchainError: the compiler that is there refuses the code.
        StedgeaiError: ST Edge AI Core is not here, or fails; its log is then beside `out`, else in it.
    """
    started = dt.datetime.now(dt.UTC)
    if out.exists() and not (out / RECORD).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds something else than generated code, and would be replaced.", "Give another folder, or empty it.")
    with atomic_folder(out) as folder:
        log = out.parent / f"{out.name}.{LOG}"
        record = _told(_generate(model, options or Options(), folder, log, provenance(Path.cwd(), {}, TOOLS, started)), Path.cwd())
        record.write(folder / RECORD)
        if log.is_file() and record.backend.name == "stedgeai":
            log.replace(folder / LOG)
    return record


def _told(record: CodegenRecord, root: Path) -> CodegenRecord:
    """The record as others may read it: what the tool repeats of its command, and the note, name no folder of this machine."""
    command = record.run.command if record.run else None
    run = record.run.model_copy(update={"command": without_places(command, root)}) if record.run and command else record.run
    return record.model_copy(update={"run": run, "note": without_places(record.note, root)})


def _generate(model: Path, options: Options, folder: Path, log: Path, made: Provenance) -> CodegenRecord:
    """Generate into an empty folder with the backend that the options ask for."""
    target = find_target(options.target)
    chosen = choose_backend(options.backend, target, options.tool)
    check_name(options.name)
    _refuse_unused(options, chosen)
    if chosen == "portable":
        return _Work(model, options, folder).record(made)
    if chosen == "none":
        return copy_model(model, folder, options.name, target.name, made)
    request = Request(model, target.name, options.name, log, options.profile, options.tool, options.analyze)
    record = _at_st(request, folder, made) if chosen == "st-cloud" else generate_with_tool(request, folder, made)
    # Beside the tool's files, because projects copy all of these by name.
    write_application(folder / APPLICATION, options.name, model)
    return record


def _at_st(request: Request, folder: Path, made: Provenance) -> CodegenRecord:
    # It brings an HTTP client along, which no other backend needs.
    from edgeloop.codegen.stedgeai.cloud.generate import generate_at_st

    return generate_at_st(request, folder, made)


def _refuse_unused(options: Options, chosen: Chosen) -> None:
    """Refuse an option of another backend than the one that generates: it would do nothing."""
    for backend, names in OPTIONS_OF.items():
        for name in names:
            if name not in OPTIONS_OF[chosen] and getattr(options, name):
                raise InputError(
                    f"--{name.replace('_', '-')} (in params.yaml generate.{name}) is of use for {BACKEND_TITLES[backend]} only, and "
                    f"{options.target} is done by {BACKEND_TITLES[chosen]}.",
                    f"Leave it away, or add --backend {backend}.",
                )


def plan_model(model: Path, *, stream_input: bool = False) -> tuple[Network, Plan]:
    """Read a model and plan its memory.

    Raises:
        InputError: there is no such file.
        ModelError: it cannot be generated.
    """
    network = read_network(model)
    rows = network.input.height + sum(layer.output.height for layer in network.layers)
    least_bytes = max(layer.output.bytes for layer in network.layers)
    if rows > MOST_ROWS or least_bytes > MOST_ARENA_BYTES or network.macs > MOST_MACS:
        raise _too_large(model, f"{rows} rows, values of up to {least_bytes >> 10} KiB and {network.macs} multiply-accumulates")
    plan = make_plan(lower(network, streamed=stream_input))
    if plan.arena_bytes > MOST_ARENA_BYTES:
        raise _too_large(model, f"{plan.arena_bytes >> 10} KiB of activations")
    return network, plan


def _too_large(model: Path, size: str) -> ModelError:
    return ModelError(f"{model} has {size}.", "No microcontroller runs that: give a smaller model.")


class _Work:
    """One generation: writes the files, measures them, and states what they take."""

    def __init__(self, model: Path, options: Options, folder: Path) -> None:
        self._options, self._target = options, find_target(options.target)
        self._cpu = portable_cpu(self._target)
        self._network, self._plan = plan_model(model, stream_input=options.stream_input)
        self._sha256 = sha256_file(model)
        labelled, framed = write_application(folder, options.name, model, streamed=options.stream_input, kernels=kernel_sources())
        described = Described(options.name, model.name, self._sha256, self._target.title, labelled=labelled, framed=framed)
        emit(self._network, self._plan, described, folder)
        self._compiler, self._sizes = _measured(folder, options.name, self._cpu)

    def record(self, made: Provenance) -> CodegenRecord:
        """What was generated; what no compiler measured is null."""
        network, compiled = self._network, self._compiled()
        return CodegenRecord(
            provenance=made,
            backend=CodegenBackend(name="portable", version=version("edgeloop")),
            target=self._target.name,
            cpu=self._cpu.name,
            note=self._target.note,
            model_sha256=self._sha256,
            name=self._options.name,
            stream_input=self._options.stream_input,
            macs=network.macs,
            weight_bytes=network.weight_bytes,
            activation_ram_bytes=self._plan.arena_bytes,
            runtime_ram_bytes=self._sizes.variables - self._plan.arena_bytes if self._sizes else None,
            code_flash_bytes=compiled.code_bytes + compiled.constant_bytes if compiled else None,
            compiled=compiled,
            pools=None,
            layers=[_layer(layer) for layer in network.computing],
        )

    def _compiled(self) -> CompiledSize | None:
        if self._sizes is None:
            return None
        return CompiledSize(
            compiler=str(self._compiler),
            flags=[*FLAGS],
            cpu=self._cpu.name,
            code_bytes=self._sizes.code,
            constant_bytes=self._sizes.constants - self._network.weight_bytes,
        )


def _measured(folder: Path, name: str, cpu: Cpu) -> tuple[Compiler | None, Sizes | None]:
    """The size by the preferred compiler, where there is one."""
    compiler = next(iter(arm_compilers(cpu)), None)
    return compiler, measure(folder, name, compiler) if compiler else None


def _layer(layer: Layer) -> CodegenLayer:
    return CodegenLayer(
        name=layer.name,
        type=layer.operator,
        position=layer.position,
        output_shape=list(layer.output.shape),
        macs=layer.macs,
        weight_bytes=layer.weight_bytes,
    )
