"""The commands that say which version of a variant is champion: promote, champion, roll back, history."""

import argparse
import datetime as dt
import json
import re
from typing import TYPE_CHECKING

from edgeloop import events
from edgeloop.cli.common import Command, Parser, path, person, project, reason
from edgeloop.console import in_one_line, say

if TYPE_CHECKING:
    from edgeloop.config import Params
    from edgeloop.records import Override
    from edgeloop.store.ledger import History
    from edgeloop.workspace import Workspace

DAY = re.compile(r"\d{4}-\d\d-\d\d")


def add(command: Command) -> None:
    promote = command("promote", _promote, "judge variants by their gates; publish those that pass, and make them champion")
    promote.add_argument("variants", nargs="+", metavar="VARIANT", help="or data sets, patterns, all: those that have a card")
    promote.add_argument("--check", action="store_true", help="judge only")
    promote.add_argument("--override", type=reason, metavar="REASON", help="promote against the gates; name and reason are recorded")
    promote.add_argument("--pass-over", action="store_true", help="a variant that its gates refuse is no error")
    _add_common(promote, who="who overrides")
    champion = command("champion", _champion, "say which version of a variant is champion, or was")
    champion.add_argument("variant")
    text = "then: a day (its end) or a time, in UTC unless it says otherwise, such as 2026-03-14 or 2026-03-14T09:30+01:00"
    champion.add_argument("--at", type=_moment, metavar="DATE", help=text)
    _add_place(champion)
    rollback = command("rollback", _rollback, "make the champion before the present one champion again")
    rollback.add_argument("variant")
    rollback.add_argument("--reason", type=reason, required=True, help="is recorded")
    _add_common(rollback, who="who rolls back")
    history = command("history", _history, "list who was champion of a variant from when to when, and why")
    history.add_argument("variant")
    history.add_argument("--json", type=path, metavar="OUT", help="write the entries there")
    history.add_argument("--tag", action="store_true", help="write them as git tags in the form of GTO")
    _add_place(history)


def _add_common(parser: Parser, *, who: str) -> None:
    parser.add_argument("--by", type=person, metavar="NAME", help=f"{who} (default: user.name of git)")
    parser.add_argument("--tag", action="store_true", help="write the history as git tags, too, in the form of GTO")
    _add_place(parser)


def _add_place(parser: Parser) -> None:
    parser.add_argument("--to", metavar="s3://BUCKET/PREFIX|FOLDER", help="the store, instead of publish.to of params.yaml")


def _moment(text: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no date such as 2026-03-14 or 2026-03-14T09:30") from None
    if DAY.fullmatch(text):
        found += dt.timedelta(days=1, microseconds=-1)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _promote(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.store.promote import promote
    from edgeloop.store.publish import with_cards

    names = with_cards(workspace, params, options.variants)
    override, refused = _override(options, workspace, names), []
    for name in names:
        done = promote(workspace, params, name, to=options.to, override=override, dry=options.check)
        say(done.decision.in_words())
        if done.entry is not None:
            events.tell(events.Result(name))
            say(f"champion of {name}: {done.decision.version}")
        elif done.is_champion and (done.decision.promotes or override is not None or not options.check):
            say(f"{done.decision.version} is champion of {name} already: nothing was changed")
        elif not done.decision.promotes:
            refused.append(done.refusal())
        else:
            say(f"{done.decision.version} would become champion of {name}")
        if options.tag and not options.check:
            _tag(workspace, params, name, options.to)
    if refused and not options.pass_over:
        raise refused[0] if len(refused) == 1 else type(refused[0])("\n".join(one.what for one in refused), refused[0].remedy)


def _override(options: argparse.Namespace, workspace: "Workspace", names: list[str]) -> "Override | None":
    from edgeloop.errors import InputError
    from edgeloop.records import Override
    from edgeloop.store.promote import who

    if options.override is None:
        if options.by:
            raise InputError("--by says who overrides, and nothing is overridden.", "Leave it away, or add --override REASON.")
        return None
    if len(names) > 1:
        raise InputError(f"--override is for one variant, and these are {len(names)}.", "Override them one by one, each with its reason.")
    return Override(by=who(workspace, options.by), reason=options.override)


def _champion(options: argparse.Namespace) -> None:
    found = _read(options)
    entry = found.champion if options.at is None else found.at(options.at)
    if entry is None:
        from edgeloop.errors import InputError

        if options.at and found.entries:
            when, since = options.at.isoformat(timespec="seconds"), found.entries[0].since_utc
            raise InputError(
                f"{options.variant} had no champion at {when}.", f"There is one since {since}: edgeloop history {options.variant}"
            )
        raise InputError(f"{options.variant} had no champion.", f"Promote one: edgeloop promote {options.variant}")
    say(entry.in_words().strip())


def _rollback(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.store.promote import roll_back, who

    entry = roll_back(workspace, params, options.variant, who(workspace, options.by), options.reason, to=options.to)
    say(in_one_line(f"champion of {options.variant}: {entry.version} again"))
    say("the models in this folder stay as they are; a scheduled run does not promote again what was given up")
    if options.tag:
        _tag(workspace, params, options.variant, options.to)


def _history(options: argparse.Namespace) -> None:
    from edgeloop.files import write_text

    found = _read(options)
    if options.json:
        write_text(options.json, json.dumps([entry.model_dump(mode="json") for entry in found.entries], indent=2) + "\n")
    say("\n".join(f"{entry.in_words()}  (until {until or 'now'})" for entry, until in found.reigns()) or "there was no champion yet")
    if options.tag:
        workspace, params = project()
        _tag(workspace, params, options.variant, options.to)


def _read(options: argparse.Namespace) -> "History":
    workspace, params = project()
    from edgeloop.store.promote import history_of

    return history_of(workspace, params, options.variant, to=options.to)


def _tag(workspace: "Workspace", params: "Params", name: str, to: str | None) -> None:
    from edgeloop.store.promote import history_of
    from flows.tags import write_tags

    for line in write_tags(workspace, history_of(workspace, params, name, to=to)):
        say(line)
