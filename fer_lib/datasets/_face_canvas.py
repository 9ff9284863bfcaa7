"""A batch of canvases that know where on the face each of their pixels lies.

Every shape is an analytic function of the face coordinates, so that edges are smooth at any size,
no drawing library is needed, and the pixels are the same everywhere but for the last rounding.
"""

from __future__ import annotations

import numpy as np

from fer_lib.datasets._face_geometry import UNIT, FaceGeometry

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, what grey pictures are made with


def gauss(squared: np.ndarray) -> np.ndarray:
    """Returns `exp(-squared / 2)`."""
    return np.exp(-0.5 * squared)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Returns 0 below 0, 1 above 1 and a smooth S between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


class Canvas:
    """`n` pictures in the making.

    Attributes:
        u, v: Face coordinates of each pixel, `float32 (n, size, size)`; `s` is `abs(u)`, so that
            what is drawn at `s` appears on both sides.
        pixel: Length of a pixel in face coordinates, `float32 (n, 1, 1)`.
        color: `float32 (n, channels, size, size)`, 0 to 1.
        height: Relief of the skin in face units, lit by `fer_lib.datasets._face_drawing`.
    """

    def __init__(self, geometry: FaceGeometry, size: int, channels: int) -> None:
        self.size, self.channels = size, channels
        self.u, self.v = geometry.from_pixels(size)
        self.s = np.abs(self.u)
        self.side = np.sign(self.u)
        self.pixel = 48 / (size * UNIT * geometry.scale)
        self.color = np.zeros((len(self.u), channels, size, size), np.float32)
        self.height = np.zeros_like(self.u)

    def tone(self, rgb: np.ndarray) -> np.ndarray:
        """Turns colours, `(3,)` or `(n, 3)` in 0 to 255, into what `paint` takes."""
        rgb = np.atleast_2d(np.asarray(rgb, np.float32)) / 255
        if self.channels == 1:
            rgb = (rgb @ LUMA)[:, None]
        return rgb[:, :, None, None]

    def paint(self, mask: np.ndarray, tone: np.ndarray) -> None:
        """Lays a colour over the canvas where `mask` (0 to 1) says so."""
        self.color += mask[:, None] * (tone - self.color)

    def darken(self, amount: np.ndarray) -> None:
        """Multiplies the canvas by `1 - amount`."""
        self.color *= 1 - amount[:, None]

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """Returns how much of a pixel lies in a shape, from its distance to the edge (in > 0)."""
        return np.clip(0.5 + distance / self.pixel, 0, 1)

    def band(self, low: np.ndarray, high: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
        """Returns how much of a pixel lies between two curves, right for the thinnest band."""
        at = self.v if at is None else at
        half = 0.5 * self.pixel
        overlap = np.minimum(high, at + half) - np.maximum(low, at - half)
        return np.maximum(overlap, 0) / self.pixel

    def blob(self, u, v, width, height, at: np.ndarray | None = None) -> np.ndarray:
        """Returns a soft ellipse, on both sides unless `at` gives another horizontal coordinate."""
        at = self.s if at is None else at
        return gauss(((at - u) / width) ** 2 + ((self.v - v) / height) ** 2)

    def line(self, start, end, width, bulge=0.0, at: np.ndarray | None = None) -> np.ndarray:
        """Returns a soft line from `start` to `end`, bent by `bulge`, thinner at its ends.

        A line thinner than the pixels becomes wider and paler, and so keeps its weight.
        """
        at = self.s if at is None else at
        du, dv = end[0] - start[0], end[1] - start[1]
        length = np.sqrt(du * du + dv * dv)
        x, y = at - start[0], self.v - start[1]
        along = (x * du + y * dv) / (length * length)
        middle = np.clip(along, 0, 1)
        off = (x * dv - y * du) / length - bulge * 4 * middle * (1 - middle)
        wide = np.maximum(width, 0.5 * self.pixel)
        past = (along - middle) * length
        taper = 0.35 + 2.6 * middle * (1 - middle)
        return taper * gauss((off * off + past * past) / (wide * wide)) * (width / wide)

    def strands(self, phase: np.ndarray, frequency: float) -> np.ndarray:
        """Returns a wave in -1 to 1 for hair, which fades where the pixels are too coarse for it."""
        fade = gauss((0.9 * frequency * self.pixel) ** 2)
        return fade * np.sin(frequency * phase)
