"""Puts the bundle of a finished variant together, from what its steps have written: the one place that says what belongs to it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from edgeloop.bundle.bom import model_bill, software_bill
from edgeloop.bundle.data import describe
from edgeloop.bundle.files import DATA, FLOAT_MODEL, LICENSES, MLBOM, PROVENANCE, SBOM, SUMS, Bundle, sha256, sums
from edgeloop.bundle.licenses import Terms, license_files, terms_of
from edgeloop.bundle.provenance import statements
from edgeloop.bundle.stated import CARD, FOLDER, Stated
from edgeloop.cards.links import published
from edgeloop.config import Params
from edgeloop.errors import InputError
from edgeloop.files import FINISHED
from edgeloop.preprocessing import FILE_NAME as PREPROCESSING
from edgeloop.records import CardRecord, CodegenRecord
from edgeloop.tflite.labels import FILE_NAME as LABELS
from edgeloop.workspace import DatasetPaths, VariantPaths, Workspace


def build(workspace: Workspace, params: Params, name: str) -> Bundle:
    """Read everything that is handed over of a variant, see that it belongs together, and add what tells of it.

    Raises:
        InputError: it is unknown, its card isn't built, or a file is not the one that a record names.
        BundleError: a record is none that this edgeloop reads.
    """
    variant = params.variant(name)
    paths, permitted = variant.paths(workspace), params.publish.permitted_licenses
    card = CardRecord.read(paths.card_record)
    records = {f"{FOLDER}{file}": content for file, content in _records(card, workspace.dataset(variant.dataset), paths, name)}
    records[CARD] = paths.card_record.read_bytes()
    stated = Stated.of(records)
    terms = terms_of(stated, permitted)
    found = dict(_models(stated, paths, name)) | dict(_code(stated.codegen, paths))
    pages = {file: _checked(paths.card / file, digest, name) for file, digest in card.files.items()}
    files = published(pages, terms.goes, LICENSES) | records | {file: content for file, content in found.items() if terms.goes(file)}
    return Bundle(name, _told(name, stated, terms, files))


def _told(name: str, stated: Stated, terms: Terms, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with those that tell of them, the digests of all of these last."""
    digests = {file: sha256(content) for file, content in sorted(files.items())}
    told = {
        DATA: describe(stated),
        SBOM: software_bill(name, stated, digests, terms),
        MLBOM: model_bill(name, stated, digests, terms),
        PROVENANCE: statements(stated, digests),
        **license_files(terms, stated),
    }
    everything = {**files, **told}
    return everything | {SUMS: sums(everything)}


def _records(card: CardRecord, dataset: DatasetPaths, paths: VariantPaths, name: str) -> Iterator[tuple[str, bytes]]:
    """The records that the card was made from, by file name."""
    own = {path.name: path for path in paths.folder.glob(FINISHED)}
    sources = own | {path.name: path for path in (dataset.fetch_record, dataset.prepare_record, dataset.validate_record)}
    for file, digest in card.records.items():
        yield file, _checked(sources.get(file, paths.folder / file), digest, name)


def _models(stated: Stated, paths: VariantPaths, name: str) -> Iterator[tuple[str, bytes]]:
    """The float model as it was trained, its conversions, and what lies beside these."""
    yield FLOAT_MODEL, _checked(paths.model, stated.train.model_sha256, name)
    for model in stated.quantize.models:
        yield f"models/{model.file}", _checked(paths.quantized / model.file, model.sha256, name)
    yield f"models/{PREPROCESSING}", (paths.quantized / PREPROCESSING).read_bytes()
    if (paths.quantized / LABELS).is_file():
        yield f"models/{LABELS}", (paths.quantized / LABELS).read_bytes()


def _code(record: CodegenRecord | None, paths: VariantPaths) -> Iterator[tuple[str, bytes]]:
    """The generated code; nothing where the target runs the model's file."""
    if record is None or record.backend.name == "none":
        return
    for path in sorted(paths.generated.rglob("*")):
        if path.is_file():
            yield f"code/{path.relative_to(paths.generated).as_posix()}", path.read_bytes()


def _checked(path: Path, digest: str, variant: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", f"Build the card again: dvc repro card@{variant}") from None
    if sha256(content) != digest:
        raise InputError(
            f"{path} is not the file that the card of {variant} was made with.", f"Build the card again: dvc repro card@{variant}"
        )
    return content
