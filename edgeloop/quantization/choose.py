"""Which way of conversion an int8 file takes: plain, unless another one agrees clearly better with the float model.

The ways are tried in order of cost, and only where plain conversion falls short; fine-tuning where these others do, too.
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
from edgeloop.quantization.replica import obstacle
from edgeloop.records import Conversion, ConversionTrial
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.formats import Format
from edgeloop.tflite.interpreter import Scores

EQUALIZATION, BIAS_CORRECTION, FINE_TUNING = "cross-layer equalization", "bias correction", "fine-tuning"
Applied = tuple[str, ...]
WAYS: tuple[Applied, ...] = ((BIAS_CORRECTION,), (EQUALIZATION,), (EQUALIZATION, BIAS_CORRECTION))
"""What is tried beside plain conversion, before fine-tuning."""
ENOUGH: Mapping[Format, float] = {"int8 per-channel": 0.985, "int8 per-tensor": 0.97}
"""A share of images with the float model's class at which nothing else is tried."""
LIKELY_CHANCE = 0.01
"""Another way must agree on more images than plain conversion, by more than chance does in one case of a hundred."""
OBSERVED_IMAGES = 64
"""For what is measured layer by layer."""


@dataclass(frozen=True)
class Made:
    """An int8 file, and the float file that it is the rounded form of."""

    quantized: bytes
    floating: bytes


Make = Callable[[Applied], Made]


def choose(kind: Format, make: Make, reference: Scores | None, sample: Sample, preprocessing: Preprocessing) -> tuple[bytes, Conversion]:
    """The int8 file of the way that is taken, and why it is.

    `reference` holds the float model's scores (n, classes) of the judged images; without them conversion is plain.
    """
    plain = make(())
    if reference is None:
        return plain.quantized, _conversion(plain, (), "it is no image classifier that can be judged", [], sample, preprocessing)
    made, trials, hits, hindered = list[Made](), list[ConversionTrial](), list[NDArray[np.bool_]](), ""

    def judge(applied: Applied, one: Made) -> None:
        scores = score(one.quantized, preprocessing, sample.judged)
        made.append(one)
        hits.append(agreement(scores, reference))
        trials.append(ConversionTrial(applied=applied, agreement=float(hits[-1].mean()), sqnr_db=scores_sqnr_db(scores, reference)))

    judge((), plain)
    if trials[0].agreement < ENOUGH[kind] and can_be_beaten(hits[0]):
        for applied in WAYS:
            judge(applied, make(applied))
        if max(trial.agreement for trial in trials) < ENOUGH[kind]:
            hindered = obstacle(plain.floating, plain.quantized)
            if not hindered:
                tuned = to_tune(hits, trials)
                judge(tuned, make(tuned))
    place, why = decide(hits, trials, ENOUGH[kind])
    if hindered:
        why = f"{why}; {FINE_TUNING} cannot be tried: {hindered}"
    return made[place].quantized, _conversion(made[place], trials[place].applied, why, trials, sample, preprocessing)


def to_tune(hits: list[NDArray[np.bool_]], trials: list[ConversionTrial]) -> Applied:
    """Fine-tuning of the plain model, as biases are learned anyway; of the equalized one where that alone, or with its biases
    corrected, is better than what is not equalized by more than chance.
    """
    best = {
        equalized: max(
            (place for place, trial in enumerate(trials) if (EQUALIZATION in trial.applied) == equalized),
            key=lambda place: trials[place].agreement,
        )
        for equalized in (True, False)
    }
    won, lost = int((hits[best[True]] & ~hits[best[False]]).sum()), int((hits[best[False]] & ~hits[best[True]]).sum())
    return (EQUALIZATION, FINE_TUNING) if chance(won, lost) < LIKELY_CHANCE else (FINE_TUNING,)


def decide(hits: list[NDArray[np.bool_]], trials: list[ConversionTrial], enough: float) -> tuple[int, str]:
    """The place of the way to take, and why. `hits`: for each way and image, whether the class is the float model's."""
    if len(hits) == 1:
        agreed = f"plain conversion agrees on {trials[0].agreement:.2%}"
        if trials[0].agreement >= enough:
            return 0, f"{agreed}: {enough:.1%} is enough"
        return 0, f"{agreed} of {len(hits[0])} images: too few differ to tell another way from chance"
    best = max(range(len(hits)), key=lambda place: (trials[place].agreement, _or_infinite(trials[place].sqnr_db), -place))
    won, lost = int((hits[best] & ~hits[0]).sum()), int((hits[0] & ~hits[best]).sum())
    if best and chance(won, lost) < LIKELY_CHANCE:
        return best, f"agrees on {won} images more than plain conversion, on {lost} less"
    return 0, f"no other way is better beyond chance (the best one agrees on {won} images more, on {lost} less)"


def _or_infinite(ratio_db: float | None) -> float:
    return math.inf if ratio_db is None else ratio_db


def can_be_beaten(hits: NDArray[np.bool_]) -> bool:
    """Whether a way that agrees on all images would be better than one with these `hits` by more than chance."""
    return chance(int((~hits).sum()), 0) < LIKELY_CHANCE


def chance(won: int, lost: int) -> float:
    """The probability that of so many differing images as many or more are won, where either is as likely (sign test)."""
    count = won + lost
    return float(sum(math.comb(count, number) for number in range(won, count + 1)) / 2**count)


def score(content: bytes, preprocessing: Preprocessing, pixels: Pixels) -> Scores:
    """Scores (n, classes) of (n, side, side, 3) uint8 pixels.

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
    """Some of (n, side, side, 3) images, spread evenly over them."""
    spread: Pixels = pixels[np.unique(np.linspace(0, len(pixels) - 1, min(count, len(pixels))).astype(int))]
    return spread
