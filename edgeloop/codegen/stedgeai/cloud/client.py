"""The services behind ST's cloud, as far as they are needed here: versions, files of ours, boards, runs."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from edgeloop.codegen.stedgeai.cloud.account import Account
from edgeloop.codegen.stedgeai.cloud.addresses import Addresses
from edgeloop.codegen.stedgeai.cloud.login import Session
from edgeloop.codegen.stedgeai.cloud.wire import Answer, Wire
from edgeloop.codegen.stedgeai.failures import find_failures, typed
from edgeloop.console import warn
from edgeloop.deadline import Deadline
from edgeloop.errors import EdgeloopError, FarmError, FarmLogin, FarmSilent
from edgeloop.files import sha256_file
from edgeloop.yamlfile import near_match

ANSWER_S = 60.0
FILE_S = 600.0
"""For a file on its way there or back."""
MOST_WORDS = 400
"""Of a server's message in one of ours."""
MOST_SILENCES = 5
"""Questions for a state in a row that may stay without an answer: a benchmark of half an hour need not die of one."""
LONGEST_PAUSE_S = 30.0
_OLD_FORM = {"model", "args"}
"""The options' names in the service's own description, where it takes them as one text."""


class _Told(BaseModel):
    """What is read of an answer; the rest is let be."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ListedBoard(_Told):
    """A kind of board, as the farm lists it; null is what it does not say."""

    count: int | None = Field(None, alias="boardCount")
    flash: str | int | float | None = Field(None, alias="flashSize")
    cpu: str | None = Field(None, alias="deviceCpu")
    device_id: str | int | None = Field(None, alias="deviceId")


class Version(_Told):
    """A version of the service, with what it is called on each platform."""

    version: str
    latest: bool = Field(False, alias="isLatest")
    platform: dict[str, Any] = Field(default_factory=dict)

    @property
    def order(self) -> list[int]:
        return [int(number) for number in self.version.split(".") if number.isdigit()]


class _Uploaded(_Told):
    upload: bool


class _Started(_Told):
    id: str | int = Field(alias="benchmarkId")


class _ToolStarted(_Told):
    id: str | int = Field(alias="runtimeId")


class Cloud:
    """One account's way to the farm."""

    def __init__(self, addresses: Addresses, account: Account) -> None:
        """Nothing is asked yet."""
        self.addresses = addresses
        self._session, self._wire = Session(addresses, account), Wire()

    @classmethod
    def of_environment(cls) -> "Cloud":
        """At the addresses and with the account of the environment.

        Raises:
            FarmError: an address is none.
        """
        addresses = Addresses.of()
        return cls(addresses, Account.of(addresses.api))

    def close(self) -> None:
        self._wire.close()

    def boards(self) -> dict[str, ListedBoard]:
        """The kinds of boards of the farm by their names.

        Raises:
            FarmError: as for all questions: one of its kinds.
        """
        return self._call("GET", "/api/benchmark/boards", "the list of boards").read(dict[str, ListedBoard], "the list of boards")

    def version(self, platform: str, wanted: str | None) -> str:
        """The version that is wanted, else the latest one for a platform (`stm32`, `stm32mpu`).

        Raises:
            FarmError: there is none.
        """
        answer = self._wire.send("GET", f"{self.addresses.site}/assets/versions.json", ANSWER_S)
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer, "the list of versions")
        fitting = [one for one in answer.read(list[Version], "the list of versions") if one.platform.get(platform)]
        names = [one.version for one in fitting]
        if wanted is not None and wanted not in names:
            what = f"ST's farm has no version {wanted} for {platform}{near_match(wanted, names)}."
            raise FarmError(what, f"It has: {', '.join(names) or 'none'}. Correct `cloud: {{version: ...}}` in lab.yaml.")
        if not fitting:
            raise FarmError(f"ST's farm lists no version for {platform}.", "Look at its web site whether it is in service.")
        return wanted or max(fitting, key=lambda one: (one.latest, one.order)).version

    @contextmanager
    def uploaded(self, model: Path) -> Iterator[str]:
        """The name under which a model lies there, as long as it is used: one that nothing else of the account has."""
        name = f"edgeloop-{sha256_file(model)[:12]}-{token_hex(6)}{model.suffix}"
        self._session.access()  # whoever is not let in has nothing to remove, and sends no password a second time
        try:
            self._upload(name, model.read_bytes())
            yield name
        finally:
            self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            accepted = (HTTPStatus.OK, HTTPStatus.NOT_FOUND)
            self._call("DELETE", f"/api/file/files/models/{name}", "a removal", accepted=accepted)
        except EdgeloopError as error:
            warn(f"{name} could not be removed from your files at ST's farm: {error.what}")

    def _upload(self, name: str, content: bytes) -> None:
        files = {"file": (name, content, "application/octet-stream")}
        answer = self._call("POST", "/api/file/files/models", "an upload", FILE_S, files=files)
        if not answer.read(_Uploaded, "an upload").upload:
            raise FarmError(f"{answer.host} did not take the model.", "Is your room there full? Look at its web site.")

    def start(self, board: str, model: str, options: dict[str, Any], *, mpu: bool) -> str:
        """Begin a benchmark; its id.

        Raises:
            StedgeaiFailure: the tool refuses the model already here.
        """
        asked = {"args": json.dumps(options), "model": model} if self._takes_text() else {**options, "model": model}
        path = f"/api/benchmark/benchmark/{'mpu/' if mpu else ''}{board.lower()}"
        return str(self._call("POST", path, "the start of a benchmark", json=asked).read(_Started, "the start of a benchmark").id)

    def status(self, run: str) -> Answer:
        """What became of a benchmark."""
        return self._call("GET", f"/api/benchmark/benchmark/{quote(run, safe='')}", "a question for a benchmark's state")

    def start_tool(self, command: str, version: str, model: str, options: dict[str, Any]) -> str:
        """Begin a run of the tool (`generate`) on a model that lies there; its id."""
        asked = {"args": (None, json.dumps({**options, "model": model}))}
        answer = self._call("POST", f"/api/{quote(version, safe='')}/stm32ai/{command}", f"the start of {command}", files=asked)
        return str(answer.read(_ToolStarted, f"the start of {command}").id)

    def tool_status(self, version: str, run: str) -> Answer:
        """What became of a run of the tool."""
        path = f"/api/{quote(version, safe='')}/stm32ai/run/{quote(run, safe='')}"
        return self._call("GET", path, "a question for the tool's state")

    def generated(self, name: str) -> bytes:
        """A file that the tool generated."""
        return self._call("GET", f"/api/file/files/generated/{quote(name, safe='')}", "a generated file", FILE_S).content

    def patiently(self, ask: Callable[[], Answer], deadline: Deadline, pause_s: float) -> Answer:
        """Ask for a state; single questions without an answer are repeated, after longer and longer pauses.

        Raises:
            FarmSilent: too many of them in a row, or it is too late.
        """
        silences = 0
        while True:
            try:
                return ask()
            except FarmSilent:
                silences += 1
                if silences > MOST_SILENCES or deadline.is_over:
                    raise
            time.sleep(min(pause_s * 2.0**silences, LONGEST_PAUSE_S, deadline.left_s))

    def _takes_text(self) -> bool:
        """Whether the service takes the options as one text: an older form, which its own description tells."""
        answer = self._call("GET", "/api/benchmark/api", "its description", accepted=(HTTPStatus.OK, HTTPStatus.NOT_FOUND))
        try:
            found: Any = json.loads(answer.content)
            schema = found["paths"]["/benchmark/{queue}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
            return set(schema["properties"]) == _OLD_FORM
        except (ValueError, KeyError, TypeError):
            return False

    def _call(
        self, method: str, path: str, what: str, within_s: float = ANSWER_S, accepted: tuple[int, ...] = (HTTPStatus.OK,), **how: Any
    ) -> Answer:
        """Ask with the access token, which is renewed once where it has ended."""
        answer = self._send(method, path, within_s, self._session.access().get_secret_value(), how)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = self._send(method, path, within_s, self._session.renewed().get_secret_value(), how)
        if answer.status not in accepted:
            raise self._refusal(answer, what)
        return answer

    def _send(self, method: str, path: str, within_s: float, token: str, how: dict[str, Any]) -> Answer:
        return self._wire.send(method, f"{self.addresses.api}{path}", within_s, headers={"Authorization": f"Bearer {token}"}, **how)

    def _refusal(self, answer: Answer, what: str) -> Exception:
        """Why a question was refused, in the server's words."""
        said = self._session.hidden_in(words(answer))
        if failures := find_failures(said):
            return typed(failures[-1], "ST's farm")
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            refused = f"{answer.host} refuses {what} to this account (status {answer.status})."
            return FarmLogin(refused, "Log in by a browser: may this account use the farm?")
        refused = f"{answer.host} refuses {what} (status {answer.status}). It says: {said[:MOST_WORDS] or 'nothing'}"
        return FarmError(refused, "docs/cloud.md says what is asked of it.")


def words(answer: Answer) -> str:
    """What a refusal says, from the fields that the service has for it."""
    try:
        found: JsonValue = json.loads(answer.content)
    except ValueError:
        return "" if answer.text.lstrip().startswith("<") else answer.text.strip()
    for key in ("errors", "message", "error", "detail"):
        if isinstance(found, dict) and found.get(key):
            said = found[key]
            return said if isinstance(said, str) else json.dumps(said)
    return answer.text.strip()
