"""Which pool of workers a stage goes to, as params.yaml (`pools`) and lab.yaml (`lab` of a board) declare it once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgeloop.boards.lab.config import Lab, load_lab
from edgeloop.config import Params, load_params
from edgeloop.workspace import Workspace
from flows.pipeline import PlannedStage

BENCH = "bench-"


def assign(root: Path, plan: Sequence[PlannedStage]) -> list[PlannedStage]:
    """The plan with the pool of each stage that another machine does; where nothing is declared, as it was.

    Such a stage takes no CPU slots of this machine.

    Raises:
        ConfigError: params.yaml or lab.yaml is wrong.
    """
    workspace = Workspace(root)
    params = load_params(workspace)
    lab = load_lab(workspace) if workspace.lab.exists() else Lab(boards={})
    return [replace(stage, pool=pool, slots=0) if (pool := pool_of(params, lab, stage)) else stage for stage in plan]


def pool_of(params: Params, lab: Lab, stage: PlannedStage) -> str | None:
    """The pool of one stage: a board's lab counts more than the stage's name."""
    if stage.board is not None and stage.board in lab.boards:
        where = lab.boards[stage.board].lab
        return BENCH + where if where else None
    name = stage.address.partition("@")[0]
    return next((pool for pool, stages in params.pools.items() if name in stages), None)
