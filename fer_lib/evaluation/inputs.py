"""What the evaluation takes, checked once: probabilities, labels and the names of the classes.

Everything behind this door may rely on finite probabilities that sum to one and on labels that are
classes.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_lib.evaluation.class_alignment import align_classes
from fer_lib.labels import EMOTIONS, EMOTIONS_8

# Half-precision files and sums of many float32 terms stay well within this.
_SUM_TOLERANCE = 1e-2


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of a model beside the true labels.

    Attributes:
        probabilities: `(n, num_classes)`, float32 or float64, rows sum to 1.
        labels: `int64 (n,)`, indices into `class_names`.
        class_names: Names of the classes.
        images: The images, or None where only labels were given.
        dataset: Name of the data set, or an empty string.
        data_hash: Hash of the data set's images and labels, or None.
        model: Name of the model, or an empty string.
        votes: `(n, num_classes)` people's votes for the classes, where the data set has them.
        notes: What was left out because the model and the data set have other classes.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    images: np.ndarray | None = None
    dataset: str = ""
    data_hash: str | None = None
    model: str = ""
    votes: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def select(self, keep: np.ndarray) -> Predictions:
        """Returns the samples of a mask."""
        return dataclasses.replace(
            self,
            probabilities=self.probabilities[keep],
            labels=self.labels[keep],
            images=None if self.images is None else self.images[keep],
            votes=None if self.votes is None else self.votes[keep],
        )


def predict(
    y_true: Any,
    y_prob: Any,
    class_names: Sequence[str] | None = None,
    model_name: str | None = None,
) -> Predictions:
    """Brings a model or its probabilities together with the true labels.

    Args:
        y_true: As `evaluate` takes it.
        y_prob: As `evaluate` takes it.
        class_names: As `evaluate` takes it.
        model_name: As `evaluate` takes it.

    Raises:
        ValueError: The two do not fit together; the message says how they should.
    """
    dataset, model = y_true, y_prob
    images, labels = _images_and_labels(dataset)
    if hasattr(model, "predict"):
        if images is None:
            raise ValueError(
                "Expected `y_true` with images, a FaceDataset or (images, labels), since "
                "a model was given. Received: labels only"
            )
        probabilities = _run(model, images)
    else:
        probabilities = model
    probabilities = check_probabilities(probabilities)
    num_classes = probabilities.shape[1]
    of_model = getattr(model, "class_names", None)
    if of_model is not None and class_names is not None and tuple(of_model) != tuple(class_names):
        raise ValueError(
            f"Expected the model's own classes {tuple(of_model)} or no `class_names`. "
            f"Received: {tuple(class_names)}"
        )
    names = _name_classes(num_classes, class_names, dataset, model)
    of_dataset = tuple(getattr(dataset, "class_names", None) or names)
    labels = check_labels(labels, len(of_dataset), len(probabilities))
    notes: tuple[str, ...] = ()
    keep = np.ones(len(labels), bool)
    if names != of_dataset:
        probabilities, labels, keep, notes = align_classes(probabilities, labels, names, of_dataset)
        names = tuple(name for name in of_dataset if name in names)
    votes = _votes(dataset, names)
    return Predictions(
        probabilities=probabilities,
        labels=labels,
        class_names=names,
        images=images if images is None or keep.all() else images[keep],
        dataset=getattr(dataset, "name", ""),
        data_hash=getattr(dataset, "content_hash", None),
        model=str(getattr(model, "name", "") if model_name is None else model_name),
        votes=None if votes is None else votes[keep],
        notes=notes,
    )


def check_probabilities(probabilities: Any) -> np.ndarray:
    """Returns probabilities as a float array `(n, num_classes)`, or says what is wrong with them.

    Raises:
        ValueError: No sample, another shape, NaN, values outside `[0, 1]`, or a row that does
            not sum to 1.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or probabilities.dtype.kind not in "f":
        raise ValueError(
            "Expected a model with a `predict` method, or float probabilities of shape "
            f"(n, num_classes). Received: {probabilities.dtype} {probabilities.shape}"
        )
    if len(probabilities) == 0:
        raise ValueError("Expected at least one sample to score. Received: none")
    if probabilities.dtype == np.float16:
        probabilities = probabilities.astype(np.float32)
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"Expected finite probabilities. Received: {probabilities[row]} in row {row} and "
            f"{int((~finite).sum()) - 1} more such rows"
        )
    low, high = float(probabilities.min()), float(probabilities.max())
    error = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1.0)
    if low < 0 or high > 1 + _SUM_TOLERANCE or error.max() > _SUM_TOLERANCE:
        row = int(error.argmax())
        raise ValueError(
            "Expected probabilities in [0, 1] whose rows sum to 1; a model that returns logits "
            f"lacks its softmax. Received: values from {low:.3g} to {high:.3g}, row {row} sums to "
            f"{float(probabilities[row].sum()):.6g}"
        )
    return probabilities


