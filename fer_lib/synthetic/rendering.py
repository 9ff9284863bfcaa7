"""Draws a batch of faces: head and features, the light on them, and the camera that takes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fer_lib.synthetic import face_parts, head
from fer_lib.synthetic.canvas import Canvas, gauss, square
from fer_lib.synthetic.geometry import FaceGeometry


def draw_batch(factors: Mapping[str, np.ndarray], size: int, channels: int) -> np.ndarray:
    """Draws one face for each value of the columns of a table of factors.

    Args:
        factors: The columns, each `(n,)`: `FACTORS` and `ACTION_UNITS` of `factors`.
        size: Edge of the square images in pixels.
        channels: 1 for gray, 3 for RGB.

    Returns:
        `uint8 (n, size, size, channels)`.
    """
    face = FaceGeometry(factors)
    canvas = Canvas(face, size, channels)
    colors = head.Colors(face, canvas)
    head.background(canvas, face, colors)
    head.skin(canvas, face, colors)
    face_parts.forehead_lines(canvas, face)
    face_parts.eye_lines(canvas, face)
    face_parts.mouth_lines(canvas, face)
    face_parts.nose(canvas, face, colors)
    head.beard(canvas, face, colors)
    face_parts.mouth(canvas, face, colors)
    light(canvas, face)
    face_parts.eyes(canvas, face, colors)
    face_parts.brows(canvas, face, colors)
    head.hair(canvas, face, colors)
    head.glasses(canvas, face, colors)
    return camera(canvas.color, face)


def light(canvas: Canvas, face: FaceGeometry) -> None:
    """Shades the skin by its relief: Lambert's cosine law, and a little gloss."""
    slope_y, slope_x = np.gradient(canvas.height, axis=(1, 2))
    slope_y, slope_x = slope_y / canvas.pixel, slope_x / canvas.pixel
    x, y, contrast = face["light_x"], face["light_y"], face["light_contrast"]
    straight = 1 / np.sqrt(x * x + y * y + 1)
    facing = straight * (1 - x * slope_x - y * slope_y)
    facing /= np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    shade = 1 - 0.06 * contrast + 0.95 * contrast * (facing - straight)
    canvas.darken(canvas.head * (1 - np.maximum(shade, 0.15)))
    gloss = square(square(square(np.maximum(facing, 0))))
    canvas.color += (0.09 * contrast * canvas.head * gloss)[:, None]


def camera(color: np.ndarray, face: FaceGeometry) -> np.ndarray:
    """Blurs, coarsens, exposes and rounds the images, and adds the noise of a sensor."""
    size = color.shape[-1]
    optics = _coarse_matrix(face["resolution"], size) @ _blur_matrix(face["blur"], size)
    color = optics[:, None] @ color @ optics.transpose(0, 2, 1)[:, None]
    color = 255 * np.clip(color * face["exposure"][..., None], 0, 1)
    for image, seed, level in zip(
        color, face.factors["noise_seed"], face.factors["noise"], strict=True
    ):
        random = np.random.Generator(np.random.PCG64(int(seed)))
        uniform = random.random((2, size, size), dtype=np.float32)
        # The difference of two uniform numbers has a standard deviation of 1 / sqrt(6).
        image += np.float32(level * 2.4495) * (uniform[0] - uniform[1])
    images = np.clip(np.rint(color), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def _blur_matrix(sigma: np.ndarray, size: int) -> np.ndarray:
    """Returns `(n, size, size)`: what a Gaussian blur does to the rows of an image."""
    sigma = np.maximum(sigma * np.float32(size / 48), 0.12)
    pixel = np.arange(size, dtype=np.float32)
    weights = gauss(square((pixel[:, None] - pixel) / sigma))
    return weights / weights.sum(axis=2, keepdims=True)


def _coarse_matrix(share: np.ndarray, size: int) -> np.ndarray:
    """Returns `(n, size, size)`: average the rows down to a share of their number, and enlarge.

    Coarse pixel `k` spans the rows `k / share` to `(k + 1) / share`; a share of 1 changes nothing.
    """
    row = np.arange(size, dtype=np.float32)[:, None] + 0.5
    cell = np.arange(size, dtype=np.float32)
    overlap = np.minimum((cell + 1) / share, row + 0.5) - np.maximum(cell / share, row - 0.5)
    shrink = np.maximum(overlap, 0)
    whole = shrink.sum(axis=1, keepdims=True)
    enlarge = np.maximum(1 - np.abs(row * share - (cell + 0.5)), 0) * (whole > 0.5 / share)
    enlarge /= enlarge.sum(axis=2, keepdims=True)
    return enlarge @ (shrink / np.maximum(whole, 1e-6)).transpose(0, 2, 1)
