"""By what a board's firmware and generated code name the model that they hold: the first 8 bytes of its file's SHA-256."""

from pathlib import Path

from edgeloop.errors import InputError
from edgeloop.files import sha256_file

DEFINITION = "#define NETWORK_SIGNATURE "
DIGITS = 16


def signature(model: Path) -> str:
    """The signature of a .tflite file, e.g. `0x0123456789abcdef`."""
    return digest_signature(sha256_file(model))


def digest_signature(sha256: str) -> str:
    """The signature of the file with that SHA-256."""
    return f"0x{sha256[:DIGITS]}"


def signature_of(generated: Path) -> str:
    """The signature of the model that code was generated from.

    Raises:
        InputError: the folder holds no generated code of the name `network`.
    """
    try:
        lines = (generated / "network.h").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{generated} holds no generated network: {error}", "Build it: dvc repro generate, or edgeloop generate."
        ) from None
    found = [line.removeprefix(DEFINITION).split('"')[1] for line in lines if line.startswith(DEFINITION + '"')]
    if not found:
        raise InputError(f"{generated / 'network.h'} names no signature.", "Generate it anew.")
    return found[0]
