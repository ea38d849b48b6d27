"""YAML files as typed models: every error names the file, the line and, for a mistyped key, the near match."""

import difflib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from edgeloop.console import in_one_line
from edgeloop.errors import ConfigError
from edgeloop.files import read_text, write_text

Model = TypeVar("Model", bound=BaseModel)
MOST_NAMED = 12
MOST_SHOWN = 3
RUAMELS_ADVICE = "To suppress this check"
"""How the parser goes on about a key that is there twice."""
KEY = "[key]"
"""What pydantic ends a location with where the key itself does not fit."""


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Read `path` (YAML 1.2, as DVC reads it) as a `model`.

    Raises:
        ConfigError: the file is absent, is not YAML, or does not fit; all misfits are listed, each with its line.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist.", "Restore it from git: git checkout -- " + path.name) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8: {error}", "Save it as UTF-8; the tool `file` says what it is.") from error
    return parse_yaml(text, path, model)


def parse_yaml(text: str, path: Path, model: type[Model]) -> Model:
    """The text, which is or would be that of `path`, as a `model`.

    Raises:
        ConfigError: it is not YAML, or does not fit; all misfits are listed, each with its line.
    """
    try:
        tree = YAML(typ="rt").load(text)
    except (YAMLError, RecursionError) as error:
        said = str(error).partition(RUAMELS_ADVICE)[0].rstrip()
        raise ConfigError(f"{path} is not valid YAML: {said}", "Correct the syntax at that line.") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} does not hold a mapping of keys to values.", "Restore it from git.")
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        lines = [_explain(path, tree, model, details) for details in error.errors()]
        raise ConfigError("\n".join(lines), "Correct these lines and run the command again.") from None


def change_yaml(path: Path, change: Callable[[Any], None]) -> None:
    """Change the tree of a file that `read_yaml` has read; comments, line ends and the form of what stays are kept."""
    save(path, changed(read_text(path), change))


def changed(text: str, change: Callable[[Any], None]) -> str:
    """The text with its tree changed."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes, yaml.width = True, 1 << 16
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(text)
    change(tree)
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def save(path: Path, text: str) -> None:
    """Write the text with the line ends that the file has."""
    windows = b"\r\n" in path.read_bytes()
    write_text(path, text.replace("\n", "\r\n") if windows else text)


def place(path: Path, *location: int | str) -> str:
    """`params.yaml:12: variants.flowers`, for what does not fit and only another file can tell."""
    tree = YAML(typ="rt").load(read_text(path))
    return f"{path}:{_line_of(tree, location)}: {'.'.join(map(str, location))}"


def misfit(location: tuple[int | str, ...], message: str) -> PydanticCustomError:
    """What a model's validator raises when the part at `location`, counted from the file's top, does not fit."""
    return PydanticCustomError("misfit", "{message}", {"message": message, "location": location})


def near_match(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the closest of the known words, or their list, as far as it is short, when none is close."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f" (did you mean '{close[0]}'?)"
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f" (known: {', '.join(names[:MOST_NAMED])}{more})" if names else ""


def _explain(path: Path, tree: Any, model: type[BaseModel], details: ErrorDetails) -> str:
    location = details.get("ctx", {}).get("location", details["loc"])
    if location and location[-1] == KEY:
        location = location[:-1]
    where = f"{path}:{_line_of(tree, location)}"
    dotted = in_one_line(".".join(str(part) for part in location))
    if details["type"] == "extra_forbidden":
        return f"{where}: unknown key '{dotted}'{near_match(str(location[-1]), _keys_at(model, location[:-1]))}"
    if details["type"] == "missing":
        return f"{where}: the key '{dotted}' is missing"
    given = details["input"]
    if details["type"] == "model_type":
        return f"{where}: {dotted}: write keys and values ({', '.join(_keys_at(model, location)[:MOST_SHOWN])}, ...), not {given!r}"
    message = details["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(given, dict | list) or "\n" in message else f", not {given!r}"
    return f"{where}: {dotted}: {message}{shown}"


def _line_of(tree: Any, location: tuple[int | str, ...]) -> int:
    """The 1-based line of the deepest part of `location` that the file has."""
    line = 1
    for part in location:
        if isinstance(tree, CommentedMap) and part in tree:
            line = int(tree.lc.key(part)[0]) + 1
        elif isinstance(tree, CommentedSeq) and isinstance(part, int) and part < len(tree):
            line = int(tree.lc.item(part)[0]) + 1
        else:  # the tag of a union, or a key that is missing
            continue
        tree = tree[part]
    return line


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that `model` knows at `location`."""
    annotations: list[Any] = [model]
    for part in location:
        annotations = [inner for annotation in annotations for inner in _descend(annotation, part)]
    return [key for annotation in annotations for kind in _models_in(annotation) for key in _keys(kind)]


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _descend(annotation: Any, part: int | str) -> list[Any]:
    """The annotations one level below `annotation`: of its field, its item, or its union's member with that tag."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for key, field in zip(_keys(annotation), annotation.model_fields.values(), strict=True):
            if key == part:
                return [field.annotation]
            if part in get_args(field.annotation):
                return [annotation]
        return []
    if origin is dict:
        return [arguments[1]]
    if origin in (list, tuple):
        return [arguments[0]]
    return [inner for argument in arguments for inner in _descend(argument, part)]


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) not in (dict, list, tuple):
        for argument in get_args(annotation):
            yield from _models_in(argument)
