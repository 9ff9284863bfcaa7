"""Networks: functional Keras models that take raw 0-255 pixels and return probabilities.

The first layers of every model do all the normalising, so nobody can feed it the wrong scale.
Models come back uncompiled and untrained; `training` fits them, `pretrained` loads trained ones.
"""

from __future__ import annotations

import os

import keras
from keras import layers, ops

CNN_VARIANTS: tuple[str, ...] = ("lesson", "tiny", "base")
# Keras' ResNet50 computes a picture's map at a 32nd of its size: below this it is one pixel.
_LEAST_RESNET_SIDE = 32
# Means that the "caffe" preprocessing of ResNet50's ImageNet weights subtracts, in the order blue,
# green, red.
_CAFFE_MEANS = (103.939, 116.779, 123.68)

# Added to each picture's variance, in squared grey levels: a constant picture becomes zeros, and
# noise of less than a grey level is not blown up to full contrast.
_VARIANCE_FLOOR = 1.0


def build_cnn(
    variant: str = "base",
    num_classes: int = 7,
    input_shape: tuple[int, int, int] = (48, 48, 1),
    dropout_rate: float | None = None,
    squeeze_excite: bool = False,
) -> keras.Model:
    """Builds one of the library's convolutional networks.

    Args:
        variant: `"lesson"` (0.1 M parameters, the plain stack that the course builds by hand),
            `"tiny"` (0.28 M, for webcams, shipped as `cnn_tiny`) or `"base"` (1.9 M, the one
            shipped as `cnn`: a plain stem and two residual blocks, after the nine-layer residual
            networks that DAWNBench's CIFAR-10 entries trained fastest).
        num_classes: Number of classes, at least 2.
        input_shape: `(height, width, channels)` of the crops, height and width at least 16.
        dropout_rate: Share of the embedding that is dropped in training, `[0, 1)`; by default
            the variant's own.
        squeeze_excite: Weigh the channels of the last map by what the whole map holds, with a
            reduction of 8 (Hu et al., arXiv 1709.01507).

    Returns:
        An uncompiled model: raw pixels in `[0, 255]`, shape `(batch, *input_shape)`, to
        probabilities, `float32 (batch, num_classes)`. The layer `"embedding"` holds the pooled
        features, the layer `"last_map"` the feature map before it (for Grad-CAM).

    Raises:
        ValueError: An unknown variant, or a shape or a number of classes that cannot work.

    Example:
        >>> build_cnn("lesson").output_shape
        (None, 7)
    """
    if variant not in CNN_VARIANTS:
        raise ValueError(f"Expected `variant` to be one of {CNN_VARIANTS}. Received: {variant!r}")
    if num_classes < 2:
        raise ValueError(f"Expected `num_classes` of at least 2. Received: {num_classes}")
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

    pixels = keras.Input(input_shape, name="pixels")
    x = _standardize(pixels)
    x = features(x)
    if squeeze_excite:
        x = _squeeze_excite(x)
    x = layers.Activation("linear", name="last_map")(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(rate, name="dropout")(x)
    # The head stays in float32 under a mixed policy: 16-bit logits round confident answers.
    x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(pixels, probabilities, name=f"cnn_{variant}")


def _standardize(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Gives each picture mean 0 and variance 1, whatever its brightness and contrast."""
    return layers.LayerNormalization(
        axis=(1, 2, 3),
        center=False,
        scale=False,
        epsilon=_VARIANCE_FLOOR,
        dtype="float32",
        name="standardize",
    )(pixels)


def _conv_block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """3x3 convolution, batch normalisation, ReLU."""
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


def _squeeze_excite(x: keras.KerasTensor) -> keras.KerasTensor:
    filters = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    weights = layers.Dense(filters // 8, activation="relu", name="excite_1")(weights)
    weights = layers.Dense(filters, activation="sigmoid", name="excite_2")(weights)
    return layers.Multiply(name="excited")([x, weights])


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


def build_resnet50(
    num_classes: int = 7,
    weights: str | os.PathLike[str] | None = None,
    input_shape: tuple[int, int, int] = (48, 48, 1),
    resolution: int = 96,
    dropout_rate: float = 0.3,
) -> keras.Model:
    """Builds a ResNet50 (He et al., arXiv 1512.03385) that takes the same crops as the CNN.

    Everything that its ImageNet weights expect is inside: the crop is scaled up to `resolution`,
    grey is repeated to three channels, and the means of the "caffe" preprocessing are subtracted.

    Args:
        num_classes: Number of classes, at least 2.
        weights: Of the backbone: `"imagenet"` (downloaded by Keras at the first use), None for
            random ones, or the path of a weights file without the top, `.h5` or `.weights.h5`.
        input_shape: `(height, width, channels)` of the crops, 1 or 3 channels.
        resolution: Side to which crops are scaled, in pixels, at least 32. ResNet50 leaves a 32nd
            of it: 2 x 2 places at 64, 3 x 3 at 96, 7 x 7 at the 224 it was made for.
        dropout_rate: Share of the embedding that is dropped in training, `[0, 1)`.

    Returns:
        An uncompiled model with the layers `"last_map"`, `"embedding"` and `"logits"`, as
        `build_cnn` returns them: raw pixels in `[0, 255]` to probabilities.

    Raises:
        ValueError: A shape or number that cannot work, or a file that does not fit.
        OSError: `weights` is a file that does not exist, or `"imagenet"` cannot be downloaded.
    """
    if num_classes < 2:
        raise ValueError(f"Expected `num_classes` of at least 2. Received: {num_classes}")
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise ValueError(
            "Expected `input_shape` (height, width, channels) with 1 or 3 channels. "
            f"Received: {input_shape}"
        )
    if resolution < _LEAST_RESNET_SIDE:
        raise ValueError(
            f"Expected `resolution` of at least {_LEAST_RESNET_SIDE} pixels. Received: {resolution}"
        )
    pixels = keras.Input(input_shape, name="pixels")
    x = pixels
    if tuple(input_shape[:2]) != (resolution, resolution):
        # Not `layers.Resizing`: its call trains by default, and switches batch normalisation to
        # training where a model is called without saying which.
        x = ops.image.resize(x, (resolution, resolution), interpolation="bilinear")
    # Grey pictures have no order of channels; colour ones go from red-green-blue to the reverse.
    blue_first = [x, x, x] if input_shape[2] == 1 else [x[..., i : i + 1] for i in (2, 1, 0)]
    x = layers.Concatenate(name="three_channels", dtype="float32")(blue_first)
    offsets = [-mean for mean in _CAFFE_MEANS]
    x = layers.Rescaling(1.0, offsets, dtype="float32", name="subtract_means")(x)
    x = _resnet50_backbone(x, weights, resolution)
    x = layers.Activation("linear", name="last_map")(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    x = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(pixels, probabilities, name="resnet50")


def _resnet50_backbone(
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
            "weights file that you have, or None, and start from drawn faces: `python -m fer_lib "
            f"train --data synthetic --recipe resnet50_synthetic`. Received: {error}"
        ) from error
    if weights is None:
        # Every block begins as the identity (Goyal et al., arXiv 1706.02677, section 5.1); with
        # random weights in all 16 of them, the first steps of a training from scratch diverge.
        for layer in backbone.layers:
            if layer.name.endswith("_3_bn"):
                layer.gamma.assign(ops.zeros_like(layer.gamma))
    return backbone.output


def freeze_backbone(model: keras.Model) -> None:
    """Lets only the head (`"logits"`) learn; the features stay as they are.

    Frozen batch normalisation runs in inference mode, so its statistics stay, too. Compile the
    model again afterwards: Keras fixes what is trained when it compiles.
    """
    for layer in model.layers:
        layer.trainable = layer.name == "logits"


def unfreeze_top(model: keras.Model, first: str | None = None, batch_norm: bool = False) -> None:
    """Lets the head and the layers from `first` on learn. Compile the model again afterwards.

    Args:
        model: A model of `build_cnn` or `build_resnet50`.
        first: The layers whose names begin with this, and all after them, are trained:
            `"conv5"` stands for the last stage of ResNet50. None trains all layers.
        batch_norm: Whether batch normalisation learns, too. In a short tuning of weights that
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
        is_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = index >= start and (batch_norm or not is_norm)


def count_multiply_adds(model: keras.Model) -> int:
    """Counts the multiply-adds of a picture's forward pass, in convolutions and dense layers.

    Args:
        model: A built model with fixed input sides; nested models are counted through.

    Returns:
        The number of multiply-add operations; pooling, normalisation and activations, which are
        some percent of it, are left out, as papers do.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += count_multiply_adds(layer)
        elif isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            _, height, width, _ = layer.output.shape
            total += height * width * _size(layer.kernel.shape)
        elif isinstance(layer, layers.SeparableConv2D):
            _, height, width, _ = layer.output.shape
            kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
            total += height * width * sum(_size(kernel.shape) for kernel in kernels)
        elif isinstance(layer, layers.Dense):
            total += _size(layer.kernel.shape)
    return total


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= int(side)
    return size
