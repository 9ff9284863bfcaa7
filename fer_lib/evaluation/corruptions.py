"""Corruptions of faces: by the camera, by the crop, and by what covers the face.

Each corruption has five severities (Hendrycks and Dietterich, arXiv 1903.12261, section 3) and
takes aligned crops, so that eyes and mouth are where `alignment.FACE_TEMPLATE` says. Lengths are in
pixels of a 48-pixel crop and grow with larger ones. Whatever is drawn at random for a face (noise,
direction, sign) is the same at every severity: only the severity changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import cv2
import numpy as np

from fer_lib.alignment import FACE_TEMPLATE

NUM_SEVERITIES = 5
_SIDE = 48
_LEFT_EYE, _RIGHT_EYE, _NOSE, _MOUTH_LEFT, _MOUTH_RIGHT = FACE_TEMPLATE.tolist()
_DARK, _LIGHT = 20.0, 200.0  # gray levels of glasses and masks

# Gray levels `float32 (n, side, side, channels)`, the level, a seeded generator.
Function = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Corruption:
    """One way to corrupt images of faces.

    Attributes:
        title: What it is called in tables and figures.
        unit: What a level means.
        levels: The level of each severity, from 1 to 5.
        function: Takes `float32 (n, side, side, channels)` gray levels 0 to 255, a level and a
            random generator; returns the corrupted ones, clipped and rounded by the caller.
    """

    title: str
    unit: str
    levels: tuple[float, ...]
    function: Function


def corrupt(
    images: np.ndarray, corruption: str | Corruption, severity: int, seed: int = 0
) -> np.ndarray:
    """Corrupts aligned crops of faces.

    Args:
        images: `uint8 (n, side, side, channels)` or `(n, side, side)`, at least 16 pixels a side.
        corruption: A name of `CORRUPTIONS`, or a `Corruption` of your own.
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
    images, kind = np.asarray(images), find_corruption(corruption)
    if isinstance(severity, bool) or severity not in range(NUM_SEVERITIES + 1):
        raise ValueError(f"Expected `severity` from 0 to {NUM_SEVERITIES}. Received: {severity!r}")
    if (
        images.ndim not in (3, 4)
        or images.dtype != np.uint8
        or not 16 <= images.shape[1] == images.shape[2]
    ):
        raise ValueError(
            "Expected `images` of type uint8 and shape (n, side, side, channels), square crops of "
            f"at least 16 pixels a side. Received: {images.dtype} {images.shape}"
        )
    if severity == 0 or len(images) == 0:
        return images.copy()
    pixels = images.reshape(*images.shape[:3], -1).astype(np.float32)
    found = kind.function(pixels, kind.levels[severity - 1], np.random.default_rng(seed))
    return np.clip(np.rint(found), 0, 255).astype(np.uint8).reshape(images.shape)


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


def _blur(images: np.ndarray, sigma: float, _: np.random.Generator) -> np.ndarray:
    return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), sigma * _zoom(images)))


def _compress(images: np.ndarray, quality: float, _: np.random.Generator) -> np.ndarray:
    def store(image: np.ndarray) -> np.ndarray:
        _, code = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(code, cv2.IMREAD_UNCHANGED)

    return _each(images, store)


def _shrink(images: np.ndarray, pixels: float, _: np.random.Generator) -> np.ndarray:
    """Averages each crop down and enlarges it: a far face has few pixels in any crop."""
    side, small = images.shape[1:3], (int(pixels),) * 2

    def resize(image: np.ndarray) -> np.ndarray:
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(image, side, interpolation=cv2.INTER_LINEAR)

    return _each(images, resize)


def _rotate(images: np.ndarray, degrees: float, generator: np.random.Generator) -> np.ndarray:
    signs = generator.choice((-1.0, 1.0), len(images))
    return _warp(images, (_turn(images, sign * degrees, 1.0) for sign in signs))


