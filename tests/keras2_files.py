"""Models written as Keras 2 wrote its `.h5`: the description by class and config, `groups` everywhere, weights in their order."""

import json
from pathlib import Path
from typing import Any

import numpy as np


def teachable_machine(frozen: bool = False, functional: str = "Functional") -> tuple[Any, dict[str, Any]]:
    """A classifier as Teachable Machine exports it, a Sequential of two, the first around a MobileNet, and its description.

    `frozen` leaves half of the MobileNet's layers untrained, which changes the order of the weights.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    image = keras.Input((96, 96, 3), name="image")
    x = block(layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name="conv1")(image), 1, 6)
    backbone = keras.Model(image, layers.Add(name="add")([x, block(x, 2, 6)]), name="mobilenet")
    for layer in backbone.layers[: len(backbone.layers) // 2] if frozen else ():
        layer.trainable = False
    features = keras.Sequential([backbone, layers.GlobalAveragePooling2D(name="pool")], name="features")
    head = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, "relu", name="hidden"), layers.Dense(3, "softmax", name="scores")], name="head"
    )
    model = keras.Sequential([features, head], name="teachable")
    rng = np.random.default_rng(7)
    model.set_weights([weights + rng.uniform(0.05, 0.3, weights.shape) for weights in model.get_weights()])
    return model, described(model, functional)


def block(x: Any, number: int, filters: int) -> Any:
    from keras import layers

    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"depthwise_{number}")(x)
    x = layers.ReLU(6.0, name=f"relu_{number}")(layers.BatchNormalization(name=f"depthwise_{number}_bn")(x))
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"pointwise_{number}")(x)
    return layers.BatchNormalization(name=f"pointwise_{number}_bn")(x)


def described(layer: Any, functional: str) -> dict[str, Any]:
    """A layer or model as Keras 2 describes it."""
    import keras

    if isinstance(layer, keras.Sequential):
        parts = [input_of(layer.inputs[0]), *(described(part, functional) for part in layer.layers)]
        return {"class_name": "Sequential", "config": {"name": layer.name, "layers": parts}}
    if isinstance(layer, keras.Model):
        parts = [described(part, functional) | {"name": part.name, "inbound_nodes": calls_of(part)} for part in layer.layers]
        ends = {"input_layers": [[layer.layers[0].name, 0, 0]], "output_layers": [[layer.layers[-1].name, 0, 0]]}
        return {"class_name": functional, "config": {"name": layer.name, "trainable": True, "layers": parts} | ends}
    if isinstance(layer, keras.layers.InputLayer):
        return input_of(layer.output)
    config = layer.get_config() | {"dtype": "float32"}
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        config |= {"groups": 1, "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}}}
    if isinstance(layer, keras.layers.BatchNormalization):
        config |= {"axis": [3]}
    return {"class_name": type(layer).__name__, "config": config}


def input_of(tensor: Any) -> dict[str, Any]:
    config = {"batch_input_shape": tensor.shape, "dtype": "float32", "sparse": False, "ragged": False, "name": "image"}
    return {"class_name": "InputLayer", "config": config}


def calls_of(layer: Any) -> list[Any]:
    parents = [parent.operation.name for parent in layer._inbound_nodes[0].parent_nodes]
    return [[[parent, 0, 0, {}] for parent in parents]] if parents else []


def write_keras2_model(path: Path, model: Any, description: dict[str, Any], version: str = "2.8.0") -> Path:
    """Write a whole model as Keras 2 does."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version, "tensorflow"
        file.attrs["model_config"] = json.dumps(description)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group, weights = root.create_group(layer.name), [*layer.trainable_weights, *layer.non_trainable_weights]
            names = [old_name(weight.path) for weight in weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, weights, strict=True):
                group[name] = np.asarray(weight)
    return path


def old_name(path: str) -> str:
    layer, name = path.rsplit("/", 1)
    return f"{layer}/{'depthwise_kernel' if 'depthwise' in layer and name == 'kernel' else name}:0"
