"""`edgeloop` on a machine whose processor TensorFlow sees as two devices, as it would see two GPUs.

python tests/two_devices.py train VARIANT
"""

import keras  # noqa: F401 - with both loaded, edgeloop takes TensorFlow as it is
import tensorflow as tf

from edgeloop.cli import main


def divide_processor() -> None:
    """Before TensorFlow looks at its devices for the first time."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


if __name__ == "__main__":
    divide_processor()
    raise SystemExit(main())
