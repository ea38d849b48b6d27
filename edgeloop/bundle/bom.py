"""Bills of materials in CycloneDX 1.6, made from records alone: the tools and the generated code, and the model.

Equal records give equal bytes: the time is that of the last step, the serial number comes from the content.
Source of the form: CycloneDX Specification 1.6 (ECMA-424), whose model card the library has no types for; it is added to its JSON.
"""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgeloop.bundle.files import FLOAT_MODEL, as_json
from edgeloop.bundle.licenses import Terms
from edgeloop.bundle.metrics import performance
from edgeloop.bundle.stated import Stated
from edgeloop.cards.names import network_title
from edgeloop.records import CodegenRecord
from edgeloop.resolution import Size, image_text

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType

MODEL, DATA, CODE = "model", "data", "code"
"""How the parts of a bill refer to each other."""


def software_bill(variant: str, stated: Stated, digests: Mapping[str, str], terms: Terms) -> bytes:
    """The tools that made the files of a bundle, and the files of the generated code, as JSON."""
    from cyclonedx.model.component import ComponentType

    files = [_file(name, digest) for name, digest in digests.items() if name.startswith("code/")]
    parts = files + [_component(ComponentType.LIBRARY, name, version) for name, version in _runtime(stated.codegen)]
    what = "generated C code" if files else "no C code: its target runs the model's file, or its license holds the code back"
    root = _component(ComponentType.LIBRARY, variant, None, ref=CODE, description=what, licenses=[terms.code] if terms.code else [])
    return _written(_bill(stated, root, parts), {})


def model_bill(variant: str, stated: Stated, digests: Mapping[str, str], terms: Terms) -> bytes:
    """The model with its model card, its files, what it learned from and what it started from, as JSON."""
    from cyclonedx.model.component import ComponentType, Pedigree

    start = stated.train.start
    root = _component(
        ComponentType.MACHINE_LEARNING_MODEL,
        variant,
        stated.train.model_sha256[:16],
        ref=MODEL,
        description=f"{network_title(stated.train.network)}, an image classifier",
        licenses=[terms.model_name],
    )
    if start.sha256:
        licenses = [start.license] if start.license else []
        kind = ComponentType.MACHINE_LEARNING_MODEL
        root.pedigree = Pedigree(ancestors=[_component(kind, start.origin, None, sha256=start.sha256, licenses=licenses)])
    files = [_file(name, digest) for name, digest in _models(stated).items() if name in digests]
    data = _component(
        ComponentType.DATA,
        stated.prepare.dataset,
        stated.prepare.manifest_sha256[:16],
        ref=DATA,
        sha256=stated.prepare.manifest_sha256,
        description=stated.title,
        licenses=[stated.dataset_license] if stated.dataset_license else [],
    )
    return _written(_bill(stated, root, [*files, data]), {"modelCard": _model_card(stated)})


def _models(stated: Stated) -> dict[str, str]:
    return {FLOAT_MODEL: stated.train.model_sha256} | {f"models/{model.file}": model.sha256 for model in stated.quantize.models}


def _runtime(record: CodegenRecord | None) -> Iterator[tuple[str, str | None]]:
    """What the generated code brings along or calls."""
    if record is None or record.backend.name == "none":
        return
    if record.backend.name == "portable":
        yield "edgeloop kernels", record.backend.version
        return
    yield "ST Edge AI Core", record.backend.version
    yield from (record.run.components if record.run else {}).items()


def _bill(stated: Stated, root: "Component", parts: "Iterable[Component]") -> "Bom":
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.model.tool import ToolRepository

    components = list(parts)
    tools = [_component(ComponentType.APPLICATION, name, version) for name, version in stated.tools]
    compiled = stated.codegen.compiled if stated.codegen else None
    if compiled:
        tools.append(_component(ComponentType.APPLICATION, compiled.compiler, None, description="measured the size of the code"))
    metadata = BomMetaData(component=root, tools=ToolRepository(components=tools), timestamp=dt.datetime.fromisoformat(stated.finished_utc))
    depends = Dependency(root.bom_ref, [Dependency(one.bom_ref) for one in components])
    return Bom(metadata=metadata, components=components, dependencies=[depends], serial_number=uuid.UUID(int=0))


def _component(
    kind: "ComponentType",
    name: str,
    version: str | None,
    *,
    ref: str | None = None,
    sha256: str | None = None,
    description: str | None = None,
    licenses: Iterable[str] = (),
) -> "Component":
    """A component; its reference is made from its name and version, because the library's own would be random."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import DisjunctiveLicense
    from cyclonedx.spdx import fixup_id

    known = [(fixup_id(one), one) for one in licenses]
    return Component(
        type=kind,
        name=name,
        version=version,
        bom_ref=ref or f"{kind.value}:{name}@{version or ''}",
        description=description,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
        licenses=[DisjunctiveLicense(id=spdx) if spdx else DisjunctiveLicense(name=one) for spdx, one in known],
    )


def _file(name: str, sha256: str) -> "Component":
    from cyclonedx.model.component import ComponentType

    return _component(ComponentType.FILE, name, None, sha256=sha256)


def _written(bill: "Bom", of_root: Mapping[str, Any]) -> bytes:
    """The bill as JSON, with more of its root component, and a serial number made from all of it."""
    from cyclonedx.output.json import JsonV1Dot6

    tree = json.loads(JsonV1Dot6(bill).output_as_string())
    tree["metadata"]["component"] |= of_root
    tree["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(tree, sort_keys=True))}"
    return as_json(tree)


def _model_card(stated: Stated) -> dict[str, Any]:
    train, evaluate = stated.train, stated.evaluate
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "image-classification",
            "architectureFamily": "convolutional neural network",
            "modelArchitecture": train.network,
            "datasets": [{"ref": DATA}],
            "inputs": [{"format": f"{image_text(train.resolution, train.color)}, uint8 in the int8 models"}],
            "outputs": [{"format": f"float32 probabilities of {len(train.classes)} classes"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(performance(stated))},
        "considerations": {
            "useCases": [f"Images of these classes, stretched to {Size.of(train.resolution)}: {', '.join(train.classes)}"],
            "technicalLimitations": _limitations(stated),
        },
        "properties": [
            {"name": "edgeloop:parameters", "value": str(train.parameters_folded)},
            {"name": "edgeloop:macs", "value": str(train.macs)},
            {"name": "edgeloop:evaluated split", "value": evaluate.split},
        ],
    }


def _limitations(stated: Stated) -> list[str]:
    archive = stated.prepare.archive
    found = ["An image of none of the classes gets one of them all the same."]
    if archive.origin == "drawn":
        found.append("The pictures were drawn: accuracy on them says nothing about photographs.")
    elif not archive.upstream:
        found.append(f"Not the upstream archive ({archive.note}): accuracies cannot be compared with published ones.")
    if stated.train.provenance.git_dirty:
        found.append("Trained with changes that are in no commit.")
    return found
