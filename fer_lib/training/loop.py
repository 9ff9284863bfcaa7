"""One training from start to finish: `fit` with our callbacks, then the result as a model folder.

All randomness is drawn from the seed, the epoch and the step, because Keras does not save its
random state: a resumed run ends in the same weights as one that was never interrupted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm
from tqdm.keras import TqdmCallback

from fer_lib import files, pretrained
from fer_lib.datasets import FaceDataset
from fer_lib.pretrained import model_file, model_folder
from fer_lib.results import HISTORY_FILE
from fer_lib.training import checkpoint, networks
from fer_lib.training.callbacks import AveragedWeights, Checkpoint, KeepBest, SeedEpochs, StopOnNaN
from fer_lib.training.card import build_card, to_markdown
from fer_lib.training.config import TrainingConfig
from fer_lib.training.devices import distribute
from fer_lib.training.targets import JoinHeads, TrainingBatches, build_targets

STATE_FILE = "state.npz"
BEST_FILE = "best.npz"
# Below this standard deviation, in gray levels, an image is one constant color.
_CONSTANT_BELOW = 1.0


def train(
    config: TrainingConfig,
    train_set: FaceDataset,
    validation_set: FaceDataset,
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    devices: int = 1,
    start: pretrained.Pretrained | None = None,
    **options: object,
) -> pretrained.Pretrained:
    """Trains a network and writes it as a model folder.

    The checkpoints lie in `OUTPUT.training`, a folder beside `output`, until the model is whole.

    Args:
        config: The recipe.
        train_set: See `fit`.
        validation_set: See `fit`; the model is scored on it, too.
        output: The model folder to write.
        overwrite: Replace the model that `output` holds.
        devices: GPUs, TPU cores or CPUs of this machine that share each batch, see
            `devices.distribute`.
        start: See `fit`.
        **options: `resume`, `progress` and `callbacks`, see `fit`.

    Returns:
        The trained model, as read back from its file.

    Raises:
        FileExistsError: `output` holds a model and `overwrite` is false, or other files; or an
            interrupted training and `resume` is false.
        OSError: `output` cannot be written, or another training writes it.
        ValueError: There are not so many devices; and what `fit` raises.
    """
    output = Path(output)
    model_folder.check_free(output, overwrite)
    folder = output.with_name(f"{output.name}.training")
    with checkpoint.lock(folder):
        sets = train_set, validation_set
        with distribute(devices, min(config.batch_size, len(train_set))):
            network, history = fit(config, *sets, folder, start=start, **options)
        best = checkpoint.read(folder / BEST_FILE)[1]
        if config.precision != "float32" or devices > 1:
            values = checkpoint.snapshot(network.variables)
            network = networks.build_network(config, train_set, "float32")
            checkpoint.restore(network.variables, values)
        with model_folder.new_folder(output, overwrite) as partial:
            file = partial / model_folder.MODEL_FILE
            model_file.save_model(network, file)
            # Scored as it is read back: saving rounds the weights.
            model = model_file.read_model(file)
            trained = pretrained.Pretrained(model, train_set.class_names, name=output.name)
            varied = train_set[_varied(train_set)]
            card, predictions = build_card(trained, config, varied, *sets, history, best, start)
            trained.card = pretrained.write_card(partial, card, predictions)
            history_csv = pd.DataFrame(history).to_csv(index=False, float_format="%.6g")
            files.write_text(partial / HISTORY_FILE, history_csv)
            files.write_text(partial / "README.md", to_markdown(card))
    shutil.rmtree(folder, ignore_errors=True)
    return trained


def fit(
    config: TrainingConfig,
    train_set: FaceDataset,
    validation_set: FaceDataset,
    folder: str | os.PathLike[str],
    *,
    resume: bool = False,
    progress: bool = True,
    start: pretrained.Pretrained | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, list[dict]]:
    """Trains a network, with the checkpoints in `folder`, and scores and writes no model folder.

    After every epoch the averaged weights are scored on `validation_set` (its batch-norm
    statistics re-estimated on images without augmentation), the best are kept, and the whole
    state is written. Constant training images are left out.

    Args:
        config: The recipe.
        train_set: Images of `(height, width, channels)`, raw pixels.
        validation_set: Images of the same shape and classes, to select the best epoch on.
        folder: Where the checkpoints are.
        resume: Go on with the interrupted training of `folder`.
        progress: Show a progress bar with the time left on stderr.
        start: A trained model of the recipe's variant to start from; its head is kept where the
            classes are the same.
        callbacks: Yours, such as `keras.callbacks.TensorBoard("logs")`.

    Returns:
        The network in the recipe's precision, with the weights of the best epoch, and the history,
        one row of figures an epoch.

    Raises:
        ValueError: Data sets that do not fit each other, a start of another network, a teacher of
            other classes, no votes or no teacher for a recipe with them, or a checkpoint of another
            training.
        FileNotFoundError: Nothing to resume, or no teacher.
        FileExistsError: `folder` holds a training run and `resume` is false.
        FloatingPointError: The loss became NaN or infinite; an earlier checkpoint is kept.

    Side effects:
        Sets the global random seeds of Python, numpy and the Keras backend.
    """
    _check_data(train_set, validation_set)
    state_file, best_file = Path(folder) / STATE_FILE, Path(folder) / BEST_FILE
    if not resume and state_file.exists():
        raise FileExistsError(
            f"Expected an --output without a training. Received: {folder}, which holds one. "
            "Go on with it by --resume, or remove it."
        )
    train_set = train_set[_varied(train_set)]
    data = train_set.images, build_targets(config, train_set)
    batches = TrainingBatches(*data, config.batch_size, config.seed, config.mixup)

    keras.utils.set_random_seed(config.seed)
    # What a checkpoint or another model brings replaces the backbone's first weights.
    first_weights = None if resume or start is not None else config.weights
    network = networks.build_network(config, train_set, config.precision, first_weights)
    if start is not None:
        networks.copy_weights(start, network, train_set.class_names)
    join = JoinHeads.of_recipe(config, train_set) if config.votes_share else None
    teacher = networks.build_teacher(config, train_set) if config.distillation else None
    trainer = networks.build_trainer(config, network, teacher, join)
    facts = {
        "recipe": config.to_dict(),
        "start": None if start is None else start.name,
        "training data": train_set.content_hash,
        "validation data": validation_set.content_hash,
        "backend": keras.backend.backend(),
    }
    saved = Checkpoint(state_file, facts, resume, len(batches) * batches.batch_size)
    scores = [row[name] for row in saved.history for name in row if name.endswith("val_accuracy")]
    validation = validation_set.images, validation_set.labels
    keep_last = config.keep == "last"
    scoring = [KeepBest(network, *validation, best_file, max(scores, default=-1.0), keep_last)]
    if join is not None:
        scoring.insert(0, join)
    averaged = AveragedWeights(train_set.images, scoring, network, config.average_warmup)
    own = [SeedEpochs(config.seed, batches), StopOnNaN(), averaged, saved]
    # The head alone, then the rest with it.
    for phase in (range(config.head_epochs), range(config.head_epochs, config.epochs)):
        if not phase or len(saved.history) >= phase.stop:
            continue
        networks.compile_trainer(config, network, trainer, len(batches), phase)
        if saved.history:
            # Keras leaves averaged weights behind when `fit` ends, so a phase always begins from
            # the file, interrupted or not. The optimizer of the phase before ended with it.
            saved.restore(trainer, with_optimizer=len(saved.history) > phase.start)
        bars = TqdmCallback(tqdm_class=tqdm, disable=not progress, mininterval=1.0)
        trainer.fit(
            batches,
            epochs=phase.stop,
            initial_epoch=len(saved.history),
            shuffle=False,
            verbose=0,
            callbacks=[*own, bars, *callbacks],
        )
    checkpoint.restore(network.variables, checkpoint.read(best_file)[0])
    return network, saved.history


def _varied(dataset: FaceDataset) -> np.ndarray:
    """Returns `bool (n,)`: which images are not one constant color."""
    return dataset.images.std(axis=(1, 2, 3)) >= _CONSTANT_BELOW


def _check_data(train_set: FaceDataset, validation_set: FaceDataset) -> None:
    for name, dataset in (("train_set", train_set), ("validation_set", validation_set)):
        if len(dataset) == 0:
            raise ValueError(f"Expected images in `{name}`. Received: an empty set")
    for what, one, other in (
        ("classes", train_set.class_names, validation_set.class_names),
        ("image shape", train_set.images.shape[1:], validation_set.images.shape[1:]),
    ):
        if one != other:
            raise ValueError(
                f"Expected the same {what} for training and validation. Received: {one} and {other}"
            )
