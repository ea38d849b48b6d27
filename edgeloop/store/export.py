"""A finished variant as a folder to hand over: card, models with labels and preprocessing, C code, records, and their digests.

<out>/README.md       what lies where, and the figures that it is chosen by
<out>/card/           the model card
<out>/models/         .tflite files, preprocessing.json, labels.txt
<out>/code/           the generated C code with its example
<out>/records/        what every figure was taken from
<out>/SHA256SUMS      as `sha256sum --check` reads it
"""

import hashlib
from pathlib import Path

from edgeloop.cards.markdown import Table
from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.files import atomic_folder
from edgeloop.records import CodegenRecord
from edgeloop.store.publish import Version, read_version
from edgeloop.tflite.labels import FILE_NAME as LABELS
from edgeloop.workspace import VariantPaths, Workspace

SUMS = "SHA256SUMS"
README = "README.md"


def export(workspace: Workspace, params: Params, variant: str, out: Path) -> list[str]:
    """Write a finished variant to `out`, as a whole; returns what was written, in lines for people.

    A former export in its place is replaced if it is as it was written.

    Raises:
        InputError: the variant is unknown or not finished, its files do not belong together, or `out` holds something else.
    """
    version = read_version(workspace, params, variant)
    files = _arranged(version, params.variant(variant).paths(workspace))
    files[README] = _readme(version, files).encode()
    _check_place(out)
    with atomic_folder(out) as folder:
        for name, content in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
        (folder / SUMS).write_text("".join(sums), encoding="utf-8")
    size = sum(map(len, files.values()))
    code = [] if any(name.startswith("code/") for name in files) else ["no C code: its target runs the .tflite file itself"]
    return [f"{out}: {variant} as published version {version.name}, {len(files)} files, {size / 1e6:.1f} MB", *code]


def _arranged(version: Version, paths: VariantPaths) -> dict[str, bytes]:
    """Content by name below the folder that is handed over."""
    kept = ("models/", "records/")
    files = {name if name.startswith(kept) else f"card/{name}": content for name, content in version.files.items()}
    labels = paths.quantized / LABELS
    if labels.is_file():
        files[f"models/{LABELS}"] = labels.read_bytes()
    if "records/generate.json" in files and CodegenRecord.model_validate_json(files["records/generate.json"]).backend.name != "none":
        code = {path.relative_to(paths.generated).as_posix(): path for path in sorted(paths.generated.rglob("*")) if path.is_file()}
        files |= {f"code/{name}": path.read_bytes() for name, path in code.items()}
    return files


def _readme(version: Version, files: dict[str, bytes]) -> str:
    said = version.summary
    accuracy = [
        [one["format"], f"{100 * one['top1']:.2f}", str(one["n"]), "{:.2f} to {:.2f}".format(*(100 * bound for bound in one["ci95"]))]
        for one in said["accuracy"]
    ]
    places = {
        "card/": "the model card: `index.html` in a browser, `README.md` as text",
        "models/": "the models with their preprocessing and class names",
        "code/": "C code of the int8 per-channel model; its `README.md` says how to build and call it, `example/` classifies pictures",
        "records/": "JSON records of every step: where each figure is from",
        SUMS: f"the digests of all files: `sha256sum --check {SUMS}`",
    }
    shown = [[f"`{place}`", text] for place, text in places.items() if place == SUMS or any(name.startswith(place) for name in files)]
    return (
        f"# {version.variant}\n\nData set {said['dataset']}, commit {said['commit'] or 'none'}, "
        f"evaluated {said['evaluated']}, version {version.name}.\n\n"
        f"{Table(['where', 'what'], shown)}\n\n"
        f"{Table(['format', 'top-1 on ' + said['split'] + ' (%)', 'images', '95 % interval (%)'], accuracy)}\n"
    )


def _check_place(out: Path) -> None:
    """See that nothing is lost: there may only be an export, as it was written.

    Raises:
        InputError: there is something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        lines = (out / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{out} is there already, and is no export.", "Give a new folder: -o FOLDER.") from None
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    changed = [name for name, path in found.items() if name != SUMS and sums.get(name) != hashlib.sha256(path.read_bytes()).hexdigest()]
    if changed:
        raise InputError(f"{out} was changed since it was exported: {', '.join(sorted(changed)[:5])}.", "Give a new folder: -o FOLDER.")
