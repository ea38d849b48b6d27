"""The files of a bundle: their names, their digests, and the version that is named after them.

    README.md, index.html, plots/        the card
    models/, code/, records/             what it is about, and what states it
    data.json                            what the model learned from
    sbom.cdx.json, mlbom.cdx.json        CycloneDX: the tools and the code; the model
    provenance.jsonl                     in-toto: which file was made from which
    licenses/                            under which terms
    SHA256SUMS                           of all of these, as `sha256sum --check` reads it
    manifest.json                        the same with sizes, and the version's name
    model.sig                            a signature of all of these, where somebody signed

The last two do not count for the version's name: the manifest holds it, and who signs changes nothing that is signed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from edgeloop.errors import BundleError

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
SIGNATURE = "model.sig"
DATA = "data.json"
SBOM = "sbom.cdx.json"
MLBOM = "mlbom.cdx.json"
PROVENANCE = "provenance.jsonl"
LICENSES = "licenses/README.md"
FLOAT_MODEL = "models/model.keras"
"""As it was trained; `models/float.tflite` is its conversion."""
VERSION_DIGITS = 16
_SUM = re.compile(r"([0-9a-f]{64})  ([^\n\r\0\\]+)")
"""Names with a line break or a backslash would be escaped by `sha256sum`; no bundle has one."""


@dataclass(frozen=True)
class Bundle:
    """Everything that is handed over of one version of a variant, without manifest and signature."""

    variant: str
    files: dict[str, bytes]
    """Content by name below the version's folder, the digests' file included."""

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 by name, sorted."""
        return {name: sha256(content) for name, content in sorted(self.files.items())}

    @property
    def name(self) -> str:
        """The version: equal content is an equal version."""
        return version_name(self.digests)

    @property
    def manifest(self) -> bytes:
        """What says which files there are, whoever stores them."""
        return manifest(self.variant, self.name, self.files)

    @property
    def manifest_sha256(self) -> str:
        return sha256(self.manifest)


def sha256(content: bytes) -> str:
    """The digest, as lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def version_name(digests: Mapping[str, str]) -> str:
    """Made from the names and digests of a bundle's files."""
    return sha256(json.dumps(dict(sorted(digests.items()))).encode())[:VERSION_DIGITS]


def sums(files: Mapping[str, bytes]) -> bytes:
    """The digests of files, a line each."""
    return "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(files.items())).encode()


def read_sums(content: bytes) -> dict[str, str]:
    """The digests by name.

    Raises:
        BundleError: it is not as `sums` writes it, to the byte.
    """
    text = content.decode(errors="replace")
    found = {name: digest for digest, name in _SUM.findall(text)}
    if "".join(f"{digest}  {name}\n" for name, digest in sorted(found.items())).encode() != content:
        raise BundleError(f"{SUMS} is damaged: it is no sorted list of digests and names.")
    return found


def manifest(variant: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """The manifest of a version."""
    listing = {name: {"sha256": sha256(content), "bytes": len(content)} for name, content in sorted(files.items())}
    return as_json({"variant": variant, "version": version, "files": listing})


def as_json(value: object) -> bytes:
    """As the small files of a bundle and of the store are written."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
