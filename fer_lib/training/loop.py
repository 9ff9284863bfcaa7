"""One training from start to finish: `fit` with our callback, then the shipped form of the result.

All randomness is drawn from the seed, the epoch and the step, because Keras does not save its
random state: a resumed training ends in the same weights as one that was never interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import pandas as pd

from fer_lib import augmentation, models, pretrained
from fer_lib.datasets import FaceDataset
from fer_lib.training import checkpoint
from fer_lib.training.card import build_card
from fer_lib.training.config import TrainingConfig
from fer_lib.training.epochs import EpochCallback
from fer_lib.training.model_card import to_markdown

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

    Returns:
        The trained model, as read back from `output`.

    Raises:
        ValueError: Data sets that do not fit each other, or a checkpoint of another training.
        FileNotFoundError: Nothing to resume.
        FileExistsError: `output` holds a training already and `resume` is false.
        FloatingPointError: The loss became NaN or infinite; the last good checkpoint is kept.
        OSError: `output` cannot be written.

    Side effects:
        Sets the global random seeds of Python, numpy and the Keras backend.
    """
    output = Path(output)
    _check_data(train_set, validation_set)
    whole_set = train_set
    train_set = whole_set[whole_set.images.std(axis=(1, 2, 3)) >= _CONSTANT_BELOW]
    state_file = output / CHECKPOINT_DIR / checkpoint.STATE_FILE
    if not resume and state_file.exists():
        raise FileExistsError(
            f"Expected an --output without a training. Received: {output}, which holds one. "
            "Go on with it by --resume, or name another folder."
        )

    keras.utils.set_random_seed(config.seed)
    network = _build_network(config, train_set)
    trainer = _build_trainer(config, network, steps_per_epoch(config, len(train_set)))
    variables = [*network.variables, *trainer.optimizer.variables]
    facts = {
        "recipe": config.to_dict(),
        "training data": train_set.content_hash,
        "validation data": validation_set.content_hash,
        "backend": keras.backend.backend(),
        "variables": checkpoint.describe(variables),
    }
    history: list[dict] = []
    if resume:
        values, stored = checkpoint.read(state_file)
        history = stored.pop("history")
        checkpoint.check_same_run(stored, facts, state_file)
        checkpoint.restore(variables, values)

    if len(history) < config.epochs:
        callback = EpochCallback(
            network, config, train_set, validation_set, output / CHECKPOINT_DIR, facts, history
        )
        callback.show_progress = progress
        trainer.fit(
            callback.batches,
            epochs=config.epochs,
            initial_epoch=len(history),
            shuffle=False,
            verbose=0,
            callbacks=[callback],
        )
    return _finish(config, train_set, whole_set, validation_set, output, history)


def steps_per_epoch(config: TrainingConfig, num_images: int) -> int:
    """Returns the number of full batches in an epoch; a set smaller than a batch is one step."""
    return max(1, num_images // config.batch_size)


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


def _build_network(
    config: TrainingConfig, dataset: FaceDataset, precision: str | None = None
) -> keras.Model:
    """Builds the network under the recipe's precision, and leaves the global policy as it was."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision or config.precision)
    try:
        return models.build_cnn(
            config.variant,
            num_classes=len(dataset.class_names),
            input_shape=dataset.images.shape[1:],
            dropout_rate=config.dropout_rate,
        )
    finally:
        keras.config.set_dtype_policy(policy)


def _build_trainer(config: TrainingConfig, network: keras.Model, steps: int) -> keras.Model:
    """Returns the compiled model that is fitted: augmentation, then the network."""
    augmenter = augmentation.build_augmenter(**config.augmentation, seed=config.seed)
    trainer = keras.Sequential(
        [keras.Input(network.input_shape[1:]), augmenter, network], name="trainer"
    )
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if config.warmup_epochs else config.learning_rate,
        decay_steps=max(1, round((config.epochs - config.warmup_epochs) * steps)),
        alpha=1e-3,
        warmup_target=config.learning_rate if config.warmup_epochs else None,
        warmup_steps=round(config.warmup_epochs * steps),
    )
    optimizer = keras.optimizers.SGD(
        schedule,
        momentum=0.9,
        nesterov=True,
        weight_decay=config.weight_decay or None,
        use_ema=True,
        ema_momentum=config.average_decay,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    trainer.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
    )
    optimizer.build(trainer.trainable_variables)
    return trainer


def _finish(
    config: TrainingConfig,
    train_set: FaceDataset,
    whole_set: FaceDataset,
    validation_set: FaceDataset,
    output: Path,
    history: list[dict],
) -> pretrained.Pretrained:
    """Writes the best epoch as a model folder, scored as it is read back from disk."""
    network = _build_network(config, train_set, precision="float32")
    values, _ = checkpoint.read(output / CHECKPOINT_DIR / checkpoint.BEST_FILE)
    checkpoint.restore(network.variables, values)
    history_csv = pd.DataFrame(history).to_csv(index=False, float_format="%.6g")
    draft = {"class_names": list(train_set.class_names)}
    pretrained.save_pretrained(output, network, draft, history_csv)
    trained = pretrained.load_pretrained(output)
    card = build_card(trained, config, train_set, whole_set, validation_set, history)
    predictions = {
        "probabilities": trained.predict(validation_set.images),
        "labels": validation_set.labels,
    }
    pretrained.save_pretrained(output, network, card, history_csv, predictions)
    pretrained.write_text(output / "README.md", to_markdown(card))
    return pretrained.load_pretrained(output)
