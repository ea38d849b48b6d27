"""JSON files of the tool, read field by field: a field that is missing or of another type is named, never taken for a zero."""

import json
import math
from pathlib import Path
from typing import Any

from edgeloop.codegen.stedgeai.report import read_text
from edgeloop.codegen.stedgeai.summary import missing
from edgeloop.errors import StedgeaiUnreadable


class Node:
    """A part of a JSON file that knows its place in it."""

    def __init__(self, value: Any, place: str, where: str) -> None:
        self.value, self.place, self.where = value, place, where

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def child(self, key: str) -> "Node":
        """The value of a key.

        Raises:
            StedgeaiUnreadable: there is none.
        """
        if not isinstance(self.value, dict) or key not in self.value:
            raise missing(f"the field '{self._below(key)}'", self.where)
        return Node(self.value[key], self._below(key), self.where)

    def part(self, key: str) -> "Node":
        """An object."""
        found = self.child(key)
        if not isinstance(found.value, dict):
            raise missing(f"the object '{found.place}'", self.where)
        return found

    def items(self, key: str) -> list["Node"]:
        """The items of a list."""
        found = self.child(key)
        if not isinstance(found.value, list):
            raise missing(f"the list '{found.place}'", self.where)
        return [Node(item, f"{found.place}[{number}]", self.where) for number, item in enumerate(found.value)]

    def count(self, key: str) -> int:
        """A whole number, from 0 on."""
        number = self.whole(key)
        if number < 0:
            raise missing(f"a number from 0 on in '{self._below(key)}'", self.where)
        return number

    def whole(self, key: str) -> int:
        """A whole number."""
        found = self.child(key)
        if isinstance(found.value, bool) or not isinstance(found.value, int):
            raise missing(f"the whole number '{found.place}'", self.where)
        return found.value

    def wholes(self, key: str) -> list[int]:
        """A list of whole numbers."""
        values = [item.value for item in self.items(key)]
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise missing(f"the whole numbers of '{self._below(key)}'", self.where)
        return values

    def number(self, key: str) -> float:
        """A number."""
        found = self.child(key)
        if isinstance(found.value, bool) or not isinstance(found.value, int | float) or not math.isfinite(found.value):
            raise missing(f"the number '{found.place}'", self.where)
        return float(found.value)

    def flag(self, key: str) -> bool:
        """True or false."""
        found = self.child(key)
        if not isinstance(found.value, bool):
            raise missing(f"the flag '{found.place}'", self.where)
        return found.value

    def text(self, key: str) -> str:
        """A string."""
        found = self.child(key)
        if not isinstance(found.value, str):
            raise missing(f"the text '{found.place}'", self.where)
        return found.value

    def optional_text(self, key: str) -> str | None:
        """A string; None where the key is missing, null or empty."""
        return (self.text(key) or None) if key in self else None

    def optional_count(self, key: str) -> int | None:
        """A whole number from 0 on; None where the key is missing or null."""
        return self.count(key) if key in self else None

    def _below(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def read_json(path: Path) -> Node:
    """Read a JSON file.

    Raises:
        InputError: there is no such file.
        StedgeaiUnreadable: it is no JSON (cut off, for one), or no object.
    """
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise StedgeaiUnreadable(f"{path} is no JSON: {error}.", "It may be cut off: run `generate` again, with enough room.") from None
    if not isinstance(value, dict):
        raise StedgeaiUnreadable(f"{path} holds no JSON object.", "Give network_c_info.json.")
    return Node(value, "", str(path))
