"""What a network's forward pass costs."""

from __future__ import annotations

import math

import keras
from keras import layers


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
