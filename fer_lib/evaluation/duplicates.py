"""Images that are in two sets at once: a score on them is partly a score of memory.

280 of FER2013's 3,589 PublicTest images are also in Training.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def find_duplicates(images: Any, others: Any) -> np.ndarray:
    """Says which images are also among others, identical pixel by pixel.

    Args:
        images: `(n, height, width)` or `(n, height, width, channels)`, or a `FaceDataset`.
        others: Images of the same size and type, such as those that a model was trained on.

    Returns:
        `bool (n,)`, True where an image has a duplicate.

    Raises:
        ValueError: The images differ in size or type, so none could ever be identical.

    Example:
        >>> faces = np.arange(3 * 4).reshape(3, 2, 2)
        >>> find_duplicates(faces, faces[1:2]).tolist()
        [False, True, False]
    """
    images, others = (np.asarray(getattr(each, "images", each)) for each in (images, others))
    if 3 in (images.ndim, others.ndim):  # gray images need no channel
        images, others = (x if x.ndim > 3 else x[..., np.newaxis] for x in (images, others))
    if images.shape[1:] != others.shape[1:] or images.dtype != others.dtype:
        raise ValueError(
            "Expected images of one size and type in both sets. "
            f"Received: {images.dtype} {images.shape[1:]} and {others.dtype} {others.shape[1:]}"
        )
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], bool)
