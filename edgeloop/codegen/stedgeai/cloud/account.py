"""Who we are at ST: user name and password from the environment, tokens in a file that only its owner reads.

The file holds the tokens of one account at one service: they are shown to no other one.
"""

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_serializer

from edgeloop.errors import FarmLogin
from edgeloop.userpath import user_path

USERNAME = ("EDGELOOP_ST_USERNAME", "stmai_username")
PASSWORD = ("EDGELOOP_ST_PASSWORD", "stmai_password")
"""Ours, then those of ST's own client."""
TOKEN_FILE = "EDGELOOP_ST_TOKENS"
DEFAULT_FILE = "~/.config/edgeloop/st-tokens.json"
MOST_BYTES = 1 << 20
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Tokens(BaseModel):
    """What ST's login gives."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_at: float | str | None = None
    """Seconds since 1970, as ST's client takes it; another form is let be: the service says when a token has ended."""

    def ends_before(self, when_s: float) -> bool:
        """Whether they say that they end before a time in seconds since 1970."""
        return isinstance(self.expires_at, float) and self.expires_at < when_s


class _Kept(Tokens):
    """Tokens in their file."""

    api: str
    user: str | None

    @field_serializer("access_token", "refresh_token", when_used="json")
    def _whole(self, value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value else None


@dataclass(frozen=True)
class Account:
    """An account, and the file of its tokens."""

    user: str | None
    password: SecretStr | None
    file: Path
    api: str = field(default="")
    """The service that the tokens are for."""

    @classmethod
    def of(cls, api: str, environment: Mapping[str, str] = os.environ) -> Self:
        """That of the environment."""
        user, password = (next((environment[name] for name in names if environment.get(name)), None) for names in (USERNAME, PASSWORD))
        file = user_path(environment.get(TOKEN_FILE) or DEFAULT_FILE)
        return cls(user, SecretStr(password) if password else None, file, api)

    def kept(self) -> Tokens | None:
        """The tokens of this account from its file; None where there are none.

        Raises:
            FarmLogin: others may read the file, or it cannot be read.
        """
        try:
            content = _owners(self.file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FarmLogin(f"{self.file} cannot be read: {error.strerror}.", f"Correct {TOKEN_FILE}, or remove the file.") from None
        try:
            kept = _Kept.model_validate_json(content)
        except ValidationError:
            raise FarmLogin(f"{self.file} holds no tokens of edgeloop.", "Remove it, and log in anew (docs/cloud.md).") from None
        return kept if kept.api == self.api and self.user in (None, kept.user) else None

    def keep(self, tokens: Tokens) -> None:
        """Write them: the file is there as a whole, and never readable by others."""
        user = self.user or self._user_before()
        kept = _Kept(**dict(tokens), api=self.api, user=user)
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".st-tokens-", dir=self.file.parent)  # its mode is 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(kept.model_dump_json() + "\n")
            Path(name).replace(self.file)
        finally:
            Path(name).unlink(missing_ok=True)

    def _user_before(self) -> str | None:
        try:
            return _Kept.model_validate_json(_owners(self.file)).user
        except (OSError, ValidationError):
            return None


def _owners(file: Path) -> bytes:
    """The content of a file that nobody but its owner, who is us, may read."""
    with file.open("rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
            raise FarmLogin(
                f"{file} may be read by others than you (mode {stat.S_IMODE(found.st_mode):04o}), and holds the keys of your account.",
                f"Make it yours alone: chmod 600 {file}. If others have read it, log out at ST and change your password.",
            )
        return opened.read(MOST_BYTES)
