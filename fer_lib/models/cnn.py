"""The library's own convolutional networks."""

from __future__ import annotations

import math

import keras
from keras import layers

CNN_VARIANTS: tuple[str, ...] = ("lesson", "tiny", "base")

# Added to each image's variance, in squared gray levels: a constant image becomes zeros, and noise
# of less than a gray level is not blown up to full contrast.
_VARIANCE_FLOOR = 1.0


def build_cnn(
    variant: str = "base",
    num_classes: int = 7,
    input_shape: tuple[int, int, int] = (48, 48, 1),
    dropout_rate: float | None = None,
) -> keras.Model:
    """Builds one of the library's convolutional networks.

    Args:
        variant: `"lesson"` (0.1 M parameters, the plain stack that the course builds by hand),
            `"tiny"` (0.28 M, for webcams, shipped as `cnn_tiny`) or `"base"` (1.9 M, the one
            shipped as `cnn`: a plain stem and two residual blocks, after the nine-layer residual
            networks that DAWNBench's CIFAR-10 entries trained fastest).
        num_classes: Number of classes, at least 2.
        input_shape: `(height, width, channels)` of the faces, height and width at least 16.
        dropout_rate: Share of the embedding that is dropped in training, `[0, 1)`; by default
            the variant's own.

    Returns:
        An uncompiled model: raw pixels in `[0, 255]`, shape `(batch, *input_shape)`, to
        probabilities, `float32 (batch, num_classes)`. The layer `"embedding"` holds the pooled
        features, the layer `"last_map"` the feature map before it (for Grad-CAM).

    Raises:
        ValueError: An unknown variant, a shape or a number of classes that cannot work, or a Keras
            that is configured for images with the channels first.

    Example:
        >>> build_cnn("lesson").output_shape
        (None, 7)
    """
    if variant not in CNN_VARIANTS:
        raise ValueError(f"Expected `variant` to be one of {CNN_VARIANTS}. Received: {variant!r}")
    if len(input_shape) != 3 or min(input_shape[:2]) < 16:
        raise ValueError(
            "Expected `input_shape` (height, width, channels) with sides of at least 16. "
            f"Received: {input_shape}"
        )
    features, default_dropout = {
        "lesson": (_lesson_features, 0.3),
        "tiny": (_tiny_features, 0.2),
        "base": (_base_features, 0.4),
    }[variant]
    rate = default_dropout if dropout_rate is None else dropout_rate
    pixels = make_input(input_shape, num_classes)
    # Each image gets mean 0 and variance 1, whatever its brightness and contrast.
    x = layers.LayerNormalization(
        axis=(1, 2, 3),
        center=False,
        scale=False,
        epsilon=_VARIANCE_FLOOR,
        dtype="float32",
        name="standardize",
    )(pixels)
    # Without batch normalization, means of feature maps differ too little from face to face:
    # training stands still for epochs. Their maxima do not have that weakness.
    pooling = layers.GlobalMaxPooling2D if variant == "lesson" else layers.GlobalAveragePooling2D
    outputs = add_head(features(x), num_classes, rate, pooling)
    return keras.Model(pixels, outputs, name=f"cnn_{variant}")


def make_input(input_shape: tuple[int, int, int], num_classes: int) -> keras.KerasTensor:
    """Returns the input of a network, after a check of what no builder could work with."""
    if num_classes < 2:
        raise ValueError(f"Expected `num_classes` of at least 2. Received: {num_classes}")
    for setting, wanted in (("image_data_format", "channels_last"), ("floatx", "float32")):
        value = getattr(keras.config, setting)()
        if value != wanted:
            raise ValueError(
                f"Expected Keras with the {setting} {wanted!r}. Received: {value!r}; change it in "
                f"keras.json, or by keras.config.set_{setting}({wanted!r})"
            )
    return keras.Input(input_shape, name="pixels")


def add_head(
    x: keras.KerasTensor,
    num_classes: int,
    dropout_rate: float,
    pooling: type[layers.Layer] = layers.GlobalAveragePooling2D,
) -> keras.KerasTensor:
    """Returns the probabilities of a feature map: pooled, dropped out, one dense layer, softmax."""
    x = layers.Activation("linear", name="last_map")(x)
    x = pooling(name="embedding")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    # The head stays in float32 under a mixed policy: 16-bit logits round confident predictions.
    x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return layers.Softmax(dtype="float32", name="probabilities")(x)


def _conv_block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """3x3 convolution, batch normalization, ReLU."""
    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _residual_block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Two conv blocks around which the input is carried and added (He et al., arXiv 1512.03385)."""
    y = _conv_block(x, filters, f"{name}_1")
    y = _conv_block(y, filters, f"{name}_2")
    return layers.Add(name=f"{name}_add")([x, y])


def _lesson_features(x: keras.KerasTensor) -> keras.KerasTensor:
    for index, filters in enumerate((32, 64, 128), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{index}")(x)
        x = layers.MaxPooling2D(name=f"pool{index}")(x)
    return x


def _tiny_features(x: keras.KerasTensor) -> keras.KerasTensor:
    # Most of the 19 million multiply-adds are spent at 12 x 12 and 6 x 6, where a convolution
    # holds the most weights for its time.
    x = _conv_block(x, 16, "stem")
    x = layers.MaxPooling2D(name="pool1")(x)
    x = _conv_block(x, 32, "stage1")
    for index, filters in ((2, 64), (3, 128)):
        x = layers.MaxPooling2D(name=f"pool{index}")(x)
        x = _conv_block(x, filters, f"stage{index}_1")
        x = _conv_block(x, filters, f"stage{index}_2")
    return x


def _base_features(x: keras.KerasTensor) -> keras.KerasTensor:
    x = _conv_block(x, 32, "stem")
    x = layers.MaxPooling2D(name="pool1")(x)
    x = _conv_block(x, 64, "stage1_1")
    x = _conv_block(x, 64, "stage1_2")
    for index, filters in ((2, 128), (3, 256)):
        x = layers.MaxPooling2D(name=f"pool{index}")(x)
        x = _conv_block(x, filters, f"stage{index}_1")
        x = _residual_block(x, filters, f"stage{index}_residual")
    return x


def count_multiply_adds(model: keras.Model) -> int:
    """Counts the multiply-adds of an image's forward pass, in convolutions and dense layers.

    Args:
        model: A built model with fixed input sides; nested models are counted through.

    Returns:
        The number of multiply-add operations; pooling, normalization and activations, which are
        some percent of it, are left out, as papers do.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += count_multiply_adds(layer)
        elif isinstance(layer, layers.SeparableConv2D):
            kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
            total += math.prod(layer.output.shape[1:3]) * sum(math.prod(k.shape) for k in kernels)
        elif isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            total += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Dense):
            total += math.prod(layer.kernel.shape)
    return int(total)
