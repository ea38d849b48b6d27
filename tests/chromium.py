"""Headless Chromium, driven over its DevTools protocol: opens pages, reads and clicks what they show, keeps pictures."""

import base64
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ABSENT = "Chromium is not installed (apt install chromium)"
START_S = 60.0
ANSWER_S = 60.0
SHOWS_S = 40.0
POLL_S = 0.2
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    " --disable-sync --disable-extensions --disable-dev-shm-usage --hide-scrollbars --remote-debugging-port=0"
)
# What is visible as text, of shadow trees too.
_TEXT = "document.body ? document.body.innerText : ''"
_CLICK = """(text => {
  const words = element => (element.innerText || '').trim();
  const found = [...document.querySelectorAll('button, a, [role=tab], [role=menuitem], .p-tab')]
    .filter(element => words(element) === text && element.getClientRects().length && !element.disabled);
  if (found.length) found[found.length - 1].click();
  return found.length > 0;
})(%s)"""


class Page:
    """A tab. `complaints` are the errors that its console showed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked = 0
        self.complaints: list[str] = []
        self.foreign: set[str] = set()
        """Addresses outside this machine that the page asked for."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command of the protocol; returns its result."""
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        deadline = time.monotonic() + ANSWER_S
        while True:
            answer = json.loads(self._connection.recv(timeout=deadline - time.monotonic()))
            if answer.get("id") == self._asked:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._listen(answer)

    def _listen(self, event: dict[str, Any]) -> None:
        method, told = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
        elif method == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.complaints.append(" ".join(str(part.get("value", part.get("description"))) for part in told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            address = str(told["request"]["url"])
            if address.startswith(("http", "ws")) and "//127.0.0.1:" not in address:
                self.foreign.add(address)

    def run(self, script: str) -> Any:
        """Evaluate JavaScript; returns its value."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, address: str) -> None:
        """Go to a page; it is still loading then."""
        self.call("Page.navigate", url=address)

    def text(self) -> str:
        """What is visible, as one line; nothing in the moment in which another page is opened."""
        try:
            return " ".join(str(self.run(_TEXT)).split())
        except AssertionError as error:
            if "navigated" not in str(error):
                raise
            return ""

    def see(self, *wanted: str, seconds: float = SHOWS_S) -> str:
        """Wait until all of `wanted` are visible; returns the whole text."""
        deadline = time.monotonic() + seconds
        while not all(one in (shown := self.text()) for one in wanted):
            missing = [one for one in wanted if one not in shown]
            assert time.monotonic() < deadline, f"the page does not show {missing}:\n{shown}\nconsole: {self.complaints}"
            time.sleep(POLL_S)
        return shown

    def wait_for(self, script: str, seconds: float = SHOWS_S) -> None:
        """Wait until a script gives something true."""
        deadline = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < deadline, f"not in time: {script}\nthe page shows:\n{self.text()}"
            time.sleep(POLL_S)

    def click(self, text: str, seconds: float = SHOWS_S) -> None:
        """Click what bears exactly that text, as soon as it is there."""
        deadline = time.monotonic() + seconds
        while not self.run(_CLICK % json.dumps(text)):
            assert time.monotonic() < deadline, f"there is nothing to click named '{text}':\n{self.text()}"
            time.sleep(POLL_S)

    def picture(self, path: Path) -> None:
        """Keep what is visible as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(profile: Path, width: int = 1360, height: int = 900) -> Iterator[Page]:
    """A tab of a browser of its own, which ends with this."""
    assert PROGRAM is not None, ABSENT
    argv = [PROGRAM, *FLAGS.split(), f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        with connect(_tab(profile, process), max_size=None, max_queue=None, ping_interval=None, open_timeout=START_S) as connection:
            page = Page(connection)
            page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            yield page
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def _tab(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    """The address of the first tab, once the browser has said where it listens."""
    import urllib.request

    said, deadline = profile / "DevToolsActivePort", time.monotonic() + START_S
    while not (said.exists() and said.read_text(encoding="utf-8").strip()):
        assert process.poll() is None, f"Chromium ended with code {process.returncode}"
        assert time.monotonic() < deadline, "Chromium does not start"
        time.sleep(POLL_S)
    port = said.read_text(encoding="utf-8").splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=START_S) as answer:
        return next(str(tab["webSocketDebuggerUrl"]) for tab in json.load(answer) if tab["type"] == "page")
