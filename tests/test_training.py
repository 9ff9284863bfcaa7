"""Training: it learns, it resumes to the same weights, and it refuses what cannot work."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from patterns import Interrupt, Interrupted, draw_patterns

from fer_lib import pretrained, training
from fer_lib.datasets import FaceDataset
from fer_lib.training import callbacks, checkpoint, loop, networks

pytestmark = pytest.mark.backends

CONFIG = training.TrainingConfig(
    variant="lesson",
    epochs=3,
    batch_size=16,
    learning_rate=0.05,
    warmup_epochs=1,
    average_decay=0.8,
    average_warmup=False,
    augmentation={"rotation": 5, "shift": 0.02, "erasing_rate": 0.1},
)
TIMING = ["seconds", "images_per_second"]
HERE = os.path.dirname(__file__)


@pytest.fixture(scope="module")
def sets():
    return draw_patterns(168, seed=0), draw_patterns(70, seed=1)


@pytest.fixture(scope="module")
def finished(sets, tmp_path_factory):
    """The checkpoints of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("finished")
    training.fit(CONFIG, *sets, folder, progress=False)
    return folder


def read_state(folder):
    return checkpoint.read(folder / loop.STATE_FILE)


def assert_same_state(one, other):
    (values, facts), (others, other_facts) = read_state(one), read_state(other)
    for value, wanted in zip(values, others, strict=True):
        np.testing.assert_array_equal(value, wanted)
    ours, theirs = (pd.DataFrame(of["history"]).drop(columns=TIMING) for of in (facts, other_facts))
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_it_learns_and_writes_a_whole_model_folder(sets, tmp_path):
    config, folder = CONFIG.replace(epochs=12, learning_rate=0.1), tmp_path / "m"
    trained = training.train(config, *sets, folder, progress=False)
    train_set, validation_set = sets
    accuracy = (trained.predict(validation_set.images).argmax(1) == validation_set.labels).mean()
    assert accuracy > 0.8
    card = json.loads((folder / "card.json").read_text())
    assert trained.card == card == pretrained.load_pretrained(folder).card
    assert card["scores"]["validation"]["accuracy"] == pytest.approx(accuracy)
    assert card["recipe"] == config.to_dict()
    assert card["data"]["training"]["sha256"] == train_set.content_hash
    assert card["data"]["validation"]["images"] == 70
    history = pd.read_csv(folder / "history.csv")
    assert list(history["epoch"]) == list(range(1, 13))
    assert card["selected_epoch"] == history["epoch"][history["val_accuracy"].argmax()]
    stored = np.load(folder / "predictions_public_test.npz")
    np.testing.assert_allclose(
        stored["probabilities"], trained.predict(validation_set.images), atol=1e-6
    )
    np.testing.assert_array_equal(stored["labels"], validation_set.labels)
    assert trained.has_seen(train_set.images).all()
    assert not trained.has_seen(validation_set.images).any()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]  # no checkpoint is left
    # A finished model is not replaced unasked, nor by a training that fails.
    with pytest.raises(FileExistsError, match="overwrite=True"):
        training.train(config, *sets, folder, progress=False)
    options = {"progress": False, "overwrite": True}
    with pytest.raises(Interrupted):
        training.train(config, *sets, folder, callbacks=[Interrupt(0, 3)], **options)
    assert pretrained.load_pretrained(folder).card == card
    config = CONFIG.replace(epochs=1, precision="mixed_bfloat16")
    again = training.train(config, *sets, folder, **options)
    assert pretrained.load_pretrained(folder).card["recipe"]["epochs"] == 1
    assert {layer.compute_dtype for layer in again.model.layers} == {"float32"}


