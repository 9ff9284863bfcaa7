"""A trained model with all that belongs to it, as one folder: weights, card, history, predictions.

`saved_models/<name>/` holds `model.keras`, `card.json`, `history.csv` and
`predictions_public_test.npz`. Loading never unpickles and never needs the network.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from fer_lib import paths
from fer_lib.results import HISTORY_FILE, PREDICTIONS_FILE

MODEL_FILE = "model.keras"
CARD_FILE = "card.json"

# A compiled function is traced once for each batch size (a tenth of a second), so only these sizes
# are used: as many as the faces of a video, where filling up would cost, then powers of two.
_BATCH_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128)
# More weights than this are rounded more coarsely, so that ResNet50 stays below 50 MB.
_LARGE_MODEL = 10_000_000


@dataclass
class Pretrained:
    """A trained model, ready to predict.

    Attributes:
        model: The Keras model: raw grey pixels in `[0, 255]` in, probabilities out.
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
        faces = self._check(faces)
        largest = _BATCH_SIZES[-1] if batch_size is None else batch_size
        if largest < 1:
            raise ValueError(f"Expected `batch_size` of at least 1. Received: {batch_size}")
        if tta:
            crops = [self._predict_once(crop, largest) for crop in _ten_crops(faces)]
            probabilities = mean_of_logs(crops)
        else:
            probabilities = self._predict_once(faces, largest)
        return apply_temperature(probabilities, self.temperature)

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
        shape = tuple(self.model.input_shape[1:])
        if faces.ndim == 3 and shape[-1] == 1:
            faces = faces[..., np.newaxis]
        if faces.ndim != 4 or faces.shape[1:] != shape:
            gray = f"(n, {shape[0]}, {shape[1]}) or " if shape[-1] == 1 else ""
            raise ValueError(
                f"Expected `faces` of shape {gray}(n, {shape[0]}, {shape[1]}, {shape[2]}). "
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

        trainable = [variable.value for variable in model.trainable_variables]
        frozen = [variable.value for variable in model.non_trainable_variables]
        stateless = jax.jit(
            lambda batch: model.stateless_call(trainable, frozen, batch, training=False)[0]
        )
        return lambda batch: np.asarray(stateless(batch))
    return lambda batch: keras.ops.convert_to_numpy(model(batch, training=False))


def _ten_crops(faces: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the faces and their mirror images, centered and moved by two pixels each way."""
    padded = np.pad(faces, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    height, width = faces.shape[1:3]
    for top, left in ((2, 2), (2, 0), (2, 4), (0, 2), (4, 2)):
        crop = padded[:, top : top + height, left : left + width]
        yield crop
        yield crop[:, :, ::-1]


def mean_of_logs(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the normalized geometric mean of several arrays `(n, num_classes)`."""
    logs = [np.log(np.maximum(each, np.finfo(np.float32).tiny)) for each in probabilities]
    return _softmax(np.mean(logs, axis=0))


def _softmax(logits: np.ndarray) -> np.ndarray:
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softens (above 1) or sharpens (below 1) probabilities as if their logits had been divided.

    Args:
        probabilities: `(n, num_classes)`, rows sum to 1.
        temperature: Above 0.

    Returns:
        `float32 (n, num_classes)`, rows sum to 1.
    """
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / temperature
    return _softmax(logits)


def load_pretrained(name: str | os.PathLike[str] = "cnn") -> Pretrained:
    """Loads a trained model by its name, or from a folder that `train` or `save_pretrained` wrote.

    Args:
        name: `"cnn"` for the shipped network, the name of another model in
            `paths.models_dirs()`, or the path of a model folder.

    Raises:
        FileNotFoundError: No such model; the message lists those that exist.
        ValueError: The folder's card or model cannot be read.
    """
    folder = paths.find_model(name)
    card = read_card(folder)
    file = folder / MODEL_FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected {MODEL_FILE} beside {CARD_FILE} in {folder}. Received: no such file; "
            "an unfinished training is finished with --resume."
        )
    try:
        model = keras.models.load_model(file, compile=False)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected a whole Keras model in {file}; restore or retrain it. Received: {error}"
        ) from error
    return Pretrained(
        model=model,
        class_names=tuple(card["class_names"]),
        temperature=float(card.get("temperature", 1.0)),
        card=card,
        name=folder.name,
    )


def read_card(folder: Path) -> dict:
    """Reads `card.json` of a model folder.

    Raises:
        ValueError: It is not JSON, or names no classes.
    """
    file = Path(folder) / CARD_FILE
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {file}. Received: {error}") from error
    if not isinstance(card, dict) or not isinstance(card.get("class_names"), list):
        raise ValueError(f"Expected `class_names` in {file}. Received: a card without them")
    return card


def save_model(model: keras.Model, file: str | os.PathLike[str]) -> None:
    """Writes a model in half the space: weights rounded to 16 bits, the archive deflated.

    The rounded model is what plain `keras.models.load_model` reads back, in float32. Rounding
    changes a probability in the fourth digit at most; score the file, not the model in memory.
    Of models of more than ten million weights two bits more are dropped, an eighth of the file.

    Args:
        model: The model; its own weights are left as they are.
        file: Path of the `.keras` file, replaced only when the new one is whole.
    """
    file = Path(file)
    rounded = keras.models.clone_model(model)
    is_large = model.count_params() > _LARGE_MODEL
    rounded.set_weights([_round_to_half(weight, is_large) for weight in model.get_weights()])
    stored = file.with_name(f".{file.stem}.stored.keras")
    deflated = file.with_name(f".{file.stem}.deflated.keras")
    try:
        rounded.save(stored)
        with (
            zipfile.ZipFile(stored) as source,
            zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
        ):
            for entry in source.infolist():
                with source.open(entry) as reader, target.open(entry.filename, "w") as writer:
                    shutil.copyfileobj(reader, writer)
        os.replace(deflated, file)
    finally:
        stored.unlink(missing_ok=True)
        deflated.unlink(missing_ok=True)


def _round_to_half(weight: np.ndarray, coarsely: bool = False) -> np.ndarray:
    """Rounds to the nearest 16-bit float where that loses only digits, never the magnitude.

    Args:
        weight: Any array; only `float32` is rounded.
        coarsely: Keep eight binary digits after the point instead of ten.
    """
    if weight.dtype != np.float32 or np.abs(weight).max(initial=0.0) > 60_000:
        return weight
    rounded = weight.astype(np.float16).astype(np.float32)
    if coarsely:
        # A float32 has 23 such digits: half of the last that is kept is added, the rest cut off.
        dropped = 23 - 8
        bits = rounded.view(np.uint32) + np.uint32(1 << (dropped - 1))
        rounded = (bits & np.uint32(-(1 << dropped) & 0xFFFFFFFF)).view(np.float32)
    return rounded


def save_pretrained(
    folder: str | os.PathLike[str],
    model: keras.Model,
    card: Mapping[str, object],
    history_csv: str | None = None,
    predictions: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Writes a trained model and all that belongs to it as a folder that `load_pretrained` reads.

    Args:
        folder: Where to; created where it is missing, files of the same names are replaced.
        model: The trained model.
        card: JSON-ready facts; `class_names` is required.
        history_csv: The training history, as CSV text.
        predictions: `probabilities (n, num_classes)` and `labels (n,)` of PublicTest.

    Returns:
        The folder.

    Raises:
        ValueError: The card names no classes.
        OSError: The folder cannot be written.
    """
    if "class_names" not in card:
        raise ValueError(f"Expected `class_names` in `card`. Received: {sorted(card)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, folder / MODEL_FILE)
    if history_csv is not None:
        write_text(folder / HISTORY_FILE, history_csv)
    write_results(folder, card, predictions)
    return folder


def write_results(
    folder: Path, card: Mapping[str, object], predictions: Mapping[str, np.ndarray] | None = None
) -> None:
    """Writes what is known of the model in a folder: its predictions, then its card.

    The card comes last: a folder is a model only once it is there.
    """
    if predictions is not None:
        np.savez_compressed(folder / PREDICTIONS_FILE, **predictions)
    write_text(folder / CARD_FILE, json.dumps(card, indent=2) + "\n")


def write_text(file: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)
