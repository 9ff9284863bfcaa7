"""One thing that is wrong with a data set: what, how bad, where, and what to do."""

from __future__ import annotations

import dataclasses
import importlib.resources
import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

SEVERITIES = ("error", "warning", "note")

_FILE = importlib.resources.files("fer_lib.audit") / "findings.toml"
_TEXTS: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """One thing that is wrong with a data set.

    Attributes:
        name: Which check found it, such as `"exact_leak"`; a key of `findings.toml`.
        title: What was found, in one line.
        indices: `int64 (n,)`, sorted: the images that `dataset.without(finding)` takes out. Empty
            where taking out images would not help.
        groups: Images that belong together, such as the duplicates of one image.
        examples: Images that show what is meant, where neither of these does.
        count: How many images, by default the indices or examples; or how many classes or splits.
        severity: One of `SEVERITIES`.
        meaning: What it does to a training or to a score.
        remedy: What to do about it.
    """

    name: str
    title: str
    indices: np.ndarray = ()
    groups: tuple[tuple[int, ...], ...] = ()
    examples: np.ndarray = ()
    count: int | None = None
    severity: str = dataclasses.field(init=False)
    meaning: str = dataclasses.field(init=False)
    remedy: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        values: dict[str, Any] = dict(_TEXTS[self.name])
        for name in ("indices", "examples"):
            values[name] = np.unique(np.asarray(getattr(self, name), np.int64))
        if self.count is None:
            values["count"] = len(values["indices"]) or len(values["examples"])
        vars(self).update(values)

    def __repr__(self) -> str:
        return f"Finding({self.name!r}, {self.severity}, {self.title!r})"

    def to_dict(self, rows: pd.Series | None = None) -> dict[str, Any]:
        """Returns plain Python, ready for JSON; no pixels.

        Where `rows` of the images in their published file are given, they are listed, too.
        """
        values = {**vars(self), "indices": self.indices.tolist()}
        values["groups"] = [list(group) for group in self.groups]
        del values["examples"]
        return values if rows is None else {**values, "rows": rows.iloc[self.indices].tolist()}


def plural(count: int, one: str, many: str | None = None) -> str:
    """Returns `"1 image"` or `"2,000 images"`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listing(names: Sequence[Any], max_names: int = 12) -> str:
    """Returns names joined by commas, cut where there are many."""
    left_out = [f"and {len(names) - max_names:,} more"] * (len(names) > max_names)
    return ", ".join([*map(str, names[:max_names]), *left_out])


def listing_by_split(split: np.ndarray) -> str:
    """Returns how many images each split has, `"2 PublicTest images, 1 Training image"`."""
    counts = zip(*np.unique(split, return_counts=True), strict=True)
    return ", ".join(plural(count, f"{name or 'unnamed'} image") for name, count in counts)
