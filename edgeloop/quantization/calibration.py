"""Which images calibrate an int8 model: a stratified, seeded sample; and which it is judged on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels


@dataclass(frozen=True)
class Sample:
    """Images (n, height, width, channels) uint8."""

    calibration: Pixels
    judged: Pixels
    """On which int8 models are compared with the float model."""
    judged_on: str
    """Where these come from, in words."""

    @property
    def judges_apart(self) -> bool:
        """Whether others are judged on than those that calibrate."""
        return self.judged is not self.calibration

    @classmethod
    def of_calibration(cls, calibration: Pixels) -> "Sample":
        """Where there are no other images."""
        return cls(calibration, calibration, "calibration itself")


def stratified_sample(labels: NDArray[np.int32], count: int, seed: int) -> NDArray[np.intp]:
    """Sorted indices of `count` of the (n,) labels (all when there are fewer), each class in its share.

    What a class's share leaves over after rounding down goes to the classes with the largest remainders. Each class is
    drawn with a generator of its own, so one class's images do not depend on another's.
    """
    names, members = np.unique(labels, return_counts=True)
    shares = min(count, len(labels)) * members / len(labels)
    wanted = np.floor(shares).astype(int)
    missing = min(count, len(labels)) - wanted.sum()
    wanted[np.argsort(wanted - shares, kind="stable")[:missing]] += 1
    chosen = [
        np.random.default_rng([seed, int(name)]).permutation(np.flatnonzero(labels == name))[:number]
        for name, number in zip(names, wanted, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def with_full_range(pixels: Pixels) -> Pixels:
    """The images, with one corner pixel of the first set to 0 and one to 255.

    The converter takes the input's scale from the smallest and largest value that it sees; with both ends of the range
    present, the quantized input is the raw pixel, whatever the sample holds.
    """
    spread = pixels.copy()
    spread[0, 0, 0], spread[0, -1, -1] = 0, 255
    return spread
