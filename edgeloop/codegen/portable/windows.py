"""How an operator's window moves over its input: strides and padding, and the size of what it computes."""

from dataclasses import replace

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.values import Value, Window

SAME, VALID = 0, 1
"""schema.fbs: Padding."""
MOST_WINDOW = 255
"""Rows or columns of a window, or of a stride."""


def sliding(node: Node, source: Value, height: int, width: int) -> tuple[Window, int, int]:
    """The window, and the rows and columns of what it computes (kernels/padding.h)."""
    if len(node.shape(source)) != 4:
        raise node.refuse(f"takes an input of shape {node.shape(source)}, where (1, height, width, channels) is expected")
    stride_y, stride_x, padding = node.option("StrideH"), node.option("StrideW"), node.option("Padding")
    if not (0 < stride_y <= MOST_WINDOW and 0 < stride_x <= MOST_WINDOW):
        raise node.refuse(f"has the strides {stride_y}x{stride_x}, and the kernels take 1 to {MOST_WINDOW}")
    dilation_y, dilation_x = dilation(node)
    if padding not in (SAME, VALID):
        raise node.refuse(f"has the unknown padding {padding}", "Convert the model again.")
    window = Window(height, width, stride_y, stride_x, 0, 0, dilation_y, dilation_x)
    if not (0 < height <= window.reach_y <= MOST_WINDOW and 0 < width <= window.reach_x <= MOST_WINDOW):
        raise node.refuse(f"has a window of {_size(window)}, and the kernels take 1 to {MOST_WINDOW}")
    if padding == VALID and (window.reach_y > source.height or window.reach_x > source.width):
        raise node.refuse(f"has a window of {_size(window)} on an input of {source.height}x{source.width}", "Convert the model again.")
    rows, top = positions(source.height, window.reach_y, stride_y, padding)
    columns, left = positions(source.width, window.reach_x, stride_x, padding)
    return replace(window, top=top, left=left), rows, columns


def dilation(node: Node) -> tuple[int, int]:
    """From one row of the window to the next, and from one column to the next; 1 where the operator has no such settings."""
    rows, columns = (node.option(name) if name in node.options else 1 for name in ("DilationHFactor", "DilationWFactor"))
    if not (0 < rows <= MOST_WINDOW and 0 < columns <= MOST_WINDOW):
        raise node.refuse(f"has the dilation {rows}x{columns}, and the kernels take 1 to {MOST_WINDOW}")
    return rows, columns


def _size(window: Window) -> str:
    apart = (window.dilation_y, window.dilation_x)
    return f"{window.height}x{window.width}" + ("" if apart == (1, 1) else f" with the dilation {apart[0]}x{apart[1]}")


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
    layer.expect(min(window.height, window.width, window.dilation_y, window.dilation_x) > 0, "has an empty window")
    for size, count, length, stride, before in (
        (source.height, output.height, window.reach_y, window.stride_y, window.top),
        (source.width, output.width, window.reach_x, window.stride_x, window.left),
    ):
        layer.expect(0 <= before < length, "has a window beside its input")
        layer.expect((count - 1) * stride - before < size, "has more windows than its input")


def window_tap(buffer: int, value: Value, window: Window) -> Tap:
    """The rows that a window covers."""
    return Tap(buffer, value, window.reach_y, window.stride_y, window.top, padded=True)
