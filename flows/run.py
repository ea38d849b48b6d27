"""`python -m flows.run DATASET NETWORK RESOLUTION [--publish] [--slots N]`: run the flow `retrain` and say where its results are."""

import argparse
import os
import sys
import time

from edgeloop.config import Params, load_params
from edgeloop.console import program, say
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace, find_workspace
from edgeloop.yamlfile import near_match
from flows.api import Server
from flows.runs import reconcile

ALL = "all"


def select(params: Params, dataset: str, network: str, resolution: str) -> list[str]:
    """The variants of params.yaml that match; each part may be `all`.

    Raises:
        InputError: none matches; the message names the part that no variant has.
    """
    wanted = {"data set": dataset, "network": network, "resolution": resolution}
    parts = {name: (v.dataset, v.network, str(v.resolution)) for name, v in params.variants.items()}
    for place, (what, value) in enumerate(wanted.items()):
        known = {values[place] for values in parts.values()}
        if value != ALL and value not in known:
            raise InputError(f"No variant in params.yaml has the {what} '{value}'{near_match(value, known)}.")
    chosen = [
        name for name, values in parts.items() if all(value in (ALL, part) for value, part in zip(wanted.values(), values, strict=True))
    ]
    if not chosen:
        raise InputError(
            f"params.yaml has no variant {dataset}-{network}-{resolution}.",
            f"Add a line to its `variants`: {dataset}-{network}-{resolution}: {{dataset: {dataset}, ...}}",
        )
    return chosen


def use_server(workspace: Workspace) -> None:
    """Flows of this process run on the server of the environment, or on the workspace's own, which is started when it doesn't run."""
    if "PREFECT_API_URL" not in os.environ:
        from flows.server import client_environment, start_prefect

        server = start_prefect(workspace)
        os.environ.update(client_environment(workspace, server))
    reconcile(workspace, Server(os.environ["PREFECT_API_URL"]))


def run(workspace: Workspace, variants: list[str], publish: bool, slots: int | None) -> None:
    """Run the flow and say what became of each stage."""
    use_server(workspace)
    from flows.by_hand import run_by_hand
    from flows.retrain import retrain

    begun = time.monotonic()
    rows = run_by_hand(retrain, {"root": str(workspace.root), "variants": variants, "publish": publish, "slots": slots})
    for row in rows:
        say(f"{row['outcome']:>10}  {row['stage']}")
    built = sum(row["outcome"] != "up to date" for row in rows)
    said = f"{built} of {len(rows)} stages built" if built else "up to date"
    say(f"{said} in {time.monotonic() - begun:.0f} s")


def tell(workspace: Workspace, params: Params, variants: list[str]) -> None:
    """Say where the results are."""
    for name in variants:
        variant = params.variant(name)
        paths = workspace.variant(variant.dataset, variant.network, variant.resolution)
        say(f"card     {paths.card / 'index.html'}\nrecords  {paths.folder}/*.json")
    say(f"UI       {os.environ['PREFECT_API_URL'].removesuffix('/api')}  (stop the services with: edgeloop down)")


def main(arguments: list[str]) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="edgeloop run")
    for part in ("dataset", "network", "resolution"):
        parser.add_argument(part)
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--slots", type=int)
    options = parser.parse_args(arguments)

    def body() -> None:
        workspace = find_workspace()
        params = load_params(workspace)
        variants = select(params, options.dataset, options.network, options.resolution)
        run(workspace, variants, options.publish, options.slots)
        tell(workspace, params, variants)

    return program(body, "interrupted; the same command goes on where this one stopped")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
