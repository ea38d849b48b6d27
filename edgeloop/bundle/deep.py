"""Whether the int8 models of a bundle follow from its float model, and the C code from its int8 model: both are made again, and compared.

The conversion needs the images that calibrated it. They are not in a bundle: they come from the prepared data set of a project, whose
manifest, and whose pixels, must have the digests that the record states.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from edgeloop.bundle.files import FLOAT_MODEL, sha256
from edgeloop.bundle.stated import Stated
from edgeloop.bundle.tools import differences
from edgeloop.config import Quantize
from edgeloop.console import in_one_line
from edgeloop.errors import BundleError, EdgeloopError, InputError
from edgeloop.files import sha256_file
from edgeloop.plural import many
from edgeloop.preprocessing import FILE_NAME as PREPROCESSING
from edgeloop.preprocessing import Preprocessing
from edgeloop.records import CodegenRecord
from edgeloop.records.base import misfit
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    from edgeloop.codegen.generate import Options


@dataclass
class Deep:
    """What was made again, and how it compares."""

    done: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def in_words(self) -> str:
        """Lines for people."""
        return "\n".join(map(in_one_line, self.done))

    def require(self) -> None:
        """Raise what differs.

        Raises:
            BundleError: something does.
        """
        if self.faults:
            listed = "\n".join(f"  {in_one_line(fault)}" for fault in self.faults)
            remedy = "With the tools and the kind of machine that the records name, equal inputs give equal bytes."
            raise BundleError(f"It does not follow from what it is said to be made of:\n{listed}", remedy)


def verify_deep(folder: Path, workspace: Workspace | None) -> Deep:
    """Convert the float model of a bundle again, and generate its code again; `workspace` is the project that has the images.

    Raises:
        InputError: the images, or the float model, are not there: the message says exactly which.
        BundleError: the bundle's records cannot be read.
    """
    stated = Stated.of({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")})
    found = Deep()
    _converted(folder, stated, workspace, found)
    _generated(folder, stated, found)
    return found


def _converted(folder: Path, stated: Stated, workspace: Workspace | None, found: Deep) -> None:
    if not (folder / FLOAT_MODEL).is_file():
        raise InputError(f"{FLOAT_MODEL} is not in the bundle.", "licenses/README.md says why; nothing can be converted again without it.")
    from edgeloop.quantization.quantize import convert_all, drawn_sample, pixels_digest

    quantize = stated.quantize
    held = _with_data(stated, workspace)
    preprocessing = Preprocessing.read(folder / "models" / PREPROCESSING)
    calibration, sample = drawn_sample(held, quantize.dataset, preprocessing, _settings(stated))
    if pixels_digest(calibration.pixels) != quantize.calibration_sha256:
        raise InputError(
            f"The calibration images of {quantize.dataset} decode to other pixels than the record states "
            f"({pixels_digest(calibration.pixels)[:12]}, not {quantize.calibration_sha256[:12]}).",
            _why(quantize.provenance.tools) or "Is this another version of OpenCV or Pillow?",
        )
    found.done.append(f"calibrated on {many(len(calibration.labels), 'image')} with the recorded digest {quantize.calibration_sha256[:12]}")
    with tempfile.TemporaryDirectory(prefix="edgeloop-deep-") as place:
        again = Path(place) / "quantized"
        convert_all(folder / FLOAT_MODEL, sample, preprocessing, again, calibration.classes)
        made = {f"models/{path.name}": path.read_bytes() for path in sorted(again.iterdir())}
    _compare("converted again", made, _files(folder, made), quantize.provenance.tools, found)


def _with_data(stated: Stated, workspace: Workspace | None) -> Workspace:
    """The project, where its prepared data set is the one that the models were calibrated on."""
    dataset, revision = stated.quantize.dataset, stated.prepare.manifest_sha256
    count = stated.quantize.calibration_images
    wanted = f"the prepared images of '{dataset}' with the manifest {revision[:12]} ({count} of them calibrated)"
    how = f"Give the command in a project that has them: edgeloop revisions {dataset} lists what it had."
    if workspace is None:
        raise InputError(f"This folder is in no project, and {wanted} are needed.", how)
    manifest = workspace.dataset(dataset).manifest
    if not manifest.is_file():
        raise InputError(f"{manifest} is not there, and {wanted} are needed.", f"Run: dvc repro --pull prepare@{dataset}")
    if (here := sha256_file(manifest)) != revision:
        raise InputError(f"{manifest} is another revision ({here[:12]}), and {wanted} are needed.", how)
    return workspace


def _settings(stated: Stated) -> Quantize:
    try:
        return Quantize.model_validate(stated.quantize.provenance.params)
    except ValidationError as error:
        raise BundleError(f"records/quantize.json states settings that this edgeloop does not know: {misfit(error)}.") from None


def _generated(folder: Path, stated: Stated, found: Deep) -> None:
    record = stated.codegen
    recorded = {path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "code").rglob("*") if path.is_file()}
    if record is None or not recorded:
        found.done.append("no code to generate again")
        return
    from edgeloop.codegen.generate import RECORD, generate_file

    model = next((f"models/{one.file}" for one in stated.quantize.models if one.sha256 == record.model_sha256), None)
    if model is None:
        raise BundleError("records/generate.json speaks of a model that records/quantize.json does not know.")
    with tempfile.TemporaryDirectory(prefix="edgeloop-deep-") as place:
        out = Path(place) / "generated"
        try:
            generate_file(folder / model, out, _options(record))
        except EdgeloopError as error:
            found.faults.append(f"the code could not be generated again: {error.what}")
            return
        beside = (RECORD, "stedgeai.log")
        made = {f"code/{path.relative_to(out).as_posix()}": path.read_bytes() for path in out.rglob("*") if path.is_file()}
        made = {name: content for name, content in made.items() if name.removeprefix("code/") not in beside}
    _compare("generated again", made, recorded, record.provenance.tools, found)


def _options(record: CodegenRecord) -> "Options":
    """What the code was generated with: the settings, but as the record says what came of them."""
    from edgeloop.codegen.generate import Options

    told = record.provenance.params
    backend = "st-cloud" if told.get("backend") == "st-cloud" else record.backend.name
    profile = record.run.profile if record.run and backend != "portable" else None
    return Options(str(record.target), backend, record.name, bool(record.stream_input), profile)


def _files(folder: Path, names: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def _compare(how: str, made: Mapping[str, bytes], recorded: Mapping[str, bytes], tools: Mapping[str, str], found: Deep) -> None:
    """Say of each file whether it is equal to the bit."""
    faults = list(_differing(made, recorded))
    if not faults:
        names = ", ".join(sorted(made)) if len(made) <= 5 else f"{len(made)} files"
        found.done.append(f"{how}, and equal to the bit: {names}")
        return
    found.faults += [f"{name}: {how}, and {what}" for name, what in faults]
    if why := _why(tools):
        found.faults.append(why)


def _differing(made: Mapping[str, bytes], recorded: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for name in sorted({*made, *recorded}):
        if name not in recorded:
            yield name, "it is not in the bundle"
        elif name not in made:
            yield name, "it does not come out"
        elif sha256(made[name]) != sha256(recorded[name]):
            yield name, f"another file ({sha256(made[name])[:12]}, not {sha256(recorded[name])[:12]})"


def _why(tools: Mapping[str, str]) -> str:
    """Which tools are others here than the record names; empty where none is."""
    told = ", ".join(differences(tools))
    return f"other tools here: {told}" if told else ""
