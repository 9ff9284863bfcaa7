"""A batch of canvases that know where on the face each pixel lies; the light, and the camera.

Every shape is an analytic function of the face coordinates. So edges are smooth at any size, no
drawing library is needed, and the pixels are the same everywhere but for the last rounding.
"""

from __future__ import annotations

import copy

import numpy as np

from fer_lib.synthetic.geometry import UNIT, FaceGeometry

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, what gray images are made with


def gauss(squared: np.ndarray) -> np.ndarray:
    """Returns `exp(-squared / 2)`."""
    return np.exp(-0.5 * squared)


def square(x: np.ndarray) -> np.ndarray:
    """Returns `x * x`; numpy's `**` is slow for any other power, so 4 is a square of a square."""
    return x * x


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Returns 0 below 0, 1 above 1 and a smooth S between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


class Canvas:
    """`n` images in the making.

    Attributes:
        u, v: Face coordinates of each pixel, `float32 (n, size, size)`; `s` is `abs(u)`, so that
            what is drawn at `s` appears on both sides.
        pixel: Length of a pixel in face coordinates, `float32 (n, 1, 1)`.
        color: `float32 (n, channels, size, size)`, 0 to 1.
        head: Where the head is, `float32 (n, size, size)`, 0 to 1.
        height: Relief of the skin in face units, which the light falls on.
    """

    def __init__(self, face: FaceGeometry, size: int, channels: int) -> None:
        self.channels = channels
        self.u, self.v = face.from_pixels(size)
        self.s = np.abs(self.u)
        self.pixel = 48 / (size * UNIT * face["scale"])
        self.color = np.zeros((len(self.u), channels, size, size), np.float32)
        self.head, self.height = np.zeros_like(self.u), np.zeros_like(self.u)

    def strip(self, low: float, high: float) -> Canvas:
        """Returns the rows where some face has a `v` between `low` and `high`, as a view."""
        rows = np.flatnonzero(((self.v > low) & (self.v < high)).any(axis=(0, 2)))
        span = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
        part = copy.copy(self)
        part.u, part.v, part.s = self.u[:, span], self.v[:, span], self.s[:, span]
        part.color, part.height = self.color[:, :, span], self.height[:, span]
        return part

    def tone(self, rgb: np.ndarray) -> np.ndarray:
        """Turns colors, `(3,)` or `(n, 3)` in 0 to 255, into what `paint` takes."""
        rgb = np.atleast_2d(np.asarray(rgb, np.float32)) / 255
        if self.channels == 1:
            rgb = (rgb * LUMA).sum(axis=1, keepdims=True)
        return rgb[:, :, None, None]

    def paint(self, mask: np.ndarray, tone: np.ndarray) -> None:
        """Lays a color over the canvas where `mask` (0 to 1) says so."""
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
        return gauss(square((at - u) / width) + square((self.v - v) / height))

    def thread(self, offset: np.ndarray, width: np.ndarray | float) -> np.ndarray:
        """Returns a soft curve where `offset` is 0.

        One thinner than the pixels becomes wider and paler, and so keeps its weight.
        """
        wide = np.maximum(width, 0.5 * self.pixel)
        return gauss(square(offset / wide)) * (width / wide)

    def line(self, start, end, width, bulge=0.0, at: np.ndarray | None = None) -> np.ndarray:
        """Returns a soft line from `start` to `end`, bent by `bulge`, fading at its ends."""
        at = self.s if at is None else at
        du, dv = end[0] - start[0], end[1] - start[1]
        length = np.sqrt(du * du + dv * dv)
        x, y = at - start[0], self.v - start[1]
        along = (x * du + y * dv) / (length * length)
        arch = np.maximum(along * (1 - along), 0)
        off = (x * dv - y * du) / length - bulge * 4 * arch
        return np.minimum(6 * arch, 1) * self.thread(off, width)

    def strands(self, phase: np.ndarray, frequency: float) -> np.ndarray:
        """Returns a wave from -1 to 1 for hair, faded where the pixels are too coarse for it."""
        return gauss(square(0.9 * frequency * self.pixel)) * np.sin(frequency * phase)


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
