"""What `check_dataset` found, as text, as HTML with images, and as JSON without any."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.audit.finding import Finding, listing, plural
from fer_lib.datasets.contact_sheet import data_uri
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.evaluation.base import Report
from fer_lib.files import write_text

_MAX_THUMBNAILS, _SIDE = 8, 48


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AuditReport(Report):
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
    def indices(self) -> np.ndarray:
        """The images that any finding would take out, `int64 (n,)`, sorted."""
        parts = [np.zeros(0, np.int64), *(finding.indices for finding in self.findings)]
        return np.unique(np.concatenate(parts))

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"{name!r}; found were {[finding.name for finding in self.findings]}")

    def to_dict(self) -> dict[str, Any]:
        """Returns everything but the images as plain Python, ready for JSON."""
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

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        # Lists of numbers in one line each: thousands of lines with one index are hard to read.
        short = re.compile(r"\[[\d,\s]+\]")
        text = short.sub(lambda found: json.dumps(json.loads(found[0])), super().to_json())
        if path is not None:
            write_text(path, text + "\n")
        return text

    def to_frame(self) -> pd.DataFrame:
        """Returns one row per finding: severity, name, count, title, meaning, remedy."""
        columns = ["severity", "name", "count", "title", "meaning", "remedy"]
        return pd.DataFrame([vars(finding) for finding in self.findings], columns=columns)

    def title(self) -> str:
        """Returns what was examined, and the names of the findings."""
        height, width, channels = self.dataset.images.shape[1:]
        names, sizes = np.unique(self.dataset.split, return_counts=True)
        splits = [f", {name} {n:,}" for name, n in zip(names, sizes, strict=True) if name]
        images = f"{plural(len(self.dataset), 'image')} {width}x{height}x{channels}"
        found = ", ".join(finding.name for finding in self.findings)
        found = f"Found: {found}." if found else "Nothing found."
        return f"{self.dataset.name}: {images}{''.join(splits)}. {found}"

    def sentences(self) -> list[str]:
        """Says what was found, what it means and what to do, and what was not examined."""
        texts = [
            f"{found.severity.upper()} {found.name}: {found.title}. {found.meaning} What to do: "
            + found.remedy
            + (f" Indices: {listing(found.indices)}." if len(found.indices) else "")
            for found in self.findings
        ]
        return texts + [f"Not checked: {text}." for text in self.unchecked]

    def _repr_html_(self) -> str:
        table = self.to_frame().astype(str).map(html.escape)
        table["images"] = [self._thumbnails(finding) for finding in self.findings]
        with pd.option_context("display.max_colwidth", None):
            shown = table.to_html(escape=False, index=False, border=0) if len(table) else ""
        unchecked = "".join(f"<p>Not checked: {html.escape(text)}.</p>" for text in self.unchecked)
        return f"<p><b>{html.escape(self.title())}</b></p>{shown}{unchecked}"

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
