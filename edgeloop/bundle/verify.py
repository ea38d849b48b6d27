"""Whether a folder is a whole and genuine bundle. It needs the folder and the signer's public key: no project, no network.

Every fault is named, not only the first: what is missing, what is there besides, what was changed, what does not follow from what.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edgeloop.bundle.files import FLOAT_MODEL, MANIFEST, PROVENANCE, SIGNATURE, SUMS, manifest, read_sums, sha256, version_name
from edgeloop.bundle.licenses import terms_of
from edgeloop.bundle.provenance import must_be_stated, record_digests, subjects_of
from edgeloop.bundle.sign import Trust, check, check_form, kind_of
from edgeloop.bundle.stated import Stated
from edgeloop.cards.chain import check_chain
from edgeloop.console import in_one_line
from edgeloop.errors import BundleError, InputError
from edgeloop.plural import in_bytes, many
from edgeloop.records.base import Part

BESIDE = (MANIFEST, SIGNATURE)
"""What does not count for the version's name."""
REWRITTEN = ("README.md", "index.html")
"""Pages of the card whose links lead elsewhere in a bundle than in the project, so that `card.json` has other digests of them."""
SHOWN = 20
WHAT_TO_GIVE = "Give the folder of an export or of a published version."
NOT_SIGNED = "not signed by anybody"
NOBODY = "nobody's signature was checked: give --key PUBLIC_KEY, or --certificate"


class _Entry(Part):
    sha256: str
    bytes: int


class _Manifest(Part):
    variant: str
    version: str
    files: dict[str, _Entry]


_FORM = TypeAdapter(_Manifest)


@dataclass(frozen=True)
class Verdict:
    """What was found."""

    variant: str
    version: str
    """As the manifest says; empty where it does not."""
    files: int
    """Those that the version is named after, as they were published: without manifest and signature."""
    size: int
    """Their bytes."""
    beside: tuple[str, ...]
    """Which of manifest and signature there are."""
    signed: str
    """Whose signature was checked, as a sentence."""
    faults: list[str] = field(default_factory=list)
    is_whole: bool = True
    """Whether the signature alone has faults, if any."""
    is_asked: bool = False
    """Whether somebody's signature was asked for."""

    def in_words(self) -> str:
        """Lines for people, faults first."""
        more = [f"and {len(self.faults) - SHOWN} more"] if len(self.faults) > SHOWN else []
        beside = f", and beside them {' and '.join(self.beside)}" if self.beside else ""
        told = f"{self.variant} {self.version}: {many(self.files, 'file')}, {in_bytes(self.size)}{beside}"
        return "\n".join([*map(in_one_line, self.faults[:SHOWN]), *more, told, in_one_line(self.signed)])

    def require(self, where: str) -> None:
        """Raise what was found.

        Raises:
            BundleError: there is a fault.
        """
        if self.faults:
            listed = "\n".join(f"  {in_one_line(fault)}" for fault in self.faults[:SHOWN])
            more = f"\n  and {len(self.faults) - SHOWN} more" if len(self.faults) > SHOWN else ""
            if self.is_whole and not self.is_asked:
                remedy = "Get it again from who published it."
                raise BundleError(f"{where} is whole, and its signature is none of these files:\n{listed}{more}", remedy)
            if self.is_whole:
                raise BundleError(
                    f"{where} is whole, and its signature is not the one that was asked for:\n{listed}{more}",
                    "Ask its publisher whose signature it has. If this key or certificate is theirs, do not use it.",
                )
            raise BundleError(f"{where} is not what was published:\n{listed}{more}", "Do not use it. Get it again from who published it.")


def verify(folder: Path, trust: Trust | None = None) -> Verdict:
    """Check a folder against its digests, its records against each other, and its signature against who is trusted.

    Raises:
        InputError: there is no such folder, it holds nothing of a bundle, something in it may not be read, or the key or certificates
            cannot be used.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.", WHAT_TO_GIVE)
    faults: list[str] = []
    try:
        files = dict(_files(folder, faults))
    except OSError as error:
        # Nothing is said of what this user may not see.
        raise InputError(
            f"{in_one_line(str(error.filename))} cannot be read: {error.strerror}.", f"Let your user read it: chmod -R u+rX '{folder}'"
        ) from None
    if not files.keys() & {SUMS, *BESIDE}:
        raise InputError(f"{folder} holds no bundle: none of {SUMS}, {MANIFEST} and {SIGNATURE} is there.", WHAT_TO_GIVE)
    content = {name: data for name, data in files.items() if name not in BESIDE}
    digests = {name: sha256(data) for name, data in sorted(content.items())}
    faults += _sums(files, digests)
    about = _manifest(files, content, digests, faults)
    faults += _contents(content, digests)
    is_whole = not faults
    signed = _signature(folder, files, trust, faults)
    is_asked = trust is not None and trust.is_given
    beside = tuple(name for name in BESIDE if name in files)
    variant, version = map(in_one_line, (about.variant, about.version))
    return Verdict(variant, version, len(content), sum(map(len, content.values())), beside, signed, faults, is_whole, is_asked)


def _files(folder: Path, faults: list[str]) -> Iterator[tuple[str, bytes]]:
    """Each plain file by name; everything else is a fault."""
    for path in _below(folder):
        name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            faults.append(f"{name}: is a link, and a bundle has none")
        elif stat.S_ISREG(mode):
            yield name, path.read_bytes()
        elif not stat.S_ISDIR(mode):
            faults.append(f"{name}: is no file")
        elif not any(path.iterdir()):
            faults.append(f"{name}: is an empty folder, and a bundle has none")


def _below(folder: Path) -> Iterator[Path]:
    """Everything in a folder, in order; `rglob` would pass over a folder that may not be read."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _sums(files: Mapping[str, bytes], digests: Mapping[str, str]) -> Iterator[str]:
    if SUMS not in files:
        yield f"{SUMS}: is missing, so that nothing says what was published (before November 30, 2026, versions had none)"
        return
    try:
        listed = read_sums(files[SUMS])
    except BundleError as error:
        yield error.what
        return
    found = {name: digest for name, digest in digests.items() if name != SUMS}
    yield from (f"{name}: is missing" for name in sorted(listed.keys() - found.keys()))
    yield from (f"{name}: is not listed in {SUMS}" for name in sorted(found.keys() - listed.keys()))
    yield from (f"{name}: was changed" for name in sorted(listed.keys() & found.keys()) if listed[name] != found[name])


