"""Sample predictions: some that are right, and the mistakes that the model was most confident about."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

from edgeloop.cards.plots import FONT, shortened
from edgeloop.config import Resize
from edgeloop.datasets.manifest import ShardReader, read_manifest
from edgeloop.errors import InputError
from edgeloop.preprocessing import Pixels, decode, resize_pixels
from edgeloop.workspace import DatasetPaths

COLUMNS = 6
CELL_PX, TEXT_PX, GAP_PX = 150, 40, 14
SAID_COLUMNS = 19
"""What fits above a picture in a bold font of 13 pixels, letters being 0.6 of that wide at most."""
TEMPLATE = "gallery.svg.jinja"


@dataclass(frozen=True)
class Sample:
    """One image of the test split and what the model says about it."""

    path: str
    label: str
    predicted: str
    score: float

    @property
    def is_right(self) -> bool:
        return self.predicted == self.label


@dataclass(frozen=True)
class Cell:
    """A sample in the gallery, its upper left corner in pixels."""

    x: int
    y: int
    sample: Sample
    picture: str
    """Its address."""

    @property
    def said(self) -> str:
        """The predicted class; where it is long, with its middle left out."""
        return shortened(self.sample.predicted, SAID_COLUMNS)

    @property
    def below(self) -> str:
        """Its confidence, and the true class where it is another one."""
        truth = "" if self.sample.is_right else f", is {shortened(self.sample.label, SAID_COLUMNS - 4)}"
        return f"{self.sample.score:.0%}{truth}"


def read_samples(predictions: pd.DataFrame, format_name: str) -> list[Sample]:
    """All images with what that format says of them.

    `predictions` has the columns path, label, `<format>_class` and `<format>_score`, where the format `int8 per-channel`
    is named `per_channel`.

    Raises:
        InputError: a column is missing.
    """
    prefix = format_name.removeprefix("int8 ").replace("-", "_")
    columns = ["path", "label", f"{prefix}_class", f"{prefix}_score"]
    if missing := [name for name in columns if name not in predictions.columns]:
        raise InputError(f"The predictions have no column {', '.join(missing)}.", "Build them again: dvc repro evaluate.")
    rows = [predictions[name].tolist() for name in columns]
    return [Sample(str(path), str(label), str(guess), float(score)) for path, label, guess, score in zip(*rows, strict=True)]


def hardest(samples: Sequence[Sample]) -> list[Sample]:
    """The mistakes, the most confident first."""
    return sorted((one for one in samples if not one.is_right), key=lambda one: (-one.score, one.path))


def choose_samples(samples: Sequence[Sample]) -> list[Sample]:
    """Up to `COLUMNS` right ones, spread over the classes by a draw that does not look at the picture, and up to
    `COLUMNS` mistakes with the highest confidence.
    """
    return _spread([one for one in samples if one.is_right]) + hardest(samples)[:COLUMNS]


def draw_gallery(samples: Sequence[Sample], dataset: DatasetPaths, resolution: int | str, resize: Resize, path: Path) -> None:
    """Draw the samples as the model sees them (resized to `resolution`), with label, prediction and confidence, as SVG.

    Raises:
        InputError: a picture is not in the data set's shards.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pictures = _pictures(samples, dataset, resolution, resize)
    groups = [group for group in ([one for one in samples if one.is_right], [one for one in samples if not one.is_right]) if group]
    cells = [
        Cell(place * (CELL_PX + GAP_PX), row * (CELL_PX + TEXT_PX + GAP_PX), one, _inlined(pictures[one.path]))
        for row, group in enumerate(groups)
        for place, one in enumerate(group)
    ]
    environment = Environment(loader=PackageLoader("edgeloop.cards"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = environment.get_template(TEMPLATE).render(
        cells=cells,
        cell=CELL_PX,
        text=TEXT_PX,
        width=COLUMNS * (CELL_PX + GAP_PX) - GAP_PX,
        height=len(groups) * (CELL_PX + TEXT_PX + GAP_PX) - GAP_PX,
        font=FONT,
    )
    path.write_text(text, encoding="utf-8", newline="\n")


def _inlined(picture: Pixels) -> str:
    """A picture as a JPEG in an address."""
    with BytesIO() as encoded:
        Image.fromarray(picture).save(encoded, "JPEG", quality=92)
        return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"


def _pictures(samples: Sequence[Sample], dataset: DatasetPaths, resolution: int | str, resize: Resize) -> dict[str, Pixels]:
    manifest = read_manifest(dataset.manifest)
    rows = manifest[manifest["path"].isin([one.path for one in samples])]
    if missing := {one.path for one in samples} - set(rows["path"]):
        raise InputError(f"{dataset.manifest} has no {sorted(missing)[0]}, which evaluate.json is about.", "Run dvc repro.")
    try:
        with ShardReader(dataset.images) as shards:
            encoded = shards.read_rows(rows)
    except OSError as error:
        raise InputError(f"{dataset.images} has no readable shards: {error.strerror}.", "Restore them: dvc checkout.") from None
    return {path: resize_pixels(decode(content), resolution, resize) for path, content in zip(rows["path"], encoded, strict=True)}


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    """Up to `COLUMNS` samples of as many classes as there are, drawn by the digest of their paths."""
    drawn = sorted(samples, key=lambda one: hashlib.sha256(one.path.encode()).digest())
    seen: dict[str, int] = {}
    ranked = []
    for place, one in enumerate(drawn):
        seen[one.label] = seen.get(one.label, 0) + 1
        ranked.append((seen[one.label], place, one))
    chosen = [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])[:COLUMNS]]
    return sorted(chosen, key=lambda one: (one.label, one.path))
