"""Images of a manifest by the paths that people give: as the manifest has them, from the class folder on, or from elsewhere on the disk."""

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from edgeloop.datasets.additions import NAME_DIGITS, ROOT
from edgeloop.errors import InputError

_NAMED = 8
_NEAR = 3


def short_name(path: str) -> str:
    """`<class folder>/<file>`, of an image that joined later without the digest that keeps names apart."""
    folder, _, name = path.rpartition("/")
    if path.startswith(f"{ROOT}/"):
        name = name[NAME_DIGITS + 1 :]
    return f"{folder.rsplit('/', 1)[-1]}/{name}"


class Finder:
    """Finds paths of a manifest. Letters with accents count the same however they are composed."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._names: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._short: dict[str, str] = {}
        for path in paths:
            short = short_name(path)
            self._short[short] = path
            for form in dict.fromkeys((_plain(path), _plain(short))):
                self._names[form.rsplit("/", 1)[-1]].append((form, path))

    def find(self, wanted: Sequence[str]) -> list[str]:
        """The path of each.

        Raises:
            InputError: some are not there, or several images have that name; all such are named.
        """
        found = {text: self._matches(text) for text in wanted}
        wrong = [self._explain(text, matches) for text, matches in found.items() if len(matches) != 1]
        if wrong:
            more = [f"… and {len(wrong) - _NAMED} more"] if len(wrong) > _NAMED else []
            raise InputError("\n".join([*wrong[:_NAMED], *more]), "Give paths as the manifest has them: CLASS/FILE, or more of the path.")
        return [found[text][0] for text in wanted]

    def _matches(self, text: str) -> list[str]:
        wanted = _plain(text).removeprefix("./")
        forms = self._names.get(wanted.rsplit("/", 1)[-1], [])
        exact = [path for form, path in forms if form == wanted]
        inner = [path for form, path in forms if form.endswith(f"/{wanted}") or ("/" in form and wanted.endswith(f"/{form}"))]
        return list(dict.fromkeys(exact or inner))

    def _explain(self, text: str, matches: list[str]) -> str:
        if matches:
            return f"{text}: {len(matches)} images have that name: {', '.join(matches[:_NEAR])}{', …' * (len(matches) > _NEAR)}"
        near = difflib.get_close_matches(text, self._short, n=_NEAR) or difflib.get_close_matches(text, self._short.values(), n=_NEAR)
        return f"{text}: no such image in the data set" + (f"; near are {', '.join(near)}" if near else "")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)
