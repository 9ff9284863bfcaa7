"""What `check_dataset` found, as text, as HTML with images, and as JSON without any."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.audit.finding import Finding, listing, plural
from fer_lib.datasets.contact_sheet import data_uri
from fer_lib.datasets.face_dataset import FaceDataset

_WIDTH = 80
_MAX_THUMBNAILS, _SIDE = 8, 48


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AuditReport:
    """What is wrong with a data set, and what it is made of.

    `report["exact_leak"]` is the finding of that name, `"exact_leak" in report` tells whether there
    is one, and `dataset.without(report)` takes out what is better left out.

    Attributes:
        dataset: What was examined; its images appear only when a notebook shows the report.
        findings: Errors first, then warnings, then notes; empty where nothing was found.
        figures: What was counted, ready for JSON.
        unchecked: What was not examined, and what it would need.
    """

    dataset: FaceDataset
    findings: tuple[Finding, ...]
    figures: dict[str, Any]
    unchecked: tuple[str, ...] = ()

    @property
    def is_serious(self) -> bool:
        """Whether there is an error, something that makes a training or a score wrong."""
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def indices(self) -> np.ndarray:
        """The images that any finding would take out, `int64 (n,)`, sorted."""
        parts = [np.zeros(0, np.int64), *(finding.indices for finding in self.findings)]
        return np.unique(np.concatenate(parts))

    def __getitem__(self, name: str) -> Finding:
        found = {finding.name: finding for finding in self.findings}
        if name not in found:
            raise KeyError(f"{name!r}; found were {list(found)}")
        return found[name]

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything but the images as plain Python, ready for JSON."""
        rows = self.dataset.metadata.get("row")
        rows = None if rows is None else rows.to_numpy()
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

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        # Lists of numbers in one line each: thousands of lines with one index are hard to read.
        text = re.sub(r"\[[\d,\s]+\]", lambda found: json.dumps(json.loads(found[0])), text)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_frame(self) -> pd.DataFrame:
        """Returns one row per finding: severity, name, count, title, meaning, remedy."""
        columns = ["severity", "name", "count", "title", "meaning", "remedy"]
        return pd.DataFrame([vars(finding) for finding in self.findings], columns=columns)

    def __repr__(self) -> str:
        found = ", ".join(finding.name for finding in self.findings)
        return f"AuditReport({self.dataset.name!r}: {found or 'nothing found'})"

    def __str__(self) -> str:
        lines = [textwrap.fill(self._title(), _WIDTH), ""]
        for finding in self.findings:
            title = f"{finding.severity.upper()} {finding.name}: {finding.title}."
            text = f"{finding.meaning} What to do: {finding.remedy}"
            if len(finding.indices):
                text += f" Indices: {listing(finding.indices)}."
            look = {"initial_indent": "  ", "subsequent_indent": "  "}
            lines += [textwrap.fill(title, _WIDTH), textwrap.fill(text, _WIDTH, **look), ""]
        return "\n".join([*lines, *(textwrap.fill(text, _WIDTH) for text in self._notes())])

    def _repr_html_(self) -> str:
        table = self.to_frame().astype(str).map(html.escape)
        table["images"] = [self._thumbnails(finding) for finding in self.findings]
        with pd.option_context("display.max_colwidth", None):
            shown = table.to_html(escape=False, index=False, border=0) if len(table) else ""
        notes = "".join(f"<p>{html.escape(text)}</p>" for text in self._notes())
        return f"<p><b>{html.escape(self._title())}</b></p>{shown}{notes}"

    def _title(self) -> str:
        height, width, channels = self.dataset.images.shape[1:]
        names, sizes = np.unique(self.dataset.split, return_counts=True)
        splits = [f", {name} {n:,}" for name, n in zip(names, sizes, strict=True) if name]
        title = f"{self.dataset.name}: {plural(len(self.dataset), 'image')} "
        title += f"{width}x{height}x{channels}" + "".join(splits)
        return title + ("." if self.findings else ". Nothing found.")

    def _notes(self) -> list[str]:
        return [f"Not checked: {text}." for text in self.unchecked]

    def _thumbnails(self, finding: Finding) -> str:
        """Returns a few of the images as HTML, with index, label and split as their titles."""
        grouped = [index for group in finding.groups for index in group]
        shown = []
        for index in (grouped or [*finding.indices] or [*finding.examples])[:_MAX_THUMBNAILS]:
            image, label = self.dataset[index]
            step = max(1, min(image.shape[:2]) // (2 * _SIDE))
            address = data_uri(np.broadcast_to(image, (*image.shape[:2], 3))[::step, ::step])
            title = f"{index} {self.dataset.class_names[label]} {self.dataset.split[index]}"
            title = html.escape(title.strip())
            shown.append(f'<img width="{_SIDE}" title="{title}" src="{address}">')
        return " ".join(shown)
