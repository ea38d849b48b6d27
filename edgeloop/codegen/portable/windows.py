"""How an operator's window moves over its input: strides and padding, and the size of what it computes."""

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.values import Value, Window

SAME, VALID = 0, 1
"""schema.fbs: Padding."""
MOST_WINDOW = 255
"""Rows or columns of a window, or of a stride."""


def sliding(node: Node, source: Value, height: int, width: int, strides: "range | tuple[int, ...]") -> tuple[Window, int, int]:
    """The window, and the rows and columns of what it computes (kernels/padding.h)."""
    if len(node.shape(source)) != 4:
        raise node.refuse(f"takes an input of shape {node.shape(source)}, where (1, height, width, channels) is expected")
    stride_y, stride_x, padding = node.option("StrideH"), node.option("StrideW"), node.option("Padding")
    dilation = (node.options.get("DilationHFactor", 1), node.options.get("DilationWFactor", 1))
    if dilation != (1, 1):
        raise node.refuse(f"has the dilation {dilation[0]}x{dilation[1]}, and the kernels take 1x1")
    if stride_y not in strides or stride_x not in strides:
        raise node.refuse(f"has the strides {stride_y}x{stride_x}, and its kernel takes {min(strides)} to {max(strides)}")
    if padding not in (SAME, VALID):
        raise node.refuse(f"has the unknown padding {padding}", "Convert the model again.")
    if not (0 < height <= MOST_WINDOW and 0 < width <= MOST_WINDOW):
        raise node.refuse(f"has a window of {height}x{width}, and the kernels take 1 to {MOST_WINDOW}")
    if padding == VALID and (height > source.height or width > source.width):
        raise node.refuse(f"has a window of {height}x{width} on an input of {source.height}x{source.width}", "Convert the model again.")
    rows, top = positions(source.height, height, stride_y, padding)
    columns, left = positions(source.width, width, stride_x, padding)
    return Window(height, width, stride_y, stride_x, top, left), rows, columns


def positions(size: int, window: int, stride: int, padding: int) -> tuple[int, int]:
    """How many windows fit along one dimension, and the padding before the first."""
    if padding == VALID:
        return (size - window) // stride + 1, 0
    count = -(-size // stride)
    return count, max((count - 1) * stride + window - size, 0) // 2


def expect_window(layer: Layer, window: Window) -> None:
    """Every window must cover at least one row and one column of the input."""
    source, output = layer.inputs[0], layer.output
    layer.expect(min(window.stride_y, window.stride_x) > 0, "does not move on")
    for size, count, length, stride, before in (
        (source.height, output.height, window.height, window.stride_y, window.top),
        (source.width, output.width, window.width, window.stride_x, window.left),
    ):
        layer.expect(0 <= before < length, "has a window beside its input")
        layer.expect((count - 1) * stride - before < size, "has more windows than its input")


def window_tap(buffer: int, value: Value, window: Window) -> Tap:
    """The rows that a window covers."""
    return Tap(buffer, value, window.height, window.stride_y, window.top, padded=True)
