"""The small summary of an accepted manifest that later ones are compared with, and the distances between two."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from edgeloop.errors import InputError
from edgeloop.files import write_text
from edgeloop.records import Part

BRIGHTNESS_EDGES: Final = np.linspace(0, 256, 33)
"""Mean luma, 0..255."""
SIDE_EDGES: Final = 2.0 ** np.linspace(4, 13, 37)
"""Short side in pixels: a quarter of an octave a bin, 16 to 8192."""


class Summary(Part):
    """What drift is measured on: the images of a manifest that are in a split."""

    manifest_sha256: str
    classes: dict[str, int]
    brightness: list[int]
    """Counts between `BRIGHTNESS_EDGES`."""
    short_side: list[int]
    """Counts between `SIDE_EDGES`; sides beyond the ends count in the last bins."""


class Baseline(Part):
    """The manifest accepted last, and the one accepted before it.

    Both are kept so that validating the accepted manifest again compares it with the same predecessor as before.
    """

    accepted: Summary
    before: Summary | None

    @classmethod
    def read(cls, path: Path) -> "Baseline | None":
        """Read a baseline; None where no manifest has been accepted yet.

        Raises:
            InputError: the file is not a baseline.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValidationError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} is not a baseline: {error}", "Delete it; drift is then measured from the next manifest on."
            ) from error

    def previous_of(self, manifest_sha256: str) -> Summary | None:
        """The accepted manifest that came before this one."""
        return self.before if self.accepted.manifest_sha256 == manifest_sha256 else self.accepted

    def write(self, path: Path) -> None:
        write_text(path, self.model_dump_json(indent=1) + "\n")


def summarise(images: pd.DataFrame, manifest_sha256: str) -> Summary:
    """Summarise rows that are in a split; they have the column `short_side`."""
    classes = images["label"].value_counts().sort_index()
    return Summary(
        manifest_sha256=manifest_sha256,
        classes={str(label): int(count) for label, count in classes.items()},
        brightness=histogram(images["brightness"], BRIGHTNESS_EDGES),
        short_side=histogram(images["short_side"], SIDE_EDGES),
    )


def histogram(values: "pd.Series[float]", edges: NDArray[np.float64]) -> list[int]:
    """Counts between the edges; values beyond the ends count in the end bins, missing ones nowhere."""
    known = np.clip(values.dropna().to_numpy(np.float64), edges[0], np.nextafter(edges[-1], 0))
    return [int(count) for count in np.histogram(known, edges)[0]]


def total_variation(one: dict[str, int], other: dict[str, int]) -> float:
    """Half the sum of differences between class shares: the share of images that would have to change class; 0..1."""
    labels = sorted(one.keys() | other.keys())
    shares = [_shares([counts.get(label, 0) for label in labels]) for counts in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def kolmogorov_smirnov(one: list[int], other: list[int]) -> float:
    """The largest difference between two cumulative distributions over the same bins; 0..1."""
    return float(np.abs(np.cumsum(_shares(one)) - np.cumsum(_shares(other))).max())


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(counts, np.float64)
    return np.asarray(values / max(values.sum(), 1.0), np.float64)
