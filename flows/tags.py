"""Git tags that say what a history says, in the form of GTO, which DVC's own tools read: ARTIFACT@v1.0.0, ARTIFACT#champion#1.

They are derived: the history in the store decides, and the same history gives the same tags in every clone.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from edgeloop.console import in_one_line
from edgeloop.errors import InputError
from edgeloop.store.ledger import History
from edgeloop.workspace import Workspace
from flows.revision import ask_git, check_repository, said

STAGE = "champion"


@dataclass(frozen=True)
class Tag:
    """An annotated tag that is to be."""

    name: str
    revision: str
    message: str
    date: dt.datetime
    """When the history says so, and a second after the tag before it at least: by it GTO orders assignments."""


def artifact(variant: str) -> str:
    """The variant as an artifact's name, which has no dots; two variants never share one: only networks have dots."""
    return variant.replace(".", "_")


def tags_of(history: History) -> Iterator[Tag]:
    """A version for each model that was champion, numbered in the order in which they became it; an assignment for each entry.

    What was promoted outside of a commit has none.
    """
    name, versions, last = artifact(history.variant), dict[str, int](), dt.datetime.min.replace(tzinfo=dt.UTC)
    for entry in history.entries:
        new = entry.version not in versions
        number = versions.setdefault(entry.version, len(versions) + 1)
        if entry.revision is None:
            continue
        last = max(dt.datetime.fromisoformat(entry.since_utc), last + dt.timedelta(seconds=1))
        if new:
            yield Tag(f"{name}@v{number}.0.0", entry.revision, f"{history.variant} {entry.version}", last)
        who = f" by {entry.by}" if entry.by else ""
        yield Tag(f"{name}#{STAGE}#{entry.number}", entry.revision, in_one_line(f"{entry.action}{who}: {entry.reason}"), last)


def write_tags(workspace: Workspace, history: History) -> list[str]:
    """Make the tags that are missing; returns lines that say which.

    Raises:
        InputError: this is no git repository, a commit of the history is not in it, or a tag of that name is of another commit.
    """
    check_repository(workspace, to_be_pushed=False)
    made = [tag.name for tag in tags_of(history) if _write(workspace, tag)]
    bare = [str(entry.number) for entry in history.entries if entry.revision is None]
    lines = [f"tagged {', '.join(made)}; others get them by: git push --tags"] if made else ["git has these tags already"]
    return [*lines, *([f"without a tag, because dvc.lock was not committed: entry {', '.join(bare)}"] if bare else [])]


def _write(workspace: Workspace, tag: Tag) -> bool:
    there = ask_git(workspace, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag.name}^{{commit}}", ok=False)
    if there == tag.revision:
        return False
    if there is not None:
        raise InputError(
            f"The tag {tag.name} is of the commit {there[:12]}, and the history says {tag.revision[:12]}.",
            f"Somebody made it by hand, or it is of another store; if nobody needs it: git tag --delete '{tag.name}'",
        )
    if ask_git(workspace, "cat-file", "-e", f"{tag.revision}^{{commit}}", ok=False) is None:
        raise InputError(f"The commit {tag.revision[:12]} of {tag.name} is not in this clone.", "Fetch it: git fetch --all")
    said(workspace, "tag", "--annotate", "--message", tag.message, tag.name, tag.revision, env={"GIT_COMMITTER_DATE": tag.date.isoformat()})
    return True
