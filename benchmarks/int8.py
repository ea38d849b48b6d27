"""What int8 loses: plain conversion beside the product's, on images that neither calibrates nor chooses.

    python benchmarks/int8.py MODEL.keras MODEL.h5 --images DIR [--harden 100] [--input-range -1 1] [--resize bilinear]
    python benchmarks/int8.py --mobilenet 0.35 --resolution 96 --images DIR [--harden 100]

`DIR` holds images, in a folder for each class where accuracies are wanted: they are, where the model has as many classes. 200 images
calibrate, at most 500 choose, the rest (`--test` at most) is measured. `--harden S` multiplies the channels of the float model by
factors from 1/S to S, drawn by `--seed`, and divides the weights that take them, so that it computes the same: what plain
conversion cannot cope with. Nothing is rescaled over a ReLU6, which would cut elsewhere.
`--mobilenet ALPHA` builds Keras' MobileNetV2 with random weights, normalised on the images, and a head along the directions in which
their features differ most, so that the answers vary.
A line for each format; exit status 1 when one agrees with float on less than 98.5 % (per tensor 97 %) of the images.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.console import program
from edgeloop.datasets.folder import read_picture, walk_folder
from edgeloop.framework import load_tensorflow
from edgeloop.networks.files import read_model
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.calibration import Sample
from edgeloop.quantization.choose import score
from edgeloop.quantization.convert import convert_network, to_int8
from edgeloop.tflite.formats import FILES, Format

GOALS: dict[Format, float] = {"int8 per-channel": 0.985, "int8 per-tensor": 0.97}
CALIBRATION, JUDGED = 200, 500
PASSES = ("ReLU", "Activation", "ZeroPadding2D", "Dropout", "AveragePooling2D", "MaxPooling2D", "GlobalAveragePooling2D")
TAKES = {"Conv2D": 2, "DepthwiseConv2D": 2, "Dense": 0}
"""The dimension of the input channels in a kernel."""


def main() -> int:
    options = _options()
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(options.seed)
    reached = True
    for source in [*options.models, *(["mobilenet"] if options.mobilenet else [])]:
        model = None if source == "mobilenet" else read_model(Path(source))
        side = options.resolution if model is None else int(model.inputs[0].shape[1] or options.resolution)
        preprocessing = Preprocessing(resolution=side, resize=options.resize, input_range=tuple(options.input_range))
        pixels, labels, classes = _read(options.images, preprocessing, options.seed, CALIBRATION + JUDGED + options.test)
        if model is None:
            model = _mobilenet(options.mobilenet, side, preprocessing.normalised(pixels[:CALIBRATION]))
        before = model.predict(preprocessing.normalised(pixels[:32]), verbose=0)
        if options.harden:
            pairs = harden(model, np.random.default_rng(options.seed), options.harden)
            moved = np.abs(model.predict(preprocessing.normalised(pixels[:32]), verbose=0) - before).max()
            print(f"{source}: {pairs} pairs of layers hardened by {options.harden:g}; scores moved by at most {moved:.1e}")
        known = labels if classes == model.output_shape[-1] else None
        reached &= _measure(Path(source).stem, model, preprocessing, pixels, known)
    return 0 if reached else 1


def _measure(name: str, model: Any, preprocessing: Preprocessing, pixels: Pixels, labels: NDArray[np.intp] | None) -> bool:
    """Print a line for each int8 format; whether all reach their goal."""
    chosen = min(JUDGED, (len(pixels) - CALIBRATION) // 2)
    sample = Sample(pixels[:CALIBRATION], pixels[CALIBRATION : CALIBRATION + chosen], "held-out images")
    test = pixels[CALIBRATION + chosen :]
    known = None if labels is None else labels[CALIBRATION + chosen :]
    reached = True
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        conversions = convert_network(model, sample, preprocessing, Path(folder), lambda _: None)
        seconds = time.monotonic() - begun
        floating = score((Path(folder) / f"{FILES['float']}.tflite").read_bytes(), preprocessing, test)
        answers = len(np.unique(floating.argmax(axis=1)))
        print(f"{name} @{preprocessing.resolution}: {len(test)} images, {answers} different answers, {seconds:.0f} s for all formats")
        for kind, made in conversions.items():
            plain = to_int8(model, sample.calibration, preprocessing, per_channel=kind == "int8 per-channel")
            ours = (Path(folder) / f"{FILES[kind]}.tflite").read_bytes()
            told = [_told(score(content, preprocessing, test), floating, known) for content in (plain, ours)]
            print(f"  {kind:<16} plain: {told[0]}   product: {told[1]}   {' and '.join(made.applied) or 'plain'}: {made.why}", flush=True)
            reached &= _agreement(score(ours, preprocessing, test), floating) >= GOALS[kind]
    return reached


def _told(scores: NDArray[np.float32], floating: NDArray[np.float32], labels: NDArray[np.intp] | None) -> str:
    agreed = f"agrees {_agreement(scores, floating):7.2%}"
    if labels is None:
        return agreed
    drop = (floating.argmax(axis=1) == labels).mean() - (scores.argmax(axis=1) == labels).mean()
    return f"{agreed}, drop {100 * drop:5.2f} points"


def _agreement(scores: NDArray[np.float32], floating: NDArray[np.float32]) -> float:
    return float((scores.argmax(axis=1) == floating.argmax(axis=1)).mean())


def harden(model: Any, rng: np.random.Generator, spread: float) -> int:
    """Rescale all channels that one layer makes and one other takes; how many such pairs there are."""
    pairs = 0
    for maker in model.layers:
        if type(maker).__name__ not in ("BatchNormalization", "DepthwiseConv2D"):
            continue
        taker, limited = _taker(maker)
        if taker is None or limited or (kind := type(taker).__name__) not in TAKES:
            continue
        weights, taken = maker.get_weights(), taker.get_weights()
        channels = weights[-1].shape[0] if type(maker).__name__ == "BatchNormalization" else weights[0].shape[2]
        factors = np.exp(rng.uniform(-np.log(spread), np.log(spread), channels)).astype(np.float32)
        kernel_shape = [-1 if place == TAKES[kind] else 1 for place in range(taken[0].ndim)]
        if type(maker).__name__ == "BatchNormalization":
            maker.set_weights([weights[0] * factors, weights[1] * factors, *weights[2:]])
        else:
            maker.set_weights([weights[0] * factors[:, None], *(bias * factors for bias in weights[1:])])
        taker.set_weights([taken[0] / factors.reshape(kernel_shape), *taken[1:]])
        pairs += 1
    return pairs


def _taker(layer: Any) -> tuple[Any, bool]:
    """The only layer that takes a layer's channels, and whether a ReLU6 lies between; None where there are several."""
    limited = False
    while len(layer._outbound_nodes) == 1:
        layer = layer._outbound_nodes[0].operation
        if type(layer).__name__ not in PASSES or (type(layer).__name__ == "Activation" and layer.activation.__name__ != "relu"):
            return layer, limited
        limited |= getattr(layer, "max_value", None) is not None
    return None, limited


