"""Occlusion: cover a part of the face and see how much the prediction suffers.

Zeiler and Fergus, arXiv 1311.2901, section 4.2. Slower than Grad-CAM and finer; it needs nothing
but predictions, so it explains any model on any backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from fer_lib.explain.checks import check_classes, check_images, keras_model

if TYPE_CHECKING:
    from fer_lib.pretrained import Pretrained

# Bounds the memory of the covered copies to some 40 MB at 48x48.
_MAX_COPIES = 4096


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
    options = {"batch_size": 128, "verbose": 0}
    before = np.asarray(model.predict(images, **options))
    chosen = check_classes(model, classes, before)
    masks = _squares(height, width, patch, stride)  # (positions, height, width)
    result = np.zeros((len(images), height, width), np.float32)
    block = max(1, _MAX_COPIES // len(masks))
    for start in range(0, len(images), block):
        part = images[start : start + block]
        rows = np.arange(start, start + len(part))
        gray = part.mean(axis=(1, 2), keepdims=True)[:, None] if fill is None else np.float32(fill)
        copies = np.where(masks[..., None], gray, part[:, None])  # (images, positions, h, w, c)
        after = np.asarray(model.predict(copies.reshape(-1, *images.shape[1:]), **options))
        after = after.reshape(len(part), len(masks), -1)[np.arange(len(part)), :, chosen[rows]]
        drops = before[rows, chosen[rows]][:, None] - after  # (images, positions)
        result[rows] = np.tensordot(drops, masks.astype(np.float32), axes=1) / masks.sum(axis=0)
    return result


def _squares(height: int, width: int, patch: int, stride: int) -> np.ndarray:
    """Returns every position of the square as a mask; the last ones end at the image's edge."""
    rows, columns = (_intervals(length, patch, stride) for length in (height, width))
    masks = rows[:, None, :, None] & columns[None, :, None, :]
    return masks.reshape(-1, height, width)


def _intervals(length: int, patch: int, stride: int) -> np.ndarray:
    starts = np.array([*range(0, length - patch, stride), length - patch])[:, None]
    pixels = np.arange(length)
    return (pixels >= starts) & (pixels < starts + patch)
