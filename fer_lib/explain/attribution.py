"""Grad-CAM and occlusion: which parts of an image support a class.

Grad-CAM (Selvaraju et al., arXiv 1610.02391, section 3) weighs the channels of a feature map by the
gradient of the class's logit, averaged over the map's positions. Occlusion (Zeiler and Fergus,
arXiv 1311.2901, section 4.2) covers a part and sees how much the prediction suffers: slower and
finer, and it needs nothing but predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import keras
import numpy as np

from fer_lib.pretrained import Pretrained

_BATCH_SIZE = 64


def grad_cam(
    model: Pretrained | keras.Model,
    images: Any,
    classes: int | str | Sequence[int] | np.ndarray | None = None,
    layer: str = "last_map",
) -> np.ndarray:
    """Finds where a network sees evidence for a class; evidence against it is left out.

    The maps are as coarse as the layer's (6x6 for the shipped network): they say "the mouth", not
    "the left corner of the mouth".

    Args:
        model: What `load_pretrained` returns, or a functional or sequential Keras model. Its
            logits are the output of a layer `"logits"`, or of its last dense layer before that
            layer's softmax.
        images: `(n, height, width)` or `(n, height, width, channels)` of the model's size, raw
            pixels, or a `FaceDataset`.
        classes: The class to explain: one index, one name (where the model has `class_names`),
            or one index per image; by default the class that the model predicts.
        layer: Name of the layer whose feature map is explained; everything must pass through it.

    Returns:
        `float32 (n, height, width)` in `[0, 1]`; the highest value of each map is 1. A map is 0
        everywhere where nothing in the layer supports the class.

    Raises:
        TypeError: `model` is no Keras model that knows its input.
        ValueError: Images or classes that do not fit, or no layer that can be explained.
        RuntimeError: Keras runs on another backend than TensorFlow or JAX.

    Example:
        >>> from fer_lib import build_cnn, make_faces
        >>> grad_cam(build_cnn("lesson"), make_faces(1), classes=3).shape
        (7, 48, 48)
    """
    network, images = keras_model(model), _read_images(images)
    whole, head = _split_at(network, layer)
    height, width = images.shape[1:3]
    if not len(images):
        return np.zeros((0, height, width), np.float32)
    starts = range(0, len(images), _BATCH_SIZE)
    outputs = [whole(images[start : start + _BATCH_SIZE], training=False) for start in starts]
    # (n, rows, columns, channels) and (n, num_classes)
    maps, logits = (
        np.concatenate([keras.ops.convert_to_numpy(part).astype(np.float32) for part in parts])
        for parts in zip(*outputs, strict=True)
    )
    gradients = _gradients(head, maps, _choose_classes(model, classes, logits))
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    coarse = np.maximum((weights * maps).sum(axis=-1), 0)
    # As the pixels of a layer's map lie in the middle of what they see, so do those of OpenCV.
    full = np.array([cv2.resize(each, (width, height)) for each in coarse], np.float32)
    highest = full.max(axis=(1, 2), keepdims=True)
    return np.divide(full, highest, out=np.zeros_like(full), where=highest > 0)


def keras_model(model: Any) -> keras.Model:
    """Returns the Keras model of a `Pretrained`, or the Keras model itself."""
    network = getattr(model, "model", model)
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise TypeError(
            "Expected `model` to be what `load_pretrained` returns, or a functional or sequential "
            f"Keras model that knows its input. Received: {model!r}"
        )
    return network


def _read_images(images: Any) -> np.ndarray:
    images = np.asarray(getattr(images, "images", images), np.float32)
    images = images[..., np.newaxis] if images.ndim == 3 else images
    if images.ndim != 4 or not np.isfinite(images).all():
        raise ValueError(
            "Expected finite images of shape (n, height, width, channels). "
            f"Received: shape {images.shape}, finite: {np.isfinite(images).all()}"
        )
    return images


def _choose_classes(model: Any, classes: Any, scores: np.ndarray) -> np.ndarray:
    """Returns the class to explain for each image, `int64 (n,)`; by default the highest score."""
    num, num_classes = scores.shape
    if classes is None:
        return scores.argmax(axis=1)
    names = tuple(getattr(model, "class_names", ()))
    is_name = isinstance(classes, str) and classes in names
    indices = np.asarray(names.index(classes) if is_name else classes)
    fits = indices.dtype.kind in "iu" and indices.shape in ((), (num,))
    if not fits or ((indices < 0) | (indices >= num_classes)).any():
        known = f", or one of {names}" if names else "; the model names no classes"
        raise ValueError(
            f"Expected `classes` as one index from 0 to {num_classes - 1}, or {num} of them, one "
            f"per image{known}. Received: {classes!r}"
        )
    return np.broadcast_to(indices, (num,)).astype(np.int64)


def _split_at(network: keras.Model, layer: str) -> tuple[keras.Model, keras.Model]:
    """Returns models from pixels to a layer's feature map and the logits, and from map to logits.

    Both share the layers of the model.
    """
    layers = {each.name: each for each in network.layers if not isinstance(each, keras.Model)}
    maps = [name for name, each in layers.items() if len(each.output.shape) == 4]
    if layer not in maps:
        raise ValueError(
            "Expected `layer` to be one that gives a map (batch, height, width, channels), such "
            f"as {', '.join(maps[-3:]) or 'a convolution'}. Received: {layer!r}"
        )
    logits = layers["logits"].output if "logits" in layers else None
    if logits is None:
        # A dense layer with its softmax inside, or before it.
        for dense in [*layers.values()][-2:]:
            if isinstance(dense, keras.layers.Dense):
                logits = keras.ops.matmul(dense.input, dense.kernel)
                logits = logits if dense.bias is None else logits + dense.bias
    if logits is None:
        raise ValueError(
            "Expected a layer 'logits' before the softmax, or a dense layer at the end. "
            f"Received: a model that ends with {network.layers[-1].name!r}"
        )
    feature_map = layers[layer].output
    try:
        head = keras.Model(feature_map, logits)
    except ValueError as error:
        raise ValueError(
            f"Expected a `layer` that everything passes through on its way to the logits. "
            f"Received: {layer!r}, which some of it passes by or which comes after them"
        ) from error
    return keras.Model(network.inputs[0], [feature_map, logits]), head


def _gradients(head: keras.Model, maps: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the gradient of each image's logit of its class with respect to its feature map."""
    backend = keras.backend.backend()
    wanted = np.eye(head.output_shape[-1], dtype=np.float32)[classes]

    def score(tensor: Any) -> Any:
        # Images do not see each other in the head, so one sum has all their gradients.
        return keras.ops.sum(keras.ops.cast(head(tensor, training=False), "float32") * wanted)

    if backend == "tensorflow":
        import tensorflow as tf

        tensor = tf.constant(maps)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = score(tensor)
        return tape.gradient(value, tensor).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(score)(jax.numpy.asarray(maps)))
    raise RuntimeError(
        "Expected the TensorFlow or the JAX backend of Keras, set by KERAS_BACKEND before keras is "
        f"imported; `occlusion_map` works on all. Received: {backend}"
    )


