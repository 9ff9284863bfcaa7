"""The true factors of the synthetic faces: what may vary, how it is drawn, how it is overruled."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.labels import EMOTIONS_8, canonical_emotion

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

    def draw(self, uniform: np.ndarray) -> np.ndarray:
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
# The order is part of the format: factor number i is drawn from column i of the random numbers.
FACTORS: dict[str, Factor] = {
    # Who it is. Shapes run from -1 (small, low, narrow, near) to 1, 0 is the average.
    "face_width": _SHAPE,
    "face_length": _SHAPE,
    "jaw_width": _SHAPE,
    "eye_size": _SHAPE,
    "eye_distance": _SHAPE,
    "eye_slant": _SHAPE,
    "brow_height": _SHAPE,
    "brow_slant": _SHAPE,
    "brow_thickness": _SHAPE,
    "nose_width": _SHAPE,
    "nose_length": _SHAPE,
    "mouth_width": _SHAPE,
    "mouth_height": _SHAPE,
    "lip_fullness": _SHAPE,
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
    "noise": Factor(0.0, 0.0, 5.0, limits=(0, 100), power=2),  # standard deviation, grey levels
    "resolution": Factor(1.0, 1.0, 0.7, limits=(0.1, 1), power=3),  # share of the size
    "noise_seed": Factor(0, 0, 2**31),
}
IDENTITY = tuple(FACTORS)[: tuple(FACTORS).index("yaw")]
_INTENSITY = Factor(1.0, 0.4, 1.0, limits=(0, 1))
_ALL = {"intensity": _INTENSITY, **FACTORS, **dict.fromkeys(ACTION_UNITS, Factor(0.0))}
_COLUMNS = 128  # random numbers a face; more than are used, so that new factors change no old ones
_INTENSITY_COLUMN, _STRENGTH_COLUMN, _STRAY_COLUMN = 64, 65, 96


def check_value(name: str, values: np.ndarray) -> None:
    """Raises a `ValueError` for an unknown factor, or a value that it cannot take."""
    _known(name).check(name, values)


def _known(name: str) -> Factor:
    if name not in _ALL:
        raise ValueError(f"Expected factors among {', '.join(_ALL)}. Received: {name!r}")
    return _ALL[name]


def sample_factors(
    counts: Mapping[str, int],
    seed: int,
    people: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Draws the table of factors of a set of faces, classes taking turns row by row.

    Face `i` of a class has its own row of random numbers, `PCG64([seed, class, 0])`, and each
    factor its own column of them. So a larger set begins with the smaller one, and fixing one
    factor leaves the others as they were.

    Args:
        counts: Faces of each class, by name.
        seed: Any whole number from 0.
        people: How many different people; None makes every face another person.
        overrides: As `factors` of `fer_lib.synthetic.make_faces`.

    Returns:
        One row a face: `emotion`, `person`, `intensity`, `FACTORS` and `ACTION_UNITS`.

    Raises:
        ValueError: A factor is unknown or a value out of its range.
    """
    overrides = dict(overrides or {})
    for name in overrides:
        _known(name)
    table, uniform = _rows(counts, seed, people)
    columns = {"intensity": _INTENSITY_COLUMN, **{name: i for i, name in enumerate(FACTORS)}}
    values = {name: _ALL[name].draw(uniform[:, column]) for name, column in columns.items()}
    values["noise_seed"] = values["noise_seed"].astype(np.int64)
    _apply(values, overrides, columns, table, uniform)
    _natural_colors(values, overrides)
    units = _action_units(table["emotion"].to_numpy(), values["intensity"], uniform)
    columns = {name: _STRENGTH_COLUMN + i for i, name in enumerate(ACTION_UNITS)}
    _apply(units, overrides, columns, table, uniform)
    table = table.assign(**values, **units)
    for name, value in overrides.items():
        if callable(value):
            table[name] = _override(name, value(table), table, None, None)
    return table