def check_labels(labels: Any, num_classes: int, num_samples: int) -> np.ndarray:
    """Returns labels as `int64 (n,)`, or says what is wrong with them.

    Raises:
        ValueError: Another shape, another count than the probabilities, not integers, or a
            label that is no class.
    """
    labels = np.asarray(labels)
    if labels.shape != (num_samples,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"Expected integer labels of shape ({num_samples},), one a row of the probabilities. "
            f"Received: {labels.dtype} {labels.shape}"
        )
    labels = labels.astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        raise ValueError(
            f"Expected labels from 0 to {num_classes - 1}, for {num_classes} classes. "
            f"Received: {labels[wrong[0]]} at index {wrong[0]} and {len(wrong) - 1} more such"
        )
    return labels


def check_pair(y_true: Any, y_prob: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and probabilities that belong together; see the two checks."""
    probabilities = check_probabilities(y_prob)
    return check_labels(y_true, probabilities.shape[1], len(probabilities)), probabilities


def _images_and_labels(dataset: Any) -> tuple[np.ndarray | None, Any]:
    if hasattr(dataset, "labels"):
        return getattr(dataset, "images", None), dataset.labels
    if isinstance(dataset, tuple) and len(dataset) == 2 and np.ndim(dataset[0]) >= 3:
        return np.asarray(dataset[0]), dataset[1]
    return None, dataset


def _run(model: Any, images: np.ndarray) -> Any:
    if len(images) == 0:
        raise ValueError("Expected at least one image to score. Received: none")
    # Only a plain Keras model draws a progress bar; whoever made one has keras loaded already.
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(model, keras.Model):
        return model.predict(images)
    shape = tuple(model.input_shape[1:])
    if images.ndim == 3 and len(shape) == 3:
        images = images[..., np.newaxis]
    if len(shape) != images.ndim - 1 or any(
        wanted not in (None, got) for wanted, got in zip(shape, images.shape[1:], strict=True)
    ):
        raise ValueError(
            f"Expected images of the model's shape {shape}. Received: {images.shape[1:]}"
        )
    return model.predict(images, verbose=0)


def _name_classes(
    num_classes: int, class_names: Sequence[str] | None, dataset: Any, model: Any
) -> tuple[str, ...]:
    if class_names is None:
        class_names = getattr(model, "class_names", None) or getattr(dataset, "class_names", None)
    if class_names is None:
        class_names = {len(EMOTIONS): EMOTIONS, len(EMOTIONS_8): EMOTIONS_8}.get(num_classes)
    if class_names is None:
        raise ValueError(
            f"Expected `class_names` for {num_classes} classes, since the data set names none"
        )
    names = tuple(str(name) for name in class_names)
    if len(names) != num_classes or len(set(names)) != num_classes:
        raise ValueError(
            f"Expected {num_classes} different class names, one a column of the probabilities. "
            f"Received: {names}"
        )
    return names


def _votes(dataset: Any, class_names: tuple[str, ...]) -> np.ndarray | None:
    """The votes that `load_ferplus` adds to a data set's metadata, in the order of the classes."""
    columns = [f"votes_{name}" for name in class_names]
    metadata = getattr(dataset, "metadata", None)
    if metadata is None or not set(columns) <= set(metadata.columns):
        return None
    votes = metadata[columns].to_numpy(np.float64)
    return votes if votes.any() else None
