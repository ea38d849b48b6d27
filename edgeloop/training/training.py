"""What is trained, before it is said on which images: the variant, its settings and its start; and the jobs made of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import TrainSettings, Variant
from edgeloop.datasets.pixels import SplitPixels, learning_pixels
from edgeloop.networks import build, network
from edgeloop.preprocessing import Preprocessing
from edgeloop.quiet import load_tensorflow
from edgeloop.records import StartingWeights
from edgeloop.training.fold import Fold
from edgeloop.training.phases import Job, Keep, Purpose
from edgeloop.training.start import Start
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Training:
    """A variant to be trained."""

    workspace: Workspace
    variant: Variant
    settings: TrainSettings
    start: Start

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Of the variant's model."""
        return Preprocessing(resolution=self.variant.resolution, resize=self.settings.resize, input_range=self.settings.input_range)

    @cached_property
    def images(self) -> SplitPixels:
        """All images to learn from (`train` and `val`), as the model takes them."""
        return self.images_by(self.preprocessing)

    def images_by(self, preprocessing: Preprocessing) -> SplitPixels:
        """The same images in the same order, by another preprocessing."""
        return learning_pixels(self.workspace, self.variant.dataset, preprocessing)

    def new_network(self, resolution: int | None = None) -> "keras.Model":
        """Fresh weights; without a resolution for images of any size, as phases may differ in it."""
        settings = self.settings
        return build(
            network(self.variant.network),
            resolution,
            len(self.images.classes),
            dropout=settings.dropout,
            batch_norm_momentum=settings.batch_norm_momentum,
        )

    def job(self, purpose: Purpose, keep: Keep, fold: Fold) -> tuple[Job, StartingWeights]:
        """A fit on `fold` from the starting weights; equal ones begin with equal weights, whatever ran before.

        Raises:
            ModelError: the starting weights do not fit the network.
        """
        load_tensorflow()
        import keras
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        keras.backend.clear_session()
        keras.utils.set_random_seed(self.settings.seed)
        fresh = self.new_network()
        weights = self.start.load_into(fresh)
        job = Job(
            purpose=purpose,
            keep=keep,
            workspace=self.workspace,
            images=self.images_by,
            labels=self.images.labels,
            fold=fold,
            settings=self.settings,
            preprocessing=self.preprocessing,
            network=fresh,
            new_network=self.new_network,
            class_weights=class_weights(self.images.labels[fold.train], len(self.images.classes), self.settings.class_weights),
        )
        return job, weights


def class_weights(labels: NDArray[np.int32], classes: int, rule: Literal["none", "balanced"]) -> NDArray[np.float32]:
    """(classes,) loss weights; balanced ones are inversely proportional to a class's images, with mean 1 over images."""
    if rule == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)
