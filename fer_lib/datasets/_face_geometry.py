"""From the table of factors to the shape of each face: positions, sizes and colours as numbers.

Face coordinates: the origin lies between the eyes, +u to the viewer's right, +v down, and one unit
is half the distance of the eyes, 9 pixels of a 48-pixel crop (some 31 mm on a person). An action
unit moves the points that its muscle moves; nothing here knows of emotions or of pixels.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

UNIT = 9.0
"""Length of one face unit in pixels of a 48-pixel crop."""

ORIGIN = (24.0, 18.5)
"""Where the point between the eyes lies in a 48-pixel crop, as in FER2013's."""

# Ellis Monk's scale, https://skintone.google (MST, CC BY 4.0), tones 1 to 10.
MONK_TONES = (
    (246, 237, 228), (243, 231, 219), (247, 234, 208), (234, 218, 186), (215, 189, 150),
    (160, 126, 86), (130, 92, 67), (96, 65, 52), (58, 49, 42), (41, 36, 32),
)  # fmt: skip
HAIR_COLORS = {
    "black": (30, 26, 26),
    "brown": (84, 56, 38),
    "blond": (196, 160, 102),
    "red": (142, 70, 34),
    "grey": (168, 166, 164),
}
EYE_COLORS = {"brown": (84, 52, 30), "green": (98, 116, 72), "blue": (92, 132, 168)}
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


