"""What every explanation takes, checked once: a model, images of its size, a class for each."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def keras_model(model: Any) -> keras.Model:
    """Returns the Keras model of a `Pretrained`, or the Keras model itself.

    Raises:
        TypeError: It is neither, or does not know its one input, as a subclassed or unbuilt model.
    """
    network = getattr(model, "model", model)
    if not isinstance(network, keras.Model) or len(getattr(network, "inputs", None) or []) != 1:
        raise TypeError(
            "Expected `model` to be what `load_pretrained` returns, or a functional or sequential "
            f"Keras model that knows its one input. Received: {model!r}"
        )
    return network


def check_images(network: keras.Model, images: Any) -> np.ndarray:
    """Returns finite images as `float32 (n, height, width, channels)` of the model's size."""
    images = np.asarray(getattr(images, "images", images), np.float32)
    shape = tuple(network.input_shape[1:])
    if images.ndim == 3 and shape[-1] == 1:
        images = images[..., np.newaxis]
    fits = images.ndim == 4 == 1 + len(shape)
    if not fits or any(b not in (None, a) for a, b in zip(images.shape[1:], shape, strict=True)):
        raise ValueError(
            f"Expected images of shape (n, {', '.join(map(str, shape))}), as the model takes "
            f"them. Received: {images.shape}"
        )
    if not np.isfinite(images).all():
        raise ValueError("Expected images of finite values. Received: NaN or infinity")
    return images


def check_classes(model: Any, classes: Any, scores: np.ndarray) -> np.ndarray:
    """Returns the class to explain for each image, `int64 (n,)`; by default the highest score."""
    num, num_classes = scores.shape
    if classes is None:
        return scores.argmax(axis=1)
    if isinstance(classes, str):
        names = tuple(getattr(model, "class_names", ()))
        if classes not in names:
            known = f"one of {names}" if names else "an index, since the model names no classes"
            raise ValueError(f"Expected `classes` to be {known}. Received: {classes!r}")
        classes = names.index(classes)
    indices = np.asarray(classes)
    fits = indices.dtype.kind in "iu" and indices.shape in ((), (num,))
    if not fits or ((indices < 0) | (indices >= num_classes)).any():
        raise ValueError(
            f"Expected `classes` as one index from 0 to {num_classes - 1}, or {num} of them, one "
            f"per image. Received: {classes!r}"
        )
    return np.broadcast_to(indices, (num,)).astype(np.int64)
