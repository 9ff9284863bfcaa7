"""Callbacks for any `model.fit`: seeds, averaged weights, finite numbers, checkpoints.

Keras' own would each lose something here: `SwapEMAWeights` swaps by adding and subtracting, which
rounds; `BackupAndRestore` keeps neither the history nor random states; `TerminateOnNaN` overlooks
weights that are NaN behind a ReLU. `fit` adds `TqdmCallback`; add `TensorBoard` as you like.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from fer_lib.training import checkpoint
from fer_lib.training.devices import count_devices

# Re-estimating batch-norm statistics: so many images, a batch at a time.
_STATISTICS_IMAGES = 2560
_BATCH = 256


class SeedEpochs(keras.callbacks.Callback):
    """Makes an epoch's random numbers depend on the seed and the epoch alone.

    Keras does not save its random state; with this a resumed run draws what it would have.

    Args:
        seed: Any whole number.
        batches: A data set whose `epoch` is set, too, such as `TrainingBatches`.
    """

    def __init__(self, seed: int, batches: object | None = None):
        super().__init__()
        self._seed, self._batches = seed, batches

    def on_epoch_begin(self, epoch, logs=None):
        if self._batches is not None:
            self._batches.epoch = epoch
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for index, state in enumerate(states):
            digest = hashlib.sha256(f"{self._seed} {epoch} {index}".encode()).digest()
            state.assign([int.from_bytes(digest[:4], "little") >> 1, 0])


class StopOnNaN(keras.callbacks.Callback):
    """Raises `FloatingPointError` where the loss, or a weight at an epoch's end, is not finite."""

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["loss"]):
            self._stop(f"a loss of {logs['loss']} in step {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        # A ReLU can turn NaN into zero, so a finite loss does not prove finite weights.
        values = checkpoint.snapshot(sum(checkpoint.run_variables(self.model), []))
        if not all(np.isfinite(value).all() for value in values):
            self._stop("weights that are NaN or infinite after the last step")

    def _stop(self, what: str) -> None:
        kept = f"; a checkpoint of epoch {self._epoch} stays as it is" if self._epoch else ""
        raise FloatingPointError(
            f"Expected finite numbers. Received: {what} of epoch {self._epoch + 1}. Start anew "
            f"with a lower learning rate{kept}."
        )


class AveragedWeights(keras.callbacks.Callback):
    """Shows other callbacks the averaged weights, with batch normalization to match.

    At an epoch's end the optimizer's exponential averages (`use_ema=True`) take the place of the
    weights, the moving statistics are set to their mean over some batches without augmentation
    (Izmailov et al., arXiv 1803.05407, section 3.2), the callbacks run, and the weights come back.

    Args:
        images: Raw training images; 2,560 of them, evenly spaced, give the statistics.
        callbacks: Run on the averaged weights, such as `keras.callbacks.ModelCheckpoint`.
        network: The part of the model behind its augmentation; the model itself by default.
        plain_too: Run them on the plain weights, too, with logs that are added as `plain_...`.
    """

    def __init__(
        self,
        images: np.ndarray,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        network: keras.Model | None = None,
        plain_too: bool = False,
    ):
        super().__init__()
        count = min(_STATISTICS_IMAGES, len(images))
        self._images = images[np.linspace(0, len(images) - 1, count).round().astype(int)]
        self._callbacks, self._network, self._plain_too = callbacks, network, plain_too

    def set_model(self, model):
        super().set_model(model)
        for callback in self._callbacks:
            callback.set_model(model)

    def on_epoch_end(self, epoch, logs=None):
        weights, optimizer = checkpoint.run_variables(self.model)
        values = checkpoint.snapshot(weights)
        averages = [variable for variable in optimizer if variable.path.endswith("_average")]
        # By way of the host: on JAX both would share one buffer, which `predict` gives away.
        checkpoint.restore(self.model.trainable_variables, checkpoint.snapshot(averages))
        self._run(epoch, logs)
        checkpoint.restore(weights, values)
        if self._plain_too:
            plain: dict = {}
            self._run(epoch, plain)
            checkpoint.restore(weights, values)
            logs.update({f"plain_{name}": value for name, value in plain.items()})

    def _run(self, epoch: int, logs: dict) -> None:
        estimate_batch_norm(self._network or self.model, self._images)
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, logs)


