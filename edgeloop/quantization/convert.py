"""A Keras model to TFLite files: float, int8 per channel and int8 per tensor, each with a fixed batch of 1."""

import warnings
from typing import TYPE_CHECKING, Any

from edgeloop.errors import ModelError
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.calibration import with_full_range
from edgeloop.quiet import quiet

if TYPE_CHECKING:
    import keras


def to_float(model: "keras.Model") -> bytes:
    """The model with float32 input and output."""
    return _convert(_converter(model))


def to_int8(model: "keras.Model", calibration: Pixels, preprocessing: Preprocessing, *, per_channel: bool) -> bytes:
    """The model in full int8, with uint8 input (the raw pixel) and float32 output.

    `calibration` is (n, resolution, resolution, 3) uint8. Weights have one scale for each output channel, or one for the
    whole tensor (which the STM32MP2's NPU needs).

    Raises:
        ModelError: the converter refuses the model.
    """
    import tensorflow as tf

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
    converter._experimental_disable_per_channel = not per_channel
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
    images = with_full_range(calibration)
    converter.representative_dataset = lambda: ([preprocessing.normalised(image[None])] for image in images)
    return _convert(converter)


def _converter(model: "keras.Model") -> Any:
    import tensorflow as tf

    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")
    traced = tf.function(lambda image: model(image, training=False), jit_compile=False).get_concrete_function(image)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], model)
    # Frozen in memory: the way over an exported saved model takes five times the CPU, for the same numbers.
    converter.experimental_lower_to_saved_model = False
    return converter


def _convert(converter: Any) -> bytes:
    # The converter tells of its saved-model export on stdout and through warnings; none of it is for a user.
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bytes(converter.convert())
        except (ValueError, RuntimeError, TypeError) as error:
            raise ModelError(f"The converter refuses the model: {error}", "Quantize a model of plain convolutional layers.") from error
