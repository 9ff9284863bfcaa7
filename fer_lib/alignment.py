"""From a face in an image to the crop that the models take: upright, placed as FER2013's are.

Scaled or shifted crops cost as much accuracy as a much worse network, so everything that
recognizes a face in an image goes through `align_face`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from skimage.transform import estimate_transform

from fer_lib.detection import LANDMARKS, Face
from fer_lib.images import ImageSource, read_image, to_gray

# Medians of the landmarks that mtcnn finds in 608 faces of FER2013's training set.
FACE_TEMPLATE = np.array([(15.0, 18.5), (33.0, 18.5), (23.7, 28.7), (16.7, 37.3), (31.3, 37.3)])
"""Where the `LANDMARKS` lie in a face of FER2013, `(5, 2)` as `(x, y)` in pixels of 48x48."""
FACE_TEMPLATE.setflags(write=False)

_TEMPLATE_SIZE = 48
# Faces beyond 2,048 pixels are sampled more thinly before they are averaged: it cannot be seen.
_MAX_WARP = 2048


def align_face(
    image: ImageSource, face: Face, size: int = 48, *, color: bool = False
) -> np.ndarray:
    """Returns the crop of one face, turned upright and placed as the faces of FER2013 are.

    The similarity transform (shift, turn, scale) that brings the five landmarks closest to
    `FACE_TEMPLATE` is applied (Umeyama 1991, 10.1109/34.88573). A face without landmarks is cut
    out by its box, see `crop_face`.

    Args:
        image: The image, in any form that `read_image` takes.
        face: A face of that image, with its box and landmarks in pixels.
        size: Width and height of the crop in pixels.
        color: Whether the crop stays in color.

    Returns:
        `uint8 (size, size)` in gray levels, or RGB `(size, size, 3)`. Large faces are
        averaged over areas, not sampled; what lies outside the image repeats its border.

    Raises:
        ValueError: The landmarks do not span a face, or `size` is not positive.

    Example:
        >>> eyes = {"left_eye": (15, 18), "right_eye": (33, 18)}
        >>> rest = {"nose": (24, 29), "mouth_left": (17, 37), "mouth_right": (31, 37)}
        >>> face = Face((6, 6, 36, 40), landmarks={**eyes, **rest})
        >>> align_face(np.zeros((48, 48, 3), "uint8"), face).shape
        (48, 48)
    """
    if face.landmarks is None:
        return crop_face(image, face.box, size, color=color)
    _check_size(size)
    points = np.array([face.landmarks[name] for name in LANDMARKS], float)  # (5, 2)
    template = (FACE_TEMPLATE + 0.5) * (size / _TEMPLATE_SIZE) - 0.5
    if np.isfinite(points).all() and np.ptp(points, axis=0).max() >= 1:
        fit = estimate_transform("similarity", points, template)
        # How much the points look like a face: 1 where they are the template, turned and scaled.
        if fit and fit.scale * _spread(points) / _spread(template) > 0.3:
            return _warp(image, fit.params[:2], size, color)
    raise ValueError(
        "Expected landmarks that span a face, left and right as the viewer sees them. "
        f"Received: {face.landmarks}; a face with landmarks=None is cut out by its box."
    )


def crop_face(
    image: ImageSource,
    box: Sequence[float],
    size: int = 48,
    *,
    widen: float = 1.1,
    color: bool = False,
) -> np.ndarray:
    """Returns the crop of one face by its box alone: a square around it, not turned.

    Args:
        image: The image, in any form that `read_image` takes.
        box: `(x, y, width, height)` in pixels.
        size: Width and height of the crop in pixels.
        widen: Side of the square as a multiple of the box's mean (geometric) side. 1.1 shows as
            much of a face as `align_face` does, measured on the boxes of both detectors.
        color: Whether the crop stays in color.

    Returns:
        `uint8 (size, size)` in gray levels, or RGB `(size, size, 3)`.

    Raises:
        ValueError: The box is empty, or `size` or `widen` is not positive.
    """
    _check_size(size)
    x, y, width, height = (float(value) for value in box)
    if not (min(width, height, widen) > 0 and np.isfinite([x, y, width, height, widen]).all()):
        raise ValueError(
            f"Expected a box (x, y, width, height) with an area. Received: {box}, widen={widen}"
        )
    scale = size / (widen * math.sqrt(width * height))
    # The middle of the box (pixels reach from -0.5 to 0.5) goes to the middle of the crop.
    middle = np.array([x + (width - 1) / 2, y + (height - 1) / 2])
    shift = (size - 1) / 2 - scale * middle
    return _warp(image, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), size, color)


def crop_detected_face(
    image: ImageSource, face: Face, size: int | tuple[int, int, int] = 48
) -> np.ndarray:
    """Returns the crop of a face that a detector found, whatever its landmarks are.

    As `align_face`; where the landmarks span no face, as those of a face turned to the side may,
    the box decides. `size` is in pixels, or a model's `(height, width, channels)`: a crop of three
    channels stays in color, one that is not square is squeezed.
    """
    height, width, channels = (size, size, 1) if isinstance(size, int) else size
    options = {"size": max(height, width), "color": channels == 3}
    try:
        crop = align_face(image, face, **options)
    except ValueError:
        crop = crop_face(image, face.box, **options)
    if height != width:
        crop = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
    return crop


def _warp(image: ImageSource, matrix: np.ndarray, size: int, color: bool) -> np.ndarray:
    """Returns the `(size, size)` crop that `matrix` (2, 3), image to crop, describes."""
    image = read_image(image)
    # Only the part of the image that the crop shows is turned to gray; OpenCV also refuses to
    # warp images of more than 32,767 pixels a side.
    left, top, part = _visible_part(image, cv2.invertAffineTransform(matrix), size)
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (left, top)
    # Sampling a large face at 48x48 points would keep every 20th pixel and turn hair into noise.
    # So it is warped into a multiple of the crop with about one sample per pixel, then averaged.
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    multiple = max(1, min(math.ceil(1 / scale), _MAX_WARP // size))
    matrix *= multiple
    matrix[:, 2] += (multiple - 1) / 2
    large = (size * multiple, size * multiple)
    part = part if color else to_gray(part)
    crop = cv2.warpAffine(
        part, matrix, large, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def _check_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"Expected a crop `size` of 1 pixel or more. Received: size={size}")


def _spread(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - points.mean(axis=0)))


def _visible_part(
    image: np.ndarray, to_image: np.ndarray, size: int
) -> tuple[int, int, np.ndarray]:
    """Returns left, top and the pixels of the image's part that a crop shows, and a margin."""
    last = size - 0.5
    corners = np.array([(-0.5, -0.5), (last, -0.5), (-0.5, last), (last, last)])
    shown = corners @ to_image[:, :2].T + to_image[:, 2]
    height, width = image.shape[:2]
    # A crop that lies beside the image still needs one pixel of it, to repeat the border.
    low = np.clip(np.floor(shown.min(axis=0)) - 2, 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(shown.max(axis=0)) + 3, low + 1, (width, height)).astype(int)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    return left, top, image[top:bottom, left:right]