def _rows(
    counts: Mapping[str, int], seed: int, people: int | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns who shows what in each row, and the row's random numbers, `(n, _COLUMNS)`."""
    parts, uniform = [], []
    for emotion, count in counts.items():
        parts.append(pd.DataFrame({"emotion": emotion, "index": np.arange(count)}))
        uniform.append(_random([seed, EMOTIONS_8.index(emotion), 0], count))
    table = pd.concat(parts, ignore_index=True)
    order = np.argsort(table["index"].to_numpy(), kind="stable")
    table, uniform = table.iloc[order].reset_index(drop=True), np.concatenate(uniform)[order]
    index = table.pop("index").to_numpy()
    if people is None:
        faces = zip(table["emotion"], index, strict=True)
        table["person"] = [f"{seed}-{emotion}-{i}" for emotion, i in faces]
        return table, uniform
    identity = _random([seed, len(EMOTIONS_8), 0], people)[index % people]
    uniform[:, : len(IDENTITY)] = identity[:, : len(IDENTITY)]
    table["person"] = [f"{seed}-{i}" for i in index % people]
    return table, uniform


def _random(seed: list[int], rows: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).random((rows, _COLUMNS))


def _natural_colors(values: dict[str, np.ndarray], overrides: Mapping[str, Any]) -> None:
    """Greys the hair of the old, and gives dark skin dark hair and eyes, unless asked otherwise."""
    dark, age = values["skin_tone"] >= 6, values["age"]
    if "hair_color" not in overrides:
        hair = values["hair_color"]
        hair = np.where(dark & np.isin(hair, ("blond", "red")), "black", hair)
        hair = np.where((age < 45) & (hair == "grey"), "black", hair)
        values["hair_color"] = np.where(age > 66, "grey", hair)
    if "eye_color" not in overrides:
        values["eye_color"] = np.where(dark, "brown", values["eye_color"])


def _action_units(
    emotions: np.ndarray, intensity: np.ndarray, uniform: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the strength of each unit: the prototype's, varied, or a slight stray movement."""
    units = {}
    for i, name in enumerate(ACTION_UNITS):
        varied = uniform[:, _STRENGTH_COLUMN + i]
        stray = np.maximum(uniform[:, _STRAY_COLUMN + i] - 0.7, 0) * 0.3
        weight = np.array([EMOTION_ACTION_UNITS[emotion].get(name, 0.0) for emotion in emotions])
        strength = weight * intensity * (0.75 + 0.35 * varied)
        if name == "AU25":
            # Half of the smiles and a fifth of the anger show teeth once they are strong.
            parts = (emotions == "happy") & (varied < 0.5) | (emotions == "angry") & (varied < 0.2)
            strength = np.maximum(intensity - 0.25, 0) * parts
        units[name] = np.minimum(np.maximum(strength, stray), 1.0)
    return units


def _apply(
    values: dict[str, np.ndarray],
    overrides: Mapping[str, Any],
    columns: Mapping[str, int],
    table: pd.DataFrame,
    uniform: np.ndarray,
) -> None:
    """Replaces the values that an argument overrules; functions wait for the whole table."""
    for name in columns:
        if name in overrides and not callable(overrides[name]):
            column = uniform[:, columns[name]]
            values[name] = _override(name, overrides[name], table, column, values[name])


def _override(
    name: str,
    value: Any,
    table: pd.DataFrame,
    uniform: np.ndarray | None,
    natural: np.ndarray | None,
) -> np.ndarray:
    """Returns the values that an argument asks for; see `make_faces` for the forms."""
    factor = _known(name)
    if isinstance(value, Mapping):
        result, emotions = natural.astype(object), table["emotion"].to_numpy()
        for emotion, part in value.items():
            rows = emotions == canonical_emotion(emotion)
            result[rows] = _override(name, part, table[rows], uniform[rows], natural[rows])
        return np.array(result.tolist())
    if isinstance(value, list | tuple):
        values = np.array(value)
        if not len(values):
            raise ValueError(f"Expected factor {name!r} with something to choose. Received: []")
        factor.check(name, values)
        if isinstance(value, tuple) and len(value) == 2 and not factor.choices:
            return value[0] + (value[1] - value[0]) * uniform
        return values[(uniform * len(values)).astype(int)]
    values = np.asarray(value)
    values = np.full(len(table), values) if values.ndim == 0 else values
    if values.shape != (len(table),):
        raise ValueError(
            f"Expected factor {name!r} as one value or an array of {len(table)}, one a face. "
            f"Received: an array of shape {values.shape}"
        )
    factor.check(name, values)
    return values