def _manifest(files: Mapping[str, bytes], content: Mapping[str, bytes], digests: Mapping[str, str], faults: list[str]) -> _Manifest:
    """The manifest, where it is as it would be written of these files."""
    nothing = _Manifest(variant="unknown variant", version="", files={})
    if MANIFEST not in files:
        faults.append(f"{MANIFEST}: is missing")
        return nothing
    try:
        found = _FORM.validate_json(files[MANIFEST])
    except ValidationError:
        faults.append(f"{MANIFEST}: is damaged")
        return nothing
    if found.version != version_name(digests):
        faults.append(f"{MANIFEST}: it is of the version {found.version}, and these files are {version_name(digests)}")
    elif manifest(found.variant, found.version, content) != files[MANIFEST]:
        faults.append(f"{MANIFEST}: was changed")
    return found


def _contents(files: Mapping[str, bytes], digests: Mapping[str, str]) -> Iterator[str]:
    """Whether the files of a bundle speak of each other."""
    try:
        stated = Stated.of(files)
    except BundleError as error:
        yield error.what
        return
    yield from _card(stated, record_digests(files), digests)
    yield from _chain(stated)
    yield from _models(stated, digests)
    yield from _provenance(files.get(PROVENANCE), digests)


def _card(stated: Stated, found: Mapping[str, str], digests: Mapping[str, str]) -> Iterator[str]:
    """Whether the card was made from these records, and shows these plots."""
    for name in sorted(found.keys() | stated.card.records.keys()):
        if found.get(name) != stated.card.records.get(name):
            yield f"records/{name}: is not the record that the card was made from"
    for name, digest in sorted(stated.card.files.items()):
        if name in REWRITTEN and name in digests:
            continue
        if digests.get(name) != digest:
            yield f"{name}: is not the file of the card"


def _chain(stated: Stated) -> Iterator[str]:
    try:
        check_chain(stated.prepare, stated.validate, stated.train, stated.quantize, stated.evaluate, stated.codegen, stated.benchmarks)
    except InputError as error:
        yield error.what
    known = {stated.train.model_sha256, *(model.sha256 for model in stated.quantize.models)}
    for name, record in stated.benchmarks.items():
        if unknown := record.digests - known:
            yield f"{name}: speaks of a model that is not in this version ({', '.join(one[:12] for one in sorted(unknown))})"


def _models(stated: Stated, digests: Mapping[str, str]) -> Iterator[str]:
    held_back = terms_of(stated).held_back
    stating = {FLOAT_MODEL: stated.train.model_sha256} | {f"models/{model.file}": model.sha256 for model in stated.quantize.models}
    for name, digest in stating.items():
        if name not in digests and held_back:
            continue
        if digests.get(name) != digest:
            yield f"{name}: is {'not the model that the records speak of' if name in digests else 'missing'}"


def _provenance(content: bytes | None, digests: Mapping[str, str]) -> Iterator[str]:
    if content is None:
        yield f"{PROVENANCE}: is missing"
        return
    try:
        subjects = subjects_of(content)
    except BundleError as error:
        yield error.what
        return
    for name, digest in subjects:
        if digests.get(name, digest) != digest:
            yield f"{name}: is not what {PROVENANCE} says was made"
    told = {name for name, _ in subjects}
    yield from (f"{name}: {PROVENANCE} does not say what made it" for name in digests if must_be_stated(name) and name not in told)


def _signature(folder: Path, files: Mapping[str, bytes], trust: Trust | None, faults: list[str]) -> str:
    signed = {name: sha256(content) for name, content in files.items() if name != SIGNATURE}
    try:
        if trust is None or not trust.is_given:
            if SIGNATURE not in files:
                return NOT_SIGNED
            check_form(files[SIGNATURE], signed)
            return f"signed with {kind_of(files[SIGNATURE])}, but {NOBODY}"
        check(folder, trust, signed)
    except BundleError as error:
        faults.append(error.what)
        return "the signature is not right"
    return f"signed {trust.in_words()}"
