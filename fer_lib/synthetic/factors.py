"""The true factors of the synthetic faces, as `factors.toml` lists them: what varies, and how."""

from __future__ import annotations

import dataclasses
import importlib.resources
import numbers
import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np


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


def factor_of(name: str) -> Factor:
    """Returns what is known of a factor or action unit.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in _ALL:
        raise ValueError(f"Expected factors among {', '.join(_ALL)}. Received: {name!r}")
    return _ALL[name]
