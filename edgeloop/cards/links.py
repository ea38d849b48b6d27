"""Where a card's links lead: to the files of the project that it lies in, and once it is published, to those beside it."""

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from edgeloop.markup import code

DATASET_RECORDS = ("prepare.json", "validate.json", "fetch.json")
PUBLISHED = {"../quantized/": "models/", "../generated/": "code/", "../../../../data/": "records/", "../": "records/"}
"""What lies where in a published version, by how its links begin in the project."""
_KIND = '<p class="kind">'
_WAYS = """<span id="ways" hidden><a href="../../index.html">All cards</a> · <a href="../index.html">Versions</a> · </span><script>
if (/\\/[0-9a-f]{16}\\/[^/]*$/.test(location.pathname)) document.getElementById("ways").hidden = false
</script>"""
"""Shown where the page lies in a store, below the name of its version; a copy of the folder is the same to the byte."""
_LINK = re.compile(r'(\]\(|href=")(\.\./[^)"]+)')


def model_link(file: str) -> str:
    """To a model file, as Markdown."""
    return f"[{code(file)}](../quantized/{quote(file)})"


def record_links(names: Iterable[str], dataset: str) -> str:
    """To the records of a card, as Markdown."""
    return ", ".join(f"[{code(name)}]({_place(name, dataset)}{quote(name)})" for name in sorted(names))


def published(files: Mapping[str, bytes], goes: Callable[[str], bool], instead: str) -> dict[str, bytes]:
    """The files of a card with links to what is published beside them; the page also with one to all cards and one to its versions.

    `goes` says which of these may be: links to the others lead to `instead`.
    """
    pages = {name: _led(content.decode(), goes, instead) for name, content in files.items() if name.endswith((".md", ".html"))}
    pages = {name: text.replace(_KIND, f"{_KIND}{_WAYS}", 1) for name, text in pages.items()}
    return {**files, **{name: text.encode() for name, text in pages.items()}}


def _led(text: str, goes: Callable[[str], bool], instead: str) -> str:
    def led(match: re.Match[str]) -> str:
        begun, address = match.groups()
        start, place = next((start, place) for start, place in PUBLISHED.items() if address.startswith(start))
        rest = address.removeprefix(start)
        found = f"{place}{rest.partition('/')[2] if start.endswith('data/') else rest}"
        return f"{begun}{found if goes(found) else instead}"

    return _LINK.sub(led, text)


def _place(name: str, dataset: str) -> str:
    return f"../../../../data/{quote(dataset)}/" if name in DATASET_RECORDS else "../"
