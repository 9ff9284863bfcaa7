"""Corruptions of faces: by the camera, by the crop, and by what covers the face.

Each corruption has five severities (Hendrycks and Dietterich, arXiv 1903.12261, section 3) and
takes aligned crops, so that eyes and mouth are where `alignment.FACE_TEMPLATE` says. Lengths are in
pixels of a 48-pixel crop and grow with larger ones. Whatever is drawn at random for a face (noise,
direction, sign) is the same at every severity: only the severity changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from fer_lib.alignment import FACE_TEMPLATE
from fer_lib.detection import LANDMARKS

NUM_SEVERITIES = 5
_SIDE = 48
_PLACES = dict(zip(LANDMARKS, FACE_TEMPLATE.tolist(), strict=True))
_LEFT_EYE, _RIGHT_EYE = _PLACES["left_eye"], _PLACES["right_eye"]
_DARK, _LIGHT = 20.0, 200.0  # gray levels of glasses and masks

# Grey levels `float32 (n, side, side, channels)`, the level, a seeded generator.
Function = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Corruption:
    """One way to spoil pictures of faces.

    Attributes:
        title: What it is called in tables and figures.
        unit: What a level means.
        levels: The level of each severity, from 1 to 5.
        function: Takes `float32 (n, side, side, channels)` gray levels 0 to 255, a level and a
            random generator; returns the spoilt ones, clipped and rounded by the caller.
    """

    title: str
    unit: str
    levels: tuple[float, ...]
    function: Function


def corrupt(
    images: np.ndarray, corruption: str | Corruption, severity: int, seed: int = 0
) -> np.ndarray:
    """Spoils aligned crops of faces.

    Args:
        images: `uint8 (n, side, side, channels)` or `(n, side, side)`, at least 16 pixels a side.
        corruption: A name of `CORRUPTIONS`, or a `Corruption` of your own.
        severity: 0 (nothing happens) to 5.
        seed: The same seed spoils the same pictures in the same way.

    Returns:
        `uint8` of the same shape; the pictures that were given are left as they are.

    Raises:
        ValueError: Pictures of another type or shape, an unknown name or severity.

    Example:
        >>> faces = np.full((2, 48, 48, 1), 100, "uint8")
        >>> int(corrupt(faces, "dark", 1).max()), int(corrupt(faces, "dark", 0).max())
        (50, 100)
    """
    images = np.asarray(images)
    kind = find_corruption(corruption)
    if isinstance(severity, bool) or severity not in range(NUM_SEVERITIES + 1):
        raise ValueError(f"Expected `severity` from 0 to {NUM_SEVERITIES}. Received: {severity!r}")
    if images.ndim not in (3, 4) or images.dtype != np.uint8 or images.shape[1] < 16:
        raise ValueError(
            "Expected `images` of type uint8 and shape (n, side, side, channels), at least 16 "
            f"pixels a side. Received: {images.dtype} {images.shape}"
        )
    if images.shape[1] != images.shape[2]:
        raise ValueError(f"Expected square crops, as `align_face` cuts. Received: {images.shape}")
    if severity == 0 or len(images) == 0:
        return images.copy()
    pictures = images.reshape(*images.shape[:3], -1).astype(np.float32)
    spoilt = kind.function(pictures, kind.levels[severity - 1], np.random.default_rng(seed))
    return np.clip(np.rint(spoilt), 0, 255).astype(np.uint8).reshape(images.shape)


def find_corruption(corruption: str | Corruption) -> Corruption:
    """Returns the corruption of a name; one that is no name comes back as it is.

    Raises:
        ValueError: There is no such corruption.
    """
    if isinstance(corruption, Corruption):
        return corruption
    if corruption not in CORRUPTIONS:
        raise ValueError(
            f"Expected a corruption among {', '.join(CORRUPTIONS)}. Received: {corruption!r}"
        )
    return CORRUPTIONS[corruption]


def _noise(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Adds Gaussian noise, as a sensor does in little light."""
    return images + level * generator.standard_normal(images.shape, np.float32)


