"""From the table of factors to the shape of each face: positions, sizes and colors as numbers.

Face coordinates: the origin lies between the eyes, +u to the viewer's right, +v down, and one unit
is half the distance of the eyes, 9 pixels of a 48-pixel crop (some 31 mm on a person). An action
unit moves the points that its muscle moves; nothing here knows of emotions or of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

UNIT = 9.0
"""Length of one face unit in pixels of a 48-pixel crop."""

ORIGIN = (24.0, 18.5)
"""Where the point between the eyes lies in a 48-pixel crop, as in FER2013's."""

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


class FaceGeometry:
    """The measures of `n` faces, one attribute per measure, each `float32 (n, 1, 1)`.

    Args:
        factors: The columns of a table of factors, each `(n,)`.
    """

    def __init__(self, factors: Mapping[str, np.ndarray]) -> None:
        self.factors = factors
        self._pose()
        self._brows()
        self._eyes()
        self._nose()
        self._mouth()
        self._head()

    def __getitem__(self, name: str) -> np.ndarray:
        """Returns a factor as `float32 (n, 1, 1)`."""
        return self.factors[name].astype(np.float32)[:, None, None]

    def has(self, name: str, *values: object) -> np.ndarray:
        """Returns 1 for the faces whose factor `name` has one of the values, else 0."""
        return np.isin(self.factors[name], values).astype(np.float32)[:, None, None]

    def _pose(self) -> None:
        yaw, pitch, roll = (
            self[name] * np.float32(np.pi / 180) for name in ("yaw", "pitch", "roll")
        )
        self.cos_yaw, self.sin_yaw = np.cos(yaw), np.sin(yaw)
        self.cos_pitch, self.sin_pitch = np.cos(pitch), np.sin(pitch)
        self.cos_roll, self.sin_roll = np.cos(roll), np.sin(roll)

    def _brows(self) -> None:
        au1, au2, au4, au9 = self["AU1"], self["AU2"], self["AU4"], self["AU9"]
        self.brow_in = 0.40 + 0.05 * self["eye_distance"] - 0.15 * au4
        self.brow_out = 1.70 + 0.06 * self["face_width"]
        height = -0.70 - 0.08 * self["brow_height"] + 0.14 * au9 + 0.04 * self["AU6"]
        slant = 0.04 * self["brow_slant"]
        # The frown yields to the raised inner corner where both pull, as in sadness and fear.
        self.brow_v_in = height + 0.08 + slant - 0.46 * au1 - 0.12 * au2 + 0.16 * au9
        self.brow_v_in += 0.42 * au4 * (1 - 0.80 * au1)
        self.brow_v_mid = height - 0.10 - 0.14 * au1 - 0.42 * au2
        self.brow_v_mid += 0.30 * au4 * (1 - 0.5 * au1)
        self.brow_v_out = height + 0.12 - slant - 0.38 * au2 + 0.15 * au4
        self.brow_thickness = 0.095 + 0.035 * self["brow_thickness"]

    def _eyes(self) -> None:
        au1, au5, au6, au7, au9 = self["AU1"], self["AU5"], self["AU6"], self["AU7"], self["AU9"]
        self.eye_u = 1.0 + 0.04 * self["eye_distance"]
        self.eye_width = 0.47 + 0.04 * self["eye_size"]
        size = 1 + 0.14 * self["eye_size"]
        upper = 0.205 * size + 0.16 * au5 - 0.06 * au7 * (1 - 0.5 * au5) - 0.07 * au9
        upper -= 0.06 * au1 * self["AU15"]  # the lids of a sad face hang
        lower = 0.14 * size + 0.02 * au5 - 0.07 * au6 - 0.08 * au7 - 0.09 * au9
        self.lid_upper = np.maximum(upper, 0.05)
        self.lid_lower = np.maximum(lower, 0.015)
        self.lid_tilt = 0.035 + 0.03 * self["eye_slant"] - 0.07 * au1 * self["AU15"]
        self.gaze_x, self.gaze_y = 0.12 * self["gaze_x"], 0.05 * self["gaze_y"]

    def _nose(self) -> None:
        self.nose_v = 1.13 + 0.08 * self["nose_length"] - 0.09 * self["AU9"]
        self.nose_width = 0.42 + 0.07 * self["nose_width"] + 0.05 * self["AU9"]
        self.nose_width += 0.03 * self["AU12"]

    def _mouth(self) -> None:
        smile, drop, part = self["AU12"], self["AU26"], self["AU25"]
        stretch, tight = self["AU20"], self["AU23"]
        self.mouth_v = 2.09 + 0.06 * self["mouth_height"] + 0.04 * drop
        width = 0.80 + 0.06 * self["mouth_width"] + 0.22 * smile + 0.24 * stretch
        width += 0.05 * self["AU15"] - 0.05 * tight - 0.08 * self["AU9"]
        self.mouth_width = width - 0.22 * drop * (1 - stretch)
        self.corner = 0.30 * self["AU15"] - 0.36 * smile + 0.13 * stretch
        self.corner_right = -0.34 * self["AU14"]  # a dimple on the viewer's right only
        self.open_lower = 0.68 * drop + part * (0.14 + 0.18 * smile) + 0.17 * self["AU16"]
        self.open_upper = 0.20 * drop + 0.08 * part
        self.lip_raise = 0.20 * self["AU9"] + 0.03 * smile
        full = 1 + 0.35 * self["lip_fullness"]
        thin = (1 - 0.62 * tight) * (1 - 0.20 * smile) * (1 - 0.25 * stretch)
        self.lip_upper = 0.15 * full * thin
        self.lip_lower = 0.21 * full * thin * (1 + 0.15 * self["AU16"])

    def _head(self) -> None:
        self.head_width = 2.14 + 0.13 * self["face_width"]
        self.chin_v = 3.62 + 0.12 * self["face_length"] + 0.50 * self["AU26"]
        self.jaw = 0.28 + 0.28 * self["jaw_width"]  # 0 round to 1 square
        self.cheek = 0.8 * self["AU6"] + 0.5 * self["AU12"]
        self.age = np.clip((self["age"] - 25) / 50, 0, 1)

    def depth(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Returns how far a point of the face lies in front of the plane of the landmarks."""
        return np.maximum(0.42 - 0.33 * u * u - 0.10 * (v - 0.9) ** 2, -1.6)

    def nose_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns how far the tip of the nose moves when the head turns, `(right, down)`."""
        return 0.62 * self.sin_yaw, 0.45 * self.sin_pitch

    def to_pixels(self, u: np.ndarray, v: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Maps face coordinates to pixels, whose centers are at whole numbers."""
        depth = self.depth(u, v)
        x = u * self.cos_yaw + depth * self.sin_yaw
        y = (v - 0.9) * self.cos_pitch + depth * self.sin_pitch
        x, y = self.cos_roll * x - self.sin_roll * y, self.sin_roll * x + self.cos_roll * y
        unit = UNIT * self["scale"]
        x = ORIGIN[0] + self["shift_x"] + unit * x
        y = ORIGIN[1] + 0.9 * UNIT + self["shift_y"] + unit * y
        return (x + 0.5) * size / 48 - 0.5, (y + 0.5) * size / 48 - 0.5

    def from_pixels(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the face coordinates of every pixel, two `float32 (n, size, size)`."""
        pixel = ((np.arange(size, dtype=np.float32) + 0.5) * 48 / size - 0.5)[None]
        unit = UNIT * self["scale"]
        x = (pixel[:, None, :] - ORIGIN[0] - self["shift_x"]) / unit
        y = (pixel[:, :, None] - ORIGIN[1] - 0.9 * UNIT - self["shift_y"]) / unit
        x, y = self.cos_roll * x + self.sin_roll * y, self.cos_roll * y - self.sin_roll * x
        u, v = x / self.cos_yaw, y / self.cos_pitch + 0.9
        # The surface that a pixel sees depends on its own depth: three rounds are enough, as the
        # head turns little.
        for _ in range(3):
            depth = self.depth(u, v)
            u = (x - depth * self.sin_yaw) / self.cos_yaw
            v = (y - depth * self.sin_pitch) / self.cos_pitch + 0.9
        return u, v

    def landmarks(self, size: int) -> np.ndarray:
        """Returns the five `LANDMARKS` in pixels, `float32 (n, 5, 2)`."""
        zero = np.zeros_like(self["scale"])
        nose_u, nose_v = self.nose_shift()
        right = self.mouth_v + self.corner + self.corner_right
        points = [
            (-self.eye_u, zero),
            (self.eye_u, zero),
            (nose_u, self.nose_v + nose_v),
            (-self.mouth_width, self.mouth_v + self.corner),
            (self.mouth_width, right),
        ]
        pixels = [self.to_pixels(u, v, size) for u, v in points]
        return np.stack([np.concatenate(p, axis=2)[:, 0] for p in pixels], axis=1)
