"""The card of a trained model: what it is, what it was made from, how it scores."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time

import keras
import numpy as np

from fer_lib import evaluation, models
from fer_lib.datasets import FaceDataset
from fer_lib.pretrained import Pretrained
from fer_lib.training.config import TrainingConfig


def build_card(
    trained: Pretrained,
    config: TrainingConfig,
    train_set: FaceDataset,
    whole_set: FaceDataset,
    validation_set: FaceDataset,
    history: list[dict],
) -> dict:
    """Scores a trained model on the set that its epoch was selected on, and collects the facts.

    Args:
        trained: The model as read back from its file; its temperature is set, see `score`.
        config: The recipe.
        train_set: What it was trained on.
        whole_set: The same with the constant pictures that were left out.
        validation_set: What its epoch was selected on.
        history: One row of figures an epoch.

    Returns:
        JSON-ready facts, as `card.json` holds them.
    """
    best = max(history, key=lambda row: row["val_accuracy"])
    scores = score(trained, whole_set, validation_set)
    height, width, channels = trained.model.input_shape[1:]
    return {
        "name": trained.name,
        "class_names": list(train_set.class_names),
        "input": {
            "height": height,
            "width": width,
            "channels": channels,
            "values": "raw pixels 0-255; the model normalises them itself",
        },
        "temperature": trained.temperature,
        "parameters": trained.model.count_params(),
        "multiply_adds": models.count_multiply_adds(trained.model),
        "recipe": config.to_dict(),
        "selected_epoch": best["epoch"],
        "training_seconds": round(sum(row["seconds"] for row in history)),
        "data": {
            "training": {
                **_describe_data(train_set),
                "constant_pictures_left_out": len(whole_set) - len(train_set),
            },
            "selection": _describe_data(validation_set),
        },
        "scores": scores,
        "speed": measure_speed(trained),
        "versions": library_versions(),
    }


def score(trained: Pretrained, training_set: FaceDataset, selection_set: FaceDataset) -> dict:
    """Scores a model on the set that its epoch was selected on.

    The temperature is fitted on that set, too, and set on `trained`.

    Args:
        trained: The model.
        training_set: All that it may have seen: twins of these pictures are scored apart.
        selection_set: The faces to score.

    Returns:
        JSON-ready scores: with one view and with ten, before the temperature, and with the
        probabilities adjusted to classes of equal frequency.
    """
    trained.temperature = 1.0
    before = evaluation.evaluate(trained, selection_set)
    trained.temperature = round(
        evaluation.fit_temperature(before.predictions.probabilities, selection_set.labels), 4
    )
    report = evaluation.evaluate(trained, selection_set, training_images=training_set)
    ten_views = evaluation.evaluate(trained.predict(selection_set.images, tta=True), selection_set)
    counts = np.bincount(training_set.labels, minlength=len(training_set.class_names))
    # A class without training pictures has no prior to divide by: one picture stands for it.
    adjusted = evaluation.evaluate(
        evaluation.adjust_priors(report.predictions.probabilities, np.maximum(counts, 1)),
        selection_set,
    )
    return {
        "selection": report.to_dict(),
        "selection_ten_views": ten_views.to_dict(),
        "before_temperature": {"loss": before.loss, "ece": before.ece},
        "prior_adjusted": {
            "accuracy": adjusted.accuracy,
            "balanced_accuracy": adjusted.balanced_accuracy,
            "recall": {
                name: row["recall"] for name, row in adjusted.to_dict()["per_class"].items()
            },
        },
    }


def measure_speed(trained: Pretrained, seconds: float = 1.0) -> dict:
    """Times the compiled forward pass on this machine.

    Args:
        trained: The model.
        seconds: How long each of the two batch sizes is timed.

    Returns:
        `one_face_ms`, the median of single faces in milliseconds; `faces_per_second` in batches of
        64; `cores`, how many processors the machine has.
    """
    faces = np.random.default_rng(0).integers(0, 256, (64, *trained.model.input_shape[1:]))
    faces = faces.astype(np.uint8)
    medians = []
    for batch in (faces[:1], faces):
        trained.predict(batch)
        times = []
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            started = time.perf_counter()
            trained.predict(batch)
            times.append(time.perf_counter() - started)
        medians.append(float(np.median(times)))
    return {
        "one_face_ms": round(1000 * medians[0], 2),
        "faces_per_second": round(len(faces) / medians[1]),
        "cores": os.cpu_count(),
    }


def library_versions() -> dict[str, str]:
    """Returns the versions that decide a result: Python, the libraries, the backend."""
    backend = keras.backend.backend()
    versions = {"python": platform.python_version(), "backend": backend}
    for package in ("keras", "numpy", backend):
        versions[package] = importlib.metadata.version(package)
    return versions


def _describe_data(dataset: FaceDataset) -> dict:
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    return {
        "name": dataset.name,
        "splits": sorted(set(np.asarray(dataset.split).tolist())),
        "pictures": len(dataset),
        "counts": dict(zip(dataset.class_names, counts.tolist(), strict=True)),
        "sha256": dataset.content_hash,
    }
