"""The settings of a TensorFlow Lite operator: the numbers of its options table, by the schema's names."""

import inspect
from functools import cache
from typing import Any

Setting = int | float | tuple[int, ...]

_MOST_ITEMS = 8
"""The most items of a setting that is a vector: those that matter here are shapes."""
_OF_VECTORS = ("AsNumpy", "Length", "IsNone")


def read_options(schema: Any, operator: Any) -> tuple[str, dict[str, Setting]]:
    """The name of an operator's options table, e.g. Conv2DOptions, and its settings; both empty where it has none.

    Which table belongs to which operator the file does not say: whoever takes the settings for a certain operator's compares the name.

    Raises:
        ValueError, struct.error: the table does not lie in the file.
    """
    table, stored = _tables(schema).get(operator.BuiltinOptionsType(), ""), operator.BuiltinOptions()
    if not table or stored is None:
        return "", {}
    options = getattr(schema, table)()
    options.Init(stored.Bytes, stored.Pos)
    form: Any = type(options)
    settings = {name: _setting(options, name) for name in _settings(form)}
    return table, {name: setting for name, setting in settings.items() if isinstance(setting, int | float | tuple)}


@cache
def _tables(schema: Any) -> dict[int, str]:
    return {code: name for name, code in vars(schema.BuiltinOptions).items() if isinstance(code, int) and hasattr(schema, name)}


@cache
def _settings(table: Any) -> tuple[str, ...]:
    """The getters of a table: without an argument of a number, with a place of a vector."""
    getters = {name: getter for name, getter in vars(table).items() if inspect.isfunction(getter) and name != "Init"}
    return tuple(name for name in getters if not name.endswith(_OF_VECTORS))


def _setting(options: Any, name: str) -> Any:
    length = getattr(options, f"{name}Length", None)
    if length is None:
        return getattr(options, name)()
    items = [getattr(options, name)(place) for place in range(min(length(), _MOST_ITEMS + 1))]
    return tuple(items) if len(items) <= _MOST_ITEMS and all(isinstance(item, int) for item in items) else None