def estimate_batch_norm(network: keras.Model, images: np.ndarray) -> None:
    """Sets the moving statistics of the layers that learn to the mean over batches of images."""
    norms = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    momenta = [layer.momentum for layer in norms]
    for index, start in enumerate(range(0, len(images), _BATCH) if norms else ()):
        for layer in norms:
            # The running mean of the batches so far, in place of an exponential one.
            layer.momentum = index / (index + 1)
        network(images[start : start + _BATCH].astype(np.float32), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


class KeepBest(keras.callbacks.Callback):
    """Scores a network on validation faces, adds that to the logs, and keeps the best weights.

    Args:
        network: From raw pixels to probabilities.
        images: `(n, height, width, channels)` raw pixels.
        labels: `int (n,)`.
        file: Where `checkpoint.write` puts the best weights.
        best: The accuracy to exceed, of a run that is resumed.
        always: Keep the last weights instead, whatever their accuracy.
    """

    def __init__(
        self,
        network: keras.Model,
        images: np.ndarray,
        labels: np.ndarray,
        file: str | os.PathLike[str],
        best: float = -1.0,
        always: bool = False,
    ):
        super().__init__()
        self._always = always
        self._network, self._images, self._labels = network, images, np.asarray(labels)
        self._file, self._best = file, best

    def on_epoch_end(self, epoch, logs=None):
        # Several devices share a batch evenly: some images come twice, and are cut off again.
        count, devices = len(self._labels), count_devices()
        images = self._images
        if count % devices:
            images = np.resize(images, (count + -count % devices, *images.shape[1:]))
        probabilities = self._network.predict(images, batch_size=_BATCH * devices, verbose=0)
        probabilities = probabilities[:count]
        accuracy = float((probabilities.argmax(axis=1) == self._labels).mean())
        of_label = probabilities[np.arange(len(self._labels)), self._labels]
        # `AveragedWeights` gives plain weights logs without a loss.
        facts = {"epoch": epoch + 1, "weights": "averaged" if "loss" in logs else "plain"}
        logs["val_loss"] = float(-np.log(np.maximum(of_label, 1e-7)).mean())
        logs["val_accuracy"] = accuracy
        if self._always or accuracy > self._best:
            self._best = accuracy
            checkpoint.write(self._file, checkpoint.snapshot(self._network.variables), facts)


class Checkpoint(keras.callbacks.Callback):
    """Writes all that training changes after every epoch, to resume to the same weights.

    A kill loses the epoch that it falls into. Resume by `saved = Checkpoint(file, resume=True)`,
    `saved.restore(model)`, `model.fit(..., initial_epoch=len(saved.history), callbacks=[saved])`.

    Args:
        file: The checkpoint, written whole or not at all.
        facts: What the run is made of; another one is not resumed.
        resume: Go on with the run that `file` holds.
        images: Images in an epoch, for the speed in the history.

    Attributes:
        history: One row of figures an epoch, those before the interruption included.

    Raises:
        FileNotFoundError: There is nothing to resume.
        ValueError: The checkpoint is damaged, or belongs to another run.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        facts: Mapping[str, object] | None = None,
        resume: bool = False,
        images: int = 0,
    ):
        super().__init__()
        self._file, self._facts, self._images = file, dict(facts or {}), images
        self.history: list[dict] = []
        if resume:
            stored = checkpoint.read(file)[1]
            self.history = stored.pop("history")
            checkpoint.check_same_run(stored, self._facts, file)

    def restore(self, model: keras.Model, with_optimizer: bool = True) -> None:
        """Puts back into a compiled model what the last epoch left."""
        weights, optimizer = checkpoint.run_variables(model)
        variables = [*weights, *optimizer] if with_optimizer else weights
        checkpoint.restore(variables, checkpoint.read(self._file)[0][: len(variables)])

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._ended = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        weights, optimizer = checkpoint.run_variables(self.model)
        rate = self.model.optimizer.learning_rate
        seconds = self._ended - self._started
        row = {"epoch": epoch + 1, "learning_rate": float(keras.ops.convert_to_numpy(rate))}
        row |= {name: float(logs[name]) for name in ("loss", *logs)}
        row |= {"seconds": round(seconds, 2), "images_per_second": round(self._images / seconds, 1)}
        self.history.append(row)
        facts = {**self._facts, "history": self.history}
        checkpoint.write(self._file, checkpoint.snapshot([*weights, *optimizer]), facts)
