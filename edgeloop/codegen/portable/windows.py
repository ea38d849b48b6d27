"""How an operator's window moves over its input: strides and padding, and the size of what it computes."""

from edgeloop.codegen.portable.network import Value, Window
from edgeloop.codegen.portable.step import Step

SAME, VALID = 0, 1
"""schema.fbs: Padding."""
MOST_WINDOW = 255
"""Rows or columns of a window, or of a stride."""


def sliding(step: Step, taken: Value, height: int, width: int, strides: "range | tuple[int, ...]") -> tuple[Window, int, int]:
    """The window, and the rows and columns of what it computes (kernels/padding.h)."""
    if len(step.shape(taken)) != 4:
        raise step.refuse(f"takes an input of shape {step.shape(taken)}, where (1, height, width, channels) is expected")
    stride_y, stride_x, padding = step.option("StrideH"), step.option("StrideW"), step.option("Padding")
    dilation = (step.operator.options.get("DilationHFactor", 1), step.operator.options.get("DilationWFactor", 1))
    if dilation != (1, 1):
        raise step.refuse(f"has the dilation {dilation[0]}x{dilation[1]}, and the kernels take 1x1")
    if stride_y not in strides or stride_x not in strides:
        raise step.refuse(f"has the strides {stride_y}x{stride_x}, and its kernel takes {min(strides)} to {max(strides)}")
    if padding not in (SAME, VALID):
        raise step.refuse(f"has the unknown padding {padding}", "Convert the model again.")
    if not (0 < height <= MOST_WINDOW and 0 < width <= MOST_WINDOW):
        raise step.refuse(f"has a window of {height}x{width}, and the kernels take 1 to {MOST_WINDOW}")
    if padding == VALID and (height > taken.height or width > taken.width):
        raise step.refuse(f"has a window of {height}x{width} on an input of {taken.height}x{taken.width}", "Convert the model again.")
    rows, top = positions(taken.height, height, stride_y, padding)
    columns, left = positions(taken.width, width, stride_x, padding)
    return Window(height, width, stride_y, stride_x, top, left), rows, columns


def positions(size: int, window: int, stride: int, padding: int) -> tuple[int, int]:
    """How many windows fit along one dimension, and the padding before the first."""
    if padding == VALID:
        return (size - window) // stride + 1, 0
    count = -(-size // stride)
    return count, max((count - 1) * stride + window - size, 0) // 2
