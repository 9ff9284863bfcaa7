"""What `fit` works on: the recipe's network with augmentation before it and a loss behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import ops

from fer_lib import augmentation, models
from fer_lib.datasets import FaceDataset
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.training.config import TrainingConfig, match_recipe
from fer_lib.training.targets import NUM_VOTES, DistillationLoss, JoinHeads, build_accuracy


def build_network(
    config: TrainingConfig, dataset: FaceDataset, precision: str, weights: str | None = None
) -> keras.Model:
    """Builds the recipe's network under a precision."""
    arguments = {
        "num_classes": len(dataset.class_names),
        "input_shape": dataset.images.shape[1:],
    }
    if config.dropout_rate is not None:
        arguments["dropout_rate"] = config.dropout_rate
    with dtype_policy(precision):
        if config.variant == "resnet50":
            return models.build_resnet50(weights=weights, resolution=config.resolution, **arguments)
        return models.build_cnn(config.variant, **arguments)


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets Keras' default policy in this thread alone (Keras keeps it per thread) for a block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def copy_weights(start: Pretrained, network: keras.Model, class_names: tuple[str, ...]) -> None:
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
                f"images of the same shape. Received: {start.name!r}, another network (at layer "
                f"{layer.name!r})"
            )
        layer.set_weights(source.get_weights())


def build_teacher(config: TrainingConfig, dataset: FaceDataset) -> keras.Model:
    """Returns the network of the recipe's teacher, frozen, in the recipe's precision.

    Raises:
        ValueError: There is none, or it takes other images or knows other classes.
    """
    if config.teacher is None:
        raise ValueError(
            "Expected a `teacher`, a model's name or folder, in a recipe with distillation, or as "
            "--teacher. Received: none"
        )
    teacher = load_pretrained(config.teacher)
    theirs, ours = (teacher.class_names, teacher.image_shape), dataset.images.shape[1:]
    if theirs != (dataset.class_names, ours):
        raise ValueError(
            f"Expected a teacher of the classes {dataset.class_names} for images of {ours}. "
            f"Received: {teacher.name!r}, of {theirs[0]} for {theirs[1]}"
        )
    # A functional model passes `training=True` on to all that is in it, so dropout goes altogether.
    recipe = match_recipe(config, teacher.card).replace(dropout_rate=0.0)
    network = build_network(recipe, dataset, config.precision)
    network.set_weights(teacher.model.get_weights())
    network.trainable = False
    return keras.Model(network.input, network.output, name="teacher")


def build_trainer(
    config: TrainingConfig,
    network: keras.Model,
    teacher: keras.Model | None = None,
    join: JoinHeads | None = None,
) -> keras.Model:
    """Returns the model that is fitted: augmentation, then all logits that the loss compares.

    Args:
        config: The recipe.
        network: From raw pixels to probabilities.
        teacher: The same, frozen; it sees the same augmented images.
        join: How the kept logits come from both heads where the recipe has two.
    """
    outputs = [network.get_layer(name).output for name in ("logits", "dropout")]
    heads = keras.Model(network.input, outputs, name="heads")
    augmenter = augmentation.build_augmenter(**config.augmentation, seed=config.seed)
    pixels = keras.Input(network.input_shape[1:])
    augmented = augmenter(pixels)
    logits, embedding = heads(augmented)
    parts, kept = [logits], logits
    if config.votes:
        parts.append(keras.layers.Dense(NUM_VOTES, dtype="float32", name="votes")(embedding))
        kept = kept if join is None else join(*parts)
    if teacher is not None:
        probabilities = ops.cast(teacher(augmented), "float32")
        parts += [kept, ops.log(ops.maximum(probabilities, 1e-7))]
    if len(parts) > 1:
        logits = keras.layers.Concatenate(dtype="float32", name="all_logits")(parts)
    return keras.Model(pixels, logits, name="trainer")


def compile_trainer(
    config: TrainingConfig, network: keras.Model, trainer: keras.Model, steps: int, phase: range
) -> None:
    """Chooses what learns in the epochs `phase`, with an optimizer and a schedule of their own.

    Args:
        config: The recipe; its first `head_epochs` train the head alone.
        network: The part of the trainer that is kept.
        trainer: What `build_trainer` returned.
        steps: Batches in an epoch.
        phase: The epochs, from 0.
    """
    if phase.stop <= config.head_epochs:
        models.freeze_backbone(network)
    else:
        models.unfreeze_top(network, config.unfreeze_from, not config.freeze_batch_norm)
    warmup_steps = round(config.warmup_epochs * steps) if phase.stop == config.epochs else 0
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else config.learning_rate,
        decay_steps=max(1, len(phase) * steps - warmup_steps),
        alpha=1e-3,
        warmup_target=config.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    arguments = {
        "weight_decay": config.weight_decay or None,
        "use_ema": True,
        "ema_momentum": config.average_decay,
    }
    kind = keras.optimizers.Adam
    if config.optimizer == "sgd":
        kind = keras.optimizers.SGD
        arguments |= {"momentum": 0.9, "nesterov": True}
    if config.average_warmup:
        kind = type(kind.__name__, (WarmAverages, kind), {})
    optimizer = kind(schedule, **arguments)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    num_classes = network.get_layer("logits").units
    loss = DistillationLoss(
        num_classes,
        config.distillation,
        config.distillation_temperature,
        config.label_smoothing,
        config.votes,
    )
    trainer.compile(optimizer, loss, metrics=[build_accuracy(num_classes)])
    optimizer.build(trainer.trainable_variables)


class WarmAverages:
    """Bounds the decay of an optimizer's averages by its steps: `min(decay, (1 + t) / (10 + t))`.

    Without that, the averages of a run of a few dozen steps are still the first weights.
    """

    def _update_model_variables_moving_average(self, trainable_variables):
        decay, step = self.ema_momentum, keras.ops.cast(self.iterations, "float32")
        self.ema_momentum = keras.ops.minimum(decay, (1 + step) / (10 + step))
        try:
            super()._update_model_variables_moving_average(trainable_variables)
        finally:
            self.ema_momentum = decay
