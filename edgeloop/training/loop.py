"""The training loop: one compiled step, averaged weights, and everything that a checkpoint must hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.confidence import log_loss
from edgeloop.config import Phase
from edgeloop.datasets.pixels import batches
from edgeloop.errors import TrainingError
from edgeloop.training.batches import Batch
from edgeloop.training.fold import Rows
from edgeloop.training.recipe import Recipe
from edgeloop.training.schedule import learning_rate

if TYPE_CHECKING:
    import keras

Arrays = list[NDArray[Any]]
EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy over a set of examples."""

    loss: float
    accuracy: float


class Trainer:
    """Trains all weights of `model`, which maps inputs (as `Batch.inputs`) to logits (n, classes).

    `averaged` is a second model of the same form; it follows an exponential average of the weights and is what is
    evaluated and kept. It may be `model` itself where no average is wanted. Batches are divided among the replicas of the
    strategy in whose scope `model` and this are made; the average is of the first one.
    """

    def __init__(
        self, model: "keras.Model", averaged: "keras.Model", recipe: Recipe, class_weights: NDArray[np.float32], mixes: bool
    ) -> None:
        import keras

        self.model, self.averaged = model, averaged
        self._recipe = recipe
        self._class_weights = class_weights
        self._mixes = mixes
        self.optimizer = keras.optimizers.AdamW(learning_rate=1e-3, weight_decay=recipe.weight_decay)
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.optimizer.build(model.trainable_variables)
        self.steps_done = 0
        self._step = self._compiled_step()
        self._logits = _compiled_logits(self.averaged)

    def epoch(self, items: Iterator[Batch], phase: Phase, epoch: int, steps: int) -> Score:
        """Train over one epoch's batches; the score is that of the batches as they were trained on.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        import tensorflow as tf

        losses: list[tf.Tensor] = []
        correct: list[tf.Tensor] = []
        seen = 0
        for number, batch in enumerate(items):
            self.optimizer.learning_rate.assign(learning_rate(phase, epoch * steps + number, steps))
            decay = min(self._recipe.weight_average, (1 + self.steps_done) / (10 + self.steps_done))
            loss, right = self._step(batch.inputs, batch.labels, batch.partner, batch.share, tf.constant(decay, tf.float32))
            losses.append(loss)
            correct.append(right)
            seen += len(batch.labels)
            self.steps_done += 1
        mean = float(np.mean([float(loss) for loss in losses]))
        if not np.isfinite(mean):
            raise TrainingError(
                f"The training diverged in epoch {epoch + 1}: the loss is {mean}.",
                "Lower learning_rate or add warmup_epochs in params.yaml.",
            )
        return Score(mean, sum(float(right) for right in correct) / seen)

    def evaluate(self, inputs: NDArray[np.generic] | Rows, labels: NDArray[np.int32]) -> Score:
        """Loss (plain cross-entropy) and accuracy of the averaged weights."""
        logits = self.logits(inputs)
        return Score(log_loss(logits, labels), float((logits.argmax(1) == labels).mean()))

    def logits(self, inputs: NDArray[np.generic] | Rows) -> NDArray[np.float32]:
        """(n, classes) float32 logits of the averaged weights."""
        return _in_batches(self._logits, inputs)

    def state(self) -> Arrays:
        """Everything that changes while training."""
        return [np.asarray(variable) for variable in self._variables()] + [np.asarray(self.steps_done)]

    def restore(self, state: Arrays) -> None:
        """Go back to a `state`."""
        for variable, value in zip(self._variables(), state[:-1], strict=True):
            variable.assign(value)
        self.steps_done = int(state[-1])

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(np.asarray(self.optimizer.learning_rate))

    def kept_weights(self) -> Arrays:
        """The weights that are evaluated."""
        return [np.asarray(value) for value in self.averaged.get_weights()]

    def _variables(self) -> list["keras.Variable"]:
        averaged: Sequence[keras.Variable] = [] if self.averaged is self.model else self.averaged.variables
        return [*self.model.variables, *self.optimizer.variables, *averaged]

    def _compiled_step(self) -> Any:
        import tensorflow as tf

        model, optimizer, smoothing = self.model, self.optimizer, self._recipe.label_smoothing
        averages = [] if self.averaged is model else list(zip(self.averaged.weights, model.weights, strict=True))
        importance = tf.constant(self._class_weights)
        classes = len(self._class_weights)
        strategy = tf.distribute.get_strategy()

        def learn(inputs: tf.Tensor, targets: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            replica = tf.distribute.get_replica_context()
            own = slice(replica.replica_id_in_sync_group, None, replica.num_replicas_in_sync)
            with tf.GradientTape() as tape:
                logits = model(inputs[own], training=True)
                losses = tf.nn.softmax_cross_entropy_with_logits(targets[own], logits)
                loss = tf.reduce_sum(losses * tf.gather(importance, labels[own])) / tf.cast(tf.size(labels), tf.float32)
            optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]), model.trainable_variables)
            return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == labels[own], tf.int32))

        def step(
            inputs: tf.Tensor, labels: tf.Tensor, partner: tf.Tensor, share: tf.Tensor, decay: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            targets = tf.one_hot(labels, classes, 1 - smoothing + smoothing / classes, smoothing / classes)
            inputs = tf.cast(inputs, tf.float32)
            if self._mixes:
                own = share[:, None]
                targets = own * targets + (1 - own) * tf.gather(targets, partner)
                inputs = own[..., None, None] * inputs + (1 - own[..., None, None]) * tf.gather(inputs, partner)
            losses, right = strategy.run(learn, (inputs, targets, labels))
            for average, weight in averages:
                average.assign(decay * average + (1 - decay) * weight)
            return strategy.reduce("SUM", losses, axis=None), strategy.reduce("SUM", right, axis=None)

        # jit_compile stays off: on CPUs it is thirty times slower for these networks.
        return tf.function(step, jit_compile=False, reduce_retracing=True)


def logits_of(model: "keras.Model", inputs: NDArray[np.generic] | Rows) -> NDArray[np.float32]:
    """(n, classes) float32 logits of a model that maps inputs to them; for once: it is not compiled."""
    return _in_batches(lambda part: model(part.astype(np.float32), training=False), inputs)


def _in_batches(logits: Any, inputs: NDArray[np.generic] | Rows) -> NDArray[np.float32]:
    return np.concatenate([logits(inputs[part]).numpy() for part in batches(len(inputs), EVALUATION_BATCH)])


def _compiled_logits(model: "keras.Model") -> Any:
    import tensorflow as tf

    return tf.function(lambda inputs: model(tf.cast(inputs, tf.float32), training=False), jit_compile=False, reduce_retracing=True)
