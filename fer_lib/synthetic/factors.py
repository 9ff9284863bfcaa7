"""The true factors of the synthetic faces: what varies, by `factors.toml`, and how it is drawn."""

from __future__ import annotations

import dataclasses
import importlib.resources
import numbers
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.labels import EMOTIONS_8, canonical_emotion


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
    limits: Sequence[float] | None = None
    choices: Sequence[Any] = ()
    weights: Sequence[float] = ()
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


_FILE = importlib.resources.files("fer_lib.synthetic") / "factors.toml"
_TABLES = tomllib.loads(_FILE.read_text(encoding="utf-8"))

EMOTION_ACTION_UNITS: dict[str, dict[str, float]] = _TABLES["emotions"]
"""Action units of each emotion and how strong each is in the full expression, 0 to 1."""

ACTION_UNITS: dict[str, str] = _TABLES["action_units"]
"""What each action unit does."""

IDENTITY = tuple(_TABLES["identity"])
"""The factors that tell who it is."""

COLORS: dict[str, Any] = _TABLES["colors"]
"""RGB of each skin tone, hair color and eye color, 0 to 255."""

FACTORS = {
    name: Factor(**values)
    for part in ("identity", "pose", "scene")
    for name, values in _TABLES[part].items()
}
_ALL = {
    "intensity": Factor(1.0, 0.4, 1.0, limits=(0, 1)),
    **FACTORS,
    **dict.fromkeys(ACTION_UNITS, Factor(0.0)),
}

_COLUMNS = 128  # random numbers per face; more than are used, so that new factors change none
_STRAY_COLUMN = 96
_COLUMN_OF = {name: column for column, name in enumerate(FACTORS)} | {"intensity": 64}
_COLUMN_OF |= {name: column for column, name in enumerate(ACTION_UNITS, start=65)}


def factor_of(name: str) -> Factor:
    """Returns what is known of a factor or action unit; another name is a `ValueError`."""
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
    factor leaves the others as they were. `people` and `overrides` (its `factors`) are as of
    `make_faces`; an unknown factor and a value out of its range are a `ValueError`.

    Returns one row per face: `emotion`, `person`, `intensity`, `FACTORS` and `ACTION_UNITS`.
    """
    overrides = dict(overrides or {})
    for name in overrides:
        factor_of(name)  # which refuses an unknown name
    table, uniform = _rows(counts, seed, people)
    emotions, columns = table["emotion"].to_numpy(), uniform.T

    def overrule(name: str, natural: np.ndarray) -> np.ndarray:
        if name not in overrides:
            return natural
        return _override(name, overrides[name], emotions, columns[_COLUMN_OF[name]], natural)

    values = {}
    for name in ("intensity", *FACTORS):
        natural = factor_of(name).sample(columns[_COLUMN_OF[name]])
        natural = natural.astype(np.int64) if name == "noise_seed" else natural
        values[name] = overrule(name, natural)
    _natural_colors(values, overrides)
    units = _action_units(emotions, values["intensity"], columns)
    units = {name: overrule(name, strength) for name, strength in units.items()}
    return table.assign(**values, **units)


def _rows(
    counts: Mapping[str, int], seed: int, people: int | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns who shows what in each row, and the row's random numbers, `(n, _COLUMNS)`."""
    uniform = [_random([seed, EMOTIONS_8.index(name), 0], count) for name, count in counts.items()]
    index = np.concatenate([np.arange(count) for count in counts.values()])
    order = np.argsort(index, kind="stable")
    emotions = np.repeat(list(counts), list(counts.values()))[order]
    index, uniform = index[order], np.concatenate(uniform)[order]
    if people is None:
        persons = [f"{seed}-{name}-{i}" for name, i in zip(emotions, index, strict=True)]
    else:
        identity = _random([seed, len(EMOTIONS_8), 0], people)[index % people]
        uniform[:, : len(IDENTITY)] = identity[:, : len(IDENTITY)]
        persons = [f"{seed}-{i}" for i in index % people]
    return pd.DataFrame({"emotion": emotions, "person": persons}), uniform


def _random(seed: list[int], rows: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).random((rows, _COLUMNS))


def _natural_colors(values: dict[str, np.ndarray], overrides: Mapping[str, Any]) -> None:
    """Grays the hair of the old, and gives dark skin dark hair and eyes, unless asked otherwise."""
    dark, age = values["skin_tone"] >= 6, values["age"]
    if "hair_color" not in overrides:
        hair = values["hair_color"]
        hair = np.where(dark & np.isin(hair, ("blond", "red")), "black", hair)
        hair = np.where((age < 45) & (hair == "grey"), "black", hair)
        values["hair_color"] = np.where(age > 66, "grey", hair)
    if "eye_color" not in overrides:
        values["eye_color"] = np.where(dark, "brown", values["eye_color"])


def _action_units(
    emotions: np.ndarray, intensity: np.ndarray, columns: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the strength of each unit: the prototype's, varied, or a slight stray movement."""
    units = {}
    for i, name in enumerate(ACTION_UNITS):
        varied = columns[_COLUMN_OF[name]]
        stray = np.maximum(columns[_STRAY_COLUMN + i] - 0.7, 0) * 0.3
        weight = np.array([EMOTION_ACTION_UNITS[emotion].get(name, 0.0) for emotion in emotions])
        strength = weight * intensity * (0.75 + 0.35 * varied)
        if name == "AU25":
            # Half of the smiles and a fifth of the anger show teeth once they are strong.
            parts = (emotions == "happy") & (varied < 0.5) | (emotions == "angry") & (varied < 0.2)
            strength = np.maximum(intensity - 0.25, 0) * parts
        units[name] = np.minimum(np.maximum(strength, stray), 1.0)
    return units


def _override(
    name: str, value: Any, emotions: np.ndarray, uniform: np.ndarray, natural: np.ndarray
) -> np.ndarray:
    """Returns the values that an argument asks for; see `make_faces` for the forms."""
    factor = factor_of(name)
    if isinstance(value, Mapping):
        result = natural.astype(object)
        for emotion, part in value.items():
            rows = emotions == canonical_emotion(emotion)
            result[rows] = _override(name, part, emotions[rows], uniform[rows], natural[rows])
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
    values = np.full(len(natural), values) if values.ndim == 0 else values
    if values.shape != natural.shape:
        raise ValueError(
            f"Expected factor {name!r} as one value or an array of {len(natural)}, one per face. "
            f"Received: an array of shape {values.shape}"
        )
    factor.check(name, values)
    return values
