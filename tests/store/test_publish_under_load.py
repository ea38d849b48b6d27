"""Publishing to a real S3 server under load: killed, many at once, the server killed, its answers late, lost or cut.

What a reader finds is whole at any time, nothing that was there is lost, and the next publish completes. `EDGELOOP_KILLS=500
EDGELOOP_SEED=7 pytest -s tests/store/test_publish_under_load.py` is the long campaign; what was killed, and when, is printed.
"""

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from flows_in_miniature import until
from signed_bundle import VARIANT, Project, project
from store_proxy import Asked, Fate, Plan, Proxy, digest, proxy, troubled

from edgeloop.config import Params
from edgeloop.errors import StoreError, StoreSilent
from edgeloop.records import Override
from edgeloop.services import Running, Service
from edgeloop.store.ledger import read_answers, read_history
from edgeloop.store.local import local_store, owner_credentials
from edgeloop.store.promote import promote
from edgeloop.store.publish import publish, read_version
from edgeloop.store.s3 import S3Target, connect
from edgeloop.workspace import Workspace

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("EDGELOOP_SEED", "1"))
KILLS = os.environ.get("EDGELOOP_KILLS")
BUCKET = "load"
PUBLISHERS = 50
DEADLINE_S = 240.0
FORK = multiprocessing.get_context("fork")
POINTERS = ("latest.json", "versions.json")
Do = Callable[["Shop", Project, str], str]
DONE, SILENT = "done", "silent"


@dataclass(frozen=True)
class Seen:
    """What a reader finds below a prefix, all of which is whole."""

    versions: list[str]
    latest: str | None
    indexed: str | None
    objects: dict[str, str] = field(compare=False)
    """The server's tag of their content by key, of all that belongs to a version or a history: what is written once."""


@dataclass
class Shop:
    """A real server, a proxy in front of it, and versions to publish."""

    store: Service
    running: Running
    proxy: Proxy
    project: Project
    folder: Path
    _made: int = 0

    def client(self) -> Any:
        """The owner's, past the proxy; not shared with other processes."""
        return connect(self.running.address, owner_credentials(self.store.workspace), "when_supported", read_timeout_s=60 + os.getpid())

    def version(self, number: int) -> Project:
        """A project that publishes the version of that number, in a folder of its own."""
        self._made += 1
        workspace = Workspace(self.folder / f"{number}-{self._made}")
        shutil.copytree(self.project.workspace.root, workspace.root)
        beside = self.project.params.variant(VARIANT).paths(workspace).quantized / "preprocessing.json"
        beside.write_text(f'{{"number": {number}}}\n', encoding="utf-8")
        return Project(workspace, self.params)

    @property
    def params(self) -> Params:
        return self.project.publishing(endpoint=self.proxy.address)

    def publish(self, made: Project, place: str) -> str:
        """Returns the version."""
        page, _ = publish(made.workspace, made.params, [VARIANT], to=f"s3://{BUCKET}/{place}")
        return page.split("/")[-2]

    def target(self, place: str) -> S3Target:
        return S3Target(self.client(), BUCKET, place, self.running.address, browsable=True)

    def restart(self) -> None:
        """Start the server again when it is gone; on other ports where somebody took its own."""
        until(lambda: self.store.status() is None, DEADLINE_S)
        self.running = self.store.up()
        self.proxy.server = self.running.address.removeprefix("http://")

    def look(self, place: str, known: Seen | None = None) -> Seen:
        """Read everything with boto3 alone; fails where something that is named is not there, or is not whole.

        Versions of `known` are not read again: `assert_kept` compares the tags of their files.
        """
        client, found, etags = self.client(), {}, {}
        # What points before what it points to: publishers may be at work.
        for name in ("index.json", *(f"{VARIANT}/{pointer}" for pointer in POINTERS)):
            found[name] = get(client, f"{place}/{name}")
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{place}/"):
            for one in page.get("Contents", []):
                etags[one["Key"].removeprefix(f"{place}/")] = one["ETag"]
        listed = json.loads(found[f"{VARIANT}/versions.json"] or '{"versions": []}')["versions"]
        latest = json.loads(found[f"{VARIANT}/latest.json"] or "null")
        cards = json.loads(found["index.json"] or '{"cards": []}')["cards"]
        named = {one["version"] for one in [*listed, *([latest] if latest else []), *cards]}
        for version in named - set(known.versions if known else []):
            assert_whole(client, f"{place}/{VARIANT}/{version}")
        objects = {key: etag for key, etag in etags.items() if "/champions/" in key or (key.split("/")[1:2] and key.split("/")[1] in named)}
        assert [one["page"] for one in listed] == [f"{VARIANT}/{one['version']}/index.html" for one in listed]
        return Seen([one["version"] for one in listed], latest and latest["version"], cards[0]["version"] if cards else None, objects)


