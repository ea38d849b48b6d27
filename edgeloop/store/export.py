"""A finished variant as a folder to hand over: the very bundle that `publish` publishes, signed in the same way."""

from pathlib import Path

from edgeloop.bundle.build import build
from edgeloop.bundle.files import MANIFEST, SIGNATURE, SUMS, Bundle, read_sums
from edgeloop.config import Params
from edgeloop.errors import BundleError, InputError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.plural import in_bytes, many
from edgeloop.store.signing import NOBODY_SIGNS, Signer
from edgeloop.workspace import Workspace


def export(workspace: Workspace, params: Params, variant: str, out: Path) -> list[str]:
    """Write a finished variant to `out`, as a whole; returns what was written, in lines for people.

    A former export in its place is replaced if it is as it was written.

    Raises:
        InputError: the variant is unknown or not finished, its files do not belong together, or `out` holds something else.
    """
    bundle = build(workspace, params, variant)
    check_place(out)
    signer = Signer(workspace.root, params.publish.sign)
    signature = signer.signature(bundle)
    with atomic_folder(out) as folder:
        write(bundle, signature, folder)
    size = sum(map(len, bundle.files.values()))
    code = [] if any(name.startswith("code/") for name in bundle.files) else ["no C code: its target runs the .tflite file itself"]
    models = [] if any(name.endswith(".tflite") for name in bundle.files) else ["no models and no code: licenses/README.md says why"]
    signed = [f"signed with {signer.in_words()}" if signature else NOBODY_SIGNS]
    return [f"{out}: {variant} {bundle.name}, {many(len(bundle.files), 'file')}, {in_bytes(size)}", *(models or code), *signed]


def write(bundle: Bundle, signature: bytes | None, folder: Path) -> None:
    """Write a bundle into an empty folder."""
    beside = {MANIFEST: bundle.manifest} | ({SIGNATURE: signature} if signature else {})
    for name, content in (bundle.files | beside).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def check_place(out: Path) -> None:
    """See that nothing is lost: there may only be a bundle, as it was written.

    Raises:
        InputError: there is something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        listed = read_sums((out / SUMS).read_bytes())
    except (OSError, BundleError):
        raise InputError(f"{out} is there already, and is no export.", "Give a new folder: -o FOLDER.") from None
    beside = {SUMS, MANIFEST, SIGNATURE}
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    changed = [name for name, path in found.items() if name not in beside and listed.get(name) != sha256_file(path)]
    if changed:
        raise InputError(f"{out} was changed since it was exported: {', '.join(sorted(changed)[:5])}.", "Give a new folder: -o FOLDER.")
