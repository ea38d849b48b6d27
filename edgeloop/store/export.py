"""A finished variant as a folder to hand over: what is published of it, and the digests.

<out>/README.md, index.html, plots/   the model card
<out>/models/                         .tflite files, preprocessing.json, labels.txt
<out>/code/                           the generated C code with its example
<out>/records/                        what every figure was taken from
<out>/SHA256SUMS                      as `sha256sum --check` reads it
"""

import hashlib
from pathlib import Path

from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.files import atomic_folder
from edgeloop.store.publish import read_version
from edgeloop.workspace import Workspace

SUMS = "SHA256SUMS"


def export(workspace: Workspace, params: Params, variant: str, out: Path) -> list[str]:
    """Write a finished variant to `out`, as a whole; returns what was written, in lines for people.

    A former export in its place is replaced if it is as it was written.

    Raises:
        InputError: the variant is unknown or not finished, its files do not belong together, or `out` holds something else.
    """
    version = read_version(workspace, params, variant)
    _check_place(out)
    with atomic_folder(out) as folder:
        for name, content in version.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        sums = [f"{digest}  {name}\n" for name, digest in version.digests.items()]
        (folder / SUMS).write_text("".join(sums), encoding="utf-8")
    size = sum(map(len, version.files.values()))
    code = [] if any(name.startswith("code/") for name in version.files) else ["no C code: its target runs the .tflite file itself"]
    return [f"{out}: {variant}, {len(version.files)} files, {size / 1e6:.1f} MB", *code]


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