def occlusion_map(
    model: Pretrained | keras.Model,
    images: Any,
    classes: int | str | Sequence[int] | np.ndarray | None = None,
    *,
    patch: int = 8,
    stride: int = 4,
) -> np.ndarray:
    """Measures how much the probability of a class drops when a part of the face is covered.

    A square of the image's mean moves over it; each pixel has the mean drop of the squares that
    covered it. Model, images and classes are those of `grad_cam`, on any backend.

    Args:
        model: Gives probabilities.
        images: Raw pixels of the model's size.
        classes: By default those that the model predicts.
        patch: Side of the square in pixels.
        stride: Pixels from one position of the square to the next, at most `patch`.

    Returns:
        `float32 (n, height, width)`, the drop of the probability, -1 to 1; below 0 covering helped.

    Example:
        >>> from fer_lib import build_cnn, make_faces
        >>> occlusion_map(build_cnn("lesson"), make_faces(1)[:2], patch=12, stride=12).shape
        (2, 48, 48)
    """
    images = _read_images(images)
    height, width = images.shape[1:3]
    if not 1 <= stride <= patch <= min(height, width):
        raise ValueError(
            f"Expected 1 <= stride <= patch <= {min(height, width)}, so that every pixel is "
            f"covered. Received: patch={patch}, stride={stride}"
        )
    maps = np.zeros(images.shape[:3], np.float32)
    if not len(images):
        return maps
    before = np.asarray(model.predict(images, batch_size=128, verbose=0))
    chosen = _choose_classes(model, classes, before)
    rows, columns = (_intervals(length, patch, stride) for length in (height, width))
    masks = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, height, width)
    for index, (image, label) in enumerate(zip(images, chosen, strict=True)):
        # (positions, height, width, channels)
        copies = np.where(masks[..., None], image.mean(axis=(0, 1)), image)
        after = np.asarray(model.predict(copies, batch_size=128, verbose=0))[:, label]
        drops = before[index, label] - after
        maps[index] = np.tensordot(drops, masks.astype(np.float32), axes=1) / masks.sum(axis=0)
    return maps


def _intervals(length: int, patch: int, stride: int) -> np.ndarray:
    """Returns `bool (positions, length)`: where the square lies; the last one ends at the edge."""
    starts = np.array([*range(0, length - patch, stride), length - patch])[:, None]
    return (np.arange(length) >= starts) & (np.arange(length) < starts + patch)
