"""What a run would do, said before it: what runs and why, how long it took last time, what is downloaded, which boards it needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeloop.config import Params
from edgeloop.datasets.archive import list_members
from edgeloop.datasets.filenames import is_picture
from edgeloop.datasets.folder import walk_folder
from edgeloop.errors import EdgeloopError
from edgeloop.plural import many
from edgeloop.times import in_words
from edgeloop.workspace import Workspace
from flows.before import before_a_run
from flows.boards import boards_needed
from flows.pipeline import PlannedStage, read_plan
from flows.show.tables import plan_rows, plan_words

LIKELY = ("run", "run if changed")


@dataclass(frozen=True)
class Preview:
    """A plan in words."""

    stages: list[dict[str, str]]
    """`stage`, `plan`, `why` and `last` (how long it took last time; empty where nobody knows) of what may run, in order."""
    cached: int
    notes: list[str]
    """What else is good to know before."""
    words: str

    def in_words(self) -> str:
        """Lines for people."""
        lines = [self.words]
        for row in self.stages:
            last = f" (last time {row['last']})" if row["last"] else ""
            lines.append(f"{row['plan']:>14}  {row['stage']}{last}: {row['why']}")
        return "\n".join([*lines, *self.notes])


def preview(workspace: Workspace, params: Params, variants: Sequence[str]) -> Preview:
    """What `edgeloop run` would do for these variants. Nothing is run or fetched.

    Raises:
        ConfigError: params.yaml or dvc.yaml is not valid.
        StageError: another DVC command holds the workspace.
    """
    plan = read_plan(workspace.root, [f"card@{name}" for name in variants])
    took = {stage.address: stage.last_s for stage in plan}
    rows = [
        {
            "stage": row["stage"].strip("`"),
            "plan": row["plan"],
            "why": row["why"].replace("`", ""),
            "last": "" if (last := took[row["stage"].strip("`")]) is None else in_words(last),
        }
        for row in plan_rows(plan)
    ]
    shown = [row for row in rows if row["plan"] in LIKELY]
    runs = {row["stage"] for row in shown}
    known = [last for one in runs if (last := took[one]) is not None]
    new = f", without {len(runs) - len(known)} of which nobody knows" if len(known) < len(runs) else ""
    notes = [f"together {in_words(sum(known))} last time{new}"] if known else []
    notes += [
        *_before(workspace, params, runs),
        *_folders(workspace, params, plan),
        *_boards(workspace, plan, runs),
    ]
    cards = [name for name in variants if f"card@{name}" in runs]
    if cards:
        notes.append(f"with --publish, {many(len(cards), 'card')} would go to {params.publish.to}")
    return Preview(shown, len(rows) - len(shown), notes, plan_words(plan))


def _before(workspace: Workspace, params: Params, runs: set[str]) -> Iterator[str]:
    try:
        yield from before_a_run(workspace, params, runs)
    except EdgeloopError as error:
        yield str(error)


def _folders(workspace: Workspace, params: Params, plan: Sequence[PlannedStage]) -> Iterator[str]:
    """Pictures that came into a folder after it was packed, or went away: no run takes these by itself."""
    wanted = {stage.address.partition("@")[2] for stage in plan if stage.address.startswith("fetch@")}
    for name in sorted(wanted):
        folder, archive = params.datasets[name].source.folder, workspace.dataset(name).archive
        if folder is None or not archive.is_file():
            continue
        try:
            here = {path for path in walk_folder(workspace.root / folder).files if is_picture(path)}
        except EdgeloopError:
            yield f"the folder of {name} is not there: {folder}"
            continue
        packed = list_members(archive, params.datasets[name].prepare.limits).files
        known = {path.partition("/")[2] for path in packed if is_picture(path)}
        for text, paths in (("came into", here - known), ("went from", known - here)):
            if paths:
                yield f"{many(len(paths), 'picture')} {text} {folder}, such as {min(paths)}: edgeloop fetch {name} takes that over"


def _boards(workspace: Workspace, plan: Sequence[PlannedStage], runs: set[str]) -> Iterator[str]:
    for found in boards_needed(workspace, plan, runs):
        if isinstance(found, str):
            yield found
        else:
            held = f" by {found.holder}" if found.holder else ""
            yield f"needs the board {found.name}: {found.state}{held}{f', {found.why}' if found.why else ''}"
