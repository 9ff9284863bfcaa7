"""What `check_dataset` found, as sentences and as JSON without any pixels."""

from __future__ import annotations

import dataclasses
import importlib.resources
import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.evaluation.base import Report

SEVERITIES = ("error", "warning", "note")

_FILE = importlib.resources.files("fer_lib.audit") / "findings.toml"
_TEXTS: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """One thing that is wrong with a data set: what, how bad, where, and what to do.

    Attributes:
        name: Which check found it, such as `"exact_leak"`; a key of `findings.toml`.
        title: What was found, in one line.
        indices: `int64 (n,)`, sorted: the images that `dataset.without(finding)` takes out. Empty
            where taking out images would not help.
        groups: Images that belong together, such as the duplicates of one image.
        examples: Images that show what is meant, where neither of these does.
        count: How many images, by default the indices or examples; or how many classes or splits.
        severity: One of `SEVERITIES`.
        meaning: What it does to training or to a score.
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


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AuditReport(Report):
    """What is wrong with a data set, and what it is made of.

    `report["exact_leak"]` is the finding of that name, `"exact_leak" in report` tells whether there
    is one, and `dataset.without(report)` takes out what is better left out. In a notebook
    `dataset[report["exact_leak"].indices]` shows the images of a finding.

    Attributes:
        dataset: What was examined.
        findings: Errors first, then warnings, then notes; empty where nothing was found.
        figures: What was counted, ready for JSON.
        unchecked: What was not examined, and what it would need.
    """

    dataset: FaceDataset
    findings: tuple[Finding, ...]
    figures: dict[str, Any]
    unchecked: tuple[str, ...] = ()

    @property
    def indices(self) -> np.ndarray:
        """The images that any finding would take out, `int64 (n,)`, sorted."""
        parts = [np.zeros(0, np.int64), *(finding.indices for finding in self.findings)]
        return np.unique(np.concatenate(parts))

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        return {finding.name: finding for finding in self.findings}[name]

    def to_dict(self) -> dict[str, Any]:
        rows = self.dataset.metadata.get("row")
        return {
            "dataset": self.dataset.name,
            "n": len(self.dataset),
            "image_shape": list(self.dataset.images.shape[1:]),
            "class_names": list(self.dataset.class_names),
            "counts": self.dataset.counts().to_dict(),
            "content_hash": self.dataset.content_hash,
            "findings": [finding.to_dict(rows) for finding in self.findings],
            "figures": self.figures,
            "unchecked": list(self.unchecked),
        }

    def title(self) -> str:
        found = ", ".join(finding.name for finding in self.findings)
        return f"{self.dataset!r}. {f'Found: {found}' if found else 'Nothing found'}."

    def sentences(self) -> list[str]:
        texts = [
            f"{found.severity.upper()} {found.name}: {found.title}. {found.meaning} What to do: "
            + found.remedy
            + (f" Indices: {listing(found.indices)}." if len(found.indices) else "")
            for found in self.findings
        ]
        return texts + [f"Not checked: {text}." for text in self.unchecked]


def plural(count: int, one: str, many: str | None = None) -> str:
    """Returns `"1 image"` or `"2,000 images"`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listing(names: Sequence[Any], max_names: int = 12) -> str:
    """Returns names joined by commas, cut where there are many."""
    left_out = [f"and {len(names) - max_names:,} more"] * (len(names) > max_names)
    return ", ".join([*map(str, names[:max_names]), *left_out])
