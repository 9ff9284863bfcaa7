"""Draws the faces of a table: skin, features and hair, then the light, then the camera."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fer_lib.datasets import _face_features as features
from fer_lib.datasets._face_canvas import Canvas, gauss, smoothstep
from fer_lib.datasets._face_geometry import FaceGeometry


def draw_batch(table: pd.DataFrame, size: int, channels: int) -> np.ndarray:
    """Draws each row of a table of factors: `uint8 (n, size, size, channels)`."""
    geometry = FaceGeometry(table)
    canvas = Canvas(geometry, size, channels)
    colors = features.Colors(table, canvas)
    features.background(canvas, geometry, colors)
    head = features.head(canvas, geometry, colors)
    features.relief(canvas, geometry)
    features.creases(canvas, geometry)
    features.brows(canvas, geometry, colors)
    features.nose(canvas, geometry, colors)
    features.beard(canvas, geometry, colors)
    features.mouth(canvas, geometry, colors)
    light(canvas, geometry, head)
    features.eyes(canvas, geometry, colors)
    features.hair(canvas, geometry, colors)
    features.glasses(canvas, geometry, colors)
    return camera(canvas.color, table)


def light(canvas: Canvas, geometry: FaceGeometry, head: np.ndarray) -> None:
    """Shades the head from its relief (Lambert's law, half wrapped round as skin scatters)."""
    factor = geometry.factor
    slope_y, slope_x = np.gradient(canvas.height, axis=(1, 2))
    slope_y, slope_x = slope_y / canvas.pixel, slope_x / canvas.pixel
    x, y = factor("light_x"), factor("light_y")
    norm = np.sqrt(x * x + y * y + 1.0)
    facing = (1.0 - x * slope_x - y * slope_y) / norm
    facing /= np.sqrt(1 + slope_x**2 + slope_y**2)
    straight = 1 / norm
    contrast = factor("light_contrast")
    shade = 1 + 0.95 * contrast * (facing - straight) - 0.06 * contrast
    gloss = np.maximum(facing, 0) ** 12 * 0.10 * contrast
    canvas.color *= 1 + head[:, None] * (np.maximum(shade, 0.15)[:, None] - 1)
    canvas.color += (head * gloss)[:, None]


def camera(color: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Blurs, coarsens, exposes and rounds the pictures, and adds the noise of a sensor."""
    count, channels, size, _ = color.shape
    optics = _blur_matrix(table["blur"].to_numpy(np.float32), size)
    coarse = table["resolution"].to_numpy(np.float32)
    optics = _coarse_matrix(coarse, size) @ optics
    color = optics[:, None] @ color @ optics.transpose(0, 2, 1)[:, None]
    color *= table["exposure"].to_numpy(np.float32)[:, None, None, None]
    grey = 255 * np.clip(color, 0, 1)
    for index, (seed, level) in enumerate(zip(table["noise_seed"], table["noise"], strict=True)):
        if level > 0:
            draw = np.random.Generator(np.random.PCG64(int(seed)))
            uniform = draw.random((2, size, size), dtype=np.float32)
            # The difference of two uniform numbers has a standard deviation of 1 / sqrt(6).
            grey[index] += np.float32(level * 2.449) * (uniform[0] - uniform[1])
    pictures = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))


def _blur_matrix(sigma: np.ndarray, size: int) -> np.ndarray:
    """Returns `(n, size, size)`: what a Gaussian blur does to the rows of a picture."""
    sigma = np.maximum(sigma * size / 48, 0.12)[:, None, None]
    pixel = np.arange(size, dtype=np.float32)
    weights = gauss(((pixel[:, None] - pixel[None, :])[None] / sigma) ** 2)
    return weights / weights.sum(axis=2, keepdims=True)


def _coarse_matrix(share: np.ndarray, size: int) -> np.ndarray:
    """Returns `(n, size, size)`: shrink the rows to a share of their size, and enlarge them."""
    step = 1 / share[:, None, None]
    pixel = np.arange(size, dtype=np.float32)[None, :, None] + 0.5
    cell = np.arange(size, dtype=np.float32)[None, None, :]
    low, high = cell * step, (cell + 1) * step  # the span of each coarse pixel
    shrink = np.clip(np.minimum(high, pixel + 0.5) - np.maximum(low, pixel - 0.5), 0, None)
    shrink /= shrink.sum(axis=1, keepdims=True) + 1e-6
    enlarge = np.maximum(1 - np.abs(pixel / step - (cell + 0.5)), 0)
    enlarge *= shrink.sum(axis=1, keepdims=True) > 0.5
    enlarge /= enlarge.sum(axis=2, keepdims=True)
    return enlarge @ shrink.transpose(0, 2, 1)
