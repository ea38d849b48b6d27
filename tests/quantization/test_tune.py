"""Fine-tuning of an int8 file: what it brings back, that it changes numbers only, and what it does not cover."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from converted_models import enliven, random_network, smooth_images
from hardened import PREPROCESSING, SIDE, classifier, pictures

from edgeloop.framework import load_tensorflow
from edgeloop.preprocessing import Pixels
from edgeloop.quantization import tune
from edgeloop.quantization.calibration import Sample
from edgeloop.quantization.choose import BIAS_CORRECTION, EQUALIZATION, FINE_TUNING, choose, reference_scores, score
from edgeloop.quantization.compare import scores_sqnr_db
from edgeloop.quantization.convert import Maker, to_float, to_int8
from edgeloop.quantization.replica import Replica, obstacle
from edgeloop.quantization.tune import fine_tuned
from edgeloop.tflite.graph import graph_of

if TYPE_CHECKING:
    import keras


def pale(count: int, seed: int = 4) -> Pixels:
    """Pictures of a quarter of the contrast."""
    return (pictures(count, seed) // 4 + 96).astype(np.uint8)


def with_outliers() -> Pixels:
    """Calibration images of which two are noise in black and white: the ranges are far wider than the others need."""
    noise = np.where(np.random.default_rng(3).random((2, SIDE, SIDE, 3)) < 0.5, 255, 0).astype(np.uint8)
    return np.concatenate([pale(48), noise])


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    return classifier()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "STEPS", 3)


@pytest.mark.thorough
def test_what_the_cheaper_ways_do_not_bring_back_fine_tuning_does(model: "keras.Model", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "STEPS", 300)
    sample = Sample(with_outliers(), pale(400, 21), "pictures")
    reference = reference_scores(to_float(model, SIDE), PREPROCESSING, sample.judged)
    make = Maker(model, sample.calibration, PREPROCESSING, per_channel=False)
    _, made = choose("int8 per-tensor", make, reference, sample, PREPROCESSING)
    assert FINE_TUNING in made.applied and BIAS_CORRECTION not in made.applied
    assert "nearer to float than those of plain conversion" in made.why
    assert [FINE_TUNING in trial.applied for trial in made.trials] == [False, False, False, False, True], "tried last"
    assert made.kept is not None and made.kept.agreement > max(trial.agreement for trial in made.trials[:-1]) + 0.05


@pytest.mark.thorough
def test_equal_files_and_images_give_equal_bytes_and_only_numbers_change(model: "keras.Model", short: None) -> None:
    images, floating = pictures(48), to_float(model, SIDE)
    plain = to_int8(model, images, PREPROCESSING, per_channel=True)
    tuned = fine_tuned(plain, floating, images, PREPROCESSING)
    assert tuned == fine_tuned(plain, floating, images, PREPROCESSING) != plain
    before, after = graph_of(plain), graph_of(tuned)
    assert [(one.name, one.inputs, one.outputs) for one in before.operators] == [
        (one.name, one.inputs, one.outputs) for one in after.operators
    ]
    ends = {*before.inputs, *before.outputs, before.operators[0].outputs[0], before.operators[-1].inputs[0]}
    for place, (one, other) in enumerate(zip(before.tensors, after.tensors, strict=True)):
        assert (one.shape, one.dtype, one.zero_points.tolist()) == (other.shape, other.dtype, other.zero_points.tolist())
        if place in ends:
            assert one.scales.tolist() == other.scales.tolist(), "the raw pixel and the softmax keep theirs"


@pytest.mark.parametrize(("seed", "per_channel"), [(0, True), (1, False), pytest.param(2, True, marks=pytest.mark.thorough)])
def test_a_replica_computes_what_both_files_compute(seed: int, per_channel: bool) -> None:
    """Residual blocks, pads, ReLU6, pooling, depthwise and dense layers behind a flattening, odd in size and channels."""
    load_tensorflow()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network, images = random_network(rng, SIDE, SIDE), smooth_images(rng, 16, SIDE)
    enliven(network, rng, PREPROCESSING.normalised(images))
    floating, quantized = to_float(network, SIDE), to_int8(network, images, PREPROCESSING, per_channel=per_channel)
    assert obstacle(floating, quantized) == ""
    replica = Replica(floating, quantized)
    exact = score(floating, PREPROCESSING, images)
    assert np.allclose(tf.nn.softmax(replica.exact_logits(tf.constant(PREPROCESSING.normalised(images)))).numpy(), exact, atol=1e-5)
    # Written without a step, it is the plain file but for ties of rounding.
    written = score(replica.written(), PREPROCESSING, images)
    assert np.allclose(tf.nn.softmax(replica.rounded_logits(tf.constant(images, tf.float32))).numpy(), written, atol=0.05)
    assert np.allclose(written, score(quantized, PREPROCESSING, images), atol=0.05)


def _bent(x: Any) -> Any:
    from keras import layers

    return layers.Activation("sigmoid")(layers.Conv2D(4, 3)(x))


def _shared(x: Any) -> Any:
    from keras import layers

    shared = layers.Conv2D(3, 3, padding="same", activation="relu")
    return shared(shared(x))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("body", "end", "reason"),
    [
        (_bent, "softmax", "it does not cover LOGISTIC"),
        (_shared, "softmax", "a CONV_2D has no weights and biases of its own"),
        (lambda x: x, "linear", "the model does not end in a SOFTMAX"),
    ],
)
def test_what_is_not_covered_leaves_fine_tuning_out_with_a_word(body: Callable[[Any], Any], end: str, reason: str) -> None:
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(2)
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu")(body(image))
    network = keras.Model(image, keras.layers.Dense(3, activation=end)(keras.layers.GlobalAveragePooling2D()(x)))
    images = pictures(40)
    sample, make = Sample(images, pictures(40, 8), "pictures"), Maker(network, images, PREPROCESSING, per_channel=True)
    # Of another model, so that conversion falls short.
    reference = np.roll(score(make(()).quantized, PREPROCESSING, sample.judged), 1, axis=1)
    _, made = choose("int8 per-channel", make, reference, sample, PREPROCESSING)
    assert f"{FINE_TUNING} cannot be tried: {reason}" in made.why
    assert [trial.applied for trial in made.trials][1:] == [(BIAS_CORRECTION,), (EQUALIZATION,), (EQUALIZATION, BIAS_CORRECTION)]


@pytest.mark.thorough
def test_more_steps_come_nearer_to_float(model: "keras.Model", monkeypatch: pytest.MonkeyPatch) -> None:
    images, unseen, floating = with_outliers(), pale(200, 33), to_float(model, SIDE)
    plain = to_int8(model, images, PREPROCESSING, per_channel=True)
    monkeypatch.setattr(tune, "STEPS", 100)
    tuned = fine_tuned(plain, floating, images, PREPROCESSING)
    reference = score(floating, PREPROCESSING, unseen)
    before, after = (scores_sqnr_db(score(content, PREPROCESSING, unseen), reference) for content in (plain, tuned))
    assert before is not None and after is not None and after > before + 1


@pytest.mark.thorough
def test_where_no_images_are_left_to_judge_it_on_it_is_not_tried(model: "keras.Model") -> None:
    sample = Sample.of_calibration(pictures(48))
    make = Maker(model, sample.calibration, PREPROCESSING, per_channel=True)
    reference = np.roll(score(make(()).quantized, PREPROCESSING, sample.judged), 1, axis=1)
    _, made = choose("int8 per-channel", make, reference, sample, PREPROCESSING)
    assert all(FINE_TUNING not in trial.applied for trial in made.trials)
    assert "no images but those that it would learn of" in made.why
