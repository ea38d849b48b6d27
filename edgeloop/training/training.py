"""What is trained, before it is said on which images: the variant, its recipe and its start; and the jobs made of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import TrainSettings, Variant
from edgeloop.datasets.pixels import LEARNING, SplitImages, split_images
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Preprocessing
from edgeloop.records import StartingWeights
from edgeloop.training.before import check_phases
from edgeloop.training.fold import Fold, declared_fold, whole
from edgeloop.training.loop import Arrays
from edgeloop.training.phases import Job, Keep, Purpose
from edgeloop.training.recipe import Recipe, choose
from edgeloop.training.start import Start, read_start
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Training:
    """A variant to be trained."""

    workspace: Workspace
    variant: Variant
    images: SplitImages
    """All images to learn from (`train` and `val`)."""
    recipe: Recipe
    start: Start

    @classmethod
    def of(cls, workspace: Workspace, variant: Variant, settings: TrainSettings) -> Self:
        """By what params.yaml states, and for what it leaves open by the images and the start.

        Raises:
            InputError: the data set is not prepared, or the starting weights are missing.
            ConfigError: the phases do not fit the starting weights.
        """
        start = read_start(workspace, variant.start)
        images = split_images(workspace, variant.dataset, *LEARNING)
        recipe = choose(
            settings,
            images=len(images.labels),
            resolution=variant.resolution,
            fresh=start.kind == "scratch",
            start_range=start.input_range,
            color=images.color,
        )
        check_phases(recipe.phases, variant.id, fresh=start.kind == "scratch")
        return cls(workspace, variant, images, recipe, start)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of the variant's model."""
        recipe = self.recipe
        return Preprocessing(
            resolution=self.variant.resolution, resize=recipe.resize, input_range=recipe.input_range, color=self.images.color
        )

    @cached_property
    def fits(self) -> list[tuple[Purpose, Keep, Fold]]:
        """What is fitted, in order: once, keeping the best epoch; or once to be scored, and its last phase once more on all images."""
        rows = self.images.rows
        if self.recipe.final == "refit":
            return [("select", "last", declared_fold(rows)), ("refit", "last", whole(rows))]
        return [("train", "best", declared_fold(rows))]

    def new_network(self) -> "keras.Model":
        """Fresh weights to be trained, for images of any size, as phases may differ in it."""
        return self._build(None, for_training=True)

    def finished(self, weights: Arrays) -> "keras.Model":
        """The model to be written down, of plain Keras layers, with the weights of a `new_network`."""
        model = self._build(self.variant.resolution, for_training=False)
        model.set_weights(weights)
        return model

    def _build(self, resolution: int | str | None, *, for_training: bool) -> "keras.Model":
        return build(
            network(self.variant.network),
            resolution,
            len(self.images.classes),
            color=self.images.color,
            dropout=self.recipe.dropout,
            batch_norm_momentum=self.recipe.batch_norm_momentum,
            for_training=for_training,
        )

    def job(self, purpose: Purpose, keep: Keep, fold: Fold) -> tuple[Job, StartingWeights]:
        """A fit on `fold` from the starting weights; equal ones begin with equal weights, whatever ran before.

        Raises:
            ModelError: the starting weights do not fit the network.
            ConfigError: TensorFlow runs in this process already, on another number of threads than the recipe's.
        """
        load_tensorflow(self.recipe.threads)
        import keras
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        keras.backend.clear_session()
        keras.utils.set_random_seed(self.recipe.seed)
        fresh = self.new_network()
        weights = self.start.load_into(fresh, self.recipe.seed)
        job = Job(
            purpose=purpose,
            keep=keep,
            workspace=self.workspace,
            images=self.images,
            fold=fold,
            recipe=self.recipe,
            preprocessing=self.preprocessing,
            network=fresh,
            new_network=self.new_network,
            class_weights=class_weights(self.images.labels[fold.train], len(self.images.classes), self.recipe.class_weights),
        )
        return job, weights


def class_weights(labels: NDArray[np.int32], classes: int, rule: Literal["none", "balanced"]) -> NDArray[np.float32]:
    """(classes,) loss weights; balanced ones are inversely proportional to a class's images, with mean 1 over images."""
    if rule == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