def assert_whole(client: Any, folder: str) -> None:
    manifest = get(client, f"{folder}/manifest.json")
    assert manifest is not None, f"{folder} is named and has no manifest"
    files = json.loads(manifest)["files"]
    with ThreadPoolExecutor(8) as pool:
        contents = dict(zip(files, pool.map(lambda name: get(client, f"{folder}/{name}"), files), strict=True))
    missing = [name for name, content in contents.items() if content is None]
    assert not missing, f"{folder} has no {missing}"
    damaged = [name for name, content in contents.items() if content is not None and digest(content) != files[name]["sha256"]]
    assert not damaged, f"{damaged} of {folder} are damaged"


def get(client: Any, key: str) -> bytes | None:
    try:
        return bytes(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except client.exceptions.NoSuchKey:
        return None


def assert_kept(before: Seen, after: Seen) -> None:
    """Nothing that was visible is lost or changed, and the order of the versions stayed."""
    assert after.versions[: len(before.versions)] == before.versions
    assert before.objects.items() <= after.objects.items()
    assert after.latest in after.versions[max(0, len(before.versions) - 1) :] or after.latest == before.latest


def assert_settled(seen: Seen, version: str) -> None:
    """All that points agrees, on that version."""
    assert (seen.versions[-1], seen.latest, seen.indexed) == (version, version, version)


def report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@pytest.fixture(scope="module")
def keys() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        yield patch


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, keys: pytest.MonkeyPatch) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("load")
    made = project(folder / "project", generated=False, mcu_board=None, linux_board=None)
    workspace = Workspace(folder / "server")
    owner, store = owner_credentials(workspace), local_store(workspace)
    keys.setenv("AWS_ACCESS_KEY_ID", owner.access_key)
    keys.setenv("AWS_SECRET_ACCESS_KEY", owner.secret_key)
    try:
        running = store.up()
        with proxy(running.address) as between:
            opened = Shop(store, running, between, made, folder / "versions")
            opened.client().create_bucket(Bucket=BUCKET)
            yield opened
    finally:
        store.down()


