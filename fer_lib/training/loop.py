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

from fer_lib import augmentation, models, pretrained
from fer_lib.datasets import FaceDataset
from fer_lib.training import checkpoint
from fer_lib.training.card import build_card
from fer_lib.training.config import TrainingConfig
from fer_lib.training.epochs import EpochCallback, TrainingBatches, run_variables
from fer_lib.training.model_card import to_markdown
from fer_lib.training.targets import NUM_VOTES, TargetLoss, build_accuracy, build_targets
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
    _check_data(train_set, validation_set)
    state_file = output / CHECKPOINT_DIR / checkpoint.STATE_FILE
    if not resume and state_file.exists():
        raise FileExistsError(
            f"Expected an --output without a training. Received: {output}, which holds one. "
            "Go on with it by --resume, or name another folder."
        )
    whole_set = train_set
    varied = whole_set.images.std(axis=(1, 2, 3)) >= _CONSTANT_BELOW
    train_set = whole_set[varied]
    if config.distillation and isinstance(teacher, np.ndarray):
        teacher = teacher[varied]
    elif config.distillation:
        teacher = load_teacher(train_set, teacher)
    targets = build_targets(config, train_set, teacher)

    keras.utils.set_random_seed(config.seed)
    # What a checkpoint or another model brings replaces the backbone's first weights.
    first_weights = None if resume or start is not None else config.weights
    network = _build_network(config, train_set, config.precision, first_weights)
    if start is not None:
        _copy_weights(start, network, train_set.class_names)
    facts = {
        "recipe": config.to_dict(),
        "start": None if start is None else start.name,
        "training data": train_set.content_hash,
        "validation data": validation_set.content_hash,
        "backend": keras.backend.backend(),
        "variables": checkpoint.describe(network.variables),
    }
    history: list[dict] = []
    values: list[np.ndarray] = []
    if resume:
        values, stored = checkpoint.read(state_file)
        history = stored.pop("history")
        checkpoint.check_same_run(stored, facts, state_file)

    batches = TrainingBatches(config, train_set.images, targets)
    trainer = _build_trainer(config, network)
    # The head alone, then the rest with it; each with an optimizer and a schedule of its own.
    for first, last in ((0, config.head_epochs), (config.head_epochs, config.epochs)):
        if first == last or len(history) >= last:
            continue
        _choose_trainable(config, network, head_only=last <= config.head_epochs)
        _compile_trainer(config, trainer, len(batches), first, last)
        weights, optimizer_state = run_variables(trainer)
        if values and len(history) > first:
            checkpoint.restore([*weights, *optimizer_state], values)
        elif values:
            # The state is the last of the phase before, whose optimizer ended with it.
            checkpoint.restore(weights, values[: len(weights)])
        values = []
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
    return _finish(config, train_set, whole_set, validation_set, output, history, start)


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
    config: TrainingConfig, dataset: FaceDataset, precision: str, weights: str | None = None
) -> keras.Model:
    """Builds the network under a precision, and leaves the global policy as it was."""
    arguments = {
        "num_classes": len(dataset.class_names),
        "input_shape": dataset.images.shape[1:],
    }
    if config.dropout_rate is not None:
        arguments["dropout_rate"] = config.dropout_rate
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        if config.variant == "resnet50":
            arguments |= {"resolution": config.resolution, "weights": weights}
            return models.build_resnet50(**arguments)
        return models.build_cnn(config.variant, squeeze_excite=config.squeeze_excite, **arguments)
    finally:
        keras.config.set_dtype_policy(policy)


def _copy_weights(
    start: pretrained.Pretrained, network: keras.Model, class_names: tuple[str, ...]
) -> None:
    """Starts from a trained model, less its head where the classes are others.

    Raises:
        ValueError: It is another network.
    """
    theirs = {layer.name: layer for layer in start.model.layers if layer.weights}
    for layer in network.layers:
        if not layer.weights or (layer.name == "logits" and start.class_names != class_names):
            continue
        source = theirs.get(layer.name)
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if source is None or [tuple(weight.shape) for weight in source.weights] != shapes:
            raise ValueError(
                f"Expected a model to start from that is a {network.name} like the recipe's, for "
                f"pictures of the same shape. Received: {start.name!r}, another network (at layer "
                f"{layer.name!r})"
            )
        layer.set_weights(source.get_weights())


def _choose_trainable(config: TrainingConfig, network: keras.Model, head_only: bool) -> None:
    if head_only:
        models.freeze_backbone(network)
    else:
        models.unfreeze_top(network, config.unfreeze_from, not config.freeze_batch_norm)


def _build_trainer(config: TrainingConfig, network: keras.Model) -> keras.Model:
    """Returns the model that is fitted: augmentation, the network's logits, the votes' logits."""
    outputs = [network.get_layer(name).output for name in ("logits", "dropout")]
    heads = keras.Model(network.input, outputs, name="heads")
    augmenter = augmentation.build_augmenter(**config.augmentation, seed=config.seed)
    pixels = keras.Input(network.input_shape[1:])
    logits, embedding = heads(augmenter(pixels))
    if config.votes:
        votes = keras.layers.Dense(NUM_VOTES, dtype="float32", name="votes")(embedding)
        logits = keras.layers.Concatenate(dtype="float32", name="all_logits")([logits, votes])
    return keras.Model(pixels, logits, name="trainer")


def _compile_trainer(
    config: TrainingConfig, trainer: keras.Model, steps: int, first: int, last: int
) -> None:
    """Gives the trainer a new optimizer, whose schedule runs from epoch `first` to `last`."""
    warmup_steps = round(config.warmup_epochs * steps) if last == config.epochs else 0
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else config.learning_rate,
        decay_steps=max(1, (last - first) * steps - warmup_steps),
        alpha=1e-3,
        warmup_target=config.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    arguments = {
        "weight_decay": config.weight_decay or None,
        "use_ema": True,
        "ema_momentum": config.average_decay,
    }
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, **arguments)
    else:
        optimizer = keras.optimizers.Adam(schedule, **arguments)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    num_classes = trainer.get_layer("heads").get_layer("logits").units
    trainer.compile(
        optimizer,
        TargetLoss(config, num_classes),
        metrics=[build_accuracy(num_classes)],
    )
    optimizer.build(trainer.trainable_variables)


def _finish(
    config: TrainingConfig,
    train_set: FaceDataset,
    whole_set: FaceDataset,
    validation_set: FaceDataset,
    output: Path,
    history: list[dict],
    start: pretrained.Pretrained | None,
) -> pretrained.Pretrained:
    """Writes the best epoch as a model folder, scored as it is read back from disk."""
    network = _build_network(config, train_set, "float32")
    values, _ = checkpoint.read(output / CHECKPOINT_DIR / checkpoint.BEST_FILE)
    checkpoint.restore(network.variables, values)
    history_csv = pd.DataFrame(history).to_csv(index=False, float_format="%.6g")
    draft = {"class_names": list(train_set.class_names)}
    pretrained.save_pretrained(output, network, draft, history_csv)
    trained = pretrained.load_pretrained(output)
    card = build_card(trained, config, train_set, whole_set, validation_set, history)
    if start is not None:
        card["start"] = {"name": start.name, "data": start.card.get("data")}
    predictions = {
        "probabilities": trained.predict(validation_set.images),
        "labels": validation_set.labels,
    }
    pretrained.save_pretrained(output, network, card, history_csv, predictions)
    pretrained.write_text(output / "README.md", to_markdown(card))
    return pretrained.load_pretrained(output)
