"""A Keras model to TFLite files: float, int8 per channel and int8 per tensor, each with a fixed batch of 1.

A model of a file is read and converted in a child process: TensorFlow 2.21 dies (signal 11) of a model with a GRU, to name one.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.child import Limits, Tell, in_child
from edgeloop.errors import ModelError
from edgeloop.networks.files import read_model
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.progress import progress
from edgeloop.quantization.calibration import with_full_range
from edgeloop.quantization.form import check_form
from edgeloop.quiet import quiet
from edgeloop.tflite.formats import FILES

if TYPE_CHECKING:
    import keras

LIMITS = Limits(deadline_s=1800.0, memory_bytes=16 << 30)
PLAIN = "Quantize a model of plain convolutional layers."


def convert_file(model: Path, calibration: Pixels, preprocessing: Preprocessing, folder: Path) -> None:
    """Read a `.keras` or `.h5` and write its three formats into a folder, in a child process.

    `calibration` is (n, resolution, resolution, 3) uint8.

    Raises:
        ModelError: the file is no model that can be read and converted, or takes another input, or TensorFlow crashed of it.
    """
    made: list[str] = []

    def died(how: str) -> ModelError:
        if not made:
            return ModelError(f"Keras {how} while it read {model}.", "It is damaged, or not of Keras: save it again.")
        return ModelError(f"The converter {how} on {model}.", PLAIN)

    with progress("convert", len(FILES), "models") as advance:

        def told(what: str) -> None:
            if made:
                advance(1, what)
            made.append(what)

        in_child(read_and_convert, model, calibration, preprocessing, folder, limits=LIMITS, died=died, told=told)


def read_and_convert(tell: Tell, model: Path, calibration: Pixels, preprocessing: Preprocessing, folder: Path) -> None:
    """The child's function of `convert_file`; it tells when the model is read, then each format that is made."""
    network = read_model(model)
    check_form(model, network, preprocessing.resolution)
    tell("read")
    convert_network(network, calibration, preprocessing, folder, tell)


def convert_network(network: "keras.Model", calibration: Pixels, preprocessing: Preprocessing, folder: Path, tell: Tell) -> None:
    """Write the three formats of a network of this process into a folder."""
    for kind, stem in FILES.items():
        if kind == "float":
            content = to_float(network, preprocessing.resolution)
        else:
            content = to_int8(network, calibration, preprocessing, per_channel=kind == "int8 per-channel")
        (folder / f"{stem}.tflite").write_bytes(content)
        tell(kind)


def to_float(model: "keras.Model", side: int) -> bytes:
    """The model with float32 input, one image of (side, side, 3), and float32 output."""
    return _convert(_converter(model, side))


def to_int8(model: "keras.Model", calibration: Pixels, preprocessing: Preprocessing, *, per_channel: bool) -> bytes:
    """The model in full int8, with uint8 input (the raw pixel) and float32 output.

    `calibration` is (n, resolution, resolution, 3) uint8. Weights have one scale for each output channel, or one for the
    whole tensor (which the STM32MP2's NPU needs).

    Raises:
        ModelError: the converter refuses the model.
    """
    import tensorflow as tf

    converter = _converter(model, calibration.shape[1])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
    converter._experimental_disable_per_channel = not per_channel
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
    images = with_full_range(calibration)
    converter.representative_dataset = lambda: ([preprocessing.normalised(image[None])] for image in images)
    return _convert(converter)


def _converter(model: "keras.Model", side: int) -> Any:
    import tensorflow as tf

    image = tf.TensorSpec((1, side, side, 3), tf.float32, name="image")
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
            raise ModelError(f"The converter refuses the model: {error}", PLAIN) from error
