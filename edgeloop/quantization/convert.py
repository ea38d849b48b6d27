"""A Keras model to TFLite files: float, int8 per channel and int8 per tensor, each with a fixed batch of 1.

A model of a file is read and converted in a child process: TensorFlow 2.21 dies (signal 11) of a model with a GRU, to name one.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.child import Limits, Tell, in_child
from edgeloop.errors import ModelError
from edgeloop.networks.files import read_model
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.progress import progress
from edgeloop.quantization.bias import corrected
from edgeloop.quantization.calibration import Sample, with_full_range
from edgeloop.quantization.choose import BIAS_CORRECTION, EQUALIZATION, FINE_TUNING, Applied, Made, choose, reference_scores, some
from edgeloop.quantization.compare import same_function
from edgeloop.quantization.equalize import channel_ranges, equalized
from edgeloop.quantization.form import check_form
from edgeloop.quantization.tune import fine_tuned
from edgeloop.quiet import quiet
from edgeloop.records import Conversion
from edgeloop.resolution import CHANNELS, Color, Size
from edgeloop.tflite.buffers import apart
from edgeloop.tflite.formats import FILES, Format

if TYPE_CHECKING:
    import keras

Rework = Callable[[bytes], bytes]
"""From one file to another."""

LIMITS = Limits(deadline_s=1800.0, memory_bytes=16 << 30)
PLAIN = "Quantize a model of plain convolutional layers."


def convert_file(model: Path, sample: Sample, preprocessing: Preprocessing, folder: Path) -> dict[Format, Conversion]:
    """Read a `.keras` or `.h5` and write its three formats into a folder, in a child process; says how the int8 ones were made.

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

        in_child(read_and_convert, model, sample, preprocessing, folder, limits=LIMITS, died=died, told=told)
    return {kind: _taken_up(folder / f"{stem}.json") for kind, stem in FILES.items() if kind != "float"}


def _taken_up(path: Path) -> Conversion:
    """What the child left of how it made a file."""
    conversion = Conversion.model_validate_json(path.read_bytes())
    path.unlink()
    return conversion


def read_and_convert(tell: Tell, model: Path, sample: Sample, preprocessing: Preprocessing, folder: Path) -> None:
    """The child's function of `convert_file`; it tells when the model is read, then each format that is made."""
    network = read_model(model)
    check_form(model, network, preprocessing.resolution, preprocessing.color)
    tell("read")
    for kind, conversion in convert_network(network, sample, preprocessing, folder, tell).items():
        (folder / f"{FILES[kind]}.json").write_text(conversion.model_dump_json(), encoding="utf-8")


def convert_network(
    network: "keras.Model", sample: Sample, preprocessing: Preprocessing, folder: Path, tell: Tell
) -> dict[Format, Conversion]:
    """Write the three formats of a network of this process into a folder; says how the int8 ones were made."""
    floating = to_float(network, preprocessing.resolution, preprocessing.color)
    (folder / f"{FILES['float']}.tflite").write_bytes(floating)
    tell("float")
    reference = reference_scores(floating, preprocessing, sample.judged)
    conversions: dict[Format, Conversion] = {}
    for kind in (kind for kind in FILES if kind != "float"):
        make = Maker(network, sample.calibration, preprocessing, per_channel=kind == "int8 per-channel")
        content, conversions[kind] = choose(kind, make, reference, sample, preprocessing)
        (folder / f"{FILES[kind]}.tflite").write_bytes(content)
        tell(kind)
    return conversions


@dataclass(frozen=True)
class Maker:
    """Makes the int8 file of a network in each of the ways."""

    network: "keras.Model"
    calibration: Pixels
    preprocessing: Preprocessing
    per_channel: bool

    def __call__(self, applied: Applied) -> Made:
        floats: list[bytes] = []

        def before(floating: bytes) -> bytes:
            floating = apart(floating) if applied else floating
            if EQUALIZATION in applied:
                floating = self._equalized(floating)
            floats.append(floating)
            return floating

        def after(quantized: bytes) -> bytes:
            if not applied:
                return quantized
            quantized = apart(quantized)
            if BIAS_CORRECTION in applied:
                quantized = corrected(quantized, floats[-1], some(self.calibration), self.preprocessing)
            if FINE_TUNING in applied:
                quantized = fine_tuned(quantized, floats[-1], self.calibration, self.preprocessing)
            return quantized

        quantized = to_int8(self.network, self.calibration, self.preprocessing, per_channel=self.per_channel, before=before, after=after)
        return Made(quantized, floats[-1])

    def _equalized(self, floating: bytes) -> bytes:
        """Rescaled, unless a calibration image then gives something else: the float function comes first."""
        ranges = channel_ranges(floating, self.calibration, self.preprocessing)
        even = equalized(floating, ranges, per_channel=self.per_channel)
        return even if same_function(floating, even, some(self.calibration), self.preprocessing) else floating


def unchanged(content: bytes) -> bytes:
    return content


def to_float(model: "keras.Model", resolution: int | str, color: Color = "rgb") -> bytes:
    """The model with float32 input, one image of (height, width, channels), and float32 output."""
    size = Size.of(resolution)
    return _convert(_converter(model, (size.height, size.width, CHANNELS[color])))


def to_int8(
    model: "keras.Model",
    calibration: Pixels,
    preprocessing: Preprocessing,
    *,
    per_channel: bool,
    before: Rework = unchanged,
    after: Rework = unchanged,
) -> bytes:
    """The model in full int8, with uint8 input (the raw pixel) and float32 output.

    `calibration` is (n, height, width, channels) uint8. Weights have one scale for each output channel, or one for the
    whole tensor (which the STM32MP2's NPU needs). `before` reworks the float file that is calibrated and quantized, `after`
    the int8 file.

    Raises:
        ModelError: the converter refuses the model.
    """
    import tensorflow as tf

    converter = _converter(model, calibration.shape[1:])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
    converter._experimental_disable_per_channel = not per_channel
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
    images = with_full_range(calibration)
    quantize = converter._quantize
    converter._quantize = lambda floating, *settings: after(bytes(quantize(before(bytes(floating)), *settings)))
    converter.representative_dataset = lambda: ([preprocessing.normalised(image[None])] for image in images)
    return _convert(converter)


def _converter(model: "keras.Model", shape: tuple[int, ...]) -> Any:
    import tensorflow as tf

    image = tf.TensorSpec((1, *shape), tf.float32, name="image")
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
