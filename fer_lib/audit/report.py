"""What `check_dataset` found, as text, as HTML with pictures, and as JSON without any."""

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

from fer_lib.audit.findings import Finding, listing, plural
from fer_lib.datasets.display import data_uri
from fer_lib.datasets.face_dataset import FaceDataset

_WIDTH = 80
_THUMBNAILS = 8
_SIDE = 48
_COLORS = {"error": "#D55E00", "warning": "#E69F00", "note": "#0072B2"}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AuditReport:
    """What is wrong with a data set, and what it is made of.

    `report["identical_leak"]` is the finding of that name, `"identical_leak" in report` tells
    whether there is one, and `dataset.without(report)` takes out what is better left out.

    Attributes:
        dataset: What was examined; its pictures are drawn only when a notebook shows the report.
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
        """The pictures that any finding would take out, `int64 (n,)`, sorted."""
        parts = [np.zeros(0, np.int64), *(finding.indices for finding in self.findings)]
        return np.unique(np.concatenate(parts))

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"{name!r}; found were {[finding.name for finding in self.findings]}")

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything but the pictures as plain Python, ready for JSON."""
        rows = self.dataset.metadata.get("row")
        rows = None if rows is None else rows.to_numpy()
        counts = self.dataset.counts()
        return {
            "dataset": self.dataset.name,
            "n": len(self.dataset),
            "image_shape": list(self.dataset.images.shape[1:]),
            "class_names": list(self.dataset.class_names),
            "counts": {name: counts[name].to_dict() for name in counts},
            "content_hash": self.dataset.content_hash,
            "findings": [finding.to_dict(rows) for finding in self.findings],
            "figures": self.figures,
            "unchecked": list(self.unchecked),
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        # Thousands of indices, one a line, would be all that one sees.
        text = re.sub(r"\[[\d,\s]+\]", lambda found: _in_one_line(found[0]), text)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def __repr__(self) -> str:
        found = ", ".join(finding.name for finding in self.findings)
        return f"AuditReport({self.dataset.name!r}: {found or 'nothing found'})"

    def __str__(self) -> str:
        lines = [*textwrap.wrap(self._title(), _WIDTH), ""]
        for finding in self.findings:
            head = f"{finding.severity.upper()} {finding.name}: {finding.title}."
            lines += textwrap.wrap(head, _WIDTH)
            texts = [finding.meaning, f"What to do: {finding.remedy}"]
            if len(finding.indices):
                texts.append(f"Indices: {listing(finding.indices)}.")
            for text in texts:
                lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
            lines.append("")
        for text in self._notes():
            lines += textwrap.wrap(text, _WIDTH)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self._title())}</b></p>"]
        for finding in self.findings:
            parts.append(
                f'<p><b style="color:{_COLORS[finding.severity]}">{finding.severity}</b> '
                f"<code>{html.escape(finding.name)}</code>: <b>{html.escape(finding.title)}.</b> "
                f"{html.escape(finding.meaning)} <i>What to do:</i> "
                f"{html.escape(finding.remedy)}</p>"
            )
            parts.append(self._thumbnails(finding))
        parts += [f"<p>{html.escape(text)}</p>" for text in self._notes()]
        return "<div>" + "".join(parts) + "</div>"

    def _title(self) -> str:
        height, width, channels = self.dataset.images.shape[1:]
        names, sizes = np.unique(self.dataset.split, return_counts=True)
        splits = [f"{n} {size:,}" for n, size in zip(names, sizes, strict=True) if n]
        title = f"{self.dataset.name}: {plural(len(self.dataset), 'picture')} "
        title += f"{width}x{height}x{channels}" + "".join(f", {text}" for text in splits)
        return title + ("." if self.findings else ". Nothing found.")

    def _notes(self) -> list[str]:
        """Returns sentences on copies and on what was not examined."""
        texts = []
        identical = self.figures["identical"]
        near = self.figures["near"]
        if identical["groups"] or near["pairs"]:
            texts.append(
                f"Copies: {identical['distinct']:,} distinct pictures; "
                f"{_describe_groups(identical)} in all; {plural(near['pairs'], 'pair')} of nearly "
                f"identical ones, {near['mirrored_pairs']} of them mirrored."
            )
            for name, own in identical.get("by_split", {}).items():
                texts.append(f"{name or 'Unnamed'} alone: {_describe_groups(own)}.")
        if "votes" in self.figures:
            shares = self.figures["votes"]["by_class"].items()
            texts.append(
                "Agreement with the FER+ voters: "
                + ", ".join(f"{name} {share:.2f}" for name, share in shares)
                + f"; all {self.figures['votes']['agreement']:.2f}."
            )
        texts += [f"Not checked: {text}." for text in self.unchecked]
        return texts

    def _thumbnails(self, finding: Finding) -> str:
        """Draws a few of the pictures, each with its label and split below."""
        cells = []
        for index in finding.pictures(_THUMBNAILS):
            image = self.dataset.images[index]
            step = max(1, min(image.shape[:2]) // (2 * _SIDE))
            image = np.repeat(image[::step, ::step], 3 // image.shape[2], axis=2)
            label = self.dataset.class_names[self.dataset.labels[index]]
            caption = html.escape(f"{label} {self.dataset.split[index]}".strip())
            cells.append(
                f'<td style="text-align:center"><img width="{_SIDE}" alt="{caption}" '
                f'src="{data_uri(image)}"><br>{index}<br>{caption}</td>'
            )
        return f"<table><tr>{''.join(cells)}</tr></table>" if cells else ""


def _describe_groups(figures: dict[str, Any]) -> str:
    groups = plural(figures["groups"], "group")
    return f"{groups} of identical pictures ({figures['conflicting_groups']} with several labels)"


def _in_one_line(numbers: str) -> str:
    return json.dumps(json.loads(numbers))
