"""The card of a trained model, `card.json` and `README.md`: what it is, from what, how good."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import keras
import numpy as np

from fer_lib import evaluation, models
from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import MIN_VOTES, VOTE_COLUMNS, class_votes, vote_labels
from fer_lib.pretrained import Pretrained, apply_temperature, pack_hashes
from fer_lib.training.config import TrainingConfig


def build_card(
    trained: Pretrained,
    config: TrainingConfig,
    train_set: FaceDataset,
    whole_set: FaceDataset,
    validation_set: FaceDataset,
    history: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    start: Pretrained | None = None,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Scores a trained model on its validation set, and collects the facts.

    Args:
        trained: The model as read back from its file; its temperature is fitted, see `score`.
        config: The recipe.
        train_set: What it was trained on.
        whole_set: The same with the constant images that were left out.
        validation_set: What its epoch was selected on.
        history: One row of figures an epoch.
        best: `epoch` and `weights`, which of the weights were kept.
        start: The model that the run began with.

    Returns:
        JSON-ready facts, as `card.json` holds them, and the predictions on the validation set, see
        `score`.
    """
    # A model of what people see is scored by the votes, where the majority of them is clear.
    by_votes = config.votes_share > 0.5
    scores, predictions = score(trained, whole_set, validation_set, by_votes)
    height, width, channels = trained.image_shape
    backend = keras.backend.backend()
    card = {
        "name": trained.name,
        "class_names": list(train_set.class_names),
        "input": {
            "height": height,
            "width": width,
            "channels": channels,
            "values": "raw pixels 0-255; the model normalizes them itself",
        },
        "predicts": "votes" if by_votes else "labels",
        "temperature": trained.temperature,
        "parameters": trained.model.count_params(),
        "multiply_adds": models.count_multiply_adds(trained.model),
        "recipe": config.to_dict(),
        "selected_epoch": best["epoch"],
        "selected_weights": best["weights"],
        "training_seconds": round(sum(row["seconds"] for row in history)),
        "data": {
            "training": {
                **_describe_data(train_set),
                "constant_images_left_out": len(whole_set) - len(train_set),
                "image_hashes": pack_hashes(train_set.images),
            },
            "validation": _describe_data(validation_set),
        },
        "scores": scores,
        "versions": {
            "python": platform.python_version(),
            "backend": backend,
            **{name: importlib.metadata.version(name) for name in ("keras", "numpy", backend)},
        },
    }
    if start is not None:
        # With what it began with itself, so that a model's card names all data behind it.
        earlier = {key: start.card[key] for key in ("data", "start") if key in start.card}
        card["start"] = {"name": start.name, "data": None, **earlier}
    return card, predictions


def score(
    trained: Pretrained,
    training_set: FaceDataset,
    validation_set: FaceDataset,
    by_votes: bool = False,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Scores a model on the set that its epoch was selected on.

    The temperature is fitted on that set, too, to the labels or to all votes, and set on `trained`.

    Args:
        trained: The model.
        training_set: All that it may have seen: duplicates of these images are scored apart.
        validation_set: The faces to score.
        by_votes: Score against what most people saw instead of the label, which is scored apart.

    Returns:
        JSON-ready scores: without and with test-time augmentation, before the temperature, with
        the probabilities adjusted to classes of equal frequency, and by label and by votes where
        there are votes; and `probabilities`, `labels` and, where there are votes, `vote_labels` (-1
        without a clear one) of all of `validation_set`.
    """
    trained.temperature = 1.0
    raw = trained.predict(validation_set.images)
    rows, labels = np.arange(len(raw)), validation_set.labels
    if by_votes:
        votes = class_votes(validation_set)
        rows, labels = (np.repeat(index, votes[votes > 0]) for index in np.nonzero(votes))
    trained.temperature = round(evaluation.fit_temperature(labels, raw[rows]), 4)
    probabilities = apply_temperature(raw, trained.temperature)
    predictions = {"probabilities": probabilities, "labels": validation_set.labels}
    scores = {}
    if VOTE_COLUMNS[0] in validation_set.metadata:
        votes = class_votes(validation_set)
        clear = votes.max(axis=1, initial=0) >= MIN_VOTES
        voted = vote_labels(validation_set)
        scores = {
            "by_label": _score_briefly(validation_set, probabilities),
            "by_votes": _score_briefly(voted, probabilities[clear]),
        }
        predictions["vote_labels"] = np.where(clear, votes.argmax(axis=1), -1)
    if by_votes:
        raw, probabilities = raw[clear], probabilities[clear]
        validation_set = voted
    with_tta = trained.predict(validation_set.images, tta=True)
    report = evaluation.evaluate(
        validation_set, probabilities, model_name=trained.name, training_images=training_set
    )
    properties = evaluation.image_properties(validation_set)
    tta, before = (evaluation.evaluate(validation_set, scored) for scored in (with_tta, raw))
    scores |= {
        "validation": report.to_dict(),
        "slices": evaluation.slice_report(report, properties).to_dict()["groups"],
        "validation_tta": tta.to_dict(),
        "before_temperature": {"loss": before.loss, "ece": before.ece},
    }
    if not by_votes:  # whose recipe says how far the shares of the classes are corrected
        counts = np.bincount(training_set.labels, minlength=len(training_set.class_names))
        # A class without training images has no prior to divide by: one image stands for it.
        adjusted = evaluation.evaluate(
            validation_set, evaluation.adjust_priors(probabilities, np.maximum(counts, 1))
        ).to_dict()
        scores["prior_adjusted"] = {
            "accuracy": adjusted["accuracy"],
            "balanced_accuracy": adjusted["balanced_accuracy"],
            "recall": {name: row["recall"] for name, row in adjusted["per_class"].items()},
        }
    return scores, predictions


def _score_briefly(dataset: FaceDataset, probabilities: np.ndarray) -> dict:
    scores = evaluation.evaluate(dataset, probabilities).to_dict()
    names = ("n", "accuracy", "accuracy_ci95", "balanced_accuracy", "agreement")
    return {name: scores[name] for name in names}


def to_markdown(card: Mapping[str, Any]) -> str:
    """Returns the model card of a trained model, from what `card.json` holds alone."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fer_lib.training", "."),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    recipe = json.dumps(card["recipe"], indent=2)
    return environment.get_template("card.md.jinja").render(card=card, recipe_json=recipe)


def _describe_data(dataset: FaceDataset) -> dict:
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    return {
        "name": dataset.name,
        "splits": sorted(set(np.asarray(dataset.split).tolist())),
        "images": len(dataset),
        "counts": dict(zip(dataset.class_names, counts.tolist(), strict=True)),
        "sha256": dataset.content_hash,
    }
