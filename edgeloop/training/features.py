"""Pooled backbone features of a split, computed once and kept on disk: what the `head` mode trains on."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeloop.datasets.pixels import SplitPixels, batches
from edgeloop.files import atomic_path
from edgeloop.framework import running_threads
from edgeloop.preprocessing import Preprocessing
from edgeloop.progress import progress
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    import keras

BATCH = 128


def backbone(network: "keras.Model") -> "keras.Model":
    """The network up to its pooled features: images to (n, features)."""
    import keras

    pooled = keras.layers.Flatten()(network.get_layer("features").output)
    return keras.Model(network.input, pooled)


def compute_features(network: "keras.Model", images: SplitPixels, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """(n, features) float32 of every image of a split."""
    import tensorflow as tf

    model = backbone(network)
    extract = tf.function(model, jit_compile=False, reduce_retracing=True)
    features = np.empty((len(images.labels), model.output.shape[1]), np.float32)
    with progress("features", len(features), "images") as advance:
        for part in batches(len(features), BATCH):
            features[part] = extract(preprocessing.normalised(images.pixels[part]), training=False).numpy()
            advance(part.stop - part.start)
    return features


def cached_features(workspace: Workspace, network: "keras.Model", images: SplitPixels, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """As `compute_features`, but mapped from disk when the same weights have seen the same images before, on as many threads."""
    splits = "+".join(sorted(set(images.rows["split"])))
    digest = hashlib.sha256(f"{images.manifest_sha256} {preprocessing.model_dump_json()} {splits} {running_threads()}".encode())
    for weight in network.get_weights()[:-2]:  # the classifier's two do not matter
        digest.update(np.ascontiguousarray(weight).tobytes())
    cached = workspace.cache / "features" / f"{digest.hexdigest()[:32]}.npy"
    if not cached.exists():
        features = compute_features(network, images, preprocessing)
        with atomic_path(cached) as temporary, temporary.open("wb") as file:
            np.save(file, features)
    return np.asarray(np.load(cached, mmap_mode="r"), np.float32)
