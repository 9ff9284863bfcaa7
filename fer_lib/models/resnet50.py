"""ResNet50 with all that its ImageNet weights expect inside; which layers of a network learn."""

from __future__ import annotations

import os

import keras
from keras import layers, ops

from fer_lib.models.cnn import add_head, make_input

# Means that the "caffe" preprocessing of ResNet50's ImageNet weights subtracts, in the order blue,
# green, red.
CAFFE_MEANS = (103.939, 116.779, 123.68)
# Keras' ResNet50 leaves a 32nd of an image's side: below this the feature map is one pixel.
_MIN_RESOLUTION = 32


def build_resnet50(
    num_classes: int = 7,
    weights: str | os.PathLike[str] | None = None,
    input_shape: tuple[int, int, int] = (48, 48, 1),
    resolution: int = 96,
    dropout_rate: float = 0.3,
) -> keras.Model:
    """Builds a ResNet50 (He et al., arXiv 1512.03385) that takes the same faces as the CNN.

    Everything that its ImageNet weights expect is inside: the face is scaled up to `resolution`,
    gray is repeated to three channels, and the means of the "caffe" preprocessing are subtracted.

    Args:
        num_classes: Number of classes, at least 2.
        weights: Of the backbone: `"imagenet"` (downloaded by Keras at the first use), None for
            random ones, or the path of a weights file without the top, `.h5` or `.weights.h5`.
        input_shape: `(height, width, channels)` of the faces, 1 or 3 channels.
        resolution: Side to which faces are scaled, in pixels, at least 32. ResNet50 leaves a 32nd
            of it: 2 x 2 positions at 64, 3 x 3 at 96, 7 x 7 at the 224 it was made for.
        dropout_rate: Share of the embedding that is dropped in training, `[0, 1)`.

    Returns:
        An uncompiled model with the layers `"last_map"`, `"embedding"` and `"logits"`, as
        `build_cnn` returns them: raw pixels in `[0, 255]` to probabilities.

    Raises:
        ValueError: A shape or number that cannot work, or a file that does not fit.
        OSError: `weights` is a file that does not exist, or `"imagenet"` cannot be downloaded.
    """
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise ValueError(
            "Expected `input_shape` (height, width, channels) with 1 or 3 channels. "
            f"Received: {input_shape}"
        )
    if resolution < _MIN_RESOLUTION:
        raise ValueError(
            f"Expected `resolution` of at least {_MIN_RESOLUTION} pixels. Received: {resolution}"
        )
    x = pixels = make_input(input_shape, num_classes)
    if tuple(input_shape[:2]) != (resolution, resolution):
        # Not `layers.Resizing`: its call trains by default, and switches batch normalization to
        # training where a model is called without saying which.
        x = ops.image.resize(x, (resolution, resolution), interpolation="bilinear")
    # Gray images have no order of channels; color ones go from red-green-blue to the reverse.
    blue_first = [x, x, x] if input_shape[2] == 1 else [x[..., i : i + 1] for i in (2, 1, 0)]
    x = layers.Concatenate(name="three_channels", dtype="float32")(blue_first)
    offsets = [-mean for mean in CAFFE_MEANS]
    x = layers.Rescaling(1.0, offsets, dtype="float32", name="subtract_means")(x)
    x = _backbone(x, weights, resolution)
    return keras.Model(pixels, add_head(x, num_classes, dropout_rate), name="resnet50")


def _backbone(
    x: keras.KerasTensor, weights: str | os.PathLike[str] | None, resolution: int
) -> keras.KerasTensor:
    """Continues `x` through Keras' ResNet50 without its top; its layers stay visible."""
    if weights not in (None, "imagenet") and not os.path.isfile(weights):
        raise FileNotFoundError(
            f'Expected `weights` to be "imagenet", None or a weights file. Received: {weights!s}'
        )
    try:
        backbone = keras.applications.ResNet50(
            include_top=False,
            weights=weights if weights is None else str(weights),
            input_tensor=x,
            input_shape=(resolution, resolution, 3),
        )
    except Exception as error:
        # Keras wraps a failed download in a bare Exception.
        if weights != "imagenet":
            raise ValueError(
                f"Expected weights of ResNet50 without its top in {weights!s}. Received: {error}"
            ) from error
        raise OSError(
            "The ImageNet weights could not be downloaded. Without a network use weights=FILE, a "
            "weights file that you have, or None, and start from synthetic faces: `python -m "
            f"fer_lib train --data synthetic --recipe resnet50_synthetic`. Received: {error}"
        ) from error
    if weights is None:
        # Every block begins as the identity (Goyal et al., arXiv 1706.02677, section 5.1); with
        # random weights in all 16 of them, the first steps of training from scratch diverge.
        for layer in backbone.layers:
            if layer.name.endswith("_3_bn"):
                layer.gamma.assign(ops.zeros_like(layer.gamma))
    return backbone.output


def freeze_backbone(model: keras.Model) -> None:
    """Lets only the head (`"logits"`) learn; compile the model again afterwards.

    Frozen batch normalization runs in inference mode, so its statistics stay, too.
    """
    for layer in model.layers:
        layer.trainable = layer.name == "logits"


def unfreeze_top(model: keras.Model, first: str | None = None, batch_norm: bool = False) -> None:
    """Lets the head and the layers from `first` on learn; compile the model again afterwards.

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
