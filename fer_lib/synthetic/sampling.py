"""Samples the table of factors of a set of synthetic faces, and overrules what the caller fixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.labels import EMOTIONS_8, canonical_emotion
from fer_lib.synthetic import factors
from fer_lib.synthetic.factors import ACTION_UNITS, EMOTION_ACTION_UNITS, FACTORS, IDENTITY

_COLUMNS = 128  # random numbers a face; more than are used, so that new factors change no old ones
_INTENSITY_COLUMN, _STRENGTH_COLUMN, _STRAY_COLUMN = 64, 65, 96


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
        One row per face: `emotion`, `person`, `intensity`, `FACTORS` and `ACTION_UNITS`.

    Raises:
        ValueError: A factor is unknown or a value out of its range.
    """
    overrides = dict(overrides or {})
    for name in overrides:
        factors.factor_of(name)
    table, uniform = _rows(counts, seed, people)
    emotions, columns = table["emotion"].to_numpy(), uniform.T

    def overrule(values: dict[str, np.ndarray], column_of: Mapping[str, np.ndarray]) -> None:
        for name in values.keys() & overrides.keys():
            values[name] = _override(name, overrides[name], emotions, column_of[name], values[name])

    used = columns[[_INTENSITY_COLUMN, *range(len(FACTORS))]]
    column_of = dict(zip(("intensity", *FACTORS), used, strict=True))
    values = {name: factors.factor_of(name).sample(column) for name, column in column_of.items()}
    values["noise_seed"] = values["noise_seed"].astype(np.int64)
    overrule(values, column_of)
    _natural_colors(values, overrides)
    units = _action_units(emotions, values["intensity"], columns)
    overrule(units, dict(zip(ACTION_UNITS, columns[_STRENGTH_COLUMN:], strict=False)))
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
        varied = columns[_STRENGTH_COLUMN + i]
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
    factor = factors.factor_of(name)
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
