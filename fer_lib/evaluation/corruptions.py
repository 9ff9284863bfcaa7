"""Corruptions of faces: by the camera, by the crop, and by what covers the face.

Each corruption has five severities (Hendrycks and Dietterich, arXiv 1903.12261, section 3) and
takes aligned crops, so that eyes and mouth are where `alignment.FACE_TEMPLATE` says. Lengths are in
pixels of a 48-pixel crop and grow with larger ones. Whatever is drawn at random for a face (noise,
direction, sign) is the same at every severity: only the severity changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from fer_lib.alignment import FACE_TEMPLATE

NUM_SEVERITIES = 5
_SIDE = 48
_LEFT_EYE, _RIGHT_EYE, _NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = FACE_TEMPLATE.tolist()
_DARK, _LIGHT = 20.0, 200.0  # gray levels of glasses and masks

# Takes gray levels 0 to 255, `float32 (n, side, side, channels)`, the level, a seeded generator.
Function = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


class Corruption(NamedTuple):
    """One way to corrupt images of faces; the caller of `function` clips and rounds."""

    title: str
    unit: str
    levels: tuple[float, ...]  # of the severities 1 to 5, in these units
    function: Function


def corrupt(images: np.ndarray, corruption: str, severity: int, seed: int = 0) -> np.ndarray:
    """Corrupts aligned crops of faces.

    Args:
        images: `uint8 (n, side, side, channels)` or `(n, side, side)`, at least 16 pixels a side.
        corruption: A name of `CORRUPTIONS`.
        severity: 0 (nothing happens) to 5.
        seed: The same seed corrupts the same images in the same way.

    Returns:
        `uint8` of the same shape; the images that were given are left as they are.

    Raises:
        ValueError: Images of another type or shape, an unknown name or severity.

    Example:
        >>> faces = np.full((2, 48, 48, 1), 100, "uint8")
        >>> int(corrupt(faces, "dark", 1).max()), int(corrupt(faces, "dark", 0).max())
        (50, 100)
    """
    if corruption not in CORRUPTIONS:
        raise ValueError(
            f"Expected a corruption among {', '.join(CORRUPTIONS)}. Received: {corruption!r}"
        )
    if severity not in range(NUM_SEVERITIES + 1):
        raise ValueError(f"Expected `severity` from 0 to {NUM_SEVERITIES}. Received: {severity!r}")
    images, kind = np.asarray(images), CORRUPTIONS[corruption]
    square = images.ndim in (3, 4) and 16 <= images.shape[1] == images.shape[2]
    if images.dtype != np.uint8 or not square:
        raise ValueError(
            "Expected `images` of type uint8 and shape (n, side, side, channels), square crops of "
            f"at least 16 pixels a side. Received: {images.dtype} {images.shape}"
        )
    if severity == 0 or len(images) == 0:
        return images.copy()
    pixels = images.reshape(*images.shape[:3], -1).astype(np.float32)
    found = kind.function(pixels, kind.levels[severity - 1], np.random.default_rng(seed))
    return np.clip(np.rint(found), 0, 255).astype(np.uint8).reshape(images.shape)


def _each(function: Callable[[np.ndarray, float, float], np.ndarray]) -> Function:
    """Makes a function of one image, the level and the size of a pixel one of all images."""

    def apply(images: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
        # OpenCV drops the channel axis of gray images.
        found = [function(image, level, images.shape[1] / _SIDE) for image in images]
        return np.stack(found).reshape(images.shape)

    return apply


def _compress(image: np.ndarray, quality: float, _: float) -> np.ndarray:
    _, code = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(code, cv2.IMREAD_UNCHANGED)


def _shrink(image: np.ndarray, pixels: float, _: float) -> np.ndarray:
    """Averages a crop down and enlarges it: a far face has few pixels in any crop."""
    small = cv2.resize(image, (int(pixels),) * 2, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[:2], interpolation=cv2.INTER_LINEAR)


def _warp(matrices: Callable[[int, int, float, np.random.Generator], list]) -> Function:
    """Makes a function that moves each image by its matrix `(2, 3)` and repeats the border.

    `matrices` takes how many images of which side there are, the level and a generator.
    """

    def warp(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
        count, side = images.shape[:2]
        pairs = zip(images, matrices(count, side, level, generator), strict=True)
        options = {"dsize": (side, side), "borderMode": cv2.BORDER_REPLICATE}
        return np.stack([cv2.warpAffine(*pair, **options) for pair in pairs]).reshape(images.shape)

    return warp


def _turns(count: int, side: int, degrees: float, generator: np.random.Generator) -> list:
    signs = generator.choice((-1.0, 1.0), count)
    return [cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, s * degrees, 1.0) for s in signs]


def _zooms(count: int, side: int, factor: float, generator: np.random.Generator) -> list:
    signs = generator.choice((-1.0, 1.0), count)
    return [cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, 0.0, factor**s) for s in signs]


def _steps(count: int, side: int, pixels: float, generator: np.random.Generator) -> list:
    """Moves each crop in some direction: the detector's box is off."""
    angles = generator.uniform(0, 2 * np.pi, count)
    steps = pixels * side / _SIDE * np.column_stack([np.cos(angles), np.sin(angles)])
    return [np.column_stack([np.eye(2), step]) for step in steps]


