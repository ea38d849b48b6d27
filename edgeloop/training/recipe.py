"""The recipe of one training: what params.yaml states, and for what it leaves open, a choice by the images and the start."""

from typing import Any, Literal

from edgeloop.augmentation import Affine, Augmentation, Crop, Erase, Flip, Mixup
from edgeloop.augmentation import Color as Jitter
from edgeloop.config import Phase, TrainSettings
from edgeloop.config.training import FixedSettings
from edgeloop.errors import ConfigError
from edgeloop.resolution import Color, Size

REFIT_BELOW = 10_000
"""Learning images. Below, a tenth more of them counts, and the best of many epochs on some hundred is chosen by noise; above,
a refit would cost half as much time again for little."""
SHOWN = {"trained": 800_000, "scratch": 1_200_000}
"""How many augmented images a training shows in all, by what it starts from. The first was tried on the flowers (docs/results.md):
more still helps a little, for as much more time. The second is a guess: fresh weights need more."""
EPOCHS = {"trained": (20, 400), "scratch": (60, 400)}
SMALLER_FIRST = 0.6
"""The share of the epochs at a constant rate, at three quarters of the side (a bit more than half the cost); a refit shares them."""
SMALLEST = 96

STRONG: tuple[Augmentation, ...] = (
    Flip(op="flip"),
    Crop(op="crop", area=(0.2, 1.0), aspect=(0.75, 1.333)),
    Affine(op="affine", probability=0.5, degrees=25, shear=0.15),
    Jitter(op="color", brightness=0.15, contrast=0.4, saturation=0.4, hue=0.03),
    Erase(op="erase", probability=0.3, area=(0.02, 0.2)),
    Mixup(op="mixup", alpha=0.4),
)


class Recipe(FixedSettings):
    """All that a training of given images from given weights depends on."""

    phases: list[Phase]
    input_range: tuple[float, float]
    augmentation: list[Augmentation]
    final: Literal["best_epoch", "refit"]

    @property
    def epochs(self) -> int:
        """The epochs of all phases, where none stops early."""
        return sum(phase.epochs for phase in self.phases)

    def scaled(self, factor: float) -> "Recipe":
        """The same with that share of its epochs, rounded down, each phase one at least."""
        return self.model_copy(update={"phases": [_shorter(phase, factor) for phase in self.phases]})


def choose(
    settings: TrainSettings,
    *,
    images: int,
    resolution: int | str,
    fresh: bool,
    start_range: tuple[float, float] | None,
    color: Color = "rgb",
) -> Recipe:
    """The recipe for `images` learning images (train and val) of a variant of that resolution.

    `fresh`: the weights are drawn, not trained; `start_range` is the input range of trained ones, where it is known.

    Raises:
        ConfigError: nothing says the range of trained weights.
    """
    input_range = settings.input_range or start_range or ((0.0, 1.0) if fresh else None)
    if input_range is None:
        raise ConfigError(
            "Nothing says which range the pixels of the starting weights were mapped to.",
            "State it under `train` of the data set (input_range: [0, 1], or [-1, 1]), or in the file of models/backbones/.",
        )
    phases = settings.phases or _phases(images, resolution, fresh)
    stops_early = any(phase.early_stopping for phase in phases)
    refits = settings.final == "refit" or (settings.final == "auto" and images < REFIT_BELOW and not stops_early)
    only_head = all(phase.mode == "head" for phase in phases)
    stated = settings.model_dump(include=set(FixedSettings.model_fields))
    return Recipe(
        **stated,
        phases=phases,
        input_range=input_range,
        augmentation=_augmentation(color, only_head) if settings.augmentation is None else settings.augmentation,
        final="refit" if refits else "best_epoch",
    )


def _augmentation(color: Color, only_head: bool) -> list[Augmentation]:
    """Grey has neither hue nor saturation."""
    found = () if only_head else STRONG
    return [op.model_copy(update={"saturation": 0.0, "hue": 0.0}) if color == "grey" and isinstance(op, Jitter) else op for op in found]


def _phases(images: int, resolution: int | str, fresh: bool) -> list[Phase]:
    """Few images are shown more often; most of the epochs at a constant rate, at a smaller side where the variant's own is large enough."""
    begins = "scratch" if fresh else "trained"
    fewest, most = EPOCHS[begins]
    epochs = min(max(SHOWN[begins] // images, fewest), most)
    rate, mode = (0.005, "scratch") if fresh else (0.006, "full")
    head = [] if fresh else [Phase(mode="head", epochs=20, learning_rate=0.01)]
    size = Size.of(resolution)
    smaller = int(min(size) * 0.75) // 32 * 32
    first = round(epochs * SMALLER_FIRST)
    begin: dict[str, Any] = {"mode": mode, "epochs": first, "learning_rate": rate, "warmup_epochs": 2, "decay": "constant"}
    if smaller >= SMALLEST:
        begin["resolution"] = size.scaled(smaller / min(size)).resolution
    return [*head, Phase.model_validate(begin), Phase(mode="full", epochs=epochs - first, learning_rate=rate)]


def _shorter(phase: Phase, factor: float) -> Phase:
    epochs = max(1, int(phase.epochs * factor))
    stopping = None if phase.early_stopping is None or epochs == 1 else min(phase.early_stopping, epochs - 1)
    return phase.model_copy(update={"epochs": epochs, "early_stopping": stopping, "warmup_epochs": min(phase.warmup_epochs, epochs - 1)})
