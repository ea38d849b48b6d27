"""What a user may call a data set, a board, a lab or a pool: one rule, because each becomes a folder, a file and an address.

Names go into paths (`data/<data set>`), DVC's parameter paths (where a dot divides), keys of a store, pools of Prefect's
server, C comments and tables. Those of variants and benchmarks are made of them, and have dots by their network only.
"""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

MOST_LETTERS = 64
RULE = f"a name is made of the letters a-z and A-Z, digits, '_' and '-', begins with a letter or a digit, and has {MOST_LETTERS} at most"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*")


def is_name(text: str) -> bool:
    """Whether a user may call something so."""
    return len(text) <= MOST_LETTERS and _NAME.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether it can be a host's name or IP address, and neither an option nor words of a shell: ~/.ssh/config may hand it to one."""
    return _HOST.fullmatch(text) is not None


def is_user(text: str) -> bool:
    """Whether it can be the name of a user on another machine, as little an option or words of a shell."""
    return _USER.fullmatch(text) is not None


def same_but_for_case(names: Iterable[str]) -> tuple[str, str] | None:
    """The first name that differs from one before it in upper and lower case only, which some file systems do not tell apart."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            return other, name
    return None


def _checked(given: object) -> str:
    if not isinstance(given, str):
        raise PydanticCustomError("name", "YAML does not take this for a text: write the name in quotes")
    if not is_name(given):
        raise PydanticCustomError("name", "{rule}", {"rule": RULE})
    return given


def _checked_host(given: str) -> str:
    if not is_host(given):
        raise ValueError("a host is a name or an IP address: letters, digits, '.', '-', ':' and '%', no '-' first")
    return given


def _checked_user(given: str) -> str:
    if not is_user(given):
        raise ValueError("a user's name is made of letters, digits, '_', '.', '@' and '-', no '-' first")
    return given


Name = Annotated[str, BeforeValidator(_checked)]
"""In a model: a name by that rule."""
Host = Annotated[str, AfterValidator(_checked_host)]
User = Annotated[str, AfterValidator(_checked_user)]
