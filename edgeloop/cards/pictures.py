"""Which pictures a card is about: what they were really taken from, under which terms, and where their authors are named."""

import re
from pathlib import PurePosixPath

from edgeloop.config import Dataset
from edgeloop.datasets.fetch import DRAWN, NOT_UPSTREAM, PACKED
from edgeloop.markup import code, text
from edgeloop.records import FetchRecord, PrepareRecord

_LINK = re.compile(r"https?://[\x21-\x3b=\x3f-\x7e]+")
_LICENSE_FILE = re.compile(r"(licen[cs]e|copying|attribution)", re.IGNORECASE)


def taken_from(declared: Dataset, archive: FetchRecord) -> str:
    """The archive, file or folder that was used, as Markdown; never the declared one where another one was given."""
    if archive.origin == "drawn":
        return DRAWN
    declared_address = declared.source.address or ""
    if archive.upstream and _LINK.fullmatch(declared_address):
        return f"<{declared_address}>"
    if _LINK.fullmatch(archive.origin):
        return f"<{archive.origin}>"
    # Records of before hold the whole path, which is nobody's business.
    name = PurePosixPath(archive.origin).name if archive.origin.startswith("/") else archive.origin
    return f"{code(name)}, {PACKED}" if PACKED in archive.note else code(name)


def not_upstream(declared: Dataset, archive: FetchRecord) -> str:
    """Why accuracies cannot be compared with published ones, as Markdown; empty where these are the declared pictures."""
    if archive.upstream or archive.origin == "drawn" or (declared.source.folder is not None and not archive.given):
        return ""
    why = ", ".join(part for part in archive.note.split(", ") if part != NOT_UPSTREAM)
    return (
        f"**Not the upstream archive**{f' ({text(why)})' if why else ''}. The accuracy below holds for the pictures that were used "
        "and cannot be compared with figures published for the full data set."
    )


def credited(declared: Dataset, prepare: PrepareRecord) -> str:
    """Whose the pictures are, and where in the archive that stands, as far as a file there is named after it."""
    found = [path for path in prepare.outside_class_folders if _LICENSE_FILE.match(PurePosixPath(path).name)]
    where = f"see {', '.join(map(code, found))} in the archive" if found else "the archive holds no license file"
    return f"Pictures by their own authors, {text(declared.license)}; {where}"