def _cover(
    opacity: Callable[[np.ndarray, np.ndarray, float], np.ndarray], gray: float | None = None
) -> Function:
    """Makes a function that paints with a gray level, or with the mean of each image.

    `opacity` takes where the pixels lie in a 48-pixel crop, x and y `(side, side)`, and the level.
    """

    def cover(images: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
        places = (np.arange(images.shape[1]) + 0.5) / (images.shape[1] / _SIDE) - 0.5
        share = opacity(*np.meshgrid(places, places), level)[..., np.newaxis].astype(np.float32)
        return images * (1 - share) + (_mean(images) if gray is None else gray) * share

    return cover


def _mean(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2, 3), keepdims=True)


def _bar(left: tuple[float, float], right: tuple[float, float], margin: float) -> Function:
    """Makes a function that covers both places by a bar of the image's mean gray."""

    def opacity(x: np.ndarray, y: np.ndarray, height: float) -> np.ndarray:
        wide = np.clip(np.minimum(x - left[0], right[0] - x) + margin + 0.5, 0, 1)
        return wide * np.clip(height / 2 - np.abs(y - left[1]) + 0.5, 0, 1)

    return _cover(opacity)


def _glasses(x: np.ndarray, y: np.ndarray, tint: float) -> np.ndarray:
    """A frame around the eyes, with lenses that swallow a share of the light."""
    opacity = np.zeros_like(x)
    for center_x, center_y in (_LEFT_EYE, _RIGHT_EYE):
        radius = np.hypot((x - center_x) / 7.0, (y - center_y - 0.5) / 5.5)
        opacity = np.maximum(opacity, tint * np.clip((1 - radius) * 6 + 0.5, 0, 1))
        opacity = np.maximum(opacity, np.clip(1.1 - np.abs(radius - 1) * 6, 0, 1))
    outside = (x < _LEFT_EYE[0] - 7) | (x > _RIGHT_EYE[0] + 7)
    bridge = np.abs(x - _NOSE[0]) < (_RIGHT_EYE[0] - _LEFT_EYE[0]) / 2 - 7
    bar = np.clip(1.2 - np.abs(y - _LEFT_EYE[1] + 1), 0, 1) * (outside | bridge)
    return np.maximum(opacity, bar)


def _mask(x: np.ndarray, y: np.ndarray, top: float) -> np.ndarray:
    """A mask from the chin up to this height, measured from the upper edge."""
    half_width = 19 * np.sqrt(1 - np.clip((y - 24) / 25, 0, 1) ** 2)
    inside = np.clip(half_width - np.abs(x - _NOSE[0]) + 0.5, 0, 1)
    return inside * np.clip(y - top + 0.5, 0, 1)


_KINDS = {
    "noise": ("noise", "gray levels", (5, 10, 15, 20, 30),
              lambda i, level, random: i + level * random.standard_normal(i.shape, np.float32)),
    "blur": ("blur", "px sigma", (0.5, 1, 1.5, 2, 3),
             _each(lambda image, sigma, size: cv2.GaussianBlur(image, (0, 0), sigma * size))),
    "dark": ("little light", "of the light", (0.5, 0.3, 0.2, 0.1, 0.05), lambda i, by, _: i * by),
    "bright": ("too much light", "times the light", (1.3, 1.6, 2, 2.5, 3), lambda i, by, _: i * by),
    "contrast": ("low contrast", "of the contrast", (0.6, 0.4, 0.2, 0.1, 0.05),
                 lambda i, share, _: _mean(i) + share * (i - _mean(i))),
    "jpeg": ("JPEG", "quality", (60, 40, 20, 10, 5), _each(_compress)),
    "resolution": ("low resolution", "px a side", (40, 32, 24, 20, 16), _each(_shrink)),
    "rotation": ("turned crop", "degrees", (5, 10, 15, 20, 30), _warp(_turns)),
    "shift": ("shifted crop", "px", (1, 2, 4, 6, 8), _warp(_steps)),
    "scale": ("tight or wide crop", "times the size", (1.1, 1.2, 1.3, 1.4, 1.6), _warp(_zooms)),
    "eyes": ("eyes covered", "px high", (3, 5, 7, 9, 13), _bar(_LEFT_EYE, _RIGHT_EYE, 7)),
    "mouth": ("mouth covered", "px high", (3, 5, 7, 10, 14), _bar(_MOUTH_LEFT, _MOUTH_RIGHT, 4)),
    "glasses": ("glasses", "tint of lenses", (0, 0.25, 0.5, 0.75, 1), _cover(_glasses, _DARK)),
    "mask": ("mask", "px, its upper edge", (42, 38, 34, 30, 26), _cover(_mask, _LIGHT)),
}  # fmt: skip
CORRUPTIONS = {name: Corruption(*kind) for name, kind in _KINDS.items()}
"""The corruptions of the suite, by name: camera, crop, and what covers the face."""
