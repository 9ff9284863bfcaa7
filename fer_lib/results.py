"""Stored results, read in a moment: predictions and history of a model, audits, experiments.

Lessons and analyses start from these; no network is loaded and no data set is needed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fer_lib import files, paths

if TYPE_CHECKING:
    import pandas as pd

HISTORY_FILE = "history.csv"
PREDICTIONS_FILE = "predictions_public_test.npz"


class StoredPredictions(NamedTuple):
    """A model's predictions on FER2013's PublicTest, and the true labels.

    Attributes:
        probabilities: `float32 (3589, 7)`, rows sum to 1, in the order of `EMOTIONS`.
        labels: `int64 (3589,)`.
    """

    probabilities: np.ndarray
    labels: np.ndarray


def load_predictions(model: str | os.PathLike[str] = "cnn") -> StoredPredictions:
    """Reads the stored predictions of a model, found by name or folder, without loading it.

    Raises:
        FileNotFoundError: No such model, or it has no stored predictions.
        ValueError: The file is damaged or lacks an array.

    Example:
        >>> probabilities, labels = load_predictions("cnn")
        >>> probabilities.shape
        (3589, 7)
    """
    file = _find_file(PREDICTIONS_FILE, [paths.find_model(model)])
    arrays = files.read_npz(file, "stored predictions")
    if missing := {"probabilities", "labels"} - set(arrays):
        raise ValueError(
            f"Expected stored predictions in {str(file)!r}. Received: no {sorted(missing)}"
        )
    return StoredPredictions(arrays["probabilities"], arrays["labels"])


def load_history(model: str | os.PathLike[str] = "cnn") -> pd.DataFrame:
    """Reads how the training of a model, found by name or folder, went: one row per epoch.

    Returns:
        `epoch, learning_rate, loss, accuracy, val_loss, val_accuracy` and the speed.

    Raises:
        FileNotFoundError: No such model, or it has no stored history.
    """
    import pandas as pd

    return pd.read_csv(_find_file(HISTORY_FILE, [paths.find_model(model)]))


def load_audit(dataset: str = "fer2013") -> dict[str, Any]:
    """Reads what `check_dataset` found in a published data set: figures, not a single pixel.

    `"fer2013"` was examined together with the votes of FER+. The result is what the report's
    `to_dict` gave: `counts`, `findings`, `figures` and more.

    Example:
        >>> load_audit("fer2013")["counts"]["Training"]["disgust"]
        436
    """
    file = _find_file(f"{dataset}.json", paths.audits_dirs())
    return json.loads(file.read_text(encoding="utf-8"))


def load_experiments(name: str = "recipe") -> dict[str, Any]:
    """Reads the results of training runs on FER2013 that took longer than a lesson.

    Args:
        name: `"recipe"`, what each part of the recipe was worth in short, paired runs;
            `"recipe_long"`, the same at full length, as far as it has been trained; or
            `"transfer"`, what pretraining was worth with few and many labeled images.

    Returns:
        Of the recipe, `reference` with its `accuracy`; `changes`, for each its `group`
        (`"augmentation"` or `"recipe"`), `accuracy`, `difference` to the reference,
        `difference_ci95` and `verdict`; and what was trained: `recipe`, `seeds`, `passes`,
        `training`, `scored_on`; of the long ones each change has the `seeds` trained so far. Of
        transfer, the `rows` that the lesson on transfer draws, the same facts, and `resnet50`, one
        epoch of ResNet50 with pretrained weights and without.

    Example:
        >>> load_experiments("recipe")["changes"]["half upside down"]["verdict"]
        'harms'
    """
    file = _find_file(f"{name}_experiments.json", paths.models_dirs())
    return json.loads(file.read_text(encoding="utf-8"))


def _find_file(name: str, folders: list[Path]) -> Path:
    """Returns the first of the files with this name, or says where none is."""
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = ", ".join(map(str, folders)) or "no folder"
    raise FileNotFoundError(
        f"Expected {name} in {looked}. Received: no such file; a finished training has it, or the "
        "installed library: train or install again."
    )
