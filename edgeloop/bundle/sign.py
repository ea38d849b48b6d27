"""Signatures of bundles in the form of OpenSSF Model Signing, the only module that knows `model-signing`.

A signature is `model.sig` beside the files: a Sigstore bundle with a signed list of all their digests. Any tool of that form checks it:
`model_signing verify key FOLDER --signature FOLDER/model.sig --public_key KEY.pub`.
"""

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.bundle.files import SIGNATURE, sha256
from edgeloop.config.steps import Sign
from edgeloop.errors import BundleError, EdgeloopError, InputError

if TYPE_CHECKING:
    from model_signing import hashing, signing, verifying

KEY_WANTED = "Give a private key as PEM, P-256, P-384 or P-521 (docs/trust.md)."
PUBLIC_WANTED = "Give a public key as PEM (`openssl ec -in key.pem -pubout`) with --key, or certificates with --certificate."


@dataclass(frozen=True)
class Trust:
    """Whose signature is believed: one of a public key, certificates, or an identity."""

    key: Path | None = None
    certificates: tuple[Path, ...] = ()
    """What a signer's certificate must lead to."""
    identity: str | None = None
    """An e-mail address or a workflow, as Sigstore's certificate names it."""
    issuer: str | None = None
    """Who vouched for the identity."""

    @property
    def is_given(self) -> bool:
        return self.key is not None or bool(self.certificates) or self.identity is not None

    def in_words(self) -> str:
        """What it rests on."""
        if self.key is not None:
            return f"by the owner of {self.key}"
        if self.certificates:
            return f"by the owner of a certificate that leads to {', '.join(map(str, self.certificates))}"
        return f"by {self.identity}, as {self.issuer} says"


