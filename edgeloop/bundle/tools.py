"""Which tools are others here than a record names."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version


def differences(recorded: Mapping[str, str]) -> Iterator[str]:
    """Each tool that has another version here, or is not installed, in words."""
    for name, then in sorted(recorded.items()):
        if (here := _version(name)) != then:
            yield f"{name} {here or 'is not installed'} (recorded: {then})"


def _version(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return None
