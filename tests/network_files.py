"""Models that several tests of code generation need, each made once in a session."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The file of an edgeloop network in full int8: `network_file("fdmobilenet_0.25", 96, per_channel=True)`."""
    folder = tmp_path_factory.mktemp("networks")

    @cache
    def made(name: str, resolution: int, *, per_channel: bool = True) -> Path:
        from converted_models import network_model

        path = folder / f"{name}_{resolution}_{'channel' if per_channel else 'tensor'}.tflite"
        path.write_bytes(network_model(name, resolution, per_channel=per_channel))
        return path

    return made
