"""The settings of a TensorFlow Lite operator: the scalars of its options table, by the schema's names.

Only operators that edgeloop generates code for have an entry; the others come without settings.
"""

from typing import Any

Setting = int | float | tuple[int, ...]

_WINDOW = ("Padding", "StrideH", "StrideW", "FusedActivationFunction")
_DILATION = ("DilationHFactor", "DilationWFactor")
_TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", (*_WINDOW, *_DILATION)),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_WINDOW, *_DILATION, "DepthMultiplier")),
    "AVERAGE_POOL_2D": ("Pool2DOptions", (*_WINDOW, "FilterHeight", "FilterWidth")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat", "KeepNumDims")),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "RESHAPE": ("ReshapeOptions", ("NewShape",)),
    "STRIDED_SLICE": ("StridedSliceOptions", ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")),
    "PACK": ("PackOptions", ("ValuesCount", "Axis")),
}  # fmt: skip
_MOST_DIMENSIONS = 8


def read_options(schema: Any, operator: Any, name: str) -> dict[str, Setting]:
    """The settings of one operator of the file; empty where it has none, or those of another operator.

    Raises:
        ValueError, struct.error: the table does not lie in the file.
    """
    table, names = _TABLES.get(name, ("", ()))
    if not names or operator.BuiltinOptionsType() != getattr(schema.BuiltinOptions, table):
        return {}
    stored = operator.BuiltinOptions()
    if stored is None:
        return {}
    options = getattr(schema, table)()
    options.Init(stored.Bytes, stored.Pos)
    return {setting: _shape(options) if setting == "NewShape" else getattr(options, setting)() for setting in names}


def _shape(options: Any) -> tuple[int, ...]:
    length = options.NewShapeLength()
    if length > _MOST_DIMENSIONS:
        raise ValueError(f"a tensor is given {length} dimensions")
    return tuple(int(options.NewShape(place)) for place in range(length))
