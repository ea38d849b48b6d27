"""Promotion: a built version is judged by its gates, and becomes champion in the history of the store; or an earlier one does again."""

import datetime as dt
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from edgeloop.config import Params
from edgeloop.console import in_one_line
from edgeloop.errors import InputError, NotPromoted
from edgeloop.evaluation.answers import written
from edgeloop.gates.facts import Facts
from edgeloop.gates.judge import Candidate, Standing, answers_of, judge
from edgeloop.lockfile import LOCK_FILE
from edgeloop.records import DecisionRecord, LedgerEntry, Override, committed_revision, committer, provenance
from edgeloop.store.index import update_index
from edgeloop.store.ledger import History, append, keep_answers, read_answers, read_history, rollback_to
from edgeloop.store.publish import open_target, publish, read_version
from edgeloop.store.signing import Signer
from edgeloop.store.target import Target
from edgeloop.store.versions import show
from edgeloop.tflite.formats import DEPLOYED
from edgeloop.workspace import Workspace

BY_RULES = "every gate passes"


@dataclass(frozen=True)
class Promotion:
    """What became of a variant."""

    decision: DecisionRecord
    entry: LedgerEntry | None
    """The new champion's; None where nothing was changed."""
    is_champion: bool
    """Whether that version is champion now."""

    def refusal(self) -> NotPromoted:
        """Why it is not."""
        decision = self.decision
        if not decision.checks:
            what = f"{decision.variant} is not promoted: params.yaml declares no gates for it, so that nothing says that it may be."
            return NotPromoted(what, "Declare some (docs/gates.md), or promote it by hand: --override REASON")
        count = f"{len(decision.against)} of {len(decision.checks)} gates refuse it"
        standing = "The champion stays as it is." if decision.champion else "No version is champion yet."
        return NotPromoted(
            f"{decision.variant} {decision.version} is not promoted: {count}, as told above.",
            f"{standing} A person may promote it: --override REASON",
        )


def promote(
    workspace: Workspace, params: Params, name: str, *, to: str | None = None, override: Override | None = None, dry: bool = False
) -> Promotion:
    """Judge the built version of a variant; where it passes, or is overridden, publish it and make it champion.

    The decision is written beside the variant's records. `dry`: nothing else is done. A version that is champion already stays so.

    Raises:
        InputError: the variant is unknown or has no card, its files do not belong together, or nobody could sign it.
        StoreError: the place cannot be used, or holds a damaged history.
    """
    Signer(workspace.root, params.publish.sign).check()
    version = read_version(workspace, params, name)
    paths = params.variant(name).paths(workspace)
    facts = Facts(version.files, version.digests, params.variant(name).boards)
    candidate = Candidate(name, version.name, facts, answers_of(name, paths.predictions, facts))
    gates = params.gates_of(name)
    decide = partial(judge, workspace.root, candidate, gates, override=override)
    is_compared = gates is not None and gates.champion is not None
    with open_target(workspace, params, to) as target:
        history = read_history(target, name)
        decision = decide(_standing(target, history, is_compared))
    if _is_champion(history, version.name):
        decision = decision.model_copy(update={"override": None})  # there is nothing to override
    decision.write(paths.decision)
    if _is_champion(history, version.name) or dry or not decision.promotes:
        return Promotion(decision, None, _is_champion(history, version.name))
    publish(workspace, params, [name], to=to)
    answers = paths.predictions.read_bytes()
    with open_target(workspace, params, to) as target:
        digest = keep_answers(target, name, answers)

        def follows(now: History) -> LedgerEntry | None:
            """Judged again where there is another champion by now."""
            nonlocal decision
            if now.last_sha256 != history.last_sha256:
                decision = decide(_standing(target, now, is_compared))
            if _is_champion(now, version.name) or not decision.promotes:
                return None
            return now.placed(_promotion(decision, digest, committed_revision(workspace.root, [LOCK_FILE])))

        now, entry = append(target, name, follows)
        _tell(target, name)
    decision.write(paths.decision)
    return Promotion(decision, entry, _is_champion(now, version.name))


