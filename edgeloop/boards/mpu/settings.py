"""How a Linux board is reached, what runs on it, and how long each step may take."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgeloop.boards.mpu.kinds import KINDS, Kind
from edgeloop.errors import InputError
from edgeloop.names import is_host, is_user
from edgeloop.userpath import UserPath
from edgeloop.yamlfile import near_match

SSH_PORT = 22
SCHEME = "ssh://"

Seconds = Annotated[float, Field(gt=0)]


class Deadlines(BaseModel):
    """The longest that each step may take, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect_s: Seconds = 15.0
    """Until the login is done."""
    hello_s: Seconds = 20.0
    """Until Python runs on the board."""
    answer_s: Seconds = 30.0
    """For any small request."""
    load_s: Seconds = 120.0
    """For loading a model: an NPU's driver may compile it."""
    silence_s: Seconds = 30.0
    """Between two signs of life while inferences run: the longest that one inference may take."""
    tool_s: Seconds = 120.0
    """For x-linux-ai-benchmark."""
    close_s: Seconds = 10.0
    """For each step of cleaning up."""
    idle_s: Seconds = 900.0
    """A board that hears nothing for so long cleans up by itself: somebody pulled the cable."""


class MpuSettings(BaseModel):
    """One Linux board. There is no place for a password: keys or an agent let edgeloop in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    address: str
    """`ssh://user@host` or `ssh://user@host:port`."""
    kind: str = "any-linux"
    known_hosts: Annotated[UserPath, Field(validate_default=True)] = Path("~/.ssh/known_hosts")
    keys: list[UserPath] = []
    """Private keys; none: what the SSH agent and ~/.ssh hold."""
    python: str = "python3"
    """The Python 3.8 or later on the board that has the runtime."""
    folder: str = ""
    """Where on the board the temporary folder is made; empty: where temporary files go there."""
    runtime: Literal["stai_mpu", "tflite_runtime", "ai_edge_litert"] | None = None
    """None: the first of them that is installed."""
    acceleration: bool = True
    """Whether stai_mpu may use the NPU and the GPU."""
    deadlines: Deadlines = Deadlines()

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in KINDS:
            raise ValueError(f"there is no kind '{value}'{near_match(value, KINDS)}")
        return value

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parsed = urlsplit(value if "://" in value else SCHEME + value)
        if parsed.password is not None:
            raise ValueError("an address holds no password: use a key or an SSH agent")
        if parsed.scheme != "ssh" or not parsed.hostname or parsed.path or parsed.query or parsed.port == 0:
            raise ValueError("give ssh://user@host or ssh://user@host:port")
        if not is_host(parsed.hostname) or not is_user(parsed.username or "root"):
            raise ValueError("its host or user has letters that neither can have, or begins with '-'")
        return value

    @property
    def expected(self) -> Kind:
        """What a board of this kind says about itself."""
        return KINDS[self.kind]

    @property
    def host(self) -> str:
        """The host's name or IP address."""
        return str(self._parts.hostname)

    @property
    def port(self) -> int | None:
        """The port, where the address says one."""
        return self._parts.port

    @property
    def user(self) -> str | None:
        """The user's name, where the address says one."""
        return self._parts.username

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.address if "://" in self.address else SCHEME + self.address)


def settings_for(address: str) -> MpuSettings:
    """A board that is named by nothing but its SSH address.

    Raises:
        InputError: it is no SSH address, or holds a password.
    """
    try:
        return MpuSettings(name=address, address=address)
    except ValidationError as error:
        raise InputError(f"'{address}' is no address of a board: {error.errors()[0]['msg']}.") from None
