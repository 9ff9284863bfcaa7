"""The card of a trained model: what it is, what it was made from, how it scores."""

from __future__ import annotations

import importlib.metadata
import platform

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

    The temperature is fitted on that set, too, and set on `trained`.

    Args:
        trained: The model as read back from its file, with a temperature of 1.
        config: The recipe.
        train_set: What it was trained on.
        whole_set: The same with the constant pictures that were left out.
        validation_set: What its epoch was selected on.
        history: One row of figures an epoch.

    Returns:
        JSON-ready facts, as `card.json` holds them.
    """
    before = evaluation.evaluate(trained, validation_set)
    trained.temperature = round(
        evaluation.fit_temperature(before.predictions.probabilities, validation_set.labels), 4
    )
    report = evaluation.evaluate(trained, validation_set, training_images=whole_set)
    ten_views = evaluation.evaluate(
        trained.predict(validation_set.images, views=10), validation_set
    )
    best = max(history, key=lambda row: row["val_accuracy"])
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
        "scores": {
            "selection": report.to_dict(),
            "selection_ten_views": ten_views.to_dict(),
            "before_temperature": {"loss": before.loss, "ece": before.ece},
        },
        "versions": library_versions(),
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
