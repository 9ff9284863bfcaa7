"""Networks: functional Keras models that take raw 0-255 pixels and return probabilities.

The first layers of every model do all the normalization, so nobody can feed it the wrong scale.
Models come back uncompiled and untrained; `training` fits them, `pretrained` loads trained ones.
"""

from fer_lib.models.cnn import CNN_VARIANTS, build_cnn, count_multiply_adds
from fer_lib.models.resnet50 import build_resnet50, freeze_backbone, unfreeze_top

__all__ = [
    "CNN_VARIANTS",
    "build_cnn",
    "build_resnet50",
    "count_multiply_adds",
    "freeze_backbone",
    "unfreeze_top",
]
