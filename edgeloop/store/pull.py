"""A published version as a folder here: found by name, copied, checked, and only then put in its place."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from string import hexdigits

from edgeloop.bundle.files import SUMS, VERSION_DIGITS, read_sums
from edgeloop.bundle.sign import Trust
from edgeloop.bundle.verify import Verdict, verify
from edgeloop.errors import BundleError, InputError, StoreError
from edgeloop.files import atomic_folder
from edgeloop.records import LedgerEntry
from edgeloop.store.download import download
from edgeloop.store.export import check_place
from edgeloop.store.ledger import read_history
from edgeloop.store.target import Readable
from edgeloop.yamlfile import near_match

CHAMPION, LATEST = "champion", "latest"
LEAST_DIGITS = 4
_VERSION = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},{VERSION_DIGITS}}}")


@dataclass(frozen=True)
class Pulled:
    """What was copied."""

    found: Verdict
    champion: LedgerEntry | None
    """By which entry of the history, where that chose it."""

    def in_words(self) -> str:
        """Lines for people."""
        if self.champion is None:
            return self.found.in_words()
        since = self.champion.since_utc[:16].replace("T", " ")
        return f"{self.found.in_words()}\nchampion since {since} UTC, as the history in the store says"


def pull(target: Readable, wanted: str, out: Path, trust: Trust | None = None) -> Pulled:
    """Copy `VARIANT`, `VARIANT@champion`, `VARIANT@latest` or `VARIANT@VERSION` to the folder `out`.

    Of a variant alone it is the champion, and where there is none the version that was published last.

    Raises:
        InputError: there is no such variant or version, or `out` holds something else than an unchanged version.
        StoreError: the store cannot be read.
        BundleError: what it holds is not what was published. Nothing is written.
    """
    variant, at, word = wanted.partition("@")
    if at and not word:
        known = f"{variant}, {variant}@{CHAMPION}, {variant}@{LATEST}"
        raise InputError(f"{wanted} names no version behind the @.", f"Give {known}, or the first digits of a version.")
    champion = _champion(target, variant, word)
    version = champion.version if champion else find_version(target, variant, word)
    check_place(out)
    with atomic_folder(out) as folder:
        download(target, f"{variant}/{version}", folder)
        found = verify(folder, trust)
        where = target.address(f"{variant}/{version}")
        found.require(where)
        if (found.variant, found.version) != (variant, version):
            raise BundleError(f"{where} is {found.variant} {found.version}.", "Do not use it: it lies in the place of another one.")
        if champion and champion.model_sha256 not in read_sums((folder / SUMS).read_bytes()).values():
            raise BundleError(
                f"The history names {version} as champion with a model that is not in it: its last entry was changed.",
                f"See: edgeloop history {variant}. Name the version that you want: {variant}@VERSION",
            )
    return Pulled(found, champion)


def find_version(target: Readable, variant: str, word: str = "") -> str:
    """The version that a word names.

    Raises:
        InputError: there is no such variant, champion or version.
    """
    if (champion := _champion(target, variant, word)) is not None:
        return champion.version
    known = _versions(target, variant)
    if 0 < len(word) < LEAST_DIGITS and set(word) <= set(hexdigits):
        raise InputError(
            f"{variant}@{word} has too few digits to name a version: at least {LEAST_DIGITS} of its {VERSION_DIGITS}.",
            f"There are: {', '.join(dict.fromkeys(known))}",
        )
    if word in ("", LATEST):
        return known[-1]
    found = {one for one in known if _VERSION.fullmatch(word) and one.startswith(word)}
    if len(found) != 1:
        said = "is more than one version" if found else f"is no version{near_match(word, [CHAMPION, LATEST, *known])}"
        raise InputError(f"{variant}@{word} {said}.", f"There are: {', '.join(dict.fromkeys(known))}")
    return found.pop()


def _champion(target: Readable, variant: str, word: str) -> LedgerEntry | None:
    """The champion, where the word asks for it, or asks for nothing and there is one."""
    champion = read_history(target, variant).champion if word in ("", CHAMPION) else None
    if champion is None and word == CHAMPION:
        raise InputError(f"{variant} has no champion in {target.address('')}.", f"Take {variant}@latest, or promote one.")
    return champion


def _versions(target: Readable, variant: str) -> list[str]:
    """All that were published, in order."""
    stored = target.read(f"{variant}/versions.json") or target.read(f"{variant}/latest.json")
    if stored is None:
        others = [key.partition("/")[0] for key in target.keys("latest.json")]
        raise InputError(f"{target.address('')} has no variant '{variant}'{near_match(variant, others)}.", "See: edgeloop list")
    try:
        tree = json.loads(stored.content)
        return [str(one["version"]) for one in tree.get("versions", [tree])]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StoreError(f"What {target.address(variant)} says of its versions is damaged.", "Publish that variant again.") from None
