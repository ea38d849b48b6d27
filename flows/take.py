"""`python -m flows.take DATASET [FOLDER|s3://BUCKET/PREFIX]`: run the flow `ingest` and say what it did."""

import argparse
import sys
import time

from edgeloop.config import load_params
from edgeloop.console import program, say
from edgeloop.userpath import user_path
from edgeloop.workspace import find_workspace
from flows.run import use_server


def main(arguments: list[str]) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="edgeloop ingest")
    parser.add_argument("dataset")
    parser.add_argument("origin", nargs="?")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--no-retrain", dest="build", action="store_false", default=None)
    parser.add_argument("--publish", action="store_true", default=None)
    parser.add_argument("--push", action="store_true", default=None)
    options = parser.parse_args(arguments)

    def body() -> None:
        workspace = find_workspace()
        load_params(workspace).dataset(options.dataset)
        use_server(workspace)
        from flows.by_hand import run_by_hand
        from flows.ingest import ingest

        begun = time.monotonic()
        origin = _absolute(options.origin)
        wishes = {"origin": origin, "again": options.again, "build": options.build, "publish": options.publish, "push": options.push}
        for line in run_by_hand(ingest, {"root": str(workspace.root), "dataset": options.dataset, **wishes}):
            say(line)
        say(f"done in {time.monotonic() - begun:.0f} s")

    return program(body, "interrupted; the same command begins again, and adds nothing twice")


def _absolute(origin: str | None) -> str | None:
    """A folder is meant from where the command is given, not from the project's root."""
    return origin if origin is None or "://" in origin else str(user_path(origin).absolute())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
