"""What the tool there is asked for, in the service's names of the tool's options."""

from typing import Any

NPU = "stm32n6"
PROFILE = "default"
"""Of the Neural-ART compiler, as ST's own client asks for it."""


def tool_options(target: str, *, npu: bool, profile: str = PROFILE) -> dict[str, Any]:
    """For a target in the tool's words; `npu` whether its Neural-ART compiler runs."""
    options: dict[str, Any] = {"target": target, "type": "tflite", "optimization": "balanced"}
    options |= {"allocateInputs": True, "allocateOutputs": True}
    return options | ({"stNeuralArt": profile, "atonnOptions": {"enable_epoch_controller": True}} if npu else {})