def _scale(images: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    """Enlarges or shrinks each face: the detector's box is tight or wide."""
    signs = generator.choice((-1.0, 1.0), len(images))
    return _warp(images, (_turn(images, 0.0, factor**sign) for sign in signs))


def _shift(images: np.ndarray, pixels: float, generator: np.random.Generator) -> np.ndarray:
    """Moves each crop in some direction: the detector's box is off."""
    angles = generator.uniform(0, 2 * np.pi, len(images))
    steps = pixels * _zoom(images) * np.column_stack([np.cos(angles), np.sin(angles)])
    return _warp(images, (np.column_stack([np.eye(2), step]) for step in steps))


def _put_on_glasses(images: np.ndarray, tint: float, _: np.random.Generator) -> np.ndarray:
    """Draws a dark frame around the eyes, with lenses that swallow a share of the light."""
    x, y = _grid(images)
    opacity = np.zeros_like(x)
    for center_x, center_y in (_LEFT_EYE, _RIGHT_EYE):
        radius = np.hypot((x - center_x) / 7.0, (y - center_y - 0.5) / 5.5)
        opacity = np.maximum(opacity, tint * np.clip((1 - radius) * 6 + 0.5, 0, 1))
        opacity = np.maximum(opacity, np.clip(1.1 - np.abs(radius - 1) * 6, 0, 1))
    outside = (x < _LEFT_EYE[0] - 7) | (x > _RIGHT_EYE[0] + 7)
    bridge = np.abs(x - _NOSE[0]) < (_RIGHT_EYE[0] - _LEFT_EYE[0]) / 2 - 7
    bar = np.clip(1.2 - np.abs(y - _LEFT_EYE[1] + 1), 0, 1) * (outside | bridge)
    return _blend(images, np.maximum(opacity, bar), _DARK)


def _put_on_mask(images: np.ndarray, top: float, _: np.random.Generator) -> np.ndarray:
    """Draws a light mask from the chin up to this height, measured from the upper edge."""
    x, y = _grid(images)
    half_width = 19 * np.sqrt(1 - np.clip((y - 24) / 25, 0, 1) ** 2)
    inside = np.clip(half_width - np.abs(x - _NOSE[0]) + 0.5, 0, 1)
    return _blend(images, inside * np.clip(y - top + 0.5, 0, 1), _LIGHT)


def _zoom(images: np.ndarray) -> float:
    return images.shape[1] / _SIDE


def _grid(images: np.ndarray) -> list[np.ndarray]:
    """Returns where the pixels lie, x and y `(side, side)`, in those of a 48-pixel crop."""
    places = (np.arange(images.shape[1]) + 0.5) / _zoom(images) - 0.5
    return np.meshgrid(places, places)


def _turn(images: np.ndarray, degrees: float, factor: float) -> np.ndarray:
    return cv2.getRotationMatrix2D(((images.shape[1] - 1) / 2,) * 2, degrees, factor)


def _each(images: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    # OpenCV drops the channel axis of gray images.
    return np.stack([function(image) for image in images]).reshape(images.shape)


def _warp(images: np.ndarray, matrices: Iterable[np.ndarray]) -> np.ndarray:
    """Moves each image by its matrix `(2, 3)`; what comes into view repeats the border."""
    options = {"dsize": images.shape[1:3], "borderMode": cv2.BORDER_REPLICATE}
    pairs = zip(images, matrices, strict=True)
    return np.stack([cv2.warpAffine(*pair, **options) for pair in pairs]).reshape(images.shape)


def _cover(left: tuple[float, float], right: tuple[float, float], margin: float) -> Function:
    """Returns a function that draws a bar of each image's mean gray, so many pixels high."""

    def cover(images: np.ndarray, height: float, _: np.random.Generator) -> np.ndarray:
        x, y = _grid(images)
        wide = np.clip(np.minimum(x - left[0], right[0] - x) + margin + 0.5, 0, 1)
        high = np.clip(height / 2 - np.abs(y - left[1]) + 0.5, 0, 1)
        return _blend(images, wide * high, _mean(images))

    return cover


def _mean(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2, 3), keepdims=True)


def _blend(images: np.ndarray, opacity: np.ndarray, gray: np.ndarray | float) -> np.ndarray:
    opacity = opacity[..., np.newaxis].astype(np.float32)
    return images * (1 - opacity) + gray * opacity


CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption(
        "noise",
        "gray levels",
        (5, 10, 15, 20, 30),
        lambda images, level, generator: (
            images + level * generator.standard_normal(images.shape, np.float32)
        ),
    ),
    "blur": Corruption("blur", "px sigma", (0.5, 1, 1.5, 2, 3), _blur),
    "dark": Corruption(
        "little light", "of the light", (0.5, 0.3, 0.2, 0.1, 0.05), lambda i, share, _: i * share
    ),
    "bright": Corruption(
        "too much light", "times the light", (1.3, 1.6, 2, 2.5, 3), lambda i, times, _: i * times
    ),
    "contrast": Corruption(
        "low contrast",
        "of the contrast",
        (0.6, 0.4, 0.2, 0.1, 0.05),
        lambda images, share, _: _mean(images) + share * (images - _mean(images)),
    ),
    "jpeg": Corruption("JPEG", "quality", (60, 40, 20, 10, 5), _compress),
    "resolution": Corruption("low resolution", "px a side", (40, 32, 24, 20, 16), _shrink),
    "rotation": Corruption("turned crop", "degrees", (5, 10, 15, 20, 30), _rotate),
    "shift": Corruption("shifted crop", "px", (1, 2, 4, 6, 8), _shift),
    "scale": Corruption("tight or wide crop", "times the size", (1.1, 1.2, 1.3, 1.4, 1.6), _scale),
    "eyes": Corruption(
        "eyes covered", "px high", (3, 5, 7, 9, 13), _cover(_LEFT_EYE, _RIGHT_EYE, margin=7)
    ),
    "mouth": Corruption(
        "mouth covered", "px high", (3, 5, 7, 10, 14), _cover(_MOUTH_LEFT, _MOUTH_RIGHT, margin=4)
    ),
    "glasses": Corruption("glasses", "tint of lenses", (0, 0.25, 0.5, 0.75, 1), _put_on_glasses),
    "mask": Corruption("mask", "px, its upper edge", (42, 38, 34, 30, 26), _put_on_mask),
}
"""The corruptions of the suite, by name: camera, crop, and what covers the face."""
