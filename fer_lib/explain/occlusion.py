"""Occlusion: cover a part of the face and see how much the prediction suffers.

Zeiler and Fergus, arXiv 1311.2901, section 4.2. Slower than Grad-CAM and finer; it needs nothing
but predictions, so it explains any model on any backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from fer_lib.explain.model_inputs import check_classes, check_images, keras_model

if TYPE_CHECKING:
    from fer_lib.pretrained import Pretrained


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
    it. All covered copies of an image are predicted together.

    Args:
        model: What `load_pretrained` returns, or a Keras model that gives probabilities.
        images: As `grad_cam` takes them.
        classes: As `grad_cam` takes them.
        patch: Side of the square in pixels.
        stride: Pixels from one position of the square to the next, at most `patch`.
        fill: Value of the square; by default the mean of the image.

    Returns:
        `float32 (n, height, width)`, the drop of the probability, -1 to 1; below 0 covering helped.

    Raises:
        ValueError: Images or classes that do not fit, or a square that leaves pixels out.

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
    if not len(images):
        return np.zeros((0, height, width), np.float32)
    before = np.asarray(model.predict(images, batch_size=128, verbose=0))
    chosen = check_classes(model, classes, before)
    rows, columns = (_intervals(length, patch, stride) for length in (height, width))
    masks = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, height, width)
    maps = []
    for image, probabilities, label in zip(images, before, chosen, strict=True):
        gray = image.mean(axis=(0, 1)) if fill is None else np.float32(fill)
        copies = np.where(masks[..., None], gray, image)  # (positions, height, width, channels)
        after = np.asarray(model.predict(copies, batch_size=128, verbose=0))[:, label]
        drops = probabilities[label] - after
        maps.append(np.tensordot(drops, masks.astype(np.float32), axes=1) / masks.sum(axis=0))
    return np.array(maps, np.float32)


def _intervals(length: int, patch: int, stride: int) -> np.ndarray:
    """Returns `bool (positions, length)`: where the square lies; the last one ends at the edge."""
    starts = np.array([*range(0, length - patch, stride), length - patch])[:, None]
    pixels = np.arange(length)
    return (pixels >= starts) & (pixels < starts + patch)
