"""Augmentation: Keras layers that make new images of the same expression while training.

One warp of ours moves the face as a detector would misplace it; stock Keras layers change the
light and cover parts. All of it is off at inference, draws from a seed, and sits inside the model
or in front of it. A vertical flip is left out on purpose: upside-down faces are another problem.
"""

from __future__ import annotations

import math

import keras
from keras import layers, ops

_LEVELS = (0, 255)
_OPTIONS = ("flip_rate", "rotation", "zoom", "shift", "shear", "seed")


@keras.saving.register_keras_serializable("fer_lib")
class RandomAffine(keras.layers.Layer):
    """Flips, rotates, zooms, shifts and shears each image at random, in a single warp.

    A chain of Keras' own layers would resample 48 pixels four times and blur them each time;
    here the transforms are multiplied first and the image is resampled once (bilinear), with
    the border pixels repeated outside.

    Args:
        flip_rate: Share of the images that are mirrored left to right, `[0, 1]`.
        rotation: Largest rotation to either side, in degrees, `[0, 180]`.
        zoom: Smallest and largest factor by which the face grows, above 0; drawn
            log-uniformly, so that halving is as likely as doubling.
        shift: Largest shift to each side, as a share of the side, `[0, 1]`.
        shear: Largest horizontal shear angle to either side, in degrees, `[0, 60]`.
        seed: Seed of the layer's own random numbers.

    Call arguments:
        images: `(batch, height, width, channels)`, any value range.
        training: True augments, and so does a call outside of a model, as with Keras' own
            random layers; false, which `predict` and `evaluate` pass on, does nothing.

    Returns:
        Images of the same shape, of the layer's compute type.
    """

    def __init__(
        self,
        flip_rate: float = 0.5,
        rotation: float = 10.0,
        zoom: tuple[float, float] = (0.88, 1.14),
        shift: float = 0.08,
        shear: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        zoom = tuple(float(factor) for factor in zoom)
        _check_range("flip_rate", flip_rate, 1)
        _check_range("rotation", rotation, 180)
        _check_range("shift", shift, 1)
        _check_range("shear", shear, 60)
        if len(zoom) != 2 or not 0 < zoom[0] <= zoom[1]:
            raise ValueError(
                f"Expected `zoom` (smallest, largest) factors above 0. Received: {zoom}"
            )
        self.flip_rate = flip_rate
        self.rotation = rotation
        self.zoom = zoom
        self.shift = shift
        self.shear = shear
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = True

    def call(self, images, training=True):
        if not training:
            return images
        batch, height, width, _ = ops.shape(images)
        matrix = self._draw_transforms(batch, float(height), float(width))
        # The warp is cheap and 8 bits of precision would show in it: compute it in float32.
        warped = ops.image.affine_transform(
            ops.cast(images, "float32"), matrix, interpolation="bilinear", fill_mode="nearest"
        )
        return ops.cast(warped, self.compute_dtype)

    def _draw_transforms(self, batch, height: float, width: float):
        """Returns `(batch, 8)`: for each output pixel, where in the input it is taken from."""

        def uniform(low, high):
            return keras.random.uniform((batch,), low, high, seed=self.seed_generator)

        angle = uniform(-1.0, 1.0) * math.radians(self.rotation)
        slope = ops.tan(uniform(-1.0, 1.0) * math.radians(self.shear))
        scale = ops.exp(-uniform(math.log(self.zoom[0]), math.log(self.zoom[1]) + 1e-7))
        mirror = ops.where(uniform(0.0, 1.0) < self.flip_rate, -1.0, 1.0)
        shift_x = uniform(-1.0, 1.0) * self.shift * width
        shift_y = uniform(-1.0, 1.0) * self.shift * height

        # Rotation times shear times scale, the mirror on the input's side.
        cosine, sine = ops.cos(angle) * scale, ops.sin(angle) * scale
        a, b = mirror * cosine, mirror * (cosine * slope - sine)
        d, e = sine, sine * slope + cosine
        # The image's middle stays where it is but for the shift.
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        c = middle_x + shift_x - a * middle_x - b * middle_y
        f = middle_y + shift_y - d * middle_x - e * middle_y
        zero = ops.zeros_like(a)
        return ops.stack([a, b, c, d, e, f, zero, zero], axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in _OPTIONS}


def build_augmenter(
    flip_rate: float = 0.5,
    rotation: float = 10.0,
    zoom: tuple[float, float] = (0.88, 1.14),
    shift: float = 0.08,
    shear: float = 0.0,
    contrast: float = 0.2,
    brightness: float = 0.1,
    erasing_rate: float = 0.3,
    seed: int | None = None,
) -> keras.Sequential:
    """Builds the augmentation: one warp, then contrast, brightness and erasing by stock layers.

    Args:
        flip_rate: See `RandomAffine`.
        rotation: See `RandomAffine`, degrees.
        zoom: See `RandomAffine`, factors.
        shift: See `RandomAffine`, share of the side.
        shear: See `RandomAffine`, degrees.
        contrast: Contrast changes by a factor within `1 -+ contrast`, `[0, 1)`; 0 leaves it out.
        brightness: Gray levels move by up to this share of 255, `[0, 1]`; 0 leaves it out.
        erasing_rate: Share of the images in which a rectangle is covered, `[0, 1]`
            (random erasing, Zhong et al., arXiv 1708.04896); 0 leaves it out.
        seed: Seed from which each layer gets its own.

    Returns:
        A `keras.Sequential` for images in `[0, 255]`, `(batch, height, width, channels)`: put it
        in front of a model, where `fit` turns it on and `predict` off, or call it by itself to
        see what it does.
    """
    _check_range("contrast", contrast, 0.999)
    _check_range("brightness", brightness, 1)
    _check_range("erasing_rate", erasing_rate, 1)
    seeds = [None if seed is None else seed * 4 + offset for offset in range(4)]
    steps: list[keras.layers.Layer] = [
        RandomAffine(flip_rate, rotation, zoom, shift, shear, seed=seeds[0], name="affine")
    ]
    if contrast:
        steps.append(layers.RandomContrast(contrast, _LEVELS, seed=seeds[1], name="contrast"))
    if brightness:
        steps.append(layers.RandomBrightness(brightness, _LEVELS, seed=seeds[2], name="brightness"))
    if erasing_rate:
        # Middle gray, not noise: after standardizing, noise would be the strongest edge there is.
        look = {"fill_value": 128, "seed": seeds[3], "name": "erasing"}
        steps.append(layers.RandomErasing((erasing_rate, erasing_rate), (0.02, 0.2), **look))
    return keras.Sequential(steps, name="augmenter")


def _check_range(name: str, value: float, high: float) -> None:
    if not 0 <= value <= high:
        raise ValueError(f"Expected `{name}` in [0, {high}]. Received: {value}")