def _mobilenet(alpha: float, side: int, images: NDArray[np.float32]) -> Any:
    """Keras' MobileNetV2 with random weights for ten classes, normalised on the images."""
    import keras

    base = keras.applications.MobileNetV2((side, side, 3), alpha=alpha, include_top=False, weights=None, pooling="avg")
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base(images[:64], training=True)
    features = base.predict(images, verbose=0)
    mean = features.mean(axis=0)
    _, sizes, directions = np.linalg.svd(features - mean, full_matrices=False)
    kernel = 4 * directions[:10].T / sizes[:10] * np.sqrt(len(images))
    head = keras.layers.Dense(10, activation="softmax")
    model = keras.Model(base.inputs, head(base.output))
    head.set_weights([kernel, -mean @ kernel])
    return model


def _read(folder: Path, preprocessing: Preprocessing, seed: int, most: int) -> tuple[Pixels, NDArray[np.intp], int]:
    """Shuffled pixels, the place of each image's folder among the sorted ones, and how many folders there are."""
    paths = np.random.default_rng(seed).permutation(sorted(map(str, walk_folder(folder).pictures)))
    names = sorted({str(Path(path).parent) for path in paths})
    pixels = np.stack([preprocessing.pixels(read_picture(folder / path)) for path in paths[:most]])
    return pixels, np.asarray([names.index(str(Path(path).parent)) for path in paths[:most]]), len(names)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--harden", type=float)
    parser.add_argument("--mobilenet", type=float, metavar="ALPHA")
    parser.add_argument("--resolution", type=int, default=96)
    parser.add_argument("--input-range", type=float, nargs=2, default=(-1.0, 1.0))
    parser.add_argument("--resize", default="bilinear")
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(program(main))
