"""The licenses that travel with a bundle: which part is under which, what they ask for, what stays out; and the texts that are known."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files as resources

from edgeloop.bundle.files import LICENSES
from edgeloop.bundle.stated import Stated
from edgeloop.cards.licenses import ModelLicense, holds_back, may_show, model_license
from edgeloop.records import CodegenRecord
from edgeloop.tflite.labels import FILE_NAME as LABELS

TEXTS = ("apache-2.0", "sla0044")
_WITHOUT_WEIGHTS = ("preprocessing.json", LABELS)
_CREATIVE_COMMONS = "https://creativecommons.org/licenses/{kind}/{version}/legalcode"
_PORTABLE = "apache-2.0"
_TOOLS = "what ST Edge AI Core states in its files"


@dataclass(frozen=True)
class Terms:
    """Under which licenses the parts of a bundle are."""

    model: ModelLicense
    dataset: str | None
    code: str
    """Of the generated code without its weights; empty where there is none."""
    held_back: str
    """Why models and code stay out, as a sentence; empty where they do not."""

    @property
    def model_name(self) -> str:
        """The license of the model, by name."""
        return self.model.name or self.model.license

    def goes(self, name: str) -> bool:
        """Whether a file of that name may be in the bundle: everything that holds weights may not, where they are held back."""
        if not self.held_back or not name.startswith(("models/", "code/")):
            return True
        return name.removeprefix("models/") in _WITHOUT_WEIGHTS


def terms_of(stated: Stated, permitted: Collection[str] = ()) -> Terms:
    """The terms, from the records; `permitted` names licenses that the project's owner has read."""
    start, dataset = stated.train.start, stated.dataset_license
    return Terms(model_license(start, dataset), dataset, _code_license(stated.codegen), holds_back(start, dataset, permitted))


def license_files(terms: Terms, stated: Stated) -> dict[str, bytes]:
    """What is said of the licenses, and the texts of those that are at hand."""
    asked = {terms.model_name, terms.code, terms.dataset or ""}
    texts = [name for name in TEXTS if name in asked]
    folder = resources("edgeloop.bundle") / "texts"
    found = {f"licenses/{name}.txt": (folder / f"{name}.txt").read_bytes() for name in texts}
    return found | {LICENSES: ("\n".join(_said(terms, stated, texts)) + "\n").encode()}


def license_address(name: str) -> str | None:
    """Where the text of a license is that does not travel; None where that is not known."""
    low = name.lower()
    if low == "cc0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/legalcode"
    if low.startswith("cc-by") and (kind := low.removeprefix("cc-").rpartition("-"))[2].replace(".", "").isdigit():
        return _CREATIVE_COMMONS.format(kind=kind[0], version=kind[2])
    return None


def _code_license(record: CodegenRecord | None) -> str:
    if record is None or record.backend.name == "none":
        return ""
    return _PORTABLE if record.backend.name == "portable" else _TOOLS


def _said(terms: Terms, stated: Stated, texts: list[str]) -> Iterator[str]:
    yield "# Licenses"
    yield ""
    yield "| what | license |"
    yield "|---|---|"
    yield f"| the models, and the weights in the code | {_named(terms.model_name, texts, terms.model.link)} |"
    if terms.code:
        yield f"| the generated code without its weights | {_named(terms.code, texts)} |"
    yield f"| the pictures of the data set | {_named(terms.dataset or 'none is stated', texts)} |"
    yield ""
    yield terms.model.reason
    yield ""
    yield f"The pictures are of: {stated.title or stated.prepare.dataset}, from {stated.prepare.archive.origin}."
    if not may_show(terms.dataset):
        yield "Their license does not allow to show them: no picture is in this folder."
    if terms.held_back:
        yield ""
        yield f"**Models and code are not in this folder.** {terms.held_back}"


def _named(name: str, texts: list[str], link: str | None = None) -> str:
    if name in texts:
        return f"[{name}]({name}.txt)"
    address = link or license_address(name)
    return f"[{name}]({address})" if address else name
