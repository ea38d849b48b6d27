"""The pipeline as DVC sees it: the graph of dvc.yaml, and which of its stages are out of date."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeloop.config import load_params
from edgeloop.errors import ConfigError, StageError
from edgeloop.graph import refresh
from edgeloop.resolution import Size
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match
from flows.why import NOT_BUILT, reason_of, took_s

OF_A_MODEL = ("train", "quantize", "generate", "evaluate", "card")
GRAPH = "graph"
"""The stage that writes graph.yaml; a plan is read after that was brought up to date, so that it changes nothing any more."""
HOST = "host"
"""The board that is this machine: what is measured on it runs alone."""


@dataclass(frozen=True)
class PlannedStage:
    """One stage of dvc.yaml."""

    address: str
    """As `dvc repro` takes it, e.g. `train@flowers-fdmobilenet_0.25-128`."""
    upstream: frozenset[str]
    """Addresses of the stages whose outputs it depends on."""
    reason: str | None
    """Why it is out of date; None when it is not."""
    slots: int | None = 1
    """CPU slots that it takes while it runs (`meta: {slots: n}`); None (`slots: all`): every one, so that it runs alone."""
    board: str | None = None
    """The board that it holds while it runs (`meta: {board: name}`)."""
    forced: bool = False
    """Whether it runs although it is up to date; `reason` then says so."""
    pinned: bool = False
    """Whether it is left as it is, because `pin` of params.yaml names its variant."""
    last_s: float | None = None
    """Seconds that it took last time; None where nobody knows."""
    pixels: int = 0
    """Of an image that it learns from (`meta: {resolution: ...}`); 0 where it does not say."""
    pool: str | None = None
    """The pool of workers that does it; None: this machine (flows/pools/declared.py)."""


def read_plan(root: Path, targets: Iterable[str]) -> list[PlannedStage]:
    """The targets and everything that they need, each stage after its upstream stages; graph.yaml is brought up to date first.

    Raises:
        ConfigError: params.yaml or dvc.yaml is not valid, or the latter has no such target.
        StageError: the workspace is locked by another DVC command for a minute.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    pinned = _prepare(Workspace(root))
    try:
        with Repo(str(root)) as repo:
            graph = repo.index.graph
            wanted = _closure(graph, _find(graph, targets))
            with repo.lock:
                plan = [_planned(graph, stage) for stage in wanted]
    except LockError as error:
        raise StageError(f"Another DVC command holds the workspace: {error}", "Wait for it to end, then try again.") from error
    except DvcException as error:
        raise ConfigError(f"DVC cannot read the pipeline: {error}", "Check dvc.yaml and params.yaml with: dvc stage list") from error
    return [replace(stage, pinned=stage.address in pinned and stage.reason != NOT_BUILT) for stage in plan]


def _prepare(workspace: Workspace) -> set[str]:
    """Bring graph.yaml up to date; returns the addresses of the stages of pinned variants."""
    if not workspace.params.is_file():
        return set()
    refresh(workspace)
    params = load_params(workspace)
    pinned = set(params.pinned)
    measured = {f"benchmark@{name}" for name, one in params.benchmarks.items() if one.variant in pinned}
    return measured | {f"{step}@{name}" for step in OF_A_MODEL for name in pinned}


def _find(graph: Any, targets: Iterable[str]) -> list[Any]:
    stages = {_address(stage): stage for stage in graph}
    wanted = list(targets)
    for target in wanted:
        if target not in stages:
            raise ConfigError(
                f"dvc.yaml has no stage '{target}'{near_match(target, stages)}.",
                "List them with: dvc stage list. They are of what `build` in params.yaml chooses.",
            )
    return [stages[target] for target in wanted]


def _address(stage: Any) -> str:
    """The stage's name in dvc.yaml (DVC's own `addressing` depends on the current folder); a .dvc file has none."""
    return str(getattr(stage, "name", None) or stage.addressing)


def _closure(graph: Any, stages: Iterable[Any]) -> list[Any]:
    """The stages with all that they depend on, in an order that can be run (edges go from a stage to its upstreams)."""
    import networkx

    wanted: set[Any] = set()
    for stage in stages:
        wanted |= {stage} | networkx.descendants(graph, stage)
    ordered = networkx.lexicographical_topological_sort(graph.subgraph(wanted).reverse(), key=_address)
    return list(ordered)


def _planned(graph: Any, stage: Any) -> PlannedStage:
    address, meta = _address(stage), getattr(stage, "meta", None) or {}
    slots = meta.get("slots", 1)
    if slots != "all" and not (isinstance(slots, int) and slots >= 1):
        raise ConfigError(f"dvc.yaml: the stage '{address}' has `meta: {{slots: {slots}}}`.", "It takes a number from 1 on, or `all`.")
    try:
        pixels = Size.of(meta["resolution"]).pixels if "resolution" in meta else 0
    except ValueError as error:
        raise ConfigError(f"dvc.yaml: the `meta` of stage '{address}' is wrong: {error}.", "Correct its `resolution`.") from None
    return PlannedStage(
        address=address,
        upstream=frozenset(_address(upstream) for upstream in graph.successors(stage)),
        reason=reason_of(stage),
        last_s=took_s(stage),
        slots=None if slots == "all" or meta.get("board") == HOST else slots,
        board=meta.get("board"),
        pixels=pixels,
    )
