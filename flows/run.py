"""Flows that are run by hand: `retrain` of chosen variants, `ingest` of one data set; what became of them, in words."""

import os
import time
from collections.abc import Mapping

from edgeloop.config import ALL, Params, not_built
from edgeloop.console import say
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match
from flows.api import Server
from flows.choice import some_built
from flows.runs import reconcile
from flows.schedule import PINNED, UP_TO_DATE


def select(params: Params, dataset: str, network: str, resolution: str) -> list[str]:
    """The built variants that match; each part may be `all`.

    Raises:
        InputError: none matches; the message names the part that no variant has, or what to add to `build`.
    """
    wanted = {"data set": dataset, "network": network, "resolution": resolution}
    parts = {name: (v.dataset, v.network, str(v.resolution)) for name, v in params.variants.items()}
    for place, (what, value) in enumerate(wanted.items()):
        known = {values[place] for values in parts.values()}
        if value != ALL and value not in known:
            known = {values[place] for values in parts.values() if dataset in (ALL, values[0])} or known
            raise InputError(f"No variant in params.yaml has the {what} '{value}'{near_match(value, known)}.", "See `variants` there.")
    chosen = [
        name for name, values in parts.items() if all(value in (ALL, part) for value, part in zip(wanted.values(), values, strict=True))
    ]
    if not chosen:
        raise InputError(
            f"params.yaml has no variant {dataset}-{network}-{resolution}.",
            f"Add to its `variants` a row of {dataset}: {{networks: {network}, resolutions: {resolution}}}",
        )
    if built := [name for name in some_built(params, [ALL]) if name in chosen]:
        return built
    raise not_built(
        dataset
        if {network, resolution} == {ALL}
        else chosen[0]
        if len(chosen) == 1
        else "-".join("*" if part == ALL else part for part in (dataset, network, resolution))
    )


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
    from flows.local_run import run_locally
    from flows.retrain import retrain

    begun = time.monotonic()
    rows = run_locally(retrain, {"root": str(workspace.root), "variants": variants, "publish": publish, "slots": slots})
    for row in rows:
        say(f"{row['outcome']:>10}  {row['stage']}")
        for warning in row["warnings"]:
            say(f"{'':>10}  warning: {warning}")
    built = sum(row["outcome"] not in (UP_TO_DATE, PINNED) for row in rows)
    said = f"{built} of {len(rows)} stages built" if built else "up to date"
    say(f"{said} in {time.monotonic() - begun:.0f} s")


def tell(workspace: Workspace, params: Params, variants: list[str]) -> None:
    """Say where the results are."""
    for name in variants:
        variant = params.variant(name)
        paths = variant.paths(workspace)
        say(f"card     {paths.card / 'index.html'}\nrecords  {paths.folder}/*.json")
    say(f"UI       {os.environ['PREFECT_API_URL'].removesuffix('/api')}  (stop the services with: edgeloop down)")


def run_ingest(workspace: Workspace, dataset: str, wishes: Mapping[str, str | bool | None]) -> None:
    """Run the flow with these parameters (None: as params.yaml declares), and say what it did."""
    use_server(workspace)
    from flows.ingest import ingest
    from flows.local_run import run_locally

    begun = time.monotonic()
    for line in run_locally(ingest, {"root": str(workspace.root), "dataset": dataset, **wishes}):
        say(line)
    say(f"done in {time.monotonic() - begun:.0f} s")
