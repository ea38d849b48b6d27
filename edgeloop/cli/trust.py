"""The commands by which others take what was published, and see that it is genuine: verify, pull, list, reproduce."""

import argparse
import dataclasses
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cli.common import Command, Parser, path, project
from edgeloop.console import say

if TYPE_CHECKING:
    from edgeloop.bundle.sign import Trust
    from edgeloop.config import Params
    from edgeloop.store.target import Readable
    from edgeloop.workspace import Workspace

PLACE = "http(s)://…|s3://BUCKET/PREFIX|FOLDER"


def add(command: Command) -> None:
    verify = command("verify", _verify, "see that an export or a published version is whole and genuine; needs no project")
    verify.add_argument("bundle", metavar="FOLDER|ADDRESS", help="or the address of its card")
    _add_trust(verify)
    text = "also convert the float model and generate the code again, and compare; needs a project with the images that calibrated it"
    verify.add_argument("--deep", action="store_true", help=text)
    pull = command("pull", _pull, "copy a published version into a folder, and see that it is whole and genuine")
    pull.add_argument(
        "variant", metavar="VARIANT[@champion|@latest|@VERSION]", help="the champion, else the latest, where nothing is named"
    )
    pull.add_argument("-o", "--out", type=path, metavar="DIR", required=True, help="the folder to make, or to make anew")
    _add_trust(pull)
    _add_place(pull)
    listed = command("list", _list, "list what is published: version, champion, accuracy, address")
    listed.add_argument("--json", type=path, metavar="OUT", help="write the list there")
    _add_place(listed)
    text = "build a published variant again, at its commit and with its data, and compare weights, int8 models, code, accuracy, latency"
    reproduce = command("reproduce", _reproduce, text)
    reproduce.add_argument(
        "card", metavar="FOLDER|ADDRESS|VARIANT", help="an export, a version or its card; or a variant as it is built here"
    )
    reproduce.add_argument("--json", type=path, metavar="OUT", help="write the comparison there")
    reproduce.add_argument("--hours", type=float, default=24.0, help="how long it may take (default: %(default)g)")
    _add_trust(reproduce)


def _add_trust(parser: Parser) -> None:
    parser.add_argument("--key", type=path, metavar="PUBLIC_KEY", help="whose signature it must have: a public key (PEM)")
    text = "or a certificate (PEM) that the signer's must lead to; may be given again"
    parser.add_argument("--certificate", type=path, action="append", default=[], metavar="CERTIFICATE", help=text)
    parser.add_argument("--identity", metavar="WHO", help="or who signed with Sigstore, such as an e-mail address; needs the internet")
    parser.add_argument("--issuer", metavar="ADDRESS", help="who vouches for --identity, such as https://accounts.google.com")


def _add_place(parser: Parser) -> None:
    parser.add_argument("--from", dest="place", metavar=PLACE, help="the store, instead of publish.to of params.yaml; needs no project")


def _verify(options: argparse.Namespace) -> None:
    from edgeloop.bundle.verify import verify

    with ExitStack() as stack:
        folder = _folder(options.bundle, stack)
        found = verify(folder, _trust(options))
        found.require(options.bundle)
        say(found.in_words())
        if options.deep:
            _verify_deep(folder)


def _folder(bundle: str, stack: ExitStack) -> Path:
    """The folder of a bundle; of one at an address a copy, kept as long as the stack."""
    from edgeloop.store.download import download
    from edgeloop.store.reading import folder_of, to_read
    from edgeloop.userpath import user_path

    if "://" not in bundle:
        return user_path(folder_of(bundle))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeloop-verify-")))
    download(to_read(bundle, _project_if_any()), "", folder)
    return folder


def _verify_deep(folder: Path) -> None:
    from edgeloop.bundle.deep import verify_deep

    known = _project_if_any()
    found = verify_deep(folder, known[0] if known else None)
    if found.done:
        say(found.in_words())
    found.require()


def _reproduce(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.bundle.build import build
    from edgeloop.bundle.verify import verify
    from edgeloop.errors import BundleError, InputError
    from edgeloop.files import write_text
    from edgeloop.yamlfile import near_match
    from flows.reproduce import reproduce

    with ExitStack() as stack:
        if options.card in params.variants and not Path(options.card).is_dir():
            bundle = build(workspace, params, options.card)
            variant, version, files = bundle.variant, bundle.name, bundle.files
        else:
            folder = _folder(options.card, stack)
            if not folder.is_dir():
                hint = near_match(options.card, params.variants)
                what = f"'{options.card}' is neither a folder, nor an address, nor a variant of params.yaml{hint}."
                raise InputError(what, "Give an export, a published version or its card; or a VARIANT as it is built here.")
            found = verify(folder, _trust(options))
            found.require(options.card)
            say(found.signed)
            variant, version = found.variant, found.version
            files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        done = reproduce(workspace, variant, version, files, options.hours, say)
    if options.json:
        write_text(options.json, done.model_dump_json(indent=2) + "\n")
    say(done.in_words())
    if done.differs:
        names = ", ".join(one.what for one in done.differs)
        raise BundleError(f"{variant} {version} was not reproduced: {names}.", "What is otherwise stands above.")


def _pull(options: argparse.Namespace) -> None:
    from edgeloop.store.pull import pull

    found = pull(_store(options), options.variant, options.out, _trust(options))
    say(f"{options.out}: {found.in_words()}")


def _list(options: argparse.Namespace) -> None:
    from edgeloop.files import write_text
    from edgeloop.store.listing import in_words, listing

    found = listing(_store(options))
    if options.json:
        write_text(options.json, json.dumps([dataclasses.asdict(one) for one in found], indent=2) + "\n")
    say("\n".join(in_words(found)))


def _store(options: argparse.Namespace) -> "Readable":
    from edgeloop.errors import InputError
    from edgeloop.store.reading import to_read

    if options.place is not None:
        return to_read(options.place, _project_if_any())
    known = _project_if_any()
    if known is None:
        raise InputError(
            "Nothing says where to look: this folder is in no project.",
            "Say where with --from (an address, s3://… or a folder), or change to the folder of your clone.",
        )
    return to_read(known[1].publish.to, known)


def _project_if_any() -> "tuple[Workspace, Params] | None":
    """The project that this folder is in, where it is in one."""
    from edgeloop.errors import InputError
    from edgeloop.workspace import find_workspace

    try:
        find_workspace()
    except InputError:
        return None
    return project()


def _trust(options: argparse.Namespace) -> "Trust":
    from edgeloop.bundle.sign import Trust
    from edgeloop.errors import InputError

    given = [name for name in ("key", "certificate", "identity") if getattr(options, name)]
    if len(given) > 1:
        raise InputError(f"--{' and --'.join(given)} both say whose signature it must have.", "Give one of them.")
    if bool(options.identity) != bool(options.issuer):
        raise InputError("--identity and --issuer belong together: who, and who says so.", "Give both.")
    return Trust(options.key, tuple(options.certificate), options.identity, options.issuer)