class FaceGeometry:
    """The measures of `n` faces, one attribute a measure, each `float32 (n, 1, 1)`.

    Args:
        table: Factors as `sample_factors` returns them, one row a face.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

        def factor(name: str) -> np.ndarray:
            return table[name].to_numpy(np.float32)[:, None, None]

        self.factor = factor
        au = {name: factor(name) for name in table.columns if name.startswith("AU")}
        self.au = au
        self.age = np.clip((factor("age") - 25) / 50, 0, 1)
        self._pose(factor)
        self._brows(factor, au)
        self._eyes(factor, au)
        self._nose(factor, au)
        self._mouth(factor, au)
        self._head(factor, au)

    def _pose(self, factor) -> None:
        yaw, pitch, roll = (np.deg2rad(factor(name)) for name in ("yaw", "pitch", "roll"))
        self.cos_yaw, self.sin_yaw = np.cos(yaw), np.sin(yaw)
        self.cos_pitch, self.sin_pitch = np.cos(pitch), np.sin(pitch)
        self.cos_roll, self.sin_roll = np.cos(roll), np.sin(roll)
        self.scale = factor("scale")
        self.shift_x, self.shift_y = factor("shift_x"), factor("shift_y")

    def _brows(self, factor, au) -> None:
        self.brow_in = 0.42 + 0.05 * factor("eye_distance") - 0.16 * au["AU4"]
        self.brow_out = 1.72 + 0.06 * factor("face_width")
        height = -0.74 - 0.09 * factor("brow_height") + 0.10 * au["AU9"] + 0.04 * au["AU6"]
        slant = 0.07 * factor("brow_slant")
        self.brow_v_in = height + 0.10 + slant - 0.42 * au["AU1"] + 0.36 * au["AU4"]
        self.brow_v_in += 0.10 * au["AU9"]
        self.brow_v_mid = height - 0.22 - 0.28 * au["AU1"] - 0.38 * au["AU2"] + 0.20 * au["AU4"]
        self.brow_v_out = height + 0.14 - slant - 0.36 * au["AU2"] + 0.05 * au["AU4"]
        self.brow_thickness = 0.095 + 0.035 * factor("brow_thickness")

    def _eyes(self, factor, au) -> None:
        self.eye_u = 1.0 + 0.04 * factor("eye_distance")
        self.eye_width = 0.47 + 0.04 * factor("eye_size")
        size = 1 + 0.15 * factor("eye_size")
        upper = 0.21 * size + 0.17 * au["AU5"] - 0.06 * au["AU7"] - 0.05 * au["AU9"]
        lower = 0.14 * size + 0.02 * au["AU5"] - 0.07 * au["AU6"] - 0.08 * au["AU7"]
        lower -= 0.07 * au["AU9"]
        droop = 0.05 * au["AU1"] * au["AU15"]  # a sad lid hangs
        self.lid_upper = np.maximum(upper - droop, 0.05)
        self.lid_lower = np.maximum(lower, 0.015)
        self.lid_tilt = 0.035 + 0.03 * factor("eye_slant")
        self.iris = 0.185 + 0.0 * size
        self.gaze_x, self.gaze_y = 0.12 * factor("gaze_x"), 0.05 * factor("gaze_y")

    def _nose(self, factor, au) -> None:
        self.nose_v = 1.13 + 0.08 * factor("nose_length") - 0.07 * au["AU9"]
        self.nose_width = 0.40 + 0.07 * factor("nose_width") + 0.05 * au["AU9"] + 0.02 * au["AU12"]

    def _mouth(self, factor, au) -> None:
        self.mouth_v = 2.09 + 0.07 * factor("mouth_height") + 0.10 * au["AU26"]
        width = 0.80 + 0.06 * factor("mouth_width")
        width += 0.22 * au["AU12"] + 0.22 * au["AU20"] - 0.14 * au["AU26"] * (1 - au["AU20"])
        self.mouth_width = width - 0.06 * au["AU23"] + 0.05 * au["AU15"]
        self.corner = 0.26 * au["AU15"] - 0.34 * au["AU12"] + 0.07 * au["AU20"]
        self.corner_side = -0.34 * au["AU14"]  # on the viewer's right only
        self.open_lower = 0.72 * au["AU26"] + 0.16 * au["AU25"] + 0.10 * au["AU16"]
        self.open_lower += 0.16 * au["AU12"] * au["AU25"]
        self.open_upper = 0.10 * au["AU26"] + 0.08 * au["AU25"] + 0.05 * au["AU9"] * au["AU16"]
        self.lip_raise = 0.14 * au["AU9"] + 0.04 * au["AU12"]
        full = 1 + 0.35 * factor("lip_fullness")
        thin = (1 - 0.62 * au["AU23"]) * (1 - 0.20 * au["AU12"]) * (1 - 0.25 * au["AU20"])
        self.lip_upper = 0.15 * full * thin
        self.lip_lower = 0.21 * full * thin * (1 + 0.15 * au["AU16"])

    def _head(self, factor, au) -> None:
        self.head_width = 2.16 + 0.13 * factor("face_width")
        self.chin_v = 3.70 + 0.12 * factor("face_length") + 0.55 * au["AU26"]
        self.jaw = 2.35 + 0.35 * factor("jaw_width")  # exponent: a higher one is squarer
        self.cheek = 0.8 * au["AU6"] + 0.5 * au["AU12"]

    def depth(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Returns how far a point of the face lies in front of the plane of the landmarks."""
        return np.maximum(0.42 - 0.33 * u * u - 0.10 * (v - 0.9) ** 2, -1.6)

    def nose_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns how far the tip of the nose moves when the head turns, `(right, down)`."""
        return 0.62 * self.sin_yaw, 0.45 * self.sin_pitch

    def to_pixels(self, u: np.ndarray, v: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Maps face coordinates to pixels, whose centres are at whole numbers."""
        depth = self.depth(u, v)
        x = u * self.cos_yaw + depth * self.sin_yaw
        y = (v - 0.9) * self.cos_pitch + depth * self.sin_pitch
        x, y = self.cos_roll * x - self.sin_roll * y, self.sin_roll * x + self.cos_roll * y
        unit = UNIT * self.scale
        x = ORIGIN[0] + self.shift_x + unit * x
        y = ORIGIN[1] + 0.9 * UNIT + self.shift_y + unit * y
        return (x + 0.5) * size / 48 - 0.5, (y + 0.5) * size / 48 - 0.5

    def from_pixels(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the face coordinates of every pixel, two `float32 (n, size, size)`."""
        pixel = ((np.arange(size, dtype=np.float32) + 0.5) * 48 / size - 0.5)[None]
        unit = UNIT * self.scale
        x = (pixel[:, None, :] - ORIGIN[0] - self.shift_x) / unit
        y = (pixel[:, :, None] - ORIGIN[1] - 0.9 * UNIT - self.shift_y) / unit
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
        """Returns the five landmarks in pixels, `float32 (n, 5, 2)`, in the order of `LANDMARKS`."""
        zero = np.zeros_like(self.scale)
        nose_u, nose_v = self.nose_shift()
        right = self.mouth_v + self.corner + self.corner_side
        points = [
            (-self.eye_u, zero),
            (self.eye_u, zero),
            (nose_u, self.nose_v + nose_v),
            (-self.mouth_width, self.mouth_v + self.corner),
            (self.mouth_width, right),
        ]
        pixels = [self.to_pixels(u, v, size) for u, v in points]
        return np.stack([np.concatenate(p, axis=2)[:, 0] for p in pixels], axis=1)
