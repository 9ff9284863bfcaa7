"""How much of a model's accuracy is left when pictures are noisy, badly cropped or half covered.

The corruptions are in `corruptions`; here a model is scored under each of them, on the same faces.
"""

from __future__ import annotations

import dataclasses
import html
import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fer_lib.evaluation import bootstrap, inputs, tables
from fer_lib.evaluation.corruptions import (
    CORRUPTIONS,
    NUM_SEVERITIES,
    Corruption,
    corrupt,
    find_corruption,
)
from fer_lib.files import write_text

Interval = tuple[float, float] | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RobustnessReport:
    """What corruptions cost a model. `robustness_suite` makes it; printing it shows a table.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        data_hash: Hash of the clean pictures and labels, or None.
        n: Number of faces.
        seed: Of the corruptions and the bootstrap.
        accuracy: Share of the clean faces that are classified correctly.
        accuracy_ci95: Its 95 % interval.
        majority: The accuracy of always giving the most frequent class.
        corrupted_accuracy: Mean accuracy over all corruptions and severities.
        corrupted_accuracy_ci95: Its 95 % interval.
        flip_consistency: Share of the clean faces that get the same class when mirrored.
        flip_consistency_ci95: Its 95 % interval.
        table: One row a corruption and severity, see `to_frame`.
        notes: What is undefined, in plain sentences.
    """

    model: str
    dataset: str
    data_hash: str | None
    n: int
    seed: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    majority: float
    corrupted_accuracy: float
    corrupted_accuracy_ci95: Interval
    flip_consistency: float
    flip_consistency_ci95: tuple[float, float]
    table: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Returns one row a corruption and severity.

        Columns: `corruption, title, unit, severity, level`; `accuracy` and `drop`, what is lost
        of the clean accuracy, with the ends of their 95 % intervals `accuracy_low`,
        `accuracy_high`, `drop_low`, `drop_high` (NaN where there is none, see `notes`).
        """
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """Returns all values as plain Python, ready for JSON; what is undefined is None."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        rows = self.table.to_dict("records")
        fields["table"] = [
            {name: None if value != value else value for name, value in row.items()} for row in rows
        ]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RobustnessReport:
        """Builds the report that `to_dict` gave, such as one that is stored beside a model.

        Raises:
            ValueError: Values are missing or unknown.
        """
        wanted = [field.name for field in dataclasses.fields(cls)]
        if sorted(values) != sorted(wanted):
            raise ValueError(
                f"Expected the values of a robustness report: {', '.join(wanted)}. "
                f"Received: {', '.join(values) or 'none'}"
            )
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        table = pd.DataFrame(values["table"], columns=_COLUMNS)
        fields["table"] = table.astype(dict.fromkeys(_COLUMNS[4:], np.float64))
        return cls(**fields)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Returns `to_dict()` as JSON text, and writes it to `path` where one is given."""
        values = self.to_dict()
        # A row of the table on each line: readable, and a change is seen in a diff.
        rows = ",\n  ".join(json.dumps(row, allow_nan=False) for row in values["table"])
        text = json.dumps({**values, "table": []}, indent=1, allow_nan=False)
        text = text.replace('"table": []', f'"table": [\n  {rows}\n ]')
        if path is not None:
            write_text(path, text + "\n")
        return text

    @classmethod
    def read_json(cls, path: str | os.PathLike[str]) -> RobustnessReport:
        """Reads the file that `to_json` wrote.

        Raises:
            OSError: The file cannot be read.
            ValueError: It holds no robustness report.
        """
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))

    def __repr__(self) -> str:
        return (
            f"RobustnessReport(n={self.n}, accuracy={self.accuracy:.4f}, "
            f"corrupted_accuracy={self.corrupted_accuracy:.4f})"
        )

    def __str__(self) -> str:
        table = tables.text_table(_HEADER, self._rows(), 18)
        texts = [self._title(), *self._sentences()]
        head, *rest = [textwrap.fill(text, tables.WIDTH) for text in texts]
        return "\n\n".join([head, f"{_CAPTION}\n{table}", *rest])

    def _repr_html_(self) -> str:
        accuracies = self.table["accuracy"].to_numpy().reshape(-1, NUM_SEVERITIES)
        shades = np.pad(accuracies / max(accuracies.max(), 1e-9), [(0, 0), (0, 2)])
        parts = [f"<p><b>{html.escape(self._title())}</b></p>", f"<p>{_CAPTION}</p>"]
        parts.append(tables.html_table(_HEADER, self._rows(), shades))
        parts += [f"<p>{html.escape(sentence)}</p>" for sentence in self._sentences()]
        return "<div>" + "".join(parts) + "</div>"

    def _title(self) -> str:
        names = " on ".join(filter(None, [self.model, self.dataset])) or "Robustness"
        return f"{names}: {self.n:,} {'face' if self.n == 1 else 'faces'}"

    def _rows(self) -> list[list[str]]:
        rows = []
        for _, part in self.table.groupby("corruption", sort=False):
            worst = part.iloc[-1]
            rows.append(
                [
                    part["title"].iloc[0],
                    *map(tables.number, part["accuracy"]),
                    tables.number(worst["drop"]),
                    tables.ends((worst["drop_low"], worst["drop_high"])),
                ]
            )
        return rows

    def _sentences(self) -> list[str]:
        clean, corrupted = (
            tables.ends(self.accuracy_ci95),
            tables.ends(self.corrupted_accuracy_ci95),
        )
        strongest = self.table[self.table["severity"] == NUM_SEVERITIES]
        worst = strongest.sort_values("drop", ascending=False, kind="stable").head(3)
        losses = [f"{row.title} ({100 * row.drop_:.0f} points)" for row in _rename(worst)]
        return [
            f"Accuracy on the clean faces: {self.accuracy:.3f} ({clean}); mean over all "
            f"corruptions and severities: {self.corrupted_accuracy:.3f} ({corrupted}); always "
            f"predicting the most frequent class: {self.majority:.3f}.",
            f"{self.flip_consistency:.1%} of the faces get the same class when they are mirrored "
            f"({tables.ends(self.flip_consistency_ci95)}).",
            f"Most is lost, at severity {NUM_SEVERITIES}, to {', '.join(losses)}.",
            *self.notes,
        ]


_COLUMNS = ["corruption", "title", "unit", "severity", "level", "accuracy", "accuracy_low"]
_COLUMNS += ["accuracy_high", "drop", "drop_low", "drop_high"]
_SEVERITIES = range(1, NUM_SEVERITIES + 1)
_HEADER = ["corruption", *map(str, _SEVERITIES), f"drop at {NUM_SEVERITIES}", "95 % interval"]
_CAPTION = f"Accuracy at severities 1 to {NUM_SEVERITIES}, and what the strongest costs."


def _rename(rows: pd.DataFrame) -> Any:
    # A tuple of rows has no room for a field that is called like a method of the table.
    return rows.rename(columns={"drop": "drop_"}).itertuples()


def robustness_suite(
    dataset: Any,
    model: Any,
    corruptions: Sequence[str | Corruption] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    num_resamples: int = 2000,
    seed: int = 0,
) -> RobustnessReport:
    """Scores a model on the same faces, corrupted in many ways at five severities each.

    Every interval is of a bootstrap that draws the clean and the corrupted versions of a face
    together and keeps the number of each class: the interval of a drop is a paired one.

    Args:
        dataset: A `FaceDataset` of aligned square crops, or a pair `(images, labels)`.
        model: Anything with `predict(images)` that returns probabilities.
        corruptions: Names of `CORRUPTIONS`, or corruptions of your own; all where it is None.
        class_names: As `evaluate` takes it.
        num_resamples: Bootstrap resamples.
        seed: Of the corruptions and the bootstrap; the same seed gives the same report.

    Returns:
        The report. With all 14 corruptions the model answers 72 times on every face.

    Raises:
        ValueError: A corruption is unknown or named twice, probabilities instead of a model, or
            a model and pictures that do not fit together.

    Example:
        >>> class Brightness:
        ...     def predict(self, images):
        ...         share = images.reshape(len(images), -1).mean(axis=1) / 255
        ...         return np.column_stack([1 - share, share])
        >>> faces = np.full((4, 48, 48, 1), 30, np.uint8)
        >>> faces[2:] = 200
        >>> dataset = faces, np.array([0, 0, 1, 1])
        >>> report = robustness_suite(dataset, Brightness(), ["dark"], ["night", "day"])
        >>> report.to_frame()["accuracy"].tolist()
        [0.5, 0.5, 0.5, 0.5, 0.5]
    """
    kinds = _choose(corruptions)
    if not hasattr(model, "predict"):
        raise ValueError(
            "Expected a model with a `predict` method, since it has to answer on corrupted images. "
            f"Received: {type(model).__name__}"
        )
    clean = inputs.predict(dataset, model, class_names)
    images, labels = clean.images, clean.labels

    def answer(pictures: np.ndarray) -> np.ndarray:
        pair = (pictures, labels)
        return inputs.predict(pair, model, clean.class_names).probabilities.argmax(axis=1)

    answers = clean.probabilities.argmax(axis=1)
    right = [answers == labels]
    steps = [(kind, severity) for kind in kinds.values() for severity in _SEVERITIES]
    for kind, severity in tqdm(steps, "robustness", leave=False, delay=2, disable=None):
        right.append(answer(corrupt(images, kind, severity, seed)) == labels)
    same = answer(images[:, :, ::-1]) == answers
    return _summarize(clean, np.column_stack(right), same, kinds, num_resamples, seed)


def _choose(corruptions: Sequence[str | Corruption] | None) -> dict[str, Corruption]:
    chosen = list(CORRUPTIONS) if corruptions is None else corruptions
    if isinstance(chosen, (str, Corruption)) or not len(chosen):
        raise ValueError(f"Expected a list of corruptions. Received: {corruptions!r}")
    names = [kind.title if isinstance(kind, Corruption) else kind for kind in chosen]
    if len(set(names)) != len(names):
        raise ValueError(f"Expected different `corruptions`. Received: {names}")
    return {name: find_corruption(kind) for name, kind in zip(names, chosen, strict=True)}


def _summarize(
    clean: inputs.Predictions,
    right: np.ndarray,
    same: np.ndarray,
    kinds: Mapping[str, Corruption],
    num_resamples: int,
    seed: int,
) -> RobustnessReport:
    """Turns what was answered rightly, `bool (n, 1 + conditions)`, clean first, into a report."""
    total = len(right)
    shares = right.mean(axis=0)
    drawn = bootstrap.resample_sums(
        np.column_stack([right, same]), clean.labels, num_resamples, seed
    )
    drawn /= total

    def share(column: int, successes: float) -> tuple[float, float]:
        return bootstrap.share_interval(drawn[:, column], successes, total)

    rows = []
    for column in range(1, right.shape[1]):
        name, kind = list(kinds.items())[(column - 1) // NUM_SEVERITIES]
        severity = (column - 1) % NUM_SEVERITIES + 1
        drop = bootstrap.interval(drawn[:, 0] - drawn[:, column]) or (np.nan, np.nan)
        rows.append(
            (name, kind.title, kind.unit, severity, float(kind.levels[severity - 1]))
            + (float(shares[column]), *share(column, right[:, column].sum()))
            + (float(shares[0] - shares[column]), *drop)
        )
    table = pd.DataFrame(rows, columns=_COLUMNS)
    notes = ()
    if table["drop_low"].isna().any():
        notes = (
            "No interval of a drop where all bootstrap resamples are alike: all answers of a "
            "class turned wrong or right or stayed, or the faces are too few.",
        )
    return RobustnessReport(
        model=clean.model,
        dataset=clean.dataset,
        data_hash=clean.data_hash,
        n=total,
        seed=seed,
        accuracy=float(shares[0]),
        accuracy_ci95=share(0, right[:, 0].sum()),
        majority=float(np.bincount(clean.labels).max() / total),
        corrupted_accuracy=float(shares[1:].mean()),
        corrupted_accuracy_ci95=bootstrap.interval(drawn[:, 1:-1].mean(axis=1)),
        flip_consistency=float(same.mean()),
        flip_consistency_ci95=share(-1, same.sum()),
        table=table,
        notes=notes,
    )
