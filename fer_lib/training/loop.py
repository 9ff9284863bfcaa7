"""One training from start to finish: `fit` with our callback, then the shipped form of the result.

All randomness is drawn from the seed, the epoch and the step, because Keras does not save its
random state: a resumed training ends in the same weights as one that was never interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from fer_lib import pretrained
from fer_lib.datasets import FaceDataset
from fer_lib.training import checkpoint, trainers
from fer_lib.training.card import build_card
from fer_lib.training.config import TrainingConfig
from fer_lib.training.epochs import EpochCallback, TrainingBatches, run_variables
from fer_lib.training.model_card import to_markdown
from fer_lib.training.targets import build_targets
from fer_lib.training.teacher import load_teacher

CHECKPOINT_DIR = "checkpoint"
# Below this standard deviation, in grey levels, a picture is one constant colour.
_CONSTANT_BELOW = 1.0


def train(
    config: TrainingConfig,
    train_set: FaceDataset,
    validation_set: FaceDataset,
    output: str | os.PathLike[str],
    resume: bool = False,
    progress: bool = True,
    start: pretrained.Pretrained | None = None,
    teacher: np.ndarray | str | os.PathLike[str] | None = None,
) -> pretrained.Pretrained:
    """Trains a network and writes it as a model folder.

    After every epoch the averaged weights are scored on `validation_set` (its batch-norm
    statistics re-estimated on pictures without augmentation), the best are kept, and the whole
    state is written to `output/checkpoint`. Constant training pictures are left out.

    Args:
        config: The recipe.
        train_set: Pictures of `(height, width, channels)`, raw pixels.
        validation_set: Pictures of the same shape and classes, to select the best epoch on.
        output: The model folder to write.
        resume: Go on with the training that `output` holds, or finish its model folder anew.
        progress: Show a progress bar with the time left on stderr.
        start: A trained model of the recipe's variant to start from; its head is kept where the
            classes are the same.
        teacher: For recipes that distil: probabilities `(n, num_classes)` for `train_set`, or a
            folder for `load_teacher`; None takes the shipped one.

    Returns:
        The trained model, as read back from `output`.

    Raises:
        ValueError: Data sets that do not fit each other, a start of another network, or a
            checkpoint of another training.
        FileNotFoundError: Nothing to resume, or no teacher.
        FileExistsError: `output` holds a training already and `resume` is false.
        FloatingPointError: The loss became NaN or infinite; the last good checkpoint is kept.
        OSError: `output` cannot be written.

    Side effects:
        Sets the global random seeds of Python, numpy and the Keras backend.
    """
    output = Path(output)
    network, history = fit(
        config, train_set, validation_set, output, resume, progress, start, teacher
    )
    return _finish(config, network, train_set, validation_set, output, history, start)


def fit(
    config: TrainingConfig,
    train_set: FaceDataset,
    validation_set: FaceDataset,
    output: Path,
    resume: bool = False,
    progress: bool = True,
    start: pretrained.Pretrained | None = None,
    teacher: np.ndarray | str | os.PathLike[str] | None = None,
) -> tuple[keras.Model, list[dict]]:
    """Trains like `train`, and leaves out the model folder with its scores.

    Returns:
        The network in the recipe's precision, with the weights of the best epoch, and the history,
        one row of figures an epoch.
    """
    _check_data(train_set, validation_set)
    state_file = output / CHECKPOINT_DIR / checkpoint.STATE_FILE
    if not resume and state_file.exists():
        raise FileExistsError(
            f"Expected an --output without a training. Received: {output}, which holds one. "
            "Go on with it by --resume, or name another folder."
        )
    varied = _vary(train_set)
    train_set = train_set[varied]
    if config.distillation and isinstance(teacher, np.ndarray):
        teacher = teacher[varied]
    elif config.distillation:
        teacher = load_teacher(train_set, teacher)
    targets = build_targets(config, train_set, teacher)

    keras.utils.set_random_seed(config.seed)
    # What a checkpoint or another model brings replaces the backbone's first weights.
    first_weights = None if resume or start is not None else config.weights
    network = trainers.build_network(config, train_set, config.precision, first_weights)
    if start is not None:
        trainers.copy_weights(start, network, train_set.class_names)
    facts = {
        "recipe": config.to_dict(),
        "start": None if start is None else start.name,
        "training data": train_set.content_hash,
        "validation data": validation_set.content_hash,
        "backend": keras.backend.backend(),
        "variables": checkpoint.describe(network.variables),
    }
    history: list[dict] = []
    if resume:
        stored = checkpoint.read(state_file)[1]
        history = stored.pop("history")
        checkpoint.check_same_run(stored, facts, state_file)

    batches = TrainingBatches(config, train_set.images, targets)
    trainer = trainers.build_trainer(config, network)
    # The head alone, then the rest with it; each with an optimizer and a schedule of its own.
    for first, last in ((0, config.head_epochs), (config.head_epochs, config.epochs)):
        if first == last or len(history) >= last:
            continue
        trainers.choose_trainable(config, network, head_only=last <= config.head_epochs)
        trainers.compile_trainer(config, trainer, len(batches), first, last)
        weights, optimizer_state = run_variables(trainer)
        if history:
            # Keras leaves averaged weights behind when `fit` ends, so a phase always begins from
            # the file, interrupted or not. The optimizer of the phase before ended with it.
            values, _ = checkpoint.read(state_file)
            inside = len(history) > first
            variables = [*weights, *optimizer_state] if inside else weights
            checkpoint.restore(variables, values[: len(variables)])
        callback = EpochCallback(
            network,
            config,
            batches,
            train_set,
            validation_set,
            output / CHECKPOINT_DIR,
            facts,
            history,
        )
        callback.show_progress = progress
        trainer.fit(
            batches,
            epochs=last,
            initial_epoch=len(history),
            shuffle=False,
            verbose=0,
            callbacks=[callback],
        )
    values, _ = checkpoint.read(output / CHECKPOINT_DIR / checkpoint.BEST_FILE)
    checkpoint.restore(network.variables, values)
    return network, history


def _vary(dataset: FaceDataset) -> np.ndarray:
    """Returns `bool (n,)`: which pictures are not one constant colour."""
    return dataset.images.std(axis=(1, 2, 3)) >= _CONSTANT_BELOW


def _check_data(train_set: FaceDataset, validation_set: FaceDataset) -> None:
    for name, dataset in (("train_set", train_set), ("validation_set", validation_set)):
        if len(dataset) == 0:
            raise ValueError(f"Expected pictures in `{name}`. Received: an empty set")
    if train_set.class_names != validation_set.class_names:
        raise ValueError(
            "Expected the same classes for training and validation. Received: "
            f"{train_set.class_names} and {validation_set.class_names}"
        )
    if train_set.images.shape[1:] != validation_set.images.shape[1:]:
        raise ValueError(
            "Expected pictures of one shape for training and validation. Received: "
            f"{train_set.images.shape[1:]} and {validation_set.images.shape[1:]}"
        )


def _finish(
    config: TrainingConfig,
    network: keras.Model,
    whole_set: FaceDataset,
    validation_set: FaceDataset,
    output: Path,
    history: list[dict],
    start: pretrained.Pretrained | None,
) -> pretrained.Pretrained:
    """Writes the best epoch as a model folder, scored as it is read back from disk."""
    train_set = whole_set[_vary(whole_set)]
    if config.precision != "float32":
        trained_network = network
        network = trainers.build_network(config, train_set, "float32")
        checkpoint.restore(network.variables, checkpoint.snapshot(trained_network.variables))
    history_csv = pd.DataFrame(history).to_csv(index=False, float_format="%.6g")
    draft = {"class_names": list(train_set.class_names)}
    pretrained.save_pretrained(output, network, draft, history_csv)
    trained = pretrained.load_pretrained(output)
    card = build_card(trained, config, train_set, whole_set, validation_set, history)
    if start is not None:
        # With what it began with itself, so that a model's card names all data behind it.
        earlier = {key: start.card[key] for key in ("data", "start") if key in start.card}
        card["start"] = {"name": start.name, "data": None, **earlier}
    predictions = {
        "probabilities": trained.predict(validation_set.images),
        "labels": validation_set.labels,
    }
    pretrained.save_pretrained(output, network, card, history_csv, predictions)
    pretrained.write_text(output / "README.md", to_markdown(card))
    return pretrained.load_pretrained(output)
