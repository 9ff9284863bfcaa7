"""How much of a model's accuracy is left when images are noisy, badly cropped or half covered.

The corruptions are in `corruptions`; here a model is scored under each of them, on the same faces.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.evaluation import inputs, stats
from fer_lib.evaluation.base import Report, interval_texts, text_of
from fer_lib.evaluation.corruptions import CORRUPTIONS, NUM_SEVERITIES, corrupt


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RobustnessReport(Report):
    """What corruptions cost a model. `robustness_suite` makes it; printing it shows a table.

    What ends in `_ci95` is the 95% interval of what it is named after.

    Attributes:
        data_hash: Hash of the clean images and labels, or None.
        n: Number of faces.
        seed: Of the corruptions and the bootstrap.
        accuracy: Share of the clean faces that are classified correctly.
        majority: The accuracy of always giving the most frequent class.
        corrupted_accuracy: Mean accuracy over all corruptions and severities.
        flip_consistency: Share of the clean faces that get the same class when mirrored.
        table: One row per corruption and severity: `corruption, title, unit, severity, level`;
            `accuracy` and `drop`, what is lost of the clean accuracy, with the ends of their 95%
            intervals `accuracy_low`, `accuracy_high`, `drop_low`, `drop_high` (NaN where there is
            none, see `notes`).
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
    corrupted_accuracy_ci95: tuple[float, float] | None
    flip_consistency: float
    flip_consistency_ci95: tuple[float, float]
    table: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        return self.table.copy()

    @classmethod
    def read_json(cls, path: str | os.PathLike[str]) -> RobustnessReport:
        """Reads the file that `to_json` wrote, such as one that is stored beside a model."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        table = pd.DataFrame(values["table"], columns=_COLUMNS)
        values["table"] = table.astype(dict.fromkeys(_COLUMNS[4:], np.float64))
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        rows = self.table.assign(severity=self.table["severity"].astype(str))
        table = rows.set_index(["title", "severity"])["accuracy"].unstack(sort=False)
        worst = self.table.groupby("title", sort=False).last()
        table = table.join(worst["drop"]).rename_axis("corruption")
        table["95% interval"] = interval_texts(worst["drop_low"], worst["drop_high"])
        caption = f"Accuracy at severities 1 to {NUM_SEVERITIES}, and its drop at the highest."
        return [(caption, table)]

    def sentences(self) -> list[str]:
        worst = self.table[self.table["severity"] == NUM_SEVERITIES]
        worst = worst.sort_values("drop", ascending=False, kind="stable").head(3)
        losses = [f"{row.title} ({100 * row['drop']:.0f} points)" for _, row in worst.iterrows()]
        return [
            f"Accuracy on the clean faces: {self.accuracy:.3f} ({text_of(self.accuracy_ci95)}); "
            f"mean over all corruptions and severities: {self.corrupted_accuracy:.3f} "
            f"({text_of(self.corrupted_accuracy_ci95)}); always predicting the most frequent "
            f"class: {self.majority:.3f}.",
            f"{self.flip_consistency:.1%} of the faces get the same class when they are mirrored "
            f"({text_of(self.flip_consistency_ci95)}).",
            f"Most is lost, at severity {NUM_SEVERITIES}, to {', '.join(losses)}.",
            *self.notes,
        ]


_COLUMNS = ["corruption", "title", "unit", "severity", "level", "accuracy", "accuracy_low"]
_COLUMNS += ["accuracy_high", "drop", "drop_low", "drop_high"]
_NOTE = (
    "No interval of a drop where all bootstrap resamples are alike: all predictions of a class "
    "turned wrong or correct or stayed, or the faces are too few."
)


def robustness_suite(
    dataset: FaceDataset,
    model: Any,
    corruptions: Sequence[str] | None = None,
    *,
    num_resamples: int = 2000,
    seed: int = 0,
) -> RobustnessReport:
    """Scores a model on the same faces, corrupted in many ways at five severities each.

    Every interval is of a bootstrap that draws the clean and the corrupted versions of a face
    together and keeps the number of each class: the interval of a drop is a paired one.

    Args:
        dataset: Aligned square crops.
        model: Anything with `predict(images)` that returns probabilities. With all 14 corruptions
            it predicts every face 72 times.
        corruptions: Names of `CORRUPTIONS`; by default all.
        num_resamples: Bootstrap resamples.
        seed: Of the corruptions and the bootstrap; the same seed gives the same report.

    Raises:
        ValueError: A corruption is unknown, or a model and images that do not fit together.

    Example:
        >>> class Brightness:
        ...     def predict(self, images):
        ...         share = images.reshape(len(images), -1).mean(axis=1) / 255
        ...         return np.column_stack([1 - share, share])
        >>> faces = np.full((4, 48, 48, 1), 30, np.uint8)
        >>> faces[2:] = 200
        >>> dataset = FaceDataset(faces, np.array([0, 0, 1, 1]), ("night", "day"))
        >>> report = robustness_suite(dataset, Brightness(), ["dark"])
        >>> report.to_frame()["accuracy"].tolist()
        [0.5, 0.5, 0.5, 0.5, 0.5]
    """
    if not hasattr(model, "predict"):
        raise ValueError(
            "Expected a model with a `predict` method, which predicts on corrupted images. "
            f"Received: {type(model).__name__}"
        )
    names = list(corruptions or CORRUPTIONS)
    clean = inputs.predict(dataset, model)
    images, labels, total = dataset.images, clean.labels, len(clean.labels)

    def predict(changed: np.ndarray) -> np.ndarray:
        faces = dataclasses.replace(dataset, images=changed)
        return inputs.predict(faces, model).probabilities.argmax(axis=1)

    predicted = clean.probabilities.argmax(axis=1)
    steps = [(name, severity) for name in names for severity in range(1, NUM_SEVERITIES + 1)]
    # The clean faces, each corruption and severity, and whether mirroring changes nothing.
    hits = [predicted == labels]
    for name, severity in tqdm(steps, "robustness", leave=False, delay=2, disable=None):
        hits.append(predict(corrupt(images, name, severity, seed)) == labels)
    hits.append(predict(images[:, :, ::-1]) == predicted)
    features = np.column_stack(hits)
    shares, sums = features.mean(axis=0), features.sum(axis=0)
    drawn = stats.resample_sums(features, labels, num_resamples, seed) / total
    ends = [stats.interval(*column, total) for column in zip(drawn.T, sums, strict=True)]
    rows = []
    for k, (name, severity) in enumerate(steps, 1):
        kind, drop = (
            CORRUPTIONS[name],
            stats.interval(drawn[:, 0] - drawn[:, k]) or (np.nan, np.nan),
        )
        row = name, kind.title, kind.unit, severity, float(kind.levels[severity - 1])
        rows.append((*row, shares[k], *ends[k], shares[0] - shares[k], *drop))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return RobustnessReport(
        model=clean.model,
        dataset=clean.dataset,
        data_hash=clean.data_hash,
        n=total,
        seed=seed,
        accuracy=float(shares[0]),
        accuracy_ci95=ends[0],
        majority=float(np.bincount(labels).max() / total),
        corrupted_accuracy=float(shares[1:-1].mean()),
        corrupted_accuracy_ci95=stats.interval(drawn[:, 1:-1].mean(axis=1)),
        flip_consistency=float(shares[-1]),
        flip_consistency_ci95=ends[-1],
        table=table,
        notes=(_NOTE,) if table["drop_low"].isna().any() else (),
    )
