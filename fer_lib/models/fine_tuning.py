"""Which layers of a network learn; compile it again afterwards, Keras fixes that in `compile`."""

from __future__ import annotations

import keras


def freeze_backbone(model: keras.Model) -> None:
    """Lets only the head (`"logits"`) learn; the features stay as they are.

    Frozen batch normalization runs in inference mode, so its statistics stay, too.
    """
    for layer in model.layers:
        layer.trainable = layer.name == "logits"


def unfreeze_top(model: keras.Model, first: str | None = None, batch_norm: bool = False) -> None:
    """Lets the head and the layers from `first` on learn.

    Args:
        model: A model of `build_cnn` or `build_resnet50`.
        first: The layers whose names begin with this, and all after them, are trained:
            `"conv5"` stands for the last stage of ResNet50. None trains all layers.
        batch_norm: Whether batch normalization learns, too. In a short tuning of weights that
            were trained elsewhere it should not: the statistics of a few hundred faces would
            replace those that the weights were trained with.

    Raises:
        ValueError: No layer's name begins with `first`.
    """
    names = [layer.name for layer in model.layers]
    start = next((i for i, name in enumerate(names) if name.startswith(first or "")), None)
    if start is None:
        raise ValueError(
            f"Expected `first` to begin the name of a layer of {model.name}. Received: {first!r}"
        )
    for index, layer in enumerate(model.layers):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = index >= start and (batch_norm or not is_norm)
