"""What `fit` works on: the recipe's network with augmentation before it and a loss behind it."""

from __future__ import annotations

import keras

from fer_lib import augmentation, models
from fer_lib.datasets import FaceDataset
from fer_lib.pretrained import Pretrained
from fer_lib.training.config import TrainingConfig
from fer_lib.training.targets import NUM_VOTES, TargetLoss, build_accuracy


def build_network(
    config: TrainingConfig, dataset: FaceDataset, precision: str, weights: str | None = None
) -> keras.Model:
    """Builds the recipe's network under a precision, and leaves the global policy as it was."""
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
                f"pictures of the same shape. Received: {start.name!r}, another network (at layer "
                f"{layer.name!r})"
            )
        layer.set_weights(source.get_weights())


def choose_trainable(config: TrainingConfig, network: keras.Model, head_only: bool) -> None:
    """Lets the head alone learn, or all that the recipe lets learn after it."""
    if head_only:
        models.freeze_backbone(network)
    else:
        models.unfreeze_top(network, config.unfreeze_from, not config.freeze_batch_norm)


def build_trainer(config: TrainingConfig, network: keras.Model) -> keras.Model:
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


def compile_trainer(
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
