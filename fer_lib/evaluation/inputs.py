"""What the evaluation takes, checked once: probabilities, labels and the names of the classes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.labels import EMOTIONS, EMOTIONS_8

# Half-precision files and sums of many float32 terms stay well within this.
_SUM_TOLERANCE = 1e-2


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """Probabilities of a model beside the true labels, and what is known of both.

    Attributes:
        probabilities: `(n, num_classes)`, float32 or float64, rows sum to 1.
        labels: `int64 (n,)`, indices into `class_names`.
        data_hash: Hash of the data set's images and labels.
        votes: `(n, num_classes)` people's votes for the classes, where the data set has them.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    dataset: str
    data_hash: str | None
    model: str
    votes: np.ndarray | None


def predict(
    y_true: Any,
    y_prob: Any,
    class_names: Sequence[str] | None = None,
    model_name: str | None = None,
) -> Predictions:
    """Brings true labels together with a model or its probabilities, as `evaluate` takes them."""
    images, labels = getattr(y_true, "images", None), getattr(y_true, "labels", y_true)
    probabilities = _run(y_prob, images) if hasattr(y_prob, "predict") else y_prob
    _, probabilities = check_predictions(None, probabilities)
    num_classes = probabilities.shape[1]
    of_dataset = getattr(y_true, "class_names", None)
    names = getattr(y_prob, "class_names", None) or class_names or of_dataset
    names = names or {len(each): each for each in (EMOTIONS, EMOTIONS_8)}.get(num_classes, ())
    names = tuple(map(str, names))
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise ValueError(
            f"Expected `class_names` with {num_classes} different names, one per column of the "
            f"probabilities. Received: {names or None}"
        )
    of_dataset = tuple(of_dataset or names)
    if sorted(names) != sorted(of_dataset):
        raise ValueError(
            f"Expected predictions of the data set's classes, {of_dataset}; "
            f"`dataset.with_classes` makes them alike. Received: {names}"
        )
    # Classes meet by name, not by position.
    probabilities = probabilities[:, [names.index(name) for name in of_dataset]]
    labels, probabilities = check_predictions(labels, probabilities)
    # `load_ferplus` adds the votes to a data set's metadata.
    metadata = getattr(y_true, "metadata", pd.DataFrame())
    columns, votes = [f"votes_{name}" for name in of_dataset], None
    if set(columns) <= set(metadata) and metadata[columns].to_numpy().any():
        votes = metadata[columns].to_numpy(np.float64)
    return Predictions(
        probabilities=probabilities,
        labels=labels,
        class_names=of_dataset,
        dataset=getattr(y_true, "name", ""),
        data_hash=getattr(y_true, "content_hash", None),
        model=str(getattr(y_prob, "name", "") if model_name is None else model_name),
        votes=votes,
    )


def _run(model: Any, images: np.ndarray | None) -> Any:
    if images is None or len(images) == 0:
        received = "no image" if images is not None else "labels only"
        raise ValueError(
            "Expected `y_true` as a FaceDataset with at least one image, since a model was given. "
            f"Received: {received}"
        )
    # Only a plain Keras model draws a progress bar; who made one has loaded keras already.
    keras = sys.modules.get("keras")
    is_keras = keras is not None and isinstance(model, keras.Model)
    return model.predict(images, verbose=0) if is_keras else model.predict(images)


def check_predictions(y_true: Any, y_prob: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels `int64 (n,)` and float probabilities `(n, num_classes)` that belong together.

    Where `y_true` is None, only the probabilities are checked. What cannot be scored (no sample,
    NaN, a row that does not sum to 1, a label that is not a class) is a `ValueError`.
    """
    y_prob = np.asarray(y_prob)
    if y_prob.ndim != 2 or y_prob.shape[1] < 2 or y_prob.dtype.kind != "f" or not len(y_prob):
        raise ValueError(
            "Expected a model with a `predict` method, or float probabilities of shape "
            "(n, num_classes) with at least one sample. "
            f"Received: {y_prob.dtype} {y_prob.shape}"
        )
    y_prob = y_prob.astype(np.float32) if y_prob.dtype == np.float16 else y_prob
    good = np.abs(y_prob.sum(axis=1, dtype=np.float64) - 1) <= _SUM_TOLERANCE
    # Comparisons with NaN are false.
    good &= ((y_prob >= 0) & (y_prob <= 1 + _SUM_TOLERANCE)).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            "Expected finite probabilities in [0, 1] whose rows sum to 1; a model that returns "
            f"logits lacks its softmax. Received: {y_prob[row]} in row {row}, and "
            f"{int((~good).sum()) - 1} more such rows"
        )
    num, num_classes = y_prob.shape
    labels = np.zeros(num, int) if y_true is None else np.asarray(y_true)
    fits = labels.shape == (num,) and labels.dtype.kind in "iu"
    if not fits or labels.min() < 0 or labels.max() >= num_classes:
        values = f", {labels.min()} to {labels.max()}" if fits else ""
        raise ValueError(
            f"Expected integer labels from 0 to {num_classes - 1} of shape ({num},), one per row "
            f"of the probabilities. Received: {labels.dtype} {labels.shape}{values}"
        )
    return labels.astype(np.int64), y_prob


def find_duplicates(images: Any, others: Any) -> np.ndarray:
    """Says which images are also among others, identical pixel by pixel.

    A score on such images is partly a score of memory: 280 of FER2013's 3,589 PublicTest images are
    also in Training.

    Args:
        images: `(n, height, width, channels)`, or a `FaceDataset`.
        others: Such as those that a model was trained on; of another size or type they are a
            `ValueError`, since none could ever be identical.

    Returns:
        `bool (n,)`, True where an image has a duplicate.

    Example:
        >>> faces = np.arange(3 * 4).reshape(3, 2, 2)
        >>> find_duplicates(faces, faces[1:2]).tolist()
        [False, True, False]
    """
    images, others = (np.asarray(getattr(each, "images", each)) for each in (images, others))
    if images.shape[1:] != others.shape[1:] or images.dtype != others.dtype:
        raise ValueError(
            "Expected images of one size and type in both sets. "
            f"Received: {images.dtype} {images.shape[1:]} and {others.dtype} {others.shape[1:]}"
        )
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], bool)
