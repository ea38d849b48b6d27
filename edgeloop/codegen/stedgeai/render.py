"""A `CodegenRecord` as text for the terminal."""

from collections.abc import Iterator

from edgeloop.records import CodegenRecord, ToolValidation

UNKNOWN = "not stated"


def render_record(record: CodegenRecord) -> str:
    """The record in lines: what was generated, its figures, the pools, epochs and layers. What is null is `not stated`."""
    return "\n".join(_lines(record))


def _lines(record: CodegenRecord) -> Iterator[str]:
    run = record.run
    yield f"{record.name} for {record.target or UNKNOWN}, by {record.backend.name} {record.backend.version or f'(version {UNKNOWN})'}"
    if run and run.model:
        yield f"model            {run.model} ({run.model_format or f'format {UNKNOWN}'})"
    rounded = " (rounded by the tool)" if record.rounded else ""
    yield f"weights          {_size(record.weight_bytes)}{rounded}"
    yield f"activations      {_size(record.activation_ram_bytes)}{rounded}"
    yield f"inputs, outputs  {_size(record.io_ram_bytes)}{'' if record.io_ram_bytes is None else ' besides'}"
    yield f"runtime RAM      {_size(record.runtime_ram_bytes)}"
    yield f"code             {_code(record)}"
    yield f"internal RAM     {_size(record.internal_ram_bytes)}, external {_size(record.external_ram_bytes)}"
    yield f"internal flash   {_size(record.internal_flash_bytes)}, external {_size(record.external_flash_bytes)} (weights)"
    yield f"MACs             {UNKNOWN if record.macs is None else f'{record.macs:,}'}"
    if record.binary_bytes is not None:
        yield f"network file     {_size(record.binary_bytes)}"
    yield from _epochs(record)
    yield from _pools(record)
    yield from _layers(record)
    yield from _validation(record.validation)
    yield from (f"error: {error}" for error in (run.errors if run else []))
    if record.note:
        yield f"note: {record.note}"


def _size(size: int | None) -> str:
    return UNKNOWN if size is None else f"{size:,} B ({size / 1024:.2f} KiB)"


def _code(record: CodegenRecord) -> str:
    if record.code_flash_bytes is None or record.toolchain_flash_bytes is None:
        return _size(record.code_flash_bytes)
    return f"{_size(record.code_flash_bytes)}, {_size(record.toolchain_flash_bytes)} of it the toolchain's"


def _epochs(record: CodegenRecord) -> Iterator[str]:
    epochs = record.epochs
    if epochs:
        parts = {"hardware": epochs.hardware, "epoch controller": epochs.controller, "hybrid": epochs.hybrid, "software": epochs.software}
        parts |= {f"of the unknown type {kind}": count for kind, count in epochs.unknown.items()}
        stated = ", ".join(f"{count} {name}" for name, count in parts.items() if count is not None)
        yield f"epochs           {epochs.total}: {stated}"


def _pools(record: CodegenRecord) -> Iterator[str]:
    """Those that are used."""
    used = [pool for pool in record.pools or [] if pool.weight_bytes or pool.activation_ram_bytes]
    for name, pool in zip(_aligned([pool.name for pool in used]), used, strict=True):
        place = {True: "internal", False: "external", None: f"place {UNKNOWN}"}[pool.internal]
        yield f"pool {name}  {place}, weights {_size(pool.weight_bytes)}, activations {_size(pool.activation_ram_bytes)}"


def _layers(record: CodegenRecord) -> Iterator[str]:
    layers = record.layers or []
    if layers:
        yield f"layers           {len(layers)}"
    positions = _aligned(["" if layer.position is None else str(layer.position) for layer in layers], right=True)
    types = _aligned([layer.type for layer in layers])
    shapes = _aligned(["x".join(map(str, layer.output_shape)) if layer.output_shape else "?" for layer in layers], right=True)
    macs = _aligned(["?" if layer.macs is None else f"{layer.macs:,}" for layer in layers], right=True)
    for position, kind, shape, mac, layer in zip(positions, types, shapes, macs, layers, strict=True):
        yield f"  {position}  {kind}  {shape}  {mac} MACs  {layer.name}"


def _aligned(cells: list[str], *, right: bool = False) -> list[str]:
    """A column as wide as its widest cell."""
    width = max(map(len, cells), default=0)
    return [cell.rjust(width) if right else cell.ljust(width) for cell in cells]


def _validation(validation: ToolValidation | None) -> Iterator[str]:
    if validation is None:
        return
    time = "" if validation.duration_ms is None else f", {validation.duration_ms} ms a sample, measured"
    yield f"validated on {validation.device or validation.mode}{time}"
    for output in validation.outputs:
        accuracy = UNKNOWN if output.accuracy is None else f"{output.accuracy:.4f}"
        yield f"  {output.name}: rmse {output.rmse}, l2r {output.l2r}, cos {output.cos}, accuracy {accuracy}"
