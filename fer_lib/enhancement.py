"""Clean-up of poor pictures as plain functions, to be called where they help and nowhere else.

The recogniser does not call them: its networks are trained on pictures as they come and
standardise each crop themselves.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_lib.images import PictureSource, read_image, to_gray


def equalize_contrast(image: PictureSource, clip_limit: float = 2.0, tiles: int = 4) -> np.ndarray:
    """Returns a picture with its local contrast evened out (contrast-limited, adaptive).

    Args:
        image: A grey array `(height, width)`, or any picture that `read_image` takes.
        clip_limit: How much contrast may rise, in multiples of a flat histogram; 1 changes
            little, beyond 4 or so noise and skin texture come out.
        tiles: The picture is equalised in `tiles x tiles` parts, blended into each other.

    Returns:
        `uint8` of the same height and width: `(height, width)` for a grey array, else RGB
        `(height, width, 3)`, of which only the lightness has changed.

    Raises:
        ValueError: `clip_limit` or `tiles` is not positive.
    """
    if not clip_limit > 0 or tiles < 1:
        raise ValueError(
            "Expected a positive `clip_limit` and `tiles` of 1 or more. "
            f"Received: clip_limit={clip_limit}, tiles={tiles}"
        )
    equalizer = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(tiles, tiles))
    if _is_gray(image):
        return equalizer.apply(to_gray(image))
    lab = cv2.cvtColor(read_image(image), cv2.COLOR_RGB2LAB)
    lab[..., 0] = equalizer.apply(np.ascontiguousarray(lab[..., 0]))
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def denoise(image: PictureSource, strength: float = 10.0) -> np.ndarray:
    """Returns a picture with its noise averaged away over similar patches (non-local means).

    Args:
        image: A grey array `(height, width)`, or any picture that `read_image` takes.
        strength: About the standard deviation of the noise in grey levels; more removes
            wrinkles with the noise. 0 returns the picture unchanged.

    Returns:
        `uint8` of the same height and width: `(height, width)` for a grey array, else RGB.

    Raises:
        ValueError: `strength` is negative.
    """
    if not strength >= 0:
        raise ValueError(f"Expected a `strength` of 0 or more. Received: strength={strength}")
    pixels = to_gray(image) if _is_gray(image) else read_image(image)
    if strength == 0:
        return pixels.copy()
    if pixels.ndim == 2:
        return cv2.fastNlMeansDenoising(pixels, h=strength)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    bgr = cv2.fastNlMeansDenoisingColored(bgr, h=strength, hColor=strength)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _is_gray(image: PictureSource) -> bool:
    return isinstance(image, np.ndarray) and image.ndim == 2
