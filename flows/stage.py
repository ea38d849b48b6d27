"""`python -m flows.stage ADDRESS [--force] [--pull]`: reproduces one stage alone, by DVC's interface, and tells what became of it.

With `--pull` it is to be taken over elsewhere: the store's run cache is used, and the entry that holds the result is told.
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any, Literal, get_args

from edgeloop import events
from edgeloop.console import FAILED, courtesy, program
from edgeloop.errors import StageError
from flows.commands import Done

Outcome = Literal["ran", "restored", "up to date"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
RUN_CACHE = "run cache: "


def stage_arguments(address: str, *, force: bool = False, pull: bool = False) -> list[str]:
    """The arguments of this module; with `pull` a result that the store knows is taken, and its entry of the run cache is told."""
    return [address, *(["--force"] if force else []), *(["--pull"] if pull else [])]


def stage_command(address: str, *, force: bool = False, pull: bool = False) -> list[str]:
    """Runs it in a Python of its own."""
    return [sys.executable, "-m", __name__, *stage_arguments(address, force=force, pull=pull)]


def outcome_of(done: Done, address: str) -> Outcome:
    """What became of the stage, as this module's command told it.

    Raises:
        StageMayPass: it failed of something that may pass by itself.
        StageError: it failed otherwise.
    """
    found = [outcome for outcome in OUTCOMES if outcome in done.results]
    if done.code != 0 or not found:
        raise done.failure(address, f"dvc repro {address}")
    return found[0]


def entry_of(done: Done, address: str) -> str:
    """The entry of the run cache that holds the stage's result, as this module's command told it.

    Raises:
        StageError: there is none.
    """
    found = [result for result in done.results if result.startswith(RUN_CACHE)]
    if not found:
        raise StageError(
            f"DVC's run cache cannot hold the result of {address}.",
            "Only stages with dependencies, and outputs without `persist`, can be done on other machines.",
        )
    return found[0].removeprefix(RUN_CACHE)


def reproduce(root: Path, address: str, *, force: bool, pull: bool) -> list[str]:
    """Reproduce the stage, by force also where it is up to date; waits for DVC's lock, because several stages run at once.

    Returns the outcome, and with `pull` the entry of the run cache that holds the result; nothing where its command failed, which
    itself tells why.

    Raises:
        StageError: DVC failed.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.exceptions import StageCmdFailedError

    logging.getLogger("dvc").setLevel(logging.WARNING)  # the rest is advice for those who call it by hand
    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            commands = _Commands(address)
            made = repo.reproduce(address, single_item=True, force=force, pull=pull)
            entry = _entry(repo, address) if pull else []
    except DvcException as error:
        cause = _cause(error)
        if not isinstance(cause, StageCmdFailedError):
            raise StageError(f"DVC: {cause}") from error
        courtesy(str(cause))
        return []
    if not made:
        return ["up to date", *entry]
    return ["ran" if commands.have_begun or not made[0].cmd else "restored", *entry]


def _entry(repo: Any, address: str) -> list[str]:
    """The path, below the run cache, of what DVC has kept of the stage as it is now."""
    from dvc.stage.serialize import to_single_stage_lockfile
    from dvc.utils import dict_sha256

    with repo.lock:
        (stage,) = repo.stage.collect(address)
        repo.stage_cache.save(stage)  # where it was up to date already, it may be the first time
        # As DVC names it: by the content without what may differ although nothing does.
        name = dict_sha256(to_single_stage_lockfile(stage), exclude=["size", "nfiles"])
        cache = Path(repo.stage_cache.cache_dir)
        return [RUN_CACHE + path.relative_to(cache).as_posix() for path in cache.glob(f"*/*/{name}")]


class _Commands:
    """Notes whether DVC runs the stage's commands: it tells that to no caller, but Python tells of every program that is started.

    DVC names the stage in the environment of its commands. To ask it for them beforehand would cost as much as all else that it reads.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self.have_begun = False
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "subprocess.Popen":
            return
        _, command, _, env = arguments
        if env is not None and env.get("DVC_STAGE") == self._address:
            self.have_begun = True
            courtesy(f"> {command[-1]}")


def _cause(error: BaseException) -> BaseException:
    """DVC's errors are often caused by others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="flows.stage")
    parser.add_argument("address")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--pull", action="store_true")
    options = parser.parse_args(arguments)

    results: list[str] = []
    code = program(lambda: results.extend(reproduce(Path.cwd(), options.address, force=options.force, pull=options.pull)))
    for result in results:
        events.tell(events.Result(result))
    return FAILED if code == 0 and not results else code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
