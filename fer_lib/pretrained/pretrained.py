"""A trained model, called like a Keras model: raw pixels in, calibrated probabilities out."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
from scipy.special import softmax

from fer_lib import processes

# A compiled function is traced once for each batch size (a tenth of a second), so only these sizes
# are used: as many as the faces of a video, where filling up would cost, then powers of two.
_BATCH_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128)


@dataclass(eq=False)
class Pretrained:
    """A trained model, ready to predict.

    Attributes:
        model: The Keras model: raw pixels in `[0, 255]` in, probabilities out. `predict` uses the
            weights that it has at the time, on every backend.
        class_names: Names of the classes, in the order of the model's outputs.
        temperature: Divides the logits before the softmax, so that confidences match accuracies
            (Guo et al., arXiv 1706.04599); 1 leaves them as they are.
        card: What is known of the model: recipe, data, versions, scores.
        name: The folder's name.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    temperature: float = 1.0
    card: Mapping[str, object] = field(default_factory=dict)
    name: str = "model"

    def __post_init__(self):
        if self.model.output_shape[-1] != len(self.class_names):
            raise ValueError(
                f"Expected one class name for each of the model's {self.model.output_shape[-1]} "
                f"outputs. Received: {self.class_names}"
            )
        if len(self.model.input_shape) != 4 or None in self.model.input_shape[1:]:
            raise ValueError(
                "Expected a model that takes images (batch, height, width, channels) of one size. "
                f"Received: input_shape={self.model.input_shape}"
            )
        processes.mark_networks_loaded()
        self._forward = _compile_forward(self.model)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the faces that the model takes."""
        return tuple(self.model.input_shape[1:])

    def predict(
        self,
        faces: np.ndarray,
        batch_size: int | None = None,
        verbose: int | str = 0,
        *,
        tta: bool = False,
    ) -> np.ndarray:
        """Predicts many face crops at once, by one compiled function.

        Args:
            faces: `(n, height, width)` or `(n, height, width, channels)` raw pixels in
                `[0, 255]`, of `image_shape`; `n` may be 0.
            batch_size: Most faces in one forward pass; 128 where it is None.
            verbose: Accepted as Keras' `predict` does; no progress is shown.
            tta: Test-time augmentation by ten-crop: each face and its mirror image, centered and
                moved by two pixels each way, and the mean of their log-probabilities.

        Returns:
            Calibrated probabilities, `float32 (n, num_classes)`.

        Raises:
            ValueError: Wrong shape, values that are not finite or not in `[0, 255]`, or a
                `batch_size` below 1.
        """
        processes.check_not_forked()
        faces = self._check(faces)
        largest = _BATCH_SIZES[-1] if batch_size is None else batch_size
        if largest < 1:
            raise ValueError(f"Expected `batch_size` of at least 1. Received: {batch_size}")
        crops = _ten_crops(faces) if tta else [faces]
        probabilities = [self._predict_once(crop, largest) for crop in crops]
        if tta:
            logits = np.mean([_to_logits(each) for each in probabilities], axis=0)
            probabilities = [softmax(logits, axis=1)]
        return apply_temperature(probabilities[0], self.temperature)

    def has_seen(self, images: np.ndarray) -> np.ndarray | None:
        """Tells which images the model, or the one that its training began with, was trained on.

        Args:
            images: `uint8 (n, height, width, channels)`; exact copies are found.

        Returns:
            `bool (n,)`; None where no card keeps the hashes of its training images.

        Raises:
            ValueError: The hashes in the card are damaged.
        """
        stored, card = [], self.card
        while card:
            training = (card.get("data") or {}).get("training") or {}
            if "image_hashes" in training:
                stored.append(_unpack_hashes(training["image_hashes"]))
            card = card.get("start")
        return np.isin(_hash_images(images), np.concatenate(stored)) if stored else None

    def _predict_once(self, faces: np.ndarray, largest: int) -> np.ndarray:
        outputs = [np.empty((0, len(self.class_names)), np.float32)]
        for start in range(0, len(faces), largest):
            chunk = faces[start : start + largest]
            size = next((size for size in _BATCH_SIZES if size >= len(chunk)), largest)
            batch = np.zeros((size, *chunk.shape[1:]), np.float32)
            batch[: len(chunk)] = chunk
            outputs.append(self._forward(batch)[: len(chunk)])
        return np.concatenate(outputs)

    def _check(self, faces: np.ndarray) -> np.ndarray:
        faces = np.asarray(faces)
        height, width, channels = self.image_shape
        if faces.ndim == 3 and channels == 1:
            faces = faces[..., np.newaxis]
        if faces.shape[1:] != self.image_shape:
            gray = f"(n, {height}, {width}) or " if channels == 1 else ""
            raise ValueError(
                f"Expected `faces` of shape {gray}(n, {height}, {width}, {channels}). "
                f"Received: faces.shape={faces.shape}"
            )
        if faces.dtype != np.uint8 and faces.size:
            low, high = float(faces.min()), float(faces.max())
            if not (low >= 0 and high <= 255):
                raise ValueError(
                    f"Expected `faces` with pixels in [0, 255]. Received: {low} to {high}"
                )
        return faces


def _compile_forward(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Returns one compiled function from a batch to probabilities, for the backend in use.

    `model.predict` builds a data pipeline on each call, which costs more than a small network.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(lambda batch: model(batch, training=False), autograph=False)
        return lambda batch: compiled(tf.constant(batch)).numpy()
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def stateless(trainable, frozen, batch):
            return model.stateless_call(trainable, frozen, batch, training=False)[0]

        def forward(batch: np.ndarray) -> np.ndarray:
            trainable = [variable.value for variable in model.trainable_variables]
            frozen = [variable.value for variable in model.non_trainable_variables]
            return np.asarray(stateless(trainable, frozen, batch))

        return forward
    return lambda batch: keras.ops.convert_to_numpy(model(batch, training=False))


def _ten_crops(faces: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the faces and their mirror images, centered and moved by two pixels each way."""
    padded = np.pad(faces, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    height, width = faces.shape[1:3]
    for top, left in ((2, 2), (2, 0), (2, 4), (0, 2), (4, 2)):
        crop = padded[:, top : top + height, left : left + width]
        yield crop
        yield crop[:, :, ::-1]


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softens (`temperature` above 1) or sharpens `(n, num_classes)` probabilities.

    The result is that of logits divided by the temperature, `float32`; rows sum to 1.
    """
    if temperature == 1.0:
        return probabilities
    return softmax(_to_logits(probabilities) / temperature, axis=1)


def _to_logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def pack_hashes(images: np.ndarray) -> str:
    """Returns hashes of images as compressed text, about 8 characters each, for `has_seen`."""
    steps = np.diff(np.unique(_hash_images(images)), prepend=np.uint64(0))
    return base64.b85encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")


def _hash_images(images: np.ndarray) -> np.ndarray:
    """Returns a 64-bit hash of each image's pixels, `uint64 (n,)`."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _unpack_hashes(text: str) -> np.ndarray:
    try:
        steps = np.frombuffer(zlib.decompress(base64.b85decode(text)), "<u8")
    except (TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"Expected `image_hashes` as packed hashes. Received: {error}") from error
    return np.cumsum(steps, dtype=np.uint64)
