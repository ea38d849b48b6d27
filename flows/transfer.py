"""`python -m flows.transfer push|pull [--run-cache] [TARGET ...]`: moves data between DVC's cache and the store (its remote).

`python -m flows.transfer take STAGE ENTRY` lets the workspace have what an entry of the store's run cache holds; nothing is run for it.

Whether what hinders it may pass by itself is judged by the types of the exceptions. DVC raises some of them, and logs those of single
files with the exception (`exc_info`).
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeloop.console import MAY_PASS, program
from edgeloop.errors import StageError, StageMayPass
from flows.commands import IsCancelled, Say, ignore, pause, run, veiled

FIRST_WAIT_S, MOST_WAIT_S = 2.0, 20.0
ODD, ODD_TRIES = 4, 3
"""The exit code where it failed of something that is of no known type; so often that is tried."""
STORE_S = float(os.environ.get("EDGELOOP_STORE_S", "600"))
"""So long the store (the DVC remote) may be away."""
TAKE = "take"
LOGGERS = ("dvc", "dvc_data", "dvc_objects")
SLOW_DOWN, SERVER_ERROR = 429, 500
REFUSALS = (401, 403)
LAST_WORDS = 300


def transfer(arguments: list[str], folder: Path, env: Mapping[str, str], say: Say, cancelled: IsCancelled) -> None:
    """Push or pull, again and again while the store does not answer.

    Raises:
        StageMayPass: the store was away for `STORE_S`.
        StageError: it refuses, or lacks what is asked of it.
    """
    begun, wait_s, tries = time.monotonic(), FIRST_WAIT_S, 0
    while True:
        done = run([sys.executable, "-m", __name__, *arguments], folder, env, ignore, cancelled)
        tries += 1
        if done.code == 0:
            if tries > 1:
                say(f"the store answers again, after {time.monotonic() - begun:.0f} s")
            return
        by_hand = ["repro", "--pull", "--single-item", arguments[1]] if arguments[0] == TAKE else arguments
        command = f"dvc {' '.join(by_hand)}"
        failure = done.failure(command, command)
        if done.code not in (MAY_PASS, ODD) or (done.code == ODD and tries >= ODD_TRIES):
            raise failure
        away = done.code == MAY_PASS
        if time.monotonic() - begun + wait_s > STORE_S:
            raise StageMayPass(f"The store (DVC remote) was away for {STORE_S:.0f} s.\n{failure.what}", "Start it, then run again.")
        say(f"{'the store does not answer' if away else 'the transfer failed'}: waiting {wait_s:.0f} s, then again")
        pause(wait_s, cancelled)
        wait_s = min(MOST_WAIT_S, wait_s * 1.5)


def move(root: Path, action: str, targets: list[str], *, run_cache: bool) -> None:
    """Push or pull the outputs of these stages or `.dvc` files; or take the result of a stage that an entry of the run cache holds.

    Raises:
        StageMayPass: the store does not answer.
        StageError: it refuses, or something else is wrong.
    """
    from dvc.repo import Repo
    from dvc.stage.cache import RunCacheNotFoundError

    seen = _Seen()
    for name in LOGGERS:
        logging.getLogger(name).addHandler(seen)
    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            if action == TAKE:
                _take(repo, *targets)
            else:
                getattr(repo, action)(targets=targets or None, run_cache=run_cache)
    except RunCacheNotFoundError as error:
        if seen.errors:
            raise judged(seen.errors) from error
        raise StageError(f"What {targets[0]} depends on was changed here while another machine did it.", "Commit, and run again.") from None
    except Exception as error:  # of any library that a remote may use: it is judged, and told
        raise judged([*seen.errors, error]) from error


def _take(repo: Any, address: str, entry: str) -> None:
    """What `dvc repro --pull` does where the run cache knows the result, and of that very entry: what was done again has several.

    Raises:
        RunCacheNotFoundError: the entry is not of the stage as it is here, or some of its outputs are not in the store.
    """
    from dvc.fs import generic
    from dvc_data.hashfile.hash_info import HashInfo

    with repo.lock:
        (stage,) = repo.stage.collect(address)
        remote = repo.cloud.get_remote_odb(None, TAKE, hash_name="md5-dos2unix")
        path = Path(repo.stage_cache.cache_dir) / entry
        path.parent.mkdir(parents=True, exist_ok=True)
        generic.copy(remote.fs, remote.fs.join(remote.path, "runs", *entry.split("/")), repo.cache.legacy.fs, str(path))
        os.utime(path)  # of several DVC takes the newest
        for output in stage.outs:
            output.hash_info = HashInfo()  # what dvc.lock says of them is older
        repo.stage_cache.restore(stage, pull=True)
        stage.save(run_cache=False)
        stage.commit()
        stage.dump(update_pipeline=False)


class _Seen(logging.Handler):
    """Keeps the exceptions that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


class OddTransfer(StageError):
    """Nobody knows what this means."""


def judged(errors: list[BaseException]) -> StageError:
    """What these mean together: a refusal counts more than an absence, which counts more than what is not known."""
    causes = [cause for error in errors for cause in _causes(error)]
    for cause in causes:
        if _refuses(cause):
            return StageError(f"The store (DVC remote) refuses: {_words(cause)}", "Check the remote's address and keys.")
    for cause in causes:
        if _is_away(cause):
            return StageMayPass(f"The store (DVC remote) does not answer: {_words(cause)}", "Is its endpoint right, and does it run?")
    return OddTransfer(_words(errors[-1]), "Was everything pushed? See: dvc status --cloud")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from or while handling."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _refuses(error: BaseException) -> bool:
    from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError
    from dvc.config import ConfigError

    if isinstance(error, ClientError):
        return _status(error) in REFUSALS or error.response["Error"]["Code"] == "NoSuchBucket"
    return isinstance(error, PermissionError | NoCredentialsError | PartialCredentialsError | ConfigError)


def _is_away(error: BaseException) -> bool:
    from botocore.exceptions import ClientError, HTTPClientError

    if isinstance(error, ClientError):
        return _status(error) == SLOW_DOWN or _status(error) >= SERVER_ERROR
    return isinstance(error, ConnectionError | TimeoutError | HTTPClientError)


def _status(error: "BaseException") -> int:
    from botocore.exceptions import ClientError

    assert isinstance(error, ClientError)
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _words(error: BaseException) -> str:
    return veiled(f"{type(error).__name__}: {error}")[:LAST_WORDS]


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="flows.transfer")
    parser.add_argument("action", choices=("push", "pull", TAKE))
    parser.add_argument("--run-cache", action="store_true")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_intermixed_args(arguments)  # targets come after an option
    odd: list[OddTransfer] = []

    def body() -> None:
        try:
            move(Path.cwd(), options.action, options.targets, run_cache=options.run_cache)
        except OddTransfer as error:
            odd.append(error)
            raise

    code = program(body)
    return ODD if odd else code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