def test_the_rate_warms_up_and_falls(finished):
    rates = [row["learning_rate"] for row in read_state(finished)[1]["history"]]
    assert rates[0] == pytest.approx(CONFIG.learning_rate)
    assert rates[0] > rates[1] > rates[2]


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_interrupted_training_resumes_to_the_same_weights(epoch, finished, sets, tmp_path):
    with pytest.raises(Interrupted):
        training.fit(CONFIG, *sets, tmp_path, progress=False, callbacks=[Interrupt(epoch, 3)])
    with pytest.raises(FileExistsError, match="--resume"):
        training.fit(CONFIG, *sets, tmp_path, progress=False)
    training.fit(CONFIG, *sets, tmp_path, resume=True, progress=False)
    assert_same_state(finished, tmp_path)


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    """`kill -9` at some moments, and `--resume` each time, against an uninterrupted run."""
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = [{HERE!r}, {os.path.join(HERE, 'tools')!r}]\n"
        "from test_training import CONFIG, draw_patterns, training\n"
        "folder, resume = sys.argv[1], sys.argv[2] == 'resume'\n"
        "config = CONFIG.replace(epochs=40)\n"
        "sets = draw_patterns(168, seed=0), draw_patterns(70, seed=1)\n"
        "training.fit(config, *sets, folder, resume=resume, progress=False)\n"
    )

    def start(folder, mode):
        return subprocess.Popen([sys.executable, script, folder, mode], cwd=os.getcwd())

    assert start(tmp_path / "whole", "new").wait() == 0
    state = tmp_path / "killed" / loop.STATE_FILE
    mode = "new"
    for _ in range(3):
        process = start(tmp_path / "killed", mode)
        before = state.stat().st_mtime_ns if state.exists() else None
        while process.poll() is None:
            if state.exists() and state.stat().st_mtime_ns != before:
                time.sleep(0.05)  # Somewhere inside the next epoch.
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        assert process.wait() == -signal.SIGKILL
        mode = "resume"
    assert start(tmp_path / "killed", "resume").wait() == 0
    assert_same_state(tmp_path / "whole", tmp_path / "killed")


def test_two_trainings_do_not_share_a_folder(sets, tmp_path):
    with (
        checkpoint.lock(tmp_path / "m.training"),
        pytest.raises(OSError, match="no other training uses"),
    ):
        training.train(CONFIG, *sets, tmp_path / "m", progress=False)


def test_there_must_be_something_to_resume(sets, tmp_path):
    with pytest.raises(FileNotFoundError, match="--resume"):
        training.train(CONFIG, *sets, tmp_path / "m", resume=True)


@pytest.mark.parametrize("changes", [{"variant": "tiny"}, {"seed": 9}, {"epochs": 9}])
def test_a_checkpoint_of_another_training_is_refused(changes, finished, sets):
    with pytest.raises(ValueError, match=f"recipe {next(iter(changes))}"):
        training.fit(CONFIG.replace(**changes), *sets, finished, resume=True)
    with pytest.raises(ValueError, match="training data"):
        training.fit(CONFIG, sets[0][:100], sets[1], finished, resume=True)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_a_damaged_checkpoint_is_named(content, sets, tmp_path):
    (tmp_path / loop.STATE_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=loop.STATE_FILE):
        training.fit(CONFIG, *sets, tmp_path, resume=True)


