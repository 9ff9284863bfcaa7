"""Grad-CAM and occlusion: which parts of an image speak for a class.

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

from fer_lib.explain.model_inputs import check_classes, check_images, keras_model
from fer_lib.pretrained import Pretrained

_BATCH_SIZE = 64


def grad_cam(
    model: Pretrained | keras.Model,
    images: Any,
    classes: int | str | Sequence[int] | np.ndarray | None = None,
    layer: str = "last_map",
) -> np.ndarray:
    """Finds where a network sees what speaks for a class; what speaks against it is left out.

    The maps are as coarse as the layer's (6x6 for the shipped network): they say "the mouth", not
    "the left corner of the mouth".

    Args:
        model: What `load_pretrained` returns, or a functional Keras model, nested ones included.
            Its logits are the output of a layer `"logits"`, or of its last dense layer before
            that layer's softmax.
        images: `(n, height, width)` or `(n, height, width, channels)` of the model's size, raw
            pixels, or a `FaceDataset`.
        classes: The class to explain: one index, one name (where the model has `class_names`),
            or one index per image; by default the class that the model predicts.
        layer: Name of the layer whose feature map is explained; everything must pass through it.

    Returns:
        `float32 (n, height, width)` in `[0, 1]`; the highest value of each map is 1. A map is 0
        everywhere where nothing in the layer speaks for the class.

    Raises:
        TypeError: `model` is no Keras model that knows its one input.
        ValueError: Images or classes that do not fit, or no layer that can be explained.
        RuntimeError: Keras runs on another backend than TensorFlow or JAX.

    Example:
        >>> from fer_lib import build_cnn, make_faces
        >>> grad_cam(build_cnn("lesson"), make_faces(1), classes=3).shape
        (7, 48, 48)
    """
    network = keras_model(model)
    images = check_images(network, images)
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
    gradients = _gradients(head, maps, check_classes(model, classes, logits))
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    coarse = np.maximum((weights * maps).sum(axis=-1), 0)
    # As the pixels of a layer's map lie in the middle of what they see, so do those of OpenCV.
    full = np.array([cv2.resize(each, (width, height)) for each in coarse], np.float32)
    highest = full.max(axis=(1, 2), keepdims=True)
    return np.divide(full, highest, out=np.zeros_like(full), where=highest > 0)


def _split_at(network: keras.Model, layer: str) -> tuple[keras.Model, keras.Model]:
    """Returns models from pixels to a layer's feature map and the logits, and from map to logits.

    Both share the layers of the model.
    """
    calls: list[tuple[Any, Any, Any]] = []
    pixels = keras.Input(batch_shape=network.input_shape)
    _unroll(network, pixels, calls)
    output_of = {each.name: output for each, _, output in calls}
    if layer not in output_of or len(output_of[layer].shape) != 4:
        maps = [name for name, tensor in output_of.items() if len(tensor.shape) == 4]
        raise ValueError(
            "Expected `layer` to be one that gives a map (batch, height, width, channels), such "
            f"as {', '.join(maps[-3:]) or 'a convolution'}. Received: {layer!r}"
        )
    logits = output_of.get("logits")
    if logits is None:
        # A dense layer with its softmax inside, or before it.
        for dense, features, _ in calls[-2:]:
            if isinstance(dense, keras.layers.Dense):
                logits = keras.ops.matmul(features, dense.kernel)
                logits = logits if dense.bias is None else logits + dense.bias
    if logits is None:
        raise ValueError(
            "Expected a layer 'logits' before the softmax, or a dense layer at the end. "
            f"Received: a model that ends with {network.layers[-1].name!r}"
        )
    try:
        head = keras.Model(output_of[layer], logits)
    except ValueError as error:
        raise ValueError(
            f"Expected a `layer` that everything passes through on its way to the logits. "
            f"Received: {layer!r}, which some of it passes by or which comes after them"
        ) from error
    return keras.Model(pixels, [output_of[layer], logits]), head


def _unroll(network: keras.Model, inputs: Any, calls: list[tuple[Any, Any, Any]]) -> Any:
    """Calls the layers of a model, and of the models in it, on new inputs; notes each call."""
    output = None

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        nonlocal output
        if isinstance(layer, keras.Model) and len(getattr(layer, "outputs", None) or []) == 1:
            output = _unroll(layer, arguments[0], calls)
        else:
            output = layer(*arguments, **keywords)
            calls.append((layer, arguments[0], output))
        return output

    # A sequential model is unrolled by way of the functional one that it equals.
    keras.models.clone_model(
        keras.Model(network.inputs, network.outputs[0]),
        input_tensors=keras.tree.flatten(inputs),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return output


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
    fill: float | None = None,
) -> np.ndarray:
    """Measures how much the probability of a class drops when a part of the face is covered.

    A gray square moves over the image; each pixel has the mean drop of the squares that covered
    it. Model, images, classes and what they raise are those of `grad_cam`, on any backend.

    Args:
        model: Gives probabilities.
        images: Raw pixels of the model's size.
        classes: By default those that the model predicts.
        patch: Side of the square in pixels.
        stride: Pixels from one position of the square to the next, at most `patch`.
        fill: Value of the square; by default the mean of the image.

    Returns:
        `float32 (n, height, width)`, the drop of the probability, -1 to 1; below 0 covering helped.

    Example:
        >>> from fer_lib import build_cnn, make_faces
        >>> occlusion_map(build_cnn("lesson"), make_faces(1)[:2], patch=12, stride=12).shape
        (2, 48, 48)
    """
    images = check_images(keras_model(model), images)
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
    chosen = check_classes(model, classes, before)
    rows, columns = (_intervals(length, patch, stride) for length in (height, width))
    masks = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, height, width)
    for index, (image, label) in enumerate(zip(images, chosen, strict=True)):
        gray = image.mean(axis=(0, 1)) if fill is None else np.float32(fill)
        copies = np.where(masks[..., None], gray, image)  # (positions, height, width, channels)
        after = np.asarray(model.predict(copies, batch_size=128, verbose=0))[:, label]
        drops = before[index, label] - after
        maps[index] = np.tensordot(drops, masks.astype(np.float32), axes=1) / masks.sum(axis=0)
    return maps


def _intervals(length: int, patch: int, stride: int) -> np.ndarray:
    """Returns `bool (positions, length)`: where the square lies; the last one ends at the edge."""
    starts = np.array([*range(0, length - patch, stride), length - patch])[:, None]
    return (np.arange(length) >= starts) & (np.arange(length) < starts + patch)
