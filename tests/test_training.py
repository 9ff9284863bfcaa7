"""Training: it learns, it resumes to the same weights, and it refuses what cannot work."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from fer_lib import pretrained, training
from fer_lib.datasets import FaceDataset
from fer_lib.training import checkpoint, epochs, loop

pytestmark = pytest.mark.backends

CONFIG = training.TrainingConfig(
    variant="lesson",
    epochs=3,
    batch_size=16,
    learning_rate=0.05,
    warmup_epochs=1,
    average_decay=0.8,
    augmentation={"rotation": 5, "shift": 0.02, "erasing_rate": 0.1},
)


def draw_patterns(count, seed):
    """Pictures of 16 x 16 with a bright bar at a height that is the class, and noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    images = generator.integers(0, 90, (count, 16, 16, 1)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[1 + 2 * label : 3 + 2 * label] += 150
    return FaceDataset(images=images, labels=labels, name=f"patterns {seed}")


@pytest.fixture(scope="module")
def train_set():
    return draw_patterns(168, seed=0)


@pytest.fixture(scope="module")
def validation_set():
    return draw_patterns(70, seed=1)


@pytest.fixture(scope="module")
def finished(train_set, validation_set, tmp_path_factory):
    """The folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("finished") / "model"
    training.train(CONFIG, train_set, validation_set, folder, progress=False)
    return folder


def read_state(folder):
    return checkpoint.read(folder / loop.CHECKPOINT_DIR / checkpoint.STATE_FILE)


def test_it_learns_and_writes_a_whole_model_folder(train_set, validation_set, tmp_path):
    config = CONFIG.replace(epochs=12, learning_rate=0.1)
    trained = training.train(config, train_set, validation_set, tmp_path / "m", progress=False)
    accuracy = (trained.predict(validation_set.images).argmax(1) == validation_set.labels).mean()
    assert accuracy > 0.8
    card = json.loads((tmp_path / "m" / "card.json").read_text())
    assert card["scores"]["selection"]["accuracy"] == pytest.approx(accuracy)
    assert card["recipe"] == config.to_dict()
    assert card["data"]["training"]["sha256"] == train_set.content_hash
    assert card["data"]["selection"]["pictures"] == 70
    history = pd.read_csv(tmp_path / "m" / "history.csv")
    assert list(history["epoch"]) == list(range(1, 13))
    assert card["selected_epoch"] == history["epoch"][history["val_accuracy"].argmax()]
    stored = np.load(tmp_path / "m" / "predictions_public_test.npz")
    np.testing.assert_allclose(
        stored["probabilities"], trained.predict(validation_set.images), atol=1e-6
    )
    np.testing.assert_array_equal(stored["labels"], validation_set.labels)


def test_the_rate_warms_up_and_falls(finished):
    rates = pd.read_csv(finished / "history.csv")["learning_rate"]
    assert rates[0] == pytest.approx(CONFIG.learning_rate)
    assert rates[0] > rates[1] > rates[2]


@pytest.mark.parametrize("epoch", [0, 1])
def test_an_interrupted_training_resumes_to_the_same_weights(
    epoch, finished, train_set, validation_set, tmp_path, monkeypatch
):
    class Interrupted(Exception):
        pass

    original = epochs.EpochCallback.on_train_batch_end

    def interrupt(self, batch, logs=None):
        original(self, batch, logs)
        if self.batches.epoch == epoch + 1 and batch == 3:
            raise Interrupted

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(epochs.EpochCallback, "on_train_batch_end", interrupt)
        training.train(CONFIG, train_set, validation_set, tmp_path, progress=False)
    training.train(CONFIG, train_set, validation_set, tmp_path, resume=True, progress=False)

    expected, facts = read_state(finished)
    resumed, resumed_facts = read_state(tmp_path)
    for one, other in zip(expected, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(facts["history"], resumed_facts["history"], strict=True):
        timing = {"seconds", "pictures_per_second"}
        assert {k: v for k, v in one.items() if k not in timing} == {
            k: v for k, v in other.items() if k not in timing
        }


def test_resuming_a_finished_training_writes_its_folder_anew(finished, train_set, validation_set):
    before = json.loads((finished / "card.json").read_text())
    (finished / "card.json").unlink()
    training.train(CONFIG, train_set, validation_set, finished, resume=True, progress=False)
    after = json.loads((finished / "card.json").read_text())
    assert after.pop("speed").keys() == before.pop("speed").keys()
    assert after == before


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(tmp_path):
    """`kill -9` at some moments, and `--resume` each time, against an uninterrupted run."""
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = [{str(os.path.dirname(__file__))!r}]\n"
        "from test_training import CONFIG, draw_patterns, training\n"
        "folder, resume = sys.argv[1], sys.argv[2] == 'resume'\n"
        "config = CONFIG.replace(epochs=40)\n"
        "sets = draw_patterns(168, seed=0), draw_patterns(70, seed=1)\n"
        "training.train(config, *sets, folder, resume=resume, progress=False)\n"
    )

    def start(folder, mode):
        return subprocess.Popen([sys.executable, script, folder, mode], cwd=os.getcwd())

    assert start(tmp_path / "whole", "new").wait() == 0
    state = tmp_path / "killed" / loop.CHECKPOINT_DIR / checkpoint.STATE_FILE
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
    for one, other in zip(
        read_state(tmp_path / "whole")[0], read_state(tmp_path / "killed")[0], strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_second_training_does_not_overwrite_the_first(finished, train_set, validation_set):
    with pytest.raises(FileExistsError, match="--resume"):
        training.train(CONFIG, train_set, validation_set, finished, progress=False)


def test_there_must_be_something_to_resume(train_set, validation_set, tmp_path):
    with pytest.raises(FileNotFoundError, match="--resume"):
        training.train(CONFIG, train_set, validation_set, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"variant": "tiny"}, "variant"), ({"seed": 9}, "seed"), ({"epochs": 9}, "epochs")],
)
def test_a_checkpoint_of_another_training_is_refused(
    changes, message, finished, train_set, validation_set
):
    with pytest.raises(ValueError, match=f"recipe {message}"):
        training.train(CONFIG.replace(**changes), train_set, validation_set, finished, resume=True)


def test_a_checkpoint_of_other_data_is_refused(finished, train_set, validation_set):
    with pytest.raises(ValueError, match="training data"):
        training.train(CONFIG, train_set[:100], validation_set, finished, resume=True)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_a_damaged_checkpoint_is_named(content, train_set, validation_set, tmp_path):
    state = tmp_path / loop.CHECKPOINT_DIR / checkpoint.STATE_FILE
    state.parent.mkdir()
    state.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        training.train(CONFIG, train_set, validation_set, tmp_path, resume=True)


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "state.npz"
    checkpoint.write(file, [np.ones(3)], {"epoch": 1})

    def no_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", no_space)
    with pytest.raises(OSError, match="previous checkpoint"):
        checkpoint.write(file, [np.zeros(3)], {"epoch": 2})
    assert checkpoint.read(file)[1] == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_a_loss_that_is_nan_stops_with_a_message_and_keeps_the_last_good_epoch(
    finished, train_set, validation_set, tmp_path, monkeypatch
):
    original = epochs.EpochCallback.on_epoch_begin

    def spoil(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 2:
            weight = self.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan))

    with monkeypatch.context() as patch:
        patch.setattr(epochs.EpochCallback, "on_epoch_begin", spoil)
        with pytest.raises(FloatingPointError, match="epoch 3.*lower learning rate"):
            training.train(CONFIG, train_set, validation_set, tmp_path, progress=False)
    assert len(read_state(tmp_path)[1]["history"]) == 2
    training.train(CONFIG, train_set, validation_set, tmp_path, resume=True, progress=False)
    for one, other in zip(read_state(finished)[0], read_state(tmp_path)[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_constant_pictures_are_left_out(train_set, validation_set, tmp_path):
    images = train_set.images.copy()
    images[:5] = 7
    dataset = FaceDataset(images=images, labels=train_set.labels, name="with constants")
    config = CONFIG.replace(epochs=1)
    trained = training.train(config, dataset, validation_set, tmp_path, progress=False)
    assert trained.card["data"]["training"]["constant_pictures_left_out"] == 5
    assert trained.card["data"]["training"]["pictures"] == 163


def test_sets_that_do_not_fit_are_refused(train_set, tmp_path):
    larger = FaceDataset(images=np.zeros((3, 20, 20, 1), np.uint8), labels=[0, 1, 2])
    with pytest.raises(ValueError, match="one shape"):
        training.train(CONFIG, train_set, larger, tmp_path)
    renamed = FaceDataset(
        images=train_set.images, labels=train_set.labels, class_names=tuple("abcdefg")
    )
    with pytest.raises(ValueError, match="same classes"):
        training.train(CONFIG, train_set, renamed, tmp_path)
    with pytest.raises(ValueError, match="empty"):
        training.train(CONFIG, train_set[:0], train_set, tmp_path)


def test_order_depends_on_seed_and_epoch_alone(train_set):
    targets = np.eye(7, dtype=np.float32)[train_set.labels]
    batches = epochs.TrainingBatches(CONFIG.replace(seed=1), train_set.images, targets)
    first = [batches[index][0] for index in range(len(batches))]
    batches.epoch = 1
    second = batches[0][0]
    batches.epoch = 0
    np.testing.assert_array_equal(batches[3][0], first[3])
    assert not np.array_equal(second, first[0])


def test_every_recipe_of_the_library_loads():
    assert "cnn" in training.list_recipes()
    for name in training.list_recipes():
        assert training.load_recipe(name).epochs >= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("epochs = ", "TOML"), ("epoch = 3", "epoch"), ("epochs = 0", "epochs")],
)
def test_a_wrong_recipe_is_refused(text, message, tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        training.load_recipe(file)


def test_a_recipe_is_matched_to_the_network_of_a_trained_model():
    card = {"recipe": {"variant": "tiny", "squeeze_excite": True, "epochs": 99}}
    matched = training.match_recipe(training.load_recipe("finetune"), card)
    assert (matched.variant, matched.squeeze_excite) == ("tiny", True)
    assert matched.epochs == training.load_recipe("finetune").epochs
    with pytest.raises(ValueError, match="card of a model that `train` made"):
        training.match_recipe(matched, {"class_names": ["a", "b"]})


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match="cnn"):
        training.load_recipe("nothing")


def test_the_saved_model_is_float32_after_mixed_training(train_set, validation_set, tmp_path):
    config = CONFIG.replace(epochs=1, precision="mixed_bfloat16")
    trained = training.train(config, train_set, validation_set, tmp_path, progress=False)
    assert {layer.compute_dtype for layer in trained.model.layers} == {"float32"}
    assert pretrained.keras.config.dtype_policy().name == "float32"
