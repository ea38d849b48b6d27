"""The commands that make and publish model cards."""

import argparse

from edgeloop import events
from edgeloop.cli.common import Command, add_id, path, project
from edgeloop.console import say


def add(command: Command) -> None:
    add_id(command("card", _card, "make a variant's model card from its records"), "variant", stage="card")
    family = command("family", _family, "make one card over all variants of a network, or of its family, that have a card")
    family.add_argument("network", metavar="NETWORK", help="or a family: fdmobilenet, mobilenet_v1, mobilenet_v2")
    family.add_argument("-o", "--out", type=path, metavar="FOLDER", help="instead of cards/NETWORK")
    where = "s3://BUCKET/PREFIX|FOLDER"
    family.add_argument("--publish", nargs="?", const="", metavar=where, help="and publish it; by itself to publish.to of params.yaml")
    publish = command("publish", _publish, "publish model cards to object storage or a folder")
    publish.add_argument("variants", nargs="+", metavar="VARIANT", help="or data sets, patterns, all: those that have a card")
    publish.add_argument("--to", metavar=where, help="instead of publish.to of params.yaml")
    store = command("store", _store, "the local object storage (SeaweedFS on loopback)")
    store.add_argument("action", choices=("up", "down", "status"))


def _card(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.cards.card import card

    name = options.variant
    card(workspace, params, name)
    variant = params.variant(name)
    say(variant.paths(workspace).card / "index.html")


def _family(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.cards.family_card import family_card

    folder = options.out or workspace.root / "cards" / options.network
    family_card(workspace, params, options.network, folder)
    say(folder / "index.html")
    if options.publish is not None:
        from edgeloop.store.family import publish_family

        say(publish_family(workspace, params, folder, to=options.publish or None))


def _publish(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.store.publish import publish, with_cards

    for address in publish(workspace, params, with_cards(workspace, params, options.variants), to=options.to):
        events.tell(events.Result(address))
        say(address)


def _store(options: argparse.Namespace) -> None:
    from edgeloop.store.local import local_store
    from edgeloop.workspace import find_workspace

    store = local_store(find_workspace())
    if options.action == "up":
        running = store.up()
        say("\n".join([*running.notes, f"object storage {'was running' if running.was_running else 'started'}: {running.address}"]))
    elif options.action == "down":
        say("object storage stopped" if store.down() else "object storage was not running")
    else:
        found = store.status()
        say(f"object storage runs: {found.address}" if found else "object storage does not run")
