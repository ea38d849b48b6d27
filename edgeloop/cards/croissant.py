"""A data set as Croissant metadata (JSON-LD, MLCommons 1.0), from its record: where it came from, its classes, its splits, its manifest.

The format: https://docs.mlcommons.org/croissant/docs/croissant-spec.html. The manifest is the file that the fields are read from; it lies
in the project (`data/<data set>/`), and its digest is the data revision of every record.
"""

import json
import re
from typing import Any

from edgeloop.config import Dataset
from edgeloop.plural import many
from edgeloop.records import PrepareRecord
from edgeloop.workspace import DatasetPaths

FILE = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
LICENSES = "https://spdx.org/licenses/"
ARCHIVES = {".tgz": "application/gzip", ".gz": "application/gzip", ".zip": "application/zip", ".tar": "application/x-tar"}
OTHER = "application/octet-stream"
FIELDS = {
    "path": "The image's path in the archive.",
    "label": "Its class.",
    "split": "Its split: test is read once, when a model is evaluated.",
    "sha256": "The digest of its file.",
}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(declared: Dataset, prepare: PrepareRecord, dataset: DatasetPaths) -> str:
    """The JSON-LD; equal records give equal bytes."""
    told: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": re.sub(r"[^\w.-]+", "-", prepare.dataset),
        "alternateName": declared.title or prepare.dataset,
        "description": _description(prepare),
        "version": f"1.0.0+{prepare.manifest_sha256[:12]}",
        "datePublished": prepare.provenance.time_utc[:10],
        "license": _license(declared.license),
        "distribution": [*_archive(declared, prepare), _manifest(prepare, dataset)],
        "recordSet": [_classes(prepare), _splits(prepare), _images()],
    }
    if prepare.archive.upstream and (address := _address(declared)):
        told["url"] = address
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _description(prepare: PrepareRecord) -> str:
    counted = f"{many(prepare.images, 'image')} of {many(len(prepare.classes), 'class')}"
    return (
        f"{counted}. Archive: {prepare.archive.note}. Split rule: {prepare.split_rule}. SHA-256 of the manifest: {prepare.manifest_sha256}."
    )


def _license(name: str | None) -> str:
    """An SPDX address where the license has one; else its name."""
    from edgeloop.cards.licenses import HUB_LICENSES

    if name and name.lower() in HUB_LICENSES:
        return f"{LICENSES}{name.upper().replace('APACHE', 'Apache')}"
    return name or "not stated"


def _address(declared: Dataset) -> str | None:
    address = declared.source.address
    return address if address and address.startswith(("http://", "https://")) else None


def _archive(declared: Dataset, prepare: PrepareRecord) -> list[dict[str, Any]]:
    """The archive that was used, where it is the declared one at an address."""
    address = _address(declared)
    if address is None or not prepare.archive.upstream:
        return []
    ending = next((ending for ending in ARCHIVES if address.endswith(ending)), "")
    return [
        {
            "@type": "cr:FileObject",
            "@id": "archive",
            "name": "archive",
            "description": prepare.archive.note,
            "contentUrl": address,
            "contentSize": f"{prepare.archive.bytes} B",
            "encodingFormat": ARCHIVES.get(ending, OTHER),
            "sha256": prepare.archive.sha256,
        }
    ]


def _manifest(prepare: PrepareRecord, dataset: DatasetPaths) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": "manifest",
        "name": "manifest",
        "description": "A row for each image. It lies in the project, beside the images.",
        "contentUrl": f"data/{prepare.dataset}/{dataset.manifest.relative_to(dataset.folder).as_posix()}",
        "encodingFormat": "application/x-parquet",
        "sha256": prepare.manifest_sha256,
    }


def _classes(prepare: PrepareRecord) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The classes, in the order of a model's outputs.",
        "key": {"@id": "classes/name"},
        "dataType": "sc:Enumeration",
        "field": [_inline("classes", "name", "sc:Text")],
        "data": [{"classes/name": name} for name in prepare.classes],
    }


def _splits(prepare: PrepareRecord) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits, and how many images each has.",
        "key": {"@id": "splits/name"},
        "dataType": "cr:Split",
        "field": [_inline("splits", "name", "sc:Text"), _inline("splits", "images", "sc:Integer")],
        "data": [{"splits/name": name, "splits/images": counts.images} for name, counts in prepare.splits.items()],
    }


def _inline(record_set: str, name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "dataType": kind}


def _images() -> dict[str, Any]:
    references = {"label": {"field": {"@id": "classes/name"}}, "split": {"field": {"@id": "splits/name"}}}
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "The images, as the manifest lists them.",
        "key": {"@id": "images/path"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"images/{column}",
                "name": column,
                "description": said,
                "dataType": "sc:Text",
                "source": {"fileObject": {"@id": "manifest"}, "extract": {"column": column}},
                **({"references": references[column]} if column in references else {}),
            }
            for column, said in FIELDS.items()
        ],
    }