def _blur(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Blurs with a Gaussian, as a lens out of focus does."""
    sigma = level * _zoom(images)
    return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), sigma))


def _dim(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Leaves a share of the light: what is dark falls onto few gray levels."""
    return images * level


def _overexpose(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Gives a multiple of the light: what is bright already becomes white."""
    return images * level


def _flatten(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Leaves a share of the contrast around the mean of each picture, as mist does."""
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + level * (images - mean)


def _compress(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Stores each crop as JPEG of a quality of 100 or less, and reads it back."""

    def store(image: np.ndarray) -> np.ndarray:
        _, code = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, level])
        return cv2.imdecode(code, cv2.IMREAD_UNCHANGED)

    return _each(images, store)


def _shrink(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Averages each crop down to so many pixels a side and enlarges it again: a far face."""
    side, small = images.shape[1], int(level)  # a far face has few pixels, however large the crop

    def resize(image: np.ndarray) -> np.ndarray:
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)

    return _each(images, resize)


def _rotate(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Turns each crop by so many degrees to the left or to the right."""
    middle = ((images.shape[1] - 1) / 2,) * 2
    signs = iter(generator.choice((-1.0, 1.0), len(images)))
    return _warp(images, (cv2.getRotationMatrix2D(middle, sign * level, 1.0) for sign in signs))


def _shift(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Moves each crop by so many pixels in some direction: the detector's box is off."""
    angles = generator.uniform(0, 2 * np.pi, len(images))
    steps = level * _zoom(images) * np.column_stack([np.cos(angles), np.sin(angles)])
    return _warp(images, (np.column_stack([np.eye(2), step]) for step in steps))


def _scale(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Enlarges or shrinks each face by this factor: the detector's box is tight or wide."""
    middle = ((images.shape[1] - 1) / 2,) * 2
    factors = level ** generator.choice((-1.0, 1.0), len(images))
    return _warp(images, (cv2.getRotationMatrix2D(middle, 0.0, factor) for factor in factors))


def _cover_eyes(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Draws a bar of the picture's mean gray over both eyes, so many pixels high."""
    return _cover(images, (_LEFT_EYE[0] - 7, _RIGHT_EYE[0] + 7), _LEFT_EYE[1], level)


def _cover_mouth(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Draws a bar of the picture's mean gray over the mouth, so many pixels high."""
    (left, middle), (right, _) = _PLACES["mouth_left"], _PLACES["mouth_right"]
    return _cover(images, (left - 4, right + 4), middle, level)


def _put_on_glasses(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Draws a dark frame around the eyes, with lenses that swallow a share of the light."""
    x, y = _grid(images)
    opacity = np.zeros_like(x)
    for center_x, center_y in (_LEFT_EYE, _RIGHT_EYE):
        radius = np.hypot((x - center_x) / 7.0, (y - center_y - 0.5) / 5.5)
        opacity = np.maximum(opacity, level * np.clip((1 - radius) * 6 + 0.5, 0, 1))
        opacity = np.maximum(opacity, np.clip(1.1 - np.abs(radius - 1) * 6, 0, 1))
    outside = (x < _LEFT_EYE[0] - 7) | (x > _RIGHT_EYE[0] + 7)
    bridge = np.abs(x - _PLACES["nose"][0]) < (_RIGHT_EYE[0] - _LEFT_EYE[0]) / 2 - 7
    bar = np.clip(1.2 - np.abs(y - _LEFT_EYE[1] + 1), 0, 1) * (outside | bridge)
    return _blend(images, np.maximum(opacity, bar), _DARK)


def _put_on_mask(images: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Draws a light mask from the chin up to this height, measured from the upper edge."""
    x, y = _grid(images)
    depth = np.clip((y - 24) / 25, 0, 1)
    half_width = 19 * np.sqrt(1 - depth**2)
    inside = np.clip(half_width - np.abs(x - _PLACES["nose"][0]) + 0.5, 0, 1)
    return _blend(images, inside * np.clip(y - level + 0.5, 0, 1), _LIGHT)


def _zoom(images: np.ndarray) -> float:
    return images.shape[1] / _SIDE


def _grid(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the pixels lie, `(side, side)` each, in those of a 48-pixel crop."""
    places = (np.arange(images.shape[1]) + 0.5) / _zoom(images) - 0.5
    x, y = np.meshgrid(places, places)
    return x, y


def _each(images: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    # OpenCV drops the channel axis of gray pictures.
    return np.stack([function(image) for image in images]).reshape(images.shape)


def _warp(images: np.ndarray, matrices: Iterator[np.ndarray]) -> np.ndarray:
    """Moves each picture by its matrix `(2, 3)`; what comes into view repeats the border."""
    side = images.shape[1]
    return _each(
        images,
        lambda image: cv2.warpAffine(
            image, next(matrices), (side, side), borderMode=cv2.BORDER_REPLICATE
        ),
    )


def _cover(
    images: np.ndarray, columns: tuple[float, float], middle: float, height: float
) -> np.ndarray:
    x, y = _grid(images)
    left, right = columns
    wide = np.clip(np.minimum(x - left, right - x) + 0.5, 0, 1)
    high = np.clip(height / 2 - np.abs(y - middle) + 0.5, 0, 1)
    return _blend(images, wide * high, images.mean(axis=(1, 2, 3), keepdims=True))


def _blend(images: np.ndarray, opacity: np.ndarray, gray: np.ndarray | float) -> np.ndarray:
    opacity = opacity[..., np.newaxis].astype(np.float32)
    return images * (1 - opacity) + gray * opacity


CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption("noise", "gray levels", (5, 10, 15, 20, 30), _noise),
    "blur": Corruption("blur", "px sigma", (0.5, 1, 1.5, 2, 3), _blur),
    "dark": Corruption("little light", "of the light", (0.5, 0.3, 0.2, 0.1, 0.05), _dim),
    "bright": Corruption("too much light", "times the light", (1.3, 1.6, 2, 2.5, 3), _overexpose),
    "contrast": Corruption("low contrast", "of the contrast", (0.6, 0.4, 0.2, 0.1, 0.05), _flatten),
    "jpeg": Corruption("JPEG", "quality", (60, 40, 20, 10, 5), _compress),
    "resolution": Corruption("low resolution", "px a side", (40, 32, 24, 20, 16), _shrink),
    "rotation": Corruption("turned crop", "degrees", (5, 10, 15, 20, 30), _rotate),
    "shift": Corruption("shifted crop", "px", (1, 2, 4, 6, 8), _shift),
    "scale": Corruption("tight or wide crop", "times the size", (1.1, 1.2, 1.3, 1.4, 1.6), _scale),
    "eyes": Corruption("eyes covered", "px high", (3, 5, 7, 9, 13), _cover_eyes),
    "mouth": Corruption("mouth covered", "px high", (3, 5, 7, 10, 14), _cover_mouth),
    "glasses": Corruption("glasses", "tint of lenses", (0, 0.25, 0.5, 0.75, 1), _put_on_glasses),
    "mask": Corruption("mask", "px, its upper edge", (42, 38, 34, 30, 26), _put_on_mask),
}
"""The corruptions of the suite, by name: camera, crop, and what covers the face."""
