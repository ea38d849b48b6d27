"""Models that several tests of code generation need, each made once in a session."""

from collections.abc import Callable
from pathlib import Path

import pytest
from once import Once


@pytest.fixture(scope="session")
def network_file(once: Once) -> Callable[..., Path]:
    """The file of an edgeloop network in full int8: `network_file("fdmobilenet_0.25", 96, per_channel=True)`."""

    def made(name: str, resolution: int, *, per_channel: bool = True) -> Path:
        from converted_models import network_model

        file = f"{name}_{resolution}_{'channel' if per_channel else 'tensor'}.tflite"
        return once(file, lambda path: path.write_bytes(network_model(name, resolution, per_channel=per_channel)))

    return made
