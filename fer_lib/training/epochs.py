"""What happens in and after an epoch: order, seeds, averaged weights, scores, checkpoint."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from fer_lib.datasets import FaceDataset
from fer_lib.training import checkpoint
from fer_lib.training.config import TrainingConfig
from fer_lib.training.targets import mix

# Re-estimating batch-norm statistics: so many pictures, a batch at a time.
_STATISTICS_PICTURES = 2560
_STATISTICS_BATCH = 256
_EVALUATION_BATCH = 256


class TrainingBatches(keras.utils.PyDataset):
    """Batches of one epoch in an order that depends on the seed and the epoch alone.

    Attributes:
        epoch: The epoch whose order is given, from 0; the callback sets it.
    """

    def __init__(self, config: TrainingConfig, images: np.ndarray, targets: np.ndarray):
        super().__init__(workers=1)
        self.epoch = 0
        self._images = images
        self._targets = targets
        self.batch_size = min(config.batch_size, len(images))
        self._seed = config.seed
        self._mixup = config.mixup
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._images) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns raw pixels `float32 (batch, height, width, channels)` and their targets."""
        if self._order is None or self._order[0] != self.epoch:
            generator = np.random.default_rng((self._seed, self.epoch))
            self._order = (self.epoch, generator.permutation(len(self._images)))
        start = index * self.batch_size
        chosen = self._order[1][start : start + self.batch_size]
        images, targets = self._images[chosen].astype(np.float32), self._targets[chosen]
        if self._mixup:
            generator = np.random.default_rng((self._seed, self.epoch, index))
            images, targets = mix(images, targets, self._mixup, generator)
        return images, targets


def run_variables(trainer: keras.Model) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Returns all that a training changes: the weights, and the optimizer's state.

    Random states are left out: each epoch sets them.
    """
    weights = [v for v in trainer.variables if v.name != "seed_generator_state"]
    return weights, trainer.optimizer.variables


class EpochCallback(keras.callbacks.Callback):
    """Seeds each epoch; after it scores the averaged weights, keeps the best, writes the state."""

    def __init__(
        self,
        network: keras.Model,
        config: TrainingConfig,
        batches: TrainingBatches,
        train_set: FaceDataset,
        validation_set: FaceDataset,
        folder: Path,
        facts: dict,
        history: list[dict],
    ):
        super().__init__()
        self.batches = batches
        self.show_progress = True
        self._network = network
        self._config = config
        self._statistics_images = _evenly_spaced(train_set.images, _STATISTICS_PICTURES)
        self._validation_set = validation_set
        self._folder = folder
        self._facts = facts
        self._history = history
        self._bar: tqdm | None = None
        self._started = 0.0

    def on_train_begin(self, logs=None):
        steps = len(self.batches)
        interactive = sys.stderr.isatty()
        self._bar = tqdm(
            total=self._config.epochs * steps,
            initial=len(self._history) * steps,
            unit="step",
            disable=not self.show_progress,
            mininterval=0.5 if interactive else 30.0,
        )

    def on_train_end(self, logs=None):
        self._bar.close()

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch
        seeds = [
            variable for variable in self.model.variables if variable.name == "seed_generator_state"
        ]
        for index, variable in enumerate(seeds):
            variable.assign([_derive_seed(self._config.seed, epoch, index), 0])
        self._bar.set_description(f"epoch {epoch + 1}/{self._config.epochs}")
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["loss"]):
            self._stop(f"a loss of {logs['loss']} in step {batch + 1}")
        self._bar.update(1)

    def _stop(self, what: str) -> None:
        self._bar.close()
        raise FloatingPointError(
            f"Expected finite numbers. Received: {what} of epoch {len(self._history) + 1}. The "
            "epoch before it is kept in the checkpoint; start anew with a lower learning rate."
        )

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._started
        optimizer = self.model.optimizer
        weights, optimizer_state = run_variables(self.model)
        variables = [*weights, *optimizer_state]
        values = checkpoint.snapshot(variables)
        # A ReLU can turn NaN into zero, so a finite loss does not prove finite weights.
        if not all(np.isfinite(value).all() for value in values):
            self._stop("weights that are NaN or infinite after the last step")

        self._use_averaged_weights()
        _estimate_batch_norm(self._network, self._statistics_images)
        accuracy, loss = self._score()
        best = max((row["val_accuracy"] for row in self._history), default=-1.0)
        if accuracy > best:
            averaged = checkpoint.snapshot(self._network.variables)
            checkpoint.write(self._folder / checkpoint.BEST_FILE, averaged, {"epoch": epoch + 1})
        checkpoint.restore(variables, values)

        num_seen = len(self.batches) * self.batches.batch_size
        rate = optimizer.learning_rate
        self._history.append(
            {
                "epoch": epoch + 1,
                "learning_rate": float(keras.ops.convert_to_numpy(rate)),
                "loss": float(logs["loss"]),
                "accuracy": float(logs["accuracy"]),
                "val_loss": loss,
                "val_accuracy": accuracy,
                "seconds": round(seconds, 2),
                "pictures_per_second": round(num_seen / seconds, 1),
            }
        )
        checkpoint.write(
            self._folder / checkpoint.STATE_FILE,
            values,
            {**self._facts, "history": self._history},
        )
        if self.show_progress:
            self._bar.write(
                f"epoch {epoch + 1}/{self._config.epochs}: loss {logs['loss']:.3f}, "
                f"accuracy {logs['accuracy']:.3f}, validation loss {loss:.3f}, validation accuracy "
                f"{accuracy:.4f}, {num_seen / seconds:.0f} pictures/s",
                file=sys.stderr,
            )

    def _use_averaged_weights(self) -> None:
        """Puts the optimizer's averages of the weights in place of the weights themselves."""
        averages = [
            variable
            for variable in self.model.optimizer.variables
            if variable.path.endswith("_average")
        ]
        for weight, average in zip(self.model.trainable_variables, averages, strict=True):
            weight.assign(average)

    def _score(self) -> tuple[float, float]:
        """Returns accuracy and cross-entropy on the validation set, without augmentation."""
        probabilities = self._network.predict(
            self._validation_set.images, batch_size=_EVALUATION_BATCH, verbose=0
        )
        labels = np.asarray(self._validation_set.labels)
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        of_label = probabilities[np.arange(len(labels)), labels]
        return accuracy, float(-np.log(np.maximum(of_label, 1e-7)).mean())


def _estimate_batch_norm(network: keras.Model, images: np.ndarray) -> None:
    """Sets the moving statistics to the mean over some batches without augmentation.

    The averaged weights never saw the statistics that the plain ones collected, and those came
    from augmented pictures (Izmailov et al., arXiv 1803.05407, section 3.2).
    """
    norms = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return
    momenta = [layer.momentum for layer in norms]
    try:
        for index, start in enumerate(range(0, len(images), _STATISTICS_BATCH)):
            for layer in norms:
                # The running mean of the batches so far, in place of an exponential one.
                layer.momentum = index / (index + 1)
            network(images[start : start + _STATISTICS_BATCH].astype(np.float32), training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum


def _evenly_spaced(images: np.ndarray, count: int) -> np.ndarray:
    chosen = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    return images[chosen]


def _derive_seed(seed: int, epoch: int, index: int) -> int:
    """Returns 31 bits that depend on all three numbers and on nothing else."""
    digest = hashlib.sha256(f"{seed} {epoch} {index}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1
