"""JSON files of the tool, by typed models of what is read of them: a field that is missing or of another type is named, never a zero."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edgeloop.codegen.stedgeai.text import missing, read_text
from edgeloop.errors import StedgeaiUnreadable

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str | None, AfterValidator(lambda text: text or None)]
"""One that may be missing; an empty one is."""
Value = TypeVar("Value")


class Content(BaseModel):
    """A part of a file: keys that nobody asks for are let be, and no type is converted into another one."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


def read_json(path: Path) -> dict[str, Any]:
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
    return value


def parse(form: type[Value], value: Any, where: str, place: str = "") -> Value:
    """A value of the file `where` in its typed form; `place` is where in the file it stands.

    Raises:
        StedgeaiUnreadable: a field is missing or of another type; the message names the first.
    """
    try:
        return TypeAdapter(form).validate_python(value)
    except ValidationError as error:
        keys = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
        path = place + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
        raise missing(f"the field '{path.removeprefix('.')}'", where) from None


def required(value: Value | None, place: str, where: str) -> Value:
    """A field that only some files must have."""
    if value is None:
        raise missing(f"the field '{place}'", where)
    return value
