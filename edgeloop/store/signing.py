"""Signatures of published versions: made once, and again only where somebody else is to vouch for a version.

A signature lies beside what it is of (`model.sig`) and is no part of the version's name, because two signatures by one key differ.
"""

from pathlib import Path

from edgeloop.bundle.files import MANIFEST, SIGNATURE, Bundle
from edgeloop.config.steps import Sign
from edgeloop.store.target import Target

NOBODY_SIGNS = "not signed: publish.sign of params.yaml names nobody who signs (docs/trust.md)"


class Signer:
    """Signs as `publish.sign` of params.yaml says; does nothing where it says nothing."""

    def __init__(self, root: Path, settings: Sign | None) -> None:
        self._root, self._settings = root, settings

    def check(self) -> None:
        """See that the key or certificate can be used.

        Raises:
            InputError: it cannot.
        """
        if self._settings is not None:
            from edgeloop.bundle.sign import check_signer

            check_signer(self._settings, self._root)

    def signature(self, bundle: Bundle) -> bytes | None:
        """A signature of all files of a bundle and its manifest; None where nobody signs.

        Raises:
            InputError: the key or a certificate cannot be used.
            BundleError: a keyless signature cannot be had.
        """
        if self._settings is None:
            return None
        from edgeloop.bundle.sign import sign

        return sign(bundle.files | {MANIFEST: bundle.manifest}, self._settings, self._root, bundle.variant)

    def in_words(self) -> str:
        """With what it signs; empty where nobody does."""
        if self._settings is None:
            return ""
        if self._settings.keyless:
            return "an identity, by Sigstore"
        return f"the certificate {self._settings.certificate}" if self._settings.certificate else f"the key {self._settings.key}"

    def sign_in(self, target: Target, folder: str, bundle: Bundle) -> str:
        """Store the signature of a version; one by the same signer that is there already stays. Returns in words what was done.

        Without a signer, the signature of another one stays, too: the version is the same to the byte.
        """
        stored = target.read(f"{folder}/{SIGNATURE}")
        if self._settings is None:
            return NOBODY_SIGNS if stored is None else "its signature stays as it was: publish.sign of params.yaml names nobody who signs"
        from edgeloop.bundle.sign import is_by

        signed = bundle.digests | {MANIFEST: bundle.manifest_sha256}
        if stored is not None and is_by(stored.content, self._settings, self._root, signed):
            return f"signed already with {self.in_words()}"
        content = self.signature(bundle)
        assert content is not None, "there are settings"
        target.put(f"{folder}/{SIGNATURE}", content)
        return f"signed with {self.in_words()}" + (", which replaces the signature that was there" if stored else "")
