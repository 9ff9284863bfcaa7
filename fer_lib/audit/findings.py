"""One thing that is wrong with a data set: what, how bad, where, and what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

SEVERITIES: tuple[str, ...] = ("error", "warning", "note")
"""An error makes scores or a training wrong; a warning is to be looked at; a note is to be known.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """One thing that is wrong with a data set.

    Attributes:
        name: Which check found it, such as `"identical_leak"`.
        severity: One of `SEVERITIES`.
        count: How many pictures (of findings about classes or splits: how many of these).
        title: What was found, in one line.
        meaning: What it does to a training or to a score.
        remedy: What to do about it.
        indices: `int64 (n,)`, sorted: the pictures that `dataset.without(finding)` takes out. Empty
            where taking out pictures would not help.
        groups: Pictures that belong together, such as the copies of one picture.
        examples: Pictures that show what is meant, where neither of these does.
    """

    name: str
    severity: str
    count: int
    title: str
    meaning: str
    remedy: str
    indices: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    groups: tuple[tuple[int, ...], ...] = ()
    examples: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        for field in ("indices", "examples"):
            object.__setattr__(self, field, np.unique(np.asarray(getattr(self, field), np.int64)))

    def __repr__(self) -> str:
        return f"Finding({self.name!r}, {self.severity}, {self.title!r})"

    def pictures(self, how_many: int) -> list[int]:
        """Returns the first pictures to look at, whole groups where there are any."""
        if not self.groups:
            chosen = self.indices if len(self.indices) else self.examples
            return [int(index) for index in chosen[:how_many]]
        shown: list[int] = []
        for group in self.groups:
            if shown and len(shown) + len(group) > how_many:
                break
            shown.extend(group)
        return shown[:how_many]

    def to_dict(self, rows: np.ndarray | None = None) -> dict[str, Any]:
        """Returns plain Python, ready for JSON; no pixels.

        Args:
            rows: Row of each picture in its published file, listed beside the indices if given.
        """
        values: dict[str, Any] = {
            "name": self.name,
            "severity": self.severity,
            "count": self.count,
            "title": self.title,
            "meaning": self.meaning,
            "remedy": self.remedy,
            "indices": self.indices.tolist(),
            "groups": [list(group) for group in self.groups],
        }
        if rows is not None:
            values["rows"] = rows[self.indices].tolist()
        return values


def plural(count: int, one: str, many: str | None = None) -> str:
    """Returns `"1 picture"` or `"2,000 pictures"`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listing(names: Sequence[Any], most: int = 12) -> str:
    """Returns names joined by commas, cut where there are many."""
    texts = [str(name) for name in names[:most]]
    if len(names) > most:
        texts.append(f"and {len(names) - most:,} more")
    return ", ".join(texts)
