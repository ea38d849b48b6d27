"""How a data set's variants are trained: phases, augmentation, which weights are kept, and what differs for some variants."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from edgeloop.augmentation import Augmentation
from edgeloop.config.section import Network, Positive, Resize, Resolution, Section
from edgeloop.framework import THREADS


class Phase(Section):
    """One phase of a training schedule. `head` trains the last layer over cached features; `full` trains everything."""

    mode: Literal["scratch", "head", "full"]
    epochs: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    decay: Literal["cosine", "constant"] = "cosine"
    early_stopping: Positive | None = None
    """After so many epochs in a row without a better one."""
    resolution: Resolution | None = None
    """What this phase trains at, where it is not the variant's; it is always scored at the variant's."""

    @model_validator(mode="after")
    def _can_stop_early(self) -> "Phase":
        if self.early_stopping is not None and self.early_stopping >= self.epochs:
            raise ValueError(f"early_stopping: {self.early_stopping} can never end a phase of {self.epochs} epochs")
        if self.resolution is not None and self.mode == "head":
            raise ValueError("a phase of mode head trains over features at the variant's resolution: leave out resolution")
        return self


Compute = Literal["exact", "gpus"]


class FixedSettings(Section):
    """What of a training does not depend on the data or on what it starts from."""

    seed: int = 127
    batch_size: Positive = 64
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    batch_norm_momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    weight_average: Annotated[float, Field(ge=0, lt=1)] = 0.98
    resize: Resize = "area"
    stored_scale: Annotated[float, Field(ge=1, le=2)] = 1.15
    threads: Annotated[int, Field(gt=0, le=1024)] = THREADS
    """What an operation of TensorFlow runs on: the weights depend on it, and not on how many cores there are."""
    compute: Compute = "exact"
    """In float32 on one device, to the bit; or in bfloat16 on all GPUs (see `training.compute`)."""


class TrainSettings(FixedSettings):
    """How one variant is trained, as params.yaml states it: what is left out is chosen when the data are known (`training.recipe`)."""

    phases: Annotated[list[Phase], Field(min_length=1)] | None = None
    input_range: tuple[float, float] | None = None
    augmentation: list[Augmentation] | None = None
    final: Literal["auto", "best_epoch", "refit"] = "auto"

    @model_validator(mode="after")
    def _augmentation_is_of_use(self) -> "TrainSettings":
        if self.augmentation and self.phases and all(phase.mode == "head" for phase in self.phases):
            raise ValueError(
                "augmentation has no use where all phases are of mode head, which trains over features of the images as they are"
            )
        return self

    @field_validator("input_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("the lower end comes first, e.g. [0, 1] or [-1, 1]")
        return value

    @model_validator(mode="after")
    def _refits_have_a_length(self) -> "TrainSettings":
        if self.final == "refit" and any(phase.early_stopping for phase in self.phases or ()):
            raise ValueError("a refit has no images to stop early by: remove early_stopping, or write final: best_epoch")
        return self


class Override(Section):
    """Training settings of some variants only: those whose network and resolution match (absent: any)."""

    network: Network | None = None
    resolution: Resolution | None = None
    set: Annotated[dict[str, Any], Field(min_length=1)]

    def matches(self, network: str, resolution: int | str) -> bool:
        return self.network in (None, network) and self.resolution in (None, resolution)


class Train(TrainSettings):
    """The training settings of a data set, and those that differ for some of its variants."""

    overrides: list[Override] = Field(default_factory=list)

    @model_validator(mode="after")
    def _overrides_fit(self) -> "Train":
        for override in self.overrides:
            self._merged([override])
        return self

    def settings(self, network: str, resolution: int | str) -> TrainSettings:
        """The settings of one variant: these, with every matching override applied in order."""
        return self._merged([override for override in self.overrides if override.matches(network, resolution)])

    def _merged(self, overrides: list[Override]) -> TrainSettings:
        values = self.model_dump(exclude={"overrides"})
        for override in overrides:
            values.update(override.set)
        return TrainSettings.model_validate(values)
