"""Images of a data set in the shape that a model takes."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.images import to_gray


def resize_images(dataset: FaceDataset, shape: tuple[int, int, int]) -> FaceDataset:
    """Returns the data set with images of another shape; sides in another ratio are squeezed.

    Args:
        dataset: The data set.
        shape: Height, width and channels, 1 (gray) or 3 (RGB; gray images stay gray in it).

    Example:
        >>> faces = FaceDataset(np.zeros((2, 48, 48), "uint8"), [0, 1])
        >>> resize_images(faces, (64, 32, 3)).images.shape
        (2, 64, 32, 3)
    """
    height, width, channels = shape
    if dataset.images.shape[1:] == (height, width, channels):
        return dataset
    images = np.empty((len(dataset), height, width, channels), np.uint8)
    is_smaller = dataset.images.shape[1] >= height
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    for target, image in zip(images, dataset.images, strict=True):
        image = to_gray(image) if channels < image.shape[2] else image
        target[:] = cv2.resize(image, (width, height), interpolation=method).reshape(
            height, width, -1
        )
    return dataclasses.replace(dataset, images=images)