class MakeNaN(keras.callbacks.Callback):
    """Puts NaN into a weight where an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._epoch:
            weight = self.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan))


@pytest.mark.parametrize("epoch", [0, 2])
def test_nan_stops_with_a_message_and_keeps_the_last_good_epoch(epoch, finished, sets, tmp_path):
    with pytest.raises(FloatingPointError, match=f"epoch {epoch + 1}.*lower learning") as caught:
        training.fit(CONFIG, *sets, tmp_path, progress=False, callbacks=[MakeNaN(epoch)])
    assert ("checkpoint" in str(caught.value)) == (epoch > 0)
    if epoch:
        assert len(read_state(tmp_path)[1]["history"]) == epoch
        training.fit(CONFIG, *sets, tmp_path, resume=True, progress=False)
        assert_same_state(finished, tmp_path)


def test_a_short_training_is_not_left_with_its_first_weights(sets, tmp_path):
    config = CONFIG.replace(epochs=6, learning_rate=0.1, average_decay=0.998)
    accuracy = {}
    for warmup in (False, True):
        config = config.replace(average_warmup=warmup)
        _, history = training.fit(config, *sets, tmp_path / str(warmup), progress=False)
        scores = [v for row in history for k, v in row.items() if k.endswith("val_accuracy")]
        accuracy[warmup] = max(scores)
    assert accuracy[True] > accuracy[False] + 0.2
    assert {"plain_val_accuracy", "plain_val_loss"} <= set(history[0])


def test_the_callbacks_work_in_any_fit(sets, tmp_path):
    train_set, validation_set = sets
    images, labels = train_set.images.astype(np.float32), train_set.labels

    def fit(epochs, resume=False):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(16)]
        layers += [keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
        head = keras.layers.Dense(7, activation="softmax")
        model = keras.Sequential([keras.Input((16, 16, 1)), *layers, head])
        optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        optimizer.build(model.trainable_variables)
        saved = callbacks.Checkpoint(tmp_path / f"{epochs}.npz", resume=resume)
        if resume:
            saved.restore(model)
        best = callbacks.KeepBest(
            model, validation_set.images, validation_set.labels, tmp_path / "best.npz"
        )
        own = [callbacks.SeedEpochs(0), callbacks.StopOnNaN()]
        own += [callbacks.AveragedWeights(images, [best]), saved]
        options = {"initial_epoch": len(saved.history), "shuffle": False, "verbose": 0}
        epochs = 4 if resume else epochs
        model.fit(images, labels, epochs=epochs, callbacks=own, **options)
        return model, saved.history

    model, history = fit(4)
    assert history[-1]["val_accuracy"] > history[0]["val_accuracy"]
    # `fit` ends with the averages, and batch normalization was estimated on all of the images.
    fit(2)
    resumed, _ = fit(2, resume=True)
    for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_dtype_policy_of_other_threads_stays(monkeypatch):
    seen = []

    def look():
        seen.append(keras.config.dtype_policy().name)

    with networks.dtype_policy("mixed_bfloat16"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        look()
    look()
    assert seen == ["float32", "mixed_bfloat16", "float32"]


def test_constant_images_are_left_out(sets, tmp_path):
    images = sets[0].images.copy()
    images[:5] = 7
    dataset = FaceDataset(images=images, labels=sets[0].labels, name="with constants")
    config = CONFIG.replace(epochs=1)
    trained = training.train(config, dataset, sets[1], tmp_path / "m", progress=False)
    assert trained.card["data"]["training"]["constant_images_left_out"] == 5
    assert trained.card["data"]["training"]["images"] == 163


def test_sets_that_do_not_fit_are_refused(sets, tmp_path):
    train_set = sets[0]
    larger = FaceDataset(images=np.zeros((3, 20, 20, 1), np.uint8), labels=[0, 1, 2])
    names = tuple("abcdefg")
    renamed = FaceDataset(train_set.images, train_set.labels, class_names=names)
    for one, other, message in (
        (train_set, larger, "same image shape"),
        (train_set, renamed, "same classes"),
        (train_set[:0], train_set, "empty"),
    ):
        with pytest.raises(ValueError, match=message):
            training.train(CONFIG, one, other, tmp_path / "m")


def test_every_recipe_of_the_library_loads():
    assert "cnn" in training.list_recipes()
    for name in training.list_recipes():
        assert training.load_recipe(name).epochs >= 1
    with pytest.raises(FileNotFoundError, match="cnn"):
        training.load_recipe("nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = ", "TOML"),
        ("epoch = 3", "epoch"),
        ("epochs = 0", "epochs"),
        ('epochs = "5"', "epochs"),
        ("batch_size = 2.5", "batch_size"),
        ("learning_rate = nan", "learning_rate"),
        ("average_warmup = 1", "average_warmup"),
        ("augmentation = 3", "augmentation"),
        ("[augmentation]\nrotate = 3", "rotate"),
        ("[augmentation]\nrotation = 999", "rotation"),
    ],
)
def test_a_wrong_recipe_is_refused(text, message, tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        training.load_recipe(file)
    assert "\n" not in str(caught.value)


def test_a_recipe_is_matched_to_the_network_of_a_trained_model():
    card = {"recipe": {"variant": "tiny", "resolution": 64, "epochs": 99}}
    matched = training.match_recipe(training.load_recipe("finetune"), card)
    assert (matched.variant, matched.resolution) == ("tiny", 64)
    assert matched.epochs == training.load_recipe("finetune").epochs
    with pytest.raises(ValueError, match="card of a model that `train` made"):
        training.match_recipe(matched, {"class_names": ["a", "b"]})


@pytest.mark.parametrize("output", ["", "."])
def test_an_impossible_output_is_found_before_the_first_epoch(output, sets, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "fit", lambda *args: pytest.fail("it trains"))
    with pytest.raises(ValueError, match="empty"):
        training.train(CONFIG, *sets, output, progress=False)
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "model", Path("/proc/model")):
        with pytest.raises(OSError):
            training.train(CONFIG, *sets, place, progress=False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="other files"):
        training.train(CONFIG, *sets, tmp_path, progress=False, overwrite=True)
