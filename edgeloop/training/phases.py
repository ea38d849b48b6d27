"""One phase of a schedule: what is trained on what, and how its weights go back into the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import Phase
from edgeloop.datasets.pixels import SplitImages, SplitPixels, mapped
from edgeloop.preprocessing import Preprocessing
from edgeloop.resolution import Size
from edgeloop.training.augment import Augmenter
from edgeloop.training.batches import Examples
from edgeloop.training.compute import computing
from edgeloop.training.features import cached_features
from edgeloop.training.fold import Fold, Rows
from edgeloop.training.loop import Arrays, Trainer, logits_of
from edgeloop.training.recipe import Recipe
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    import keras


Purpose = Literal["train", "select", "refit"]
Keep = Literal["best", "last"]


@dataclass(frozen=True)
class Job:
    """What all phases of one training share."""

    purpose: Purpose
    keep: Keep
    """Which weights a phase ends with: those of the best epoch on the held-out images, or the last ones."""
    workspace: Workspace
    images: SplitImages
    """The learning images, in an order that is always the same."""
    fold: Fold
    recipe: Recipe
    preprocessing: Preprocessing
    network: "keras.Model"
    """In float32: what is scored and kept."""
    new_network: Callable[[], "keras.Model"]
    """Builds another network of the same form, in the precision that Keras is set to."""
    class_weights: NDArray[np.float32]

    @property
    def held_labels(self) -> NDArray[np.int32]:
        """Class indices of the images that the training is scored on."""
        return self.images.labels[self.fold.held]

    @property
    def held_pixels(self) -> SplitPixels:
        """These images, as the model takes them."""
        return mapped(self.workspace, self.images.chosen(self.fold.held), self.preprocessing)


@dataclass(frozen=True)
class PhaseRun:
    """A phase ready to run. `network_weights` gives the whole network's weights with those trained so far."""

    trainer: Trainer
    train: Examples
    held_inputs: Rows
    network_weights: Callable[[], Arrays]


def prepare_phase(job: Job, phase: Phase) -> PhaseRun:
    """Set up a phase from the network's present weights."""
    return _head(job) if phase.mode == "head" else _full(job, Size.of(phase.resolution or job.preprocessing.resolution))


def _head(job: Job) -> PhaseRun:
    features = cached_features(job.workspace, job.network, mapped(job.workspace, job.images, job.preprocessing), job.preprocessing)
    head, averaged = _new_head(job), _new_head(job)
    trainer = Trainer(head, averaged if job.recipe.weight_average else head, job.recipe, job.class_weights, mixes=False)

    def network_weights() -> Arrays:
        kernel, bias = trainer.kept_weights()
        return [*job.network.get_weights()[:-2], kernel[None, None], bias]

    train = Examples(Rows(features, job.fold.train), job.images.labels[job.fold.train])
    return PhaseRun(trainer, train, Rows(features, job.fold.held), network_weights)


def _new_head(job: Job) -> "keras.Model":
    """The last layer on its own, over features, with the network's present weights."""
    import keras

    kernel, bias = job.network.get_layer("conv_preds").get_weights()
    inputs = keras.Input((kernel.shape[2],))
    dense = keras.layers.Dense(kernel.shape[3])
    head = keras.Model(inputs, dense(keras.layers.Dropout(job.recipe.dropout, seed=job.recipe.seed)(inputs)))
    dense.set_weights([kernel[0, 0], bias])
    return head


def _full(job: Job, size: Size) -> PhaseRun:
    recipe = job.recipe
    stored = size.scaled(recipe.stored_scale).resolution
    pixels = mapped(job.workspace, job.images, job.preprocessing.model_copy(update={"resolution": stored})).pixels
    augmenter = Augmenter(recipe.augmentation, size.resolution)
    kept = on_pixels(job.network, job.preprocessing)
    with computing(recipe.compute, min(recipe.batch_size, len(job.fold.train))):
        trained = job.network
        if recipe.weight_average or recipe.compute != "exact":
            trained = job.new_network()
            trained.set_weights(job.network.get_weights())
        _reseed_dropout(trained, recipe.seed)
        model = kept if trained is job.network else on_pixels(trained, job.preprocessing)
        trainer = Trainer(model, kept, recipe, job.class_weights, augmenter.mixes)
    train = Examples(Rows(pixels, job.fold.train), job.images.labels[job.fold.train], augmenter)
    held = _held(job) if len(job.fold.held) else Rows(pixels, job.fold.held)
    return PhaseRun(trainer, train, held, job.network.get_weights)


def held_logits(job: Job) -> NDArray[np.float32]:
    """(held, classes) of the network's present weights."""
    return logits_of(on_pixels(job.network, job.preprocessing), _held(job))


def _held(job: Job) -> Rows:
    return Rows(job.held_pixels.pixels, np.arange(len(job.fold.held)))


def _reseed_dropout(network: "keras.Model", seed: int) -> None:
    """A phase begins with the same dropout whether this process trained the phases before it or took up their result."""
    generator = getattr(network.get_layer("dropout"), "seed_generator", None)
    if generator is not None:
        generator.state.assign([0, seed])


def on_pixels(network: "keras.Model", preprocessing: Preprocessing) -> "keras.Model":
    """The network with raw pixels as its input and logits as its output; the weights are shared. Pixels are mapped in float32."""
    import keras

    low, high = preprocessing.stated_range
    pixels = keras.Input(network.input.shape[1:])
    logits = keras.Model(network.input, network.get_layer("logits").output)
    return keras.Model(pixels, logits(keras.layers.Rescaling((high - low) / 255, low, dtype="float32")(pixels)))
