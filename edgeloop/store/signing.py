"""Signatures of published versions: made once, and again only where somebody else is to vouch for a version.

A signature lies beside what it is of (`model.sig`) and is no part of the version's name, because two signatures by one key differ.
"""

from pathlib import Path

from edgeloop.bundle.files import MANIFEST, SIGNATURE, Bundle
from edgeloop.config.steps import Sign
from edgeloop.store.target import Target


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

    def sign_in(self, target: Target, folder: str, bundle: Bundle) -> None:
        """Store the signature of a version; one by the same signer that is there already stays.

        Without a signer, the signature of another one stays, too: the version is the same to the byte.
        """
        if self._settings is None:
            return
        from edgeloop.bundle.sign import is_by

        stored = target.read(f"{folder}/{SIGNATURE}")
        signed = bundle.digests | {MANIFEST: bundle.manifest_sha256}
        if stored is None or not is_by(stored.content, self._settings, self._root, signed):
            content = self.signature(bundle)
            assert content is not None, "there are settings"
            target.put(f"{folder}/{SIGNATURE}", content)
