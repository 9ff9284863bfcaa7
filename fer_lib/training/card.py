"""The card of a trained model: what it is, what it was made from, how it scores."""

from __future__ import annotations

import importlib.metadata
import platform

import keras
import numpy as np

from fer_lib import evaluation, models
from fer_lib.datasets import FaceDataset
from fer_lib.training.config import TrainingConfig


def build_card(
    name: str,
    config: TrainingConfig,
    model: keras.Model,
    train_set: FaceDataset,
    validation_set: FaceDataset,
    history: list[dict],
    probabilities: np.ndarray,
) -> dict:
    """Collects the facts of a finished training.

    Args:
        name: The model's name.
        config: The recipe.
        model: The trained network.
        train_set: What it was trained on.
        validation_set: What its epoch was selected on.
        history: One row of figures an epoch.
        probabilities: `(n, num_classes)`, of the saved model on `validation_set`.

    Returns:
        JSON-ready facts, as `card.json` holds them.
    """
    best = max(history, key=lambda row: row["val_accuracy"])
    report = evaluation.evaluate(probabilities, validation_set)
    height, width, channels = model.input_shape[1:]
    return {
        "name": name,
        "class_names": list(train_set.class_names),
        "input": {
            "height": height,
            "width": width,
            "channels": channels,
            "values": "raw pixels 0-255; the model normalises them itself",
        },
        "temperature": 1.0,
        "recipe": config.to_dict(),
        "selected_epoch": best["epoch"],
        "training_seconds": round(sum(row["seconds"] for row in history)),
        "data": {
            "training": _describe_data(train_set),
            "selection": _describe_data(validation_set),
        },
        "parameters": model.count_params(),
        "multiply_adds": models.count_multiply_adds(model),
        "scores": {"selection": report.to_dict()},
        "versions": library_versions(),
    }


def library_versions() -> dict[str, str]:
    """Returns the versions that decide a result: Python, fer_lib's libraries, the backend."""
    backend = keras.backend.backend()
    versions = {"python": platform.python_version(), "backend": backend}
    for package in ("keras", "numpy", "opencv-python", "mtcnn", backend):
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
