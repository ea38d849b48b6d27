"""CPU time of converting a float model to int8.

    python benchmarks/conversion.py [--network fdmobilenet_0.25] [--resolution 128] [--images 200]

Converts the network with calibration images drawn at random to float, int8 per channel and int8 per tensor, as the step `quantize`
does. The import of TensorFlow is not in the figures; it is shown by itself. The baseline, in the same run, is the documented
way: `TFLiteConverter.from_keras_model` with the same settings. Exit status 1 when one int8 conversion takes more than 6 CPU-s.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from edgeloop.console import program
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.convert import to_float, to_int8
from edgeloop.quiet import quiet

GOAL_CPU_S = 6.0


def main() -> int:
    options = _options()
    imported = _cpu_s(load_tensorflow)
    preprocessing = Preprocessing(resolution=options.resolution, resize="area", input_range=(-1, 1))
    model = build(network(options.network), options.resolution, 5)
    images = np.random.default_rng(1).integers(0, 256, (options.images, options.resolution, options.resolution, 3), np.uint8)
    ours = {
        "float": _cpu_s(lambda: to_float(model, options.resolution)),
        "int8 per-channel": _cpu_s(lambda: to_int8(model, images, preprocessing, per_channel=True)),
        "int8 per-tensor": _cpu_s(lambda: to_int8(model, images, preprocessing, per_channel=False)),
    }
    baseline = _cpu_s(lambda: _documented(model, images, preprocessing))
    print(f"{options.network} @{options.resolution}, {options.images} calibration images")
    print(f"  import            {imported:6.2f} CPU-s for TensorFlow, not counted")
    for name, seconds in ours.items():
        print(f"  {name:<17} {seconds:6.2f} CPU-s")
    slowest = max(ours["int8 per-channel"], ours["int8 per-tensor"])
    print(f"  all three         {sum(ours.values()):6.2f} CPU-s")
    print(f"  from_keras_model  {baseline:6.2f} CPU-s for int8 per-channel alone: {baseline / ours['int8 per-channel']:.1f} times ours")
    print(f"goal: an int8 conversion within {GOAL_CPU_S:.0f} CPU-s: {'met' if slowest <= GOAL_CPU_S else 'missed'} ({slowest:.2f})")
    return 0 if slowest <= GOAL_CPU_S else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="fdmobilenet_0.25")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--images", type=int, default=200)
    return parser.parse_args()


def _documented(model: Any, images: Pixels, preprocessing: Preprocessing) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
    converter.representative_dataset = lambda: ([preprocessing.normalised(image[None])] for image in images)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter.convert()


def _cpu_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(program(main))
