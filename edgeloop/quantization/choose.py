"""Which way of conversion an int8 file takes: plain, unless another one is clearly nearer to the float model.

Bias correction is always tried: it costs a second or two, and images that a model has learned, as those of `val` after a refit, show
less of what plain conversion loses than new ones. The other ways follow in order of cost, until one agrees with float on enough images.
"""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import ModelError
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.calibration import Sample
from edgeloop.quantization.compare import agreement, layer_errors, scores_sqnr_db
from edgeloop.records import Conversion, ConversionTrial
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.formats import Format
from edgeloop.tflite.interpreter import Scores

EQUALIZATION, BIAS_CORRECTION, FINE_TUNING = "cross-layer equalization", "bias correction", "fine-tuning"
Applied = tuple[str, ...]
WAYS: tuple[Applied, ...] = ((BIAS_CORRECTION,), (EQUALIZATION,), (EQUALIZATION, BIAS_CORRECTION), (FINE_TUNING,))
"""What is tried beside plain conversion, the first one always; fine-tuning begins at the equalized model where that is kept so far."""
ENOUGH: Mapping[Format, float] = {"int8 per-channel": 0.99, "int8 per-tensor": 0.98}
"""The agreement with float at which nothing further is tried: half a point or a point above what is wanted of new images, because a few
hundred images tell it no more exactly.
"""
SIGNIFICANCE = 0.01
"""Another way must be nearer on more images than chance alone would make it in one case of a hundred."""
OBSERVED_IMAGES = 64
"""For what is measured layer by layer."""


@dataclass(frozen=True)
class Made:
    """An int8 file, and the float file that it is the rounded form of."""

    quantized: bytes
    floating: bytes


Make = Callable[[Applied], Made]


@dataclass(frozen=True)
class Judged:
    """A way that was tried."""

    made: Made
    trial: ConversionTrial
    distances: NDArray[np.float64]
    """(n,) squared distances of the scores from those of the float model."""


def choose(kind: Format, make: Make, reference: Scores | None, sample: Sample, preprocessing: Preprocessing) -> tuple[bytes, Conversion]:
    """The int8 file of the way that is taken, and why it is.

    `reference` holds the float model's scores (n, classes) of the judged images; without them conversion is plain.

    Raises:
        ModelError: plain conversion is refused.
    """
    plain = make(())
    if reference is None:
        return plain.quantized, _conversion(plain, (), "it is no image classifier that can be judged", [], sample, preprocessing)

    def judge(applied: Applied) -> Judged:
        return _judged(make(applied) if applied else plain, applied, reference, sample, preprocessing)

    kept, trials, why = search(judge, ENOUGH[kind], judges_apart=sample.judges_apart)
    return kept.made.quantized, _conversion(kept.made, kept.trial.applied, why, trials, sample, preprocessing)


def search(judge: Callable[[Applied], Judged], enough: float, *, judges_apart: bool) -> tuple[Judged, list[ConversionTrial], str]:
    """Try plain conversion and then the ways; returns the one to keep, all that were tried, and why.

    The first way is tried always, the others while what is kept agrees on fewer images than `enough` (a share).

    `judge` raises a ModelError where a way is refused. `judges_apart`: whether others are judged on than those that are learned of.
    """
    tried, notes = [judge(())], list[str]()
    kept = tried[0]
    for way in WAYS:
        if kept.trial.agreement >= enough and way != WAYS[0]:
            break
        applied = (EQUALIZATION, *way) if way == (FINE_TUNING,) and EQUALIZATION in kept.trial.applied else way
        try:
            if FINE_TUNING in way and not judges_apart:
                raise ModelError("there are no images but those that it would learn of", "Give more images.")
            tried.append(judge(applied))
        except ModelError as error:
            notes.append(f"{in_words(way)} cannot be tried: {error.what}")
            continue
        kept = tried[-1] if is_better(tried[-1], kept) else kept
    return kept, [one.trial for one in tried], "; ".join([reason_for(kept, tried, enough), *notes])


def _judged(made: Made, applied: Applied, reference: Scores, sample: Sample, preprocessing: Preprocessing) -> Judged:
    scores = score(made.quantized, preprocessing, sample.judged)
    trial = ConversionTrial(
        applied=applied, agreement=float(agreement(scores, reference).mean()), sqnr_db=scores_sqnr_db(scores, reference)
    )
    return Judged(made, trial, np.square(scores - reference, dtype=np.float64).sum(axis=1))


def is_better(one: Judged, kept: Judged) -> bool:
    """Nearer to float on clearly more images than what is kept, with no fewer of its classes."""
    return one.trial.agreement >= kept.trial.agreement and sign_test(*nearer(one, kept)) < SIGNIFICANCE


def nearer(one: Judged, other: Judged) -> tuple[int, int]:
    """On how many images one is nearer to the float model's scores than the other, and on how many it is farther."""
    return int((one.distances < other.distances).sum()), int((one.distances > other.distances).sum())


def reason_for(kept: Judged, tried: list[Judged], enough: float) -> str:
    """Why this way is kept, in words."""
    plain = tried[0]
    if kept is not plain:
        won, lost = nearer(kept, plain)
        return f"its scores are nearer to float than those of plain conversion on {won} images, farther on {lost}"
    if kept.trial.agreement >= enough:
        beside = ", and bias correction is not clearly nearer" if len(tried) > 1 else ""
        return f"plain conversion agrees on {kept.trial.agreement:.2%}: {enough:.1%} is enough{beside}"
    return "no other way is clearly nearer to float with as many equal classes"


def sign_test(won: int, lost: int) -> float:
    """The probability that of so many differing images as many or more are won, where either is as likely (sign test)."""
    count = won + lost
    return float(sum(math.comb(count, number) for number in range(won, count + 1)) / 2**count)


def in_words(applied: Applied) -> str:
    """What is done beside plain conversion."""
    return " and ".join(applied) or "plain conversion"


def score(content: bytes, preprocessing: Preprocessing, pixels: Pixels) -> Scores:
    """Scores (n, classes) of (n, height, width, channels) uint8 pixels.

    Raises:
        ModelError: it is no image classifier.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloop-quantize-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return Classifier(path, preprocessing).score_all(pixels)


def reference_scores(floating: bytes, preprocessing: Preprocessing, pixels: Pixels) -> Scores | None:
    """The float model's scores of the judged images; None where it is no image classifier."""
    try:
        return score(floating, preprocessing, pixels)
    except ModelError:
        return None


def _conversion(
    made: Made, applied: Applied, why: str, trials: list[ConversionTrial], sample: Sample, preprocessing: Preprocessing
) -> Conversion:
    return Conversion(
        applied=applied,
        why=why,
        judged_on=sample.judged_on,
        judged_images=len(sample.judged) if trials else 0,
        trials=trials,
        layers=layer_errors(made.floating, made.quantized, some(sample.calibration), preprocessing),
    )


def some(pixels: Pixels, count: int = OBSERVED_IMAGES) -> Pixels:
    """Some of (n, height, width, channels) images, spread evenly over them."""
    spread: Pixels = pixels[np.unique(np.linspace(0, len(pixels) - 1, min(count, len(pixels))).astype(int))]
    return spread
