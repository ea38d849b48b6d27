"""Records of models: train, quantize, evaluate."""

import math
from typing import Literal

from edgeloop.plural import many
from edgeloop.records.base import Part, Record
from edgeloop.resolution import AnyResolution, Color


class PhaseResult(Part):
    """What one training phase did."""

    mode: str
    epochs_planned: int
    epochs_run: int
    best_val_accuracy: float | None
    """Null where no images were held out."""
    images_per_s: float
    """Median of the epochs."""
    images_per_s_by_epoch: tuple[float, ...] = ()


Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


class Accuracy(Part):
    """An accuracy as a fraction, with the number of images and the 95 % Wilson interval."""

    value: float
    n: int
    ci95: tuple[float, float]

    @classmethod
    def of(cls, hits: int, n: int) -> "Accuracy":
        """A share of n > 0 images with its 95 % Wilson score interval (E. B. Wilson, JASA 22 (1927), 209-212)."""
        share = hits / n
        centre = share + Z95**2 / (2 * n)
        half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
        low, high = ((centre + sign * half) / (1 + Z95**2 / n) for sign in (-1, 1))
        return cls(value=share, n=n, ci95=(max(0.0, min(low, share)), min(1.0, max(high, share))))


class FitResult(Part):
    """A run through the phases: `train` keeps its best epoch; `select` is scored, `refit` repeats its last phase and is kept."""

    purpose: Literal["train", "select", "refit"]
    train_images: int
    held_images: int
    phases: list[PhaseResult]
    begun_after: int = 0
    """Epochs of the fit before that this one went on from; its `phases` are those after them."""
    epoch: int
    """Whose weights this fit ended with, counted over all phases from 1."""
    held_accuracy: Accuracy | None
    """The accuracy of these weights on the images held out; null where there are none."""
    resumed: int
    """How often it was taken up again after it had been cut off."""

    def in_words(self) -> str:
        """What it learned from, and what it scored where."""
        begun = f" from epoch {self.begun_after} of the fit before" if self.begun_after else ""
        learned = f"{self.purpose}: {many(self.train_images, 'image')}{begun}, weights of epoch {self.epoch}"
        if self.held_accuracy is None:
            return f"{learned}; no images held out"
        return f"{learned}; val accuracy {self.held_accuracy.value:.4f} (n = {self.held_images})"


class Confidence(Part):
    """How the model's confidence was set right: its logits are divided by `temperature`, which is part of the last layer's weights.

    Fitted on the images that `TrainRecord.estimate` held out (C. Guo et al., ICML 2017); the errors are of these images, too.
    """

    temperature: float
    n: int
    calibration_error_before: float
    """Expected calibration error over 15 bins of equal width, as a fraction."""
    calibration_error_after: float
    log_loss_before: float
    """Mean cross-entropy, nats."""
    log_loss_after: float


class StartingWeights(Part):
    """What a training started from."""

    kind: Literal["scratch", "keras", "keras2_h5"]
    origin: str
    sha256: str | None
    license: str | None
    layers_loaded: int
    widened: int = 1
    """How many times as wide the network is as the one that the weights are of (Net2Net, ICLR 2016)."""
    summed_over_colors: bool = False
    """Whether the weights are of a network for RGB, and the first convolution's were summed over red, green and blue for grey: for an
    image that is grey in all three the network then computes what it did."""


class TrainRecord(Record):
    """A trained float model."""

    kind: Literal["train"] = "train"
    dataset: str
    network: str
    resolution: AnyResolution
    color: Color = "rgb"
    classes: list[str]
    start: StartingWeights
    model_sha256: str
    parameters: int
    """Trainable and not, batch normalisation's four vectors included."""
    parameters_folded: int
    """With batch normalisation folded into the convolutions: what an int8 model holds."""
    macs: int
    fits: list[FitResult]
    """In order; the last one gave the weights."""
    learned_from: list[str]
    """The splits that these weights have seen."""
    confidence: Confidence

    @property
    def estimate(self) -> FitResult:
        """The fit whose held-out accuracy says what to expect: never one that saw the images that it is scored on."""
        return self.fits[0]


class LayerError(Part):
    """How far quantization moves the output of one operator, over the calibration images."""

    layer: str
    operator: str
    sqnr_db: float | None
    """Signal to quantization noise: 10 log10(sum of squares / sum of squared errors), in dB; null where there is no error."""


class ConversionTrial(Part):
    """One way of conversion, judged against the float model."""

    applied: tuple[str, ...]
    """What was done beside plain conversion, in order; empty for plain conversion."""
    agreement: float
    """Share of the judged images on which the predicted class equals the float model's."""
    sqnr_db: float | None
    """Signal to quantization noise of the scores on the judged images; null where there is no error."""


class Conversion(Part):
    """How an int8 file was made, and why so."""

    applied: tuple[str, ...]
    why: str
    judged_on: str
    judged_images: int
    trials: list[ConversionTrial]
    """In order of cost; the first is plain conversion. Empty for what is no image classifier, and cannot be judged."""
    layers: list[LayerError]
    """The layers of the file, in the order of its operators; empty where they do not match the float model's."""

    @property
    def kept(self) -> ConversionTrial | None:
        """The trial that became the file, where there were any."""
        return next((trial for trial in self.trials if trial.applied == self.applied), None)

    def in_words(self) -> str:
        """What was done and what it gave."""
        how = " and ".join(self.applied) or "plain conversion"
        if self.kept is None:
            return f"{how}, not compared with float"
        before = f" (plain: {self.trials[0].agreement:.2%})" if self.applied else ""
        return f"{how}, agrees with float on {self.kept.agreement:.2%}{before} of {self.judged_images} images of {self.judged_on}"

    def worst_layers(self, count: int) -> list[LayerError]:
        """The layers with the lowest signal to noise, worst first."""
        noisy = [layer for layer in self.layers if layer.sqnr_db is not None]
        return sorted(noisy, key=lambda layer: (layer.sqnr_db, layer.layer))[:count]


class TfliteModel(Part):
    """One converted model file."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"]
    file: str
    sha256: str
    bytes: int
    weight_bytes: int
    """Constant tensors: int8 weights plus int32 biases, or float32."""
    conversion: Conversion | None = None
    """Null for the float file."""


class QuantizeRecord(Record):
    """Converted models."""

    kind: Literal["quantize"] = "quantize"
    dataset: str
    network: str
    resolution: AnyResolution
    model_sha256: str
    calibration_images: int
    calibration_per_class: dict[str, int]
    calibration_sha256: str
    """The digest of the calibration pixels, in order."""
    models: list[TfliteModel]


class ClassResult(Part):
    """Counts of one class on the evaluated images."""

    label: str
    n: int
    recall: float | None
    precision: float | None


class FormatResult(Part):
    """One format of a model on the evaluated images."""

    format: Literal["float", "int8 per-channel", "int8 per-tensor"]
    sha256: str
    top1: Accuracy
    top5: Accuracy | None
    calibration_error: float
    """Expected calibration error of these images over 15 bins of equal width, as a fraction."""
    agreement_with_float: float | None
    """Share of images on which the predicted class equals the float model's; null for float itself."""
    per_class: list[ClassResult]
    confusion: list[list[int]]
    """Rows are true classes, columns predicted ones, both in the order of `classes`."""


class EvaluateRecord(Record):
    """Accuracy on `test`, read once."""

    kind: Literal["evaluate"] = "evaluate"
    dataset: str
    network: str
    resolution: AnyResolution
    color: Color = "rgb"
    split: str
    classes: list[str]
    resize: str
    formats: list[FormatResult]
