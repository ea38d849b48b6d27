"""Publish a family card beside the cards that it is about.

    <to>/families/<name>/README.md, index.html, plots/, family.json

Its links lead to the page of each variant's versions and to the gallery, which leads to it. It says nothing of a version that is
not the current one there.
"""

from pathlib import Path

from edgeloop.cards.family_card import card_link
from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import FAMILY_CARD, FamilyCardRecord
from edgeloop.store.index import FAMILIES, update_index
from edgeloop.store.publish import open_target
from edgeloop.store.target import Target
from edgeloop.store.versions import put, read_json
from edgeloop.workspace import Workspace

_KIND = '<p class="kind">'
_WAY = '<a href="../../index.html">All cards</a> · '


def publish_family(workspace: Workspace, params: Params, folder: Path, *, to: str | None = None) -> str:
    """Publish the family card in that folder; returns the address of its page. `to` as `edgeloop publish` takes it.

    Raises:
        InputError: a file is not the one that its record names, or one of its variants is not published as the card states it.
        StoreError: the place isn't there, doesn't answer, or refuses.
    """
    record = FamilyCardRecord.read(folder / FAMILY_CARD)
    links = {card_link(params.variant(name).paths(workspace).card, folder): f"../../{name}/index.html" for name in record.variants}
    with open_target(workspace, params, to) as target:
        for name, digests in record.variants.items():
            _check_published(target, name, digests)
        # The page last: what it shows is there then.
        for file, sha256 in sorted(record.files.items(), key=lambda entry: entry[0] == "index.html"):
            put(target, f"{FAMILIES}{record.name}/{file}", _led(_checked(folder / file, sha256), file, links))
        put(target, f"{FAMILIES}{record.name}/{FAMILY_CARD}", (folder / FAMILY_CARD).read_bytes())
        update_index(target)
        return target.address(f"{FAMILIES}{record.name}/index.html")


def _check_published(target: Target, name: str, digests: dict[str, str]) -> None:
    """See that the current version of a variant is made from the same records."""
    pointer = target.read(f"{name}/latest.json")
    if pointer is None:
        raise InputError(f"{name} is not published there, which the family card is about.", f"Publish it first: edgeloop publish {name}")
    version = read_json(target, f"{name}/latest.json", pointer)["version"]
    if other := [file for file, sha256 in sorted(digests.items()) if target.digest(f"{name}/{version}/records/{file}") != sha256]:
        raise InputError(
            f"The published {name} is made from another {other[0]} than the family card.",
            f"Publish that card and make this one again: edgeloop publish {name}",
        )


def _checked(path: Path, sha256: str) -> Path:
    if not path.is_file() or sha256_file(path) != sha256:
        raise InputError(f"{path} is not the file that the family card was made with.", "Make it again: edgeloop family NETWORK")
    return path


def _led(path: Path, file: str, links: dict[str, str]) -> bytes:
    """With links to what is published beside it."""
    if not file.endswith((".md", ".html")):
        return path.read_bytes()
    text = path.read_text(encoding="utf-8").replace(_KIND, _KIND + _WAY, 1)
    for link, published in links.items():
        text = text.replace(link, published)
    return text.encode()
