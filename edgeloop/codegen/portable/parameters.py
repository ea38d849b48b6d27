"""What a kernel is told about a layer: the structures of the kernels' headers, whose fields and their order are stated there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.literals import real, signed, unsigned

Array = NDArray[np.int8] | NDArray[np.int32] | NDArray[np.float64]
Number = int | float | tuple[int, ...]
Values = Mapping[str, Array | Number | None]
"""None for a pointer where there is nothing to point to."""

ARRAY_TYPES = {"int8": "int8_t", "int32": "int32_t", "float64": "double"}
_STRUCTURE = re.compile(r"typedef struct \{(.*?)\} (\w+);", re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_FIELD = re.compile(r"(?:const )?(?P<type>int8_t|int32_t|uint32_t|double) (?P<pointer>\*?)(?P<name>\w+)(?:\[(?P<length>\d+)\])?;")


@dataclass(frozen=True)
class Field:
    """A field of a structure; `length` of a field of several numbers."""

    name: str
    type: str
    pointer: bool
    length: int | None


@dataclass(frozen=True)
class Structure:
    """One constant structure, its values by the names of its fields, in any order."""

    name: str
    header: Path
    """Which declares it."""
    values: Values

    def fields(self) -> Iterator[tuple[Field, Array | Number | None]]:
        """The fields in the header's order, each with its value.

        Raises:
            ValueError: the header has other fields.
        """
        fields = read_fields(self.header, self.name)
        if {field.name for field in fields} != set(self.values):
            raise ValueError(f"{self.name} has the fields {[field.name for field in fields]}, not {[*self.values]}")
        for field in fields:
            yield field, _fitting(field, self.values[field.name])


def initializer(field: Field, value: Number | None) -> str:
    """A number, or a few, in C; or a pointer to nothing."""
    if value is None:
        return "NULL"
    if isinstance(value, tuple):
        return f"{{{', '.join(initializer(field, item) for item in value)}}}"
    if field.type == "double":
        return real(value)
    return unsigned(int(value)) if field.type == "uint32_t" else signed(int(value))


@cache
def read_fields(header: Path, structure: str) -> tuple[Field, ...]:
    """The fields of a structure in their order, as its header declares them.

    Raises:
        ValueError: the header does not declare it, or a field in another form than the kernels use.
    """
    found = next((body for body, name in _STRUCTURE.findall(header.read_text(encoding="utf-8")) if name == structure), None)
    if found is None:
        raise ValueError(f"{header} does not declare {structure}")
    fields = []
    for line in _COMMENT.sub("", found).split("\n"):
        match = _FIELD.fullmatch(line.strip())
        if match:
            length = int(match["length"]) if match["length"] else None
            fields.append(Field(match["name"], match["type"], bool(match["pointer"]), length))
        elif line.strip():
            raise ValueError(f"{header} declares a field that is not understood: {line.strip()}")
    return tuple(fields)


def _fitting(field: Field, value: Array | Number | None) -> Array | Number | None:
    """The value, of the type that the field has."""
    if value is None:
        fits = field.pointer
    elif isinstance(value, np.ndarray):
        fits = field.pointer and ARRAY_TYPES.get(value.dtype.name) == field.type
    elif isinstance(value, tuple):
        fits = field.length == len(value)
    else:
        fits = not field.pointer and field.length is None and isinstance(value, float) == (field.type == "double")
    if not fits:
        raise ValueError(f"{field.name} is {field.type}{' *' if field.pointer else ''}, and its value {value!r}")
    return value
