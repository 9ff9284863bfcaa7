"""The true factors of the synthetic faces: what may vary, within which limits, and how often."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any

import numpy as np

EMOTION_ACTION_UNITS: dict[str, dict[str, float]] = {
    "angry": {"AU4": 1.0, "AU5": 0.7, "AU7": 0.8, "AU23": 1.0},
    "disgust": {"AU9": 1.0, "AU15": 0.6, "AU16": 1.0},
    "fear": {
        "AU1": 1.0, "AU2": 0.6, "AU4": 0.6, "AU5": 1.0, "AU7": 0.4, "AU20": 1.0, "AU26": 0.45,
    },
    "happy": {"AU6": 0.9, "AU12": 1.0},
    "sad": {"AU1": 1.0, "AU4": 0.6, "AU15": 1.0},
    "surprise": {"AU1": 1.0, "AU2": 1.0, "AU5": 1.0, "AU26": 1.0},
    "neutral": {},
    "contempt": {"AU14": 1.0},
}  # fmt: skip
"""Action units of each emotion and how strong each is in the full expression, 0 to 1."""

ACTION_UNITS: dict[str, str] = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU5": "upper lid raiser",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU9": "nose wrinkler",
    "AU12": "lip corner puller",
    "AU14": "dimpler, on one side",
    "AU15": "lip corner depressor",
    "AU16": "lower lip depressor",
    "AU20": "lip stretcher",
    "AU23": "lip tightener",
    "AU25": "lips part",
    "AU26": "jaw drop",
}


@dataclasses.dataclass(frozen=True)
class Factor:
    """One thing that varies: numbers in a range, or a choice of names.

    Attributes:
        plain: The value of the plain face that `draw_face` starts from.
        low, high: The range that `make_faces` draws from.
        limits: The range that an argument may ask for; `(low, high)` unless given.
        choices, weights: The values of a choice, and how often each is drawn.
        power: 1 draws evenly; 2 and 3 draw mostly near `low`.
    """

    plain: Any
    low: float = 0.0
    high: float = 1.0
    limits: tuple[float, float] | None = None
    choices: tuple[Any, ...] = ()
    weights: tuple[float, ...] = ()
    power: int = 1

    def sample(self, uniform: np.ndarray) -> np.ndarray:
        """Turns numbers in [0, 1) into values, by sums and products only: the same everywhere."""
        if self.choices:
            weights = self.weights or (1.0,) * len(self.choices)
            edges = np.cumsum(weights)[:-1] / sum(weights)
            return np.array(self.choices)[(uniform[:, None] >= edges).sum(axis=1)]
        value = uniform
        for _ in range(self.power - 1):
            value = value * uniform
        return self.low + (self.high - self.low) * value

    def check(self, name: str, values: np.ndarray) -> None:
        """Raises a `ValueError` if a value is none that this factor can take."""
        values = np.asarray(values).tolist()
        if self.choices:
            wrong = [value for value in values if value not in self.choices]
            expected = f"one of {', '.join(map(str, self.choices))}"
        else:
            low, high = self.limits or (self.low, self.high)
            number = numbers.Real
            wrong = [v for v in values if not (isinstance(v, number) and low <= v <= high)]
            expected = f"a number from {low:g} to {high:g}"
        if wrong:
            raise ValueError(f"Expected factor {name!r} to be {expected}. Received: {wrong[0]!r}")


_SHAPE = Factor(0.0, -1.0, 1.0)
_SHAPES = (
    *("face_width", "face_length", "jaw_width", "eye_size", "eye_distance", "eye_slant"),
    *("brow_height", "brow_slant", "brow_thickness", "nose_width", "nose_length"),
    *("mouth_width", "mouth_height", "lip_fullness"),
)
# The order is part of the format: factor number i is drawn from column i of the random numbers.
FACTORS: dict[str, Factor] = {
    # Who it is. Shapes run from -1 (small, low, narrow, near) to 1, 0 is the average.
    **dict.fromkeys(_SHAPES, _SHAPE),
    "skin_tone": Factor(4, choices=tuple(range(1, 11))),  # Monk scale
    "age": Factor(28.0, 18.0, 80.0),  # years
    "hair": Factor("short", choices=("none", "short", "fringe", "long"), weights=(12, 38, 25, 25)),
    "hair_color": Factor(
        "brown", choices=("black", "brown", "blond", "red", "grey"), weights=(37, 30, 15, 6, 12)
    ),
    "eye_color": Factor("brown", choices=("brown", "green", "blue"), weights=(64, 14, 22)),
    "beard": Factor(
        "none", choices=("none", "stubble", "moustache", "full"), weights=(70, 12, 6, 12)
    ),
    "glasses": Factor(False, choices=(False, True), weights=(82, 18)),
    # How it stands: degrees, and pixels of a 48-pixel crop.
    "yaw": Factor(0.0, -16.0, 16.0, limits=(-35, 35)),
    "pitch": Factor(0.0, -8.0, 8.0, limits=(-20, 20)),
    "roll": Factor(0.0, -9.0, 9.0, limits=(-180, 180)),
    "scale": Factor(1.0, 0.9, 1.12, limits=(0.3, 3)),
    "shift_x": Factor(0.0, -2.5, 2.5, limits=(-24, 24)),
    "shift_y": Factor(0.0, -2.5, 2.5, limits=(-24, 24)),
    "gaze_x": _SHAPE,
    "gaze_y": _SHAPE,
    # Light from -1 (left, above) to 1, relative to the face; the rest is the wall and the camera.
    "light_x": Factor(-0.4, -1.0, 1.0),
    "light_y": Factor(-0.5, -1.0, 0.3, limits=(-1, 1)),
    "light_contrast": Factor(0.6, 0.3, 1.0, limits=(0, 1.5)),
    "exposure": Factor(1.0, 0.8, 1.25, limits=(0.1, 3)),
    "background": Factor(0.6, 0.05, 0.95, limits=(0, 1)),
    "background_second": Factor(0.6, 0.05, 0.95, limits=(0, 1)),
    "background_edge": Factor(4.0, -4.0, 4.0, limits=(-9, 9)),  # where the second wall begins
    "background_slope": Factor(0.1, -0.5, 0.5, limits=(-1, 1)),
    "blur": Factor(0.0, 0.0, 0.5, limits=(0, 8), power=2),  # sigma, pixels of a 48-pixel crop
    "noise": Factor(0.0, 0.0, 5.0, limits=(0, 100), power=2),  # standard deviation, gray levels
    "resolution": Factor(1.0, 1.0, 0.7, limits=(0.1, 1), power=3),  # share of the size
    "noise_seed": Factor(0, 0, 2**31),
}
IDENTITY = tuple(FACTORS)[: tuple(FACTORS).index("yaw")]
_ALL = {
    "intensity": Factor(1.0, 0.4, 1.0, limits=(0, 1)),
    **FACTORS,
    **dict.fromkeys(ACTION_UNITS, Factor(0.0)),
}


def factor_of(name: str) -> Factor:
    """Returns what is known of a factor or action unit.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in _ALL:
        raise ValueError(f"Expected factors among {', '.join(_ALL)}. Received: {name!r}")
    return _ALL[name]