def sign(files: Mapping[str, bytes], settings: Sign, root: Path, name: str) -> bytes:
    """The signature of these files; `name` is what it calls them, and paths in the settings begin at `root`.

    Raises:
        InputError: the key or a certificate cannot be used.
        BundleError: Sigstore's service does not sign.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloop-sign-") as place:
        folder = Path(place) / name
        for file, content in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        signature = Path(place) / SIGNATURE
        with _signer(settings, root) as signer:
            signer.set_hashing_config(_all_files())
            signer.sign(folder, signature)
        return signature.read_bytes()


def check(folder: Path, trust: Trust, digests: Mapping[str, str]) -> None:
    """See that the signature in a folder is of these digests, and by whom it should be.

    Raises:
        InputError: the public key or a certificate cannot be read.
        BundleError: it is of something else, by somebody else, or is not as it was written.
    """
    path = folder / SIGNATURE
    if not path.is_file():
        raise BundleError(f"{SIGNATURE} is missing: nobody signed this.")
    content = path.read_bytes()
    check_form(content, digests)
    if odd := [one for one in sorted(folder.rglob("*")) if one.is_symlink() or not (one.is_file() or one.is_dir())]:
        kind = "a link" if odd[0].is_symlink() else "no regular file"
        raise BundleError(f"{SIGNATURE} cannot be checked: it is of files, and {odd[0].relative_to(folder).as_posix()} is {kind}.")
    if trust.certificates:
        _check_chain(content, trust.certificates)
    with _verifier(trust) as verifier:
        verifier.set_hashing_config(_all_files())
        verifier.verify(folder, path)


def check_form(content: bytes, digests: Mapping[str, str]) -> None:
    """See that a signature is one and says that it is of these digests; by whom it is, is not looked at.

    Raises:
        BundleError: it is of something else, or is not as it was written.
    """
    signed = _signed_digests(content)
    if signed != dict(digests):
        named = ", ".join(sorted(name for name in {*signed, *digests} if signed.get(name) != digests.get(name))[:5])
        raise BundleError(f"{SIGNATURE} is of other files than these: {named}.")


def check_signer(settings: Sign, root: Path) -> None:
    """See that a key or certificate can be used, before there is anything to sign.

    Raises:
        InputError: it cannot.
    """
    if not settings.keyless:
        with _signer(settings, root):
            return


def kind_of(content: bytes) -> str:
    """With what a signature was made, as it says itself.

    Raises:
        BundleError: it is damaged.
    """
    _signed_digests(content)
    material = _bundle(content).verification_material
    if material.public_key is not None:
        return "a key"
    return "a certificate" if material.x509_certificate_chain is not None else "an identity (Sigstore)"


def is_by(content: bytes, settings: Sign, root: Path, digests: Mapping[str, str]) -> bool:
    """Whether a signature is of these digests, and names the key or certificate that would sign now.

    A keyless one is never taken for one's own: its certificate lived for minutes.

    Raises:
        InputError: the key or certificate cannot be read.
    """
    if settings.keyless:
        return False
    try:
        return _signed_digests(content) == dict(digests) and _named(content) == _would_name(settings, root)
    except BundleError:
        return False


def _named(content: bytes) -> str | None:
    """The key or certificate that a signature names; None of an identity's, whose certificate is nobody's own."""
    material = _bundle(content).verification_material
    if material.public_key is not None:
        return str(material.public_key.hint)
    chain = material.x509_certificate_chain
    return None if chain is None else bytes(chain.certificates[0].raw_bytes).hex()


def _would_name(settings: Sign, root: Path) -> str:
    """The same of a signature that is yet to be made: SHA-256 of the public key as PEM, or the certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    with _explained_key(settings):
        if settings.certificate is not None:
            return x509.load_pem_x509_certificate((root / settings.certificate).read_bytes()).public_bytes(Encoding.DER).hex()
        public = load_pem_private_key((root / _key(settings)).read_bytes(), _password(settings)).public_key()
        return sha256(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _all_files() -> "hashing.Config":
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


@contextmanager
def _signer(settings: Sign, root: Path) -> "Iterator[signing.Config]":
    from model_signing import signing

    config = signing.Config()
    with _explained_key(settings):
        if settings.keyless:
            config.use_sigstore_signer(use_ambient_credentials=True)
        elif settings.certificate is None:
            config.use_elliptic_key_signer(private_key=root / _key(settings), password=_password(settings))
        else:
            chain = [root / one for one in settings.chain]
            config.use_certificate_signer(
                private_key=root / _key(settings), signing_certificate=root / settings.certificate, certificate_chain=chain
            )
    try:
        yield config
    except EdgeloopError:
        raise
    except Exception as error:  # of Sigstore's client, which raises what its parts raise
        if not settings.keyless:
            raise BundleError("Nothing was signed: the key or certificate does not take it.", KEY_WANTED) from error
        raise BundleError(
            f"Nothing was signed. Sigstore's client says: {error}", "A keyless signature needs the internet, and somebody who logs in."
        ) from error


@contextmanager
def _explained_key(settings: Sign) -> Iterator[None]:
    what = "What publish.sign of params.yaml names cannot be used"
    try:
        yield
    except OSError as error:
        raise InputError(f"{what}: {error.filename} cannot be read: {error.strerror}.", KEY_WANTED) from None
    except (ValueError, TypeError) as error:
        named = f"{settings.key} is no private key as PEM, or its password is another one"
        named += f"; or {settings.certificate} is no certificate of it" if settings.certificate else ""
        raise InputError(f"{what}: {named}.", KEY_WANTED) from error


def _key(settings: Sign) -> Path:
    assert settings.key is not None, "one of the two is given"
    return settings.key


def _password(settings: Sign) -> Any:
    """As bytes, whatever the library declares: that is what it hands on."""
    if settings.password is None:
        return None
    found = os.environ.get(settings.password)
    if not found:
        raise InputError(
            f"The environment variable {settings.password} holds no password (publish.sign.password of params.yaml).",
            "Set it, and try again.",
        )
    return found.encode()


@contextmanager
def _verifier(trust: Trust) -> "Iterator[verifying.Config]":
    """Turn what a check raises into a BundleError; the library prints warnings, which say nothing that matters here."""
    from model_signing import verifying

    config = verifying.Config()
    try:
        if trust.key is not None:
            config.use_elliptic_key_verifier(public_key=trust.key)
        elif trust.certificates:
            config.use_certificate_verifier(certificate_chain=trust.certificates)
        else:
            config.use_sigstore_verifier(identity=str(trust.identity), oidc_issuer=str(trust.issuer))
    except OSError as error:
        named = f"{error.filename} cannot be read: {error.strerror}"
        raise InputError(f"The key or certificate to check with cannot be used: {named}.", PUBLIC_WANTED) from None
    except (ValueError, TypeError, AttributeError) as error:
        named = f"{trust.key} is no public key as PEM" if trust.key else "it is no certificate as PEM"
        raise InputError(f"The key or certificate to check with cannot be used: {named}.", PUBLIC_WANTED) from error
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield config
    except Exception as error:  # cryptography, OpenSSL, pydantic and json all raise their own
        why = f"Sigstore's client says: {error}" if trust.identity else "somebody else made it, or it was changed since"
        raise BundleError(f"{SIGNATURE} is not {trust.in_words()}: {why}") from error


def _signed_digests(content: bytes) -> dict[str, str]:
    """SHA-256 by name of what a signature says that it is of.

    Raises:
        BundleError: it is damaged, or not in the one form that it is written in: of two texts that mean the same, one was not signed.
    """
    try:
        bundle = _bundle(content)
        is_canonical = bundle.to_json().encode() == content
        payload = json.loads(bundle.dsse_envelope.payload)
        found = {one["name"]: one["digest"] for one in payload["predicate"]["resources"] if one["algorithm"] == "sha256"}
    except Exception as error:  # whatever a damaged file makes its parser raise
        raise BundleError(f"{SIGNATURE} is damaged: it is no signature in the form of OpenSSF Model Signing.") from error
    if not is_canonical:
        raise BundleError(f"{SIGNATURE} is damaged: it is not as it was written.")
    return found


def _bundle(content: bytes) -> Any:
    """The Sigstore bundle in a signature file."""
    from sigstore_models.bundle.v1 import Bundle

    return Bundle.from_json(content)


def _check_chain(content: bytes, trusted: Sequence[Path]) -> None:
    """See that each certificate in a signature was issued by the next one, and the last one by one that is trusted, or is that one.

    OpenSSL finds a way of its own and passes over those that it does not need: a changed one would go unseen.
    """
    from cryptography import x509

    chain = _bundle(content).verification_material.x509_certificate_chain
    if chain is None:
        raise BundleError(f"{SIGNATURE} was made by a key without a certificate.", "Check it with the public key: --key.")
    try:
        found = [x509.load_der_x509_certificate(one.raw_bytes) for one in chain.certificates]
        roots = [one for file in trusted for one in x509.load_pem_x509_certificates(file.read_bytes())]
        for certificate, issuer in pairwise(found):
            certificate.verify_directly_issued_by(issuer)
        if found[-1] not in roots:
            _issued_by_one(found[-1], roots)
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}.", "Give certificates as PEM: --certificate.") from None
    except Exception as error:  # whatever a damaged certificate makes its parser raise
        raise BundleError(
            f"The certificates in {SIGNATURE} do not lead to one that is trusted: one was issued by somebody else, or is damaged."
        ) from error


def _issued_by_one(certificate: Any, roots: Sequence[Any]) -> None:
    for root in roots:
        with contextlib.suppress(Exception):
            certificate.verify_directly_issued_by(root)
            return
    raise ValueError("nobody who is trusted issued the last one")