@pytest.fixture
def place(shop: Shop, request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix of its own for each test."""
    shop.proxy.begin()
    yield request.node.name.translate({ord(mark): "-" for mark in "[]_ "})
    shop.proxy.begin()


def _child(shop: Shop, made: Project, place: str, do: Do, said: Path) -> None:
    try:
        words = do(shop, made, place)
    except StoreSilent as error:
        words = f"{SILENT} {error}"
    except StoreError as error:
        words = f"StoreError {error}"
    said.write_text(words, encoding="utf-8")


def start(shop: Shop, made: Project, place: str, do: Do, said: Path) -> Any:
    process = FORK.Process(target=_child, args=(shop, made, place, do, said))
    process.start()
    return process


def publishes(shop: Shop, made: Project, place: str) -> str:
    return f"{DONE} {shop.publish(made, place)}"


def kills(number: int) -> int:
    return int(KILLS) if KILLS else number


@pytest.mark.parametrize("number", [2, pytest.param(50, marks=pytest.mark.long)])
def test_a_publish_that_is_killed_leaves_only_whole_versions(shop: Shop, place: str, number: int, tmp_path: Path) -> None:
    shop.publish(shop.version(0), place)
    shop.proxy.begin()
    last = shop.publish(shop.version(1), place)
    requests, dice, before = shop.proxy.count, random.Random(SEED), shop.look(place)
    for round_ in range(kills(number)):
        made, wanted = shop.version(2 + round_), dice.randint(1, requests)
        version = read_version(made.workspace, made.params, VARIANT).name
        asked = kill_at(shop, made, place, wanted, dice.random() < 0.5, tmp_path / "said")
        seen = shop.look(place, before)
        assert_kept(before, seen)
        assert seen.latest in (last, version) and set(seen.versions) - set(before.versions) <= {version}
        shop.proxy.begin()
        assert shop.publish(made, place) == version
        again, last = shop.look(place, seen), version
        assert_kept(seen, again)
        assert_settled(again, version)
        assert again.versions == [*before.versions, version]
        report(f"kill {round_}: at request {wanted} of {requests}, {asked.method} {asked.path.partition(place)[2]}")
        before = again
    assert_kept(before, shop.look(place))


def kill_at(shop: Shop, made: Project, place: str, wanted: int, is_done: bool, said: Path) -> Asked:
    """Publish in a process that is killed at its request of that number, before the server gets it or when it has done it."""
    process: list[Any] = []
    caught: list[Asked] = []
    started, ended = threading.Event(), threading.Event()

    def kill(asked: Asked) -> None:
        if asked.number == wanted:
            caught.append(asked)
            assert started.wait(DEADLINE_S)
            os.kill(process[0].pid, signal.SIGKILL)
            ended.wait(DEADLINE_S)

    def plan(asked: Asked) -> Fate:
        kill(asked)
        return "refused" if asked.number == wanted else "pass"

    if is_done:
        shop.proxy.begin(after=kill)
    else:
        shop.proxy.begin(plan)
    process.append(start(shop, made, place, publishes, said))
    started.set()
    process[0].join(DEADLINE_S)
    ended.set()
    told = said.read_text(encoding="utf-8") if said.exists() else "nothing"
    assert process[0].exitcode == -signal.SIGKILL, f"not killed at {wanted}, but {process[0].exitcode}: {told}"
    return caught[0]


@pytest.mark.long
def test_fifty_publishers_at_once_lose_nothing(shop: Shop, place: str, tmp_path: Path) -> None:
    """The first ten versions have three publishers each; every fifth publisher promotes. None writes before all have read the list."""
    numbers = [*range(PUBLISHERS - 20), *range(10), *range(10)]
    makers = [shop.version(1000 + number) for number in numbers]
    seen, gate = Counter[str](), threading.Event()

    def plan(asked: Asked) -> Fate:
        if asked.method == "PUT":
            assert gate.wait(DEADLINE_S)
        elif asked.path.endswith("/versions.json"):
            seen["list"] += 1
            if seen["list"] == PUBLISHERS:
                gate.set()
        return "pass"

    shop.proxy.begin(plan)
    begun = time.monotonic()
    said = [tmp_path / str(number) for number in range(PUBLISHERS)]
    at_work = [start(shop, made, place, promotes if n % 5 == 0 else publishes, said[n]) for n, made in enumerate(makers)]
    for process in at_work:
        process.join(DEADLINE_S)
    told = [path.read_text(encoding="utf-8") if path.exists() else "died" for path in said]
    assert [words for words in told if not words.startswith(DONE)] == []
    found = shop.look(place)
    assert sorted(found.versions) == sorted({words.split()[1] for words in told}), "each exactly once"
    assert len(found.versions) == PUBLISHERS - 20
    assert_settled(found, found.versions[-1])
    page = (get(shop.client(), f"{place}/{VARIANT}/index.html") or b"").decode()
    assert all(f'href="{version}/index.html"' in page for version in found.versions)
    assert f"{VARIANT}/{found.versions[-1]}/index.html" in (get(shop.client(), f"{place}/index.html") or b"").decode()
    history = read_history(shop.target(place), VARIANT)  # which refuses gaps and forks
    entries = [words.split()[2:] for words in told if len(words.split()) > 2]
    assert sorted(entries) == sorted([str(one.number), one.token] for one in history.entries), "none is lost"
    report(f"{PUBLISHERS} publishers: {time.monotonic() - begun:.0f} s, {shop.proxy.count} requests, {len(entries)} champions")


def promotes(shop: Shop, made: Project, place: str) -> str:
    override = Override(by="a test", reason="under load")
    promoted = promote(made.workspace, made.params, VARIANT, to=f"s3://{BUCKET}/{place}", override=override)
    assert promoted.is_champion or promoted.entry is None
    entry = f" {promoted.entry.number} {promoted.entry.token}" if promoted.entry else ""
    return f"{DONE} {promoted.decision.version}{entry}"


def test_an_answer_that_was_lost_does_not_add_a_version_twice(shop: Shop, place: str) -> None:
    """The list is written, the answer is lost, and somebody else publishes before the client asks again, and is told 412."""
    first, second = shop.version(1), shop.version(2)
    beside = Project(second.workspace, shop.project.publishing(endpoint=shop.running.address))
    published: list[str] = []

    def after(asked: Asked) -> None:
        if asked.path.endswith("/versions.json") and asked.method == "PUT" and not published:
            published.append(shop.publish(beside, place))

    shop.proxy.begin(once("*/versions.json", "lost"), after)
    version = shop.publish(first, place)
    seen = shop.look(place)
    assert seen.versions == [version, *published]
    assert_settled(seen, published[0])


@pytest.mark.thorough
def test_a_version_that_is_current_is_not_added_again_when_another_one_overtakes_it(shop: Shop, place: str) -> None:
    first, second = shop.version(1), shop.version(2)
    version, published = shop.publish(first, place), list[str]()
    beside = Project(second.workspace, shop.project.publishing(endpoint=shop.running.address))

    def plan(asked: Asked) -> Fate:
        if asked.path.endswith("/manifest.json") and not published:
            published.append(shop.publish(beside, place))
        return "pass"

    shop.proxy.begin(plan)
    assert shop.publish(first, place) == version
    seen = shop.look(place)
    assert seen.versions == [version, *published]
    assert_settled(seen, published[0])


@pytest.mark.thorough
def test_an_answer_that_was_lost_does_not_make_a_champion_twice(shop: Shop, place: str) -> None:
    first, second = shop.version(1), shop.version(2)
    beside = Project(second.workspace, shop.project.publishing(endpoint=shop.running.address))
    promoted: list[str] = []

    def after(asked: Asked) -> None:
        if asked.path.endswith("/000001.json") and asked.method == "PUT" and not promoted:
            promoted.append(promotes(shop, beside, place))

    shop.proxy.begin(once("*/000001.json", "lost"), after)
    told = promotes(shop, first, place)
    history = read_history(shop.target(place), VARIANT)
    assert [one.version for one in history.entries] == [told.split()[1], promoted[0].split()[1]]


WRITTEN = {
    "manifest": f"{VARIANT}/*/manifest.json",
    "list": f"{VARIANT}/versions.json",
    "page": f"{VARIANT}/index.html",
    "pointer": f"{VARIANT}/latest.json",
    "index": "index.json",
    "gallery": "index.html",
    "answers": f"{VARIANT}/champions/answers/*",
    "probe": "create-once.txt",
    "entry": f"{VARIANT}/champions/000001.json",
}
"""What a promotion writes, as patterns of keys; all but the first by conditional requests."""


@pytest.mark.parametrize(
    "fate", ["412", "lost", *(pytest.param(fate, marks=pytest.mark.long) for fate in ("409", "500", "cut", "refused"))]
)
@pytest.mark.parametrize("what", WRITTEN)
@pytest.mark.thorough
def test_each_trouble_at_each_thing_that_is_written(shop: Shop, place: str, what: str, fate: Fate) -> None:
    if (what, fate) == ("manifest", "412"):
        pytest.skip("it is written without a condition: no server answers 412")
    shop.proxy.met.clear()
    shop.proxy.begin(once(f"/{BUCKET}/{place}/{WRITTEN[what]}", fate))
    _, version, *_ = promotes(shop, shop.version(1), place).split()
    assert shop.proxy.met[fate] == 1
    assert_settled(shop.look(place), version)
    history = read_history(shop.target(place), VARIANT)
    assert [one.version for one in history.entries] == [version]
    assert read_answers(shop.target(place), history.entries[0])


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["page", "pointer", "index", "gallery"])
def test_nothing_that_points_goes_back(shop: Shop, place: str, what: str) -> None:
    """Somebody else publishes while a publisher, who has read the list before, is about to write: what is later stays."""
    first, second = shop.version(1), shop.version(2)
    beside = Project(second.workspace, shop.project.publishing(endpoint=shop.running.address))
    published, shown = list[str](), list[bytes | None]()

    def is_it(asked: Asked) -> bool:
        return asked.method == "PUT" and asked.path == f"/{BUCKET}/{place}/{WRITTEN[what]}"

    def plan(asked: Asked) -> Fate:
        if is_it(asked) and not published:
            published.append(shop.publish(beside, place))
        return "pass"

    def after(asked: Asked) -> None:
        if is_it(asked):
            shown.append(get(shop.client(), f"{place}/{WRITTEN[what]}"))

    shop.proxy.begin(plan, after)
    version = shop.publish(first, place)
    assert published[0].encode() in (shown[0] or b"")
    seen = shop.look(place)
    assert seen.versions == [version, *published]
    assert_settled(seen, published[0])


def once(path: str, fate: Fate) -> Plan:
    """The first request that writes to such a path meets that fate."""
    met: list[Asked] = []

    def plan(asked: Asked) -> Fate:
        if asked.method != "PUT" or not fnmatchcase(asked.path, path) or met:
            return "pass"
        met.append(asked)
        return fate

    return plan


@pytest.mark.long
@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.long)])
def test_slow_and_failing_requests(shop: Shop, place: str, rounds: int, tmp_path: Path) -> None:
    """A promotion succeeds, or says that the store does not answer; the next one without troubles completes."""
    dice, before, outcomes = random.Random(SEED), shop.look(place), Counter[str]()
    shop.proxy.met.clear()
    for number in range(rounds):
        made, seed = shop.version(number), dice.getrandbits(32)
        shop.proxy.begin(troubled(seed, dice.choice([0.05, 0.1, 0.2])))
        outcomes[outcome(shop, made, place, tmp_path / "said")] += 1
        before = completes(shop, made, place, before)
    report(f"{rounds} rounds of troubles: {dict(outcomes)}; requests: {dict(shop.proxy.met)}")


@pytest.mark.long
@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_the_server_is_killed_and_started_again(shop: Shop, place: str, rounds: int, tmp_path: Path) -> None:
    dice, outcomes = random.Random(SEED), Counter[str]()
    promotes(shop, shop.version(0), place)
    requests, before = shop.proxy.count, shop.look(place)
    for number in range(1, 1 + kills(rounds)):
        made, wanted, dead = shop.version(number), dice.randint(1, requests), threading.Event()

        def kill(asked: Asked, wanted: int = wanted, dead: threading.Event = dead) -> Fate:
            if asked.number == wanted:
                os.kill(shop.running.pid, signal.SIGKILL)
                dead.set()
            return "pass"

        shop.proxy.begin(kill)
        process = start(shop, made, place, promotes, tmp_path / "said")
        assert dead.wait(DEADLINE_S)
        shop.restart()
        process.join(DEADLINE_S)
        outcomes[classed((tmp_path / "said").read_text(encoding="utf-8"))] += 1
        shop.proxy.begin()
        before = completes(shop, made, place, before)
    report(f"the server was killed {sum(outcomes.values())} times: {dict(outcomes)}")


def outcome(shop: Shop, made: Project, place: str, said: Path) -> str:
    _child(shop, made, place, promotes, said)
    return classed(said.read_text(encoding="utf-8"))


def classed(words: str) -> str:
    """`done` or `silent`; nothing else may come of a store in trouble."""
    kind = words.split()[0]
    assert kind == DONE or (kind == SILENT and re.search("does not answer|breaks off", words)), words
    return kind


def completes(shop: Shop, made: Project, place: str, before: Seen) -> Seen:
    """See that nothing is half visible, and that the same promotion completes now, as if there had been no trouble."""
    seen = shop.look(place, before)
    assert_kept(before, seen)
    shop.proxy.begin()
    version = promotes(shop, made, place).split()[1]
    again = shop.look(place, seen)
    assert_kept(seen, again)
    assert_settled(again, version)
    assert again.versions == [*before.versions, version]
    history = read_history(shop.target(place), VARIANT)
    assert [one.version for one in history.entries] == again.versions
    assert read_answers(shop.target(place), history.entries[-1])
    return again
