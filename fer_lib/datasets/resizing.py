"""Images of a data set in the shape that a model takes."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.images import to_gray


def resize_images(dataset: FaceDataset, shape: tuple[int, int, int]) -> FaceDataset:
    """Returns the data set with images of another `(height, width, channels)`.

    Sides in another ratio are squeezed; gray images stay gray in three channels.

    Example:
        >>> faces = FaceDataset(np.zeros((2, 48, 48), "uint8"), [0, 1])
        >>> resize_images(faces, (64, 32, 3)).images.shape
        (2, 64, 32, 3)
    """
    if dataset.images.shape[1:] == tuple(shape):
        return dataset
    images = np.empty((len(dataset), *shape), np.uint8)
    is_smaller = dataset.images.shape[1] >= shape[0]
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    for target, image in zip(images, dataset.images, strict=True):
        image = to_gray(image) if shape[2] < image.shape[2] else image
        image = cv2.resize(image, shape[1::-1], interpolation=method)
        target[:] = image.reshape(*shape[:2], -1)
    return dataclasses.replace(dataset, images=images)
