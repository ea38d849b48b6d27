"""What all records have in common: strict fields, provenance, and their form on disk."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgeloop.console import in_one_line
from edgeloop.errors import InputError
from edgeloop.files import read_text, write_text

RecordType = TypeVar("RecordType", bound="Record")


def misfit(error: ValidationError | UnicodeDecodeError) -> str:
    """What of a file does not fit its form, by the first thing that does not."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    place = in_one_line(".".join(map(str, found[0]["loc"])))
    kinds = {"missing": "is missing", "extra_forbidden": "is not known"}
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{place} {kinds.get(found[0]['type'], 'has another form')}{more}" if place else "it is no JSON of that form"


class Part(BaseModel):
    """A piece of a record: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Provenance(Part):
    """What a result can be traced back to and repeated with."""

    time_utc: str
    command: str
    git_commit: str | None
    git_dirty: bool | None
    host: str
    cpu: str
    cpus: int
    tools: dict[str, str]
    params: dict[str, Any]
    data_revision: str | None
    """SHA-256 of the manifest that the result stands on; null where no data set is involved."""
    duration_s: float


class Record(Part):
    """Base of all records."""

    provenance: Provenance

    def write(self, path: Path) -> None:
        """Write as JSON, atomically, keys in the order of the fields."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls: type[RecordType], path: Path) -> RecordType:
        """Read a record.

        Raises:
            InputError: the file is absent or is not such a record.
        """
        try:
            return cls.model_validate_json(read_text(path))
        except FileNotFoundError:
            raise InputError(f"{path} does not exist.", "Build it first: edgeloop plan says what that takes.") from None
        except (ValidationError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a {cls.__name__}: {misfit(error)}.", "Delete it and build it again.") from error