def roll_back(workspace: Workspace, params: Params, name: str, by: str, reason: str, *, to: str | None = None) -> LedgerEntry:
    """Make the champion before the present one champion again; returns the new entry of the history.

    Raises:
        InputError: there was none, or the variant is unknown.
        StoreError: the place cannot be used, or holds a damaged history.
    """
    started = dt.datetime.now(dt.UTC)
    params.variant(name)
    with open_target(workspace, params, to) as target:
        known = read_history(target, name)
        wanted = rollback_to(known)

        def follows(now: History) -> LedgerEntry:
            if now.last_sha256 != known.last_sha256:
                raise InputError(f"{name} got another champion in this moment: nothing was changed.", f"See: edgeloop history {name}")
            kept = wanted.model_dump() | {"action": "rollback", "decision": None, "by": by, "reason": reason}
            made = provenance(workspace.root, {}, [], started, wanted.provenance.data_revision)
            return now.placed(LedgerEntry.model_validate(kept | {"provenance": made}))

        _, entry = append(target, name, follows)
        _tell(target, name)
    assert entry is not None
    return entry


def history_of(workspace: Workspace, params: Params, name: str, *, to: str | None = None) -> History:
    """Who was champion of a variant when.

    Raises:
        InputError: the variant is unknown.
        StoreError: the place cannot be used, or holds a damaged history.
    """
    params.variant(name)
    with open_target(workspace, params, to) as target:
        return read_history(target, name)


def champion_file(workspace: Workspace, params: Params, name: str, file: str, *, to: str | None = None) -> tuple[str, bytes] | None:
    """The champion's version, and a file of it by its name in that version (`records/benchmarks/host.json`); None without either.

    Raises:
        StoreError: the place cannot be used, or holds a damaged history.
    """
    with open_target(workspace, params, to) as target:
        champion = read_history(target, name).champion
        stored = target.read(f"{name}/{champion.version}/{file}") if champion else None
    return (champion.version, stored.content) if champion and stored else None


def who(workspace: Workspace, given: str | None) -> str:
    """Who overrides or rolls back: as given, or as git knows them.

    Raises:
        InputError: neither, or it is not one line.
    """
    name = given or committer(workspace.root)
    if name is None:
        raise InputError("Nobody knows who you are.", "Give --by NAME, or tell git: git config user.name NAME")
    if (shown := in_one_line(name)) != name:
        raise InputError(f"'{shown}' has line ends or control characters.", "Give --by NAME in one line, without them.")
    return name


def _tell(target: Target, name: str) -> None:
    """Let the pages say who is champion now; a publish does the same, where this was killed."""
    show(target, name)
    update_index(target)


def _standing(target: Target, history: History, is_compared: bool) -> Standing:
    champion = history.champion
    if champion is None:
        return Standing()
    content = BytesIO(read_answers(target, champion)) if is_compared else None
    answers = written(f"the champion {champion.version}", content, DEPLOYED) if content else None
    return Standing(champion.version, champion.model_sha256, answers, history.rolled_back)


def _is_champion(history: History, version: str) -> bool:
    return history.champion is not None and history.champion.version == version


def _promotion(decision: DecisionRecord, answers_sha256: str, revision: str | None) -> LedgerEntry:
    """The entry, which the history numbers and dates."""
    override = decision.override if decision.override is not None and not decision.passes else None
    return LedgerEntry(
        provenance=decision.provenance,
        number=0,
        before_sha256=None,
        variant=decision.variant,
        action="promote",
        version=decision.version,
        model_sha256=decision.model_sha256,
        answers_sha256=answers_sha256,
        since_utc="",
        revision=revision,
        decision=decision,
        by=override.by if override else None,
        reason=override.reason if override else BY_RULES,
        token="",
    )
