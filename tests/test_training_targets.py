"""What a network is trained towards: labels, a teacher, votes, mixtures, and the loss of each."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest
from patterns import Interrupt, Interrupted, draw_patterns
from scipy.special import softmax

from fer_lib import pretrained, training
from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.labels import EMOTIONS, EMOTIONS_8
from fer_lib.training import networks, targets

CONFIG = training.TrainingConfig(variant="lesson", label_smoothing=0.1)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)


@pytest.fixture
def dataset():
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)
    votes = generator.integers(0, 5, (5, 10))
    votes[2] = 0
    return FaceDataset(
        images, [0, 3, 6, 6, 1], metadata=pd.DataFrame(votes, columns=list(VOTE_COLUMNS))
    )


@pytest.fixture
def soft_labels():
    return softmax(np.random.default_rng(2).normal(size=(5, 7)), axis=1).astype(np.float32)


def loss_of(config, rows, outputs):
    parts = config.distillation, config.distillation_temperature, config.label_smoothing
    loss = targets.DistillationLoss(7, *parts, config.votes)
    return keras.ops.convert_to_numpy(loss.call(rows, outputs))


def test_without_a_teacher_it_is_keras_own_smoothed_cross_entropy(logits, dataset):
    rows = targets.build_targets(CONFIG, dataset)
    expected = keras.losses.categorical_crossentropy(
        np.eye(7)[dataset.labels], logits, from_logits=True, label_smoothing=0.1
    )
    np.testing.assert_allclose(loss_of(CONFIG, rows, logits), expected, rtol=1e-5)


def test_the_teacher_is_compared_at_its_temperature(logits, dataset, soft_labels):
    config = CONFIG.replace(distillation=1.0, distillation_temperature=2.0)
    rows = targets.build_targets(config, dataset)
    soft = np.sqrt(soft_labels) / np.sqrt(soft_labels).sum(axis=1, keepdims=True)
    expected = -4 * (soft * np.log(softmax(logits / 2, axis=1))).sum(axis=1)
    outputs = np.concatenate([logits, logits, np.log(soft_labels)], axis=1)
    np.testing.assert_allclose(loss_of(config, rows, outputs), expected, rtol=1e-5)


def test_a_student_that_equals_its_teacher_has_no_gradient_left(dataset, soft_labels):
    config = CONFIG.replace(distillation=1.0)
    rows = targets.build_targets(config, dataset)
    at_teacher = np.log(soft_labels)

    def loss_at(student):
        return loss_of(config, rows, np.concatenate([student, student, at_teacher], axis=1))

    least = loss_at(at_teacher)
    for change in np.random.default_rng(3).normal(0, 0.3, (20, 5, 7)).astype(np.float32):
        assert (loss_at(at_teacher + change) >= least - 1e-5).all()


def test_votes_add_their_cross_entropy_and_an_image_without_votes_nothing(logits, dataset):
    config = CONFIG.replace(votes=0.5)
    rows = targets.build_targets(config, dataset)
    assert rows[2, 7:].sum() == 0
    np.testing.assert_allclose(rows[[0, 1, 3, 4], 7:].sum(axis=1), 1, rtol=1e-6)
    vote_logits = np.random.default_rng(4).normal(size=(5, 8)).astype(np.float32)
    outputs = np.concatenate([logits, vote_logits], axis=1)
    expected = loss_of(CONFIG, rows[:, :7], logits) - 0.5 * (
        rows[:, 7:] * np.log(softmax(vote_logits, axis=1))
    ).sum(axis=1)
    np.testing.assert_allclose(loss_of(config, rows, outputs), expected, rtol=1e-5)


def test_what_a_recipe_uses_must_be_there(dataset):
    bare = FaceDataset(dataset.images, dataset.labels)
    with pytest.raises(ValueError, match="load_ferplus"):
        targets.build_targets(CONFIG.replace(votes=0.5), bare)


def test_mixing_keeps_the_sum_of_the_targets_and_the_range_of_the_images():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (64, 4, 4, 1), np.uint8)
    rows = np.eye(7, dtype=np.float32)[generator.integers(0, 7, 64)]
    mixed, mixed_rows = targets.TrainingBatches(images, rows, 64, mixup=0.2)[0]
    np.testing.assert_allclose(mixed_rows.sum(axis=1), 1, rtol=1e-5)
    assert mixed.min() >= 0 and mixed.max() <= 255
    assert ((mixed_rows > 0).sum(axis=1) == 2).any()
    assert mixed.dtype == mixed_rows.dtype == np.float32


@pytest.fixture(scope="module")
def bars():
    return draw_patterns(112, 0, side=32), draw_patterns(35, 1, side=32)


SHORT = training.TrainingConfig(
    variant="tiny", epochs=3, batch_size=16, learning_rate=0.02, average_decay=0.5,
    augmentation={"flip_rate": 0.0, "erasing_rate": 0.0},
)  # fmt: skip


@pytest.fixture(scope="module")
def teacher(bars, tmp_path_factory):
    """The folder of a trained network of another variant."""
    folder = tmp_path_factory.mktemp("models") / "teacher"
    training.train(SHORT.replace(epochs=1, variant="lesson"), *bars, folder, progress=False)
    return folder


def fit(config, sets, folder, start=None):
    """Trains without the scores of a model folder."""
    network, _ = training.fit(config, *sets, folder, start=start, progress=False)
    return pretrained.Pretrained(network, sets[0].class_names, name=folder.name)


def test_a_recipe_with_everything_trains_and_resumes_to_the_same_weights(bars, teacher, tmp_path):
    config = SHORT.replace(
        votes=0.3, mixup=0.2, distillation=0.5, head_epochs=1,
        unfreeze_from="stage3", freeze_batch_norm=True, optimizer="adam", learning_rate=1e-3,
    )  # fmt: skip
    config = config.replace(teacher=str(teacher))
    whole, _ = training.fit(config, *bars, tmp_path / "whole", progress=False)

    second_phase = Interrupt(1)  # before its first step
    with pytest.raises(Interrupted):
        training.fit(config, *bars, tmp_path / "two", progress=False, callbacks=[second_phase])
    two, _ = training.fit(config, *bars, tmp_path / "two", progress=False, resume=True)
    for one, other in zip(whole.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_teacher_sees_the_augmented_image(bars, teacher):
    nothing_else = {"rotation": 0.0, "zoom": [1.0, 1.0], "shift": 0.0, "contrast": 0.0}
    nothing_else |= {"brightness": 0.0, "erasing_rate": 0.0}
    config = SHORT.replace(augmentation={"flip_rate": 1.0, **nothing_else}, distillation=1.0)
    network = networks.build_network(config, bars[0], "float32")
    frozen = networks.build_teacher(config.replace(teacher=str(teacher)), bars[0])
    teacher = pretrained.load_pretrained(teacher)
    trainer = networks.build_trainer(config, network, frozen)
    outputs = trainer(bars[0].images[:4].astype("float32"), training=True)
    mirrored = teacher.model.predict(bars[0].images[:4, :, ::-1], verbose=0)
    np.testing.assert_allclose(outputs[:, -7:], np.log(mirrored), atol=1e-4)
    assert not frozen.trainable_variables


def test_a_teacher_that_is_missing_or_does_not_fit_is_refused(bars, teacher, tmp_path):
    config = SHORT.replace(distillation=0.5)
    with pytest.raises(ValueError, match="--teacher"):
        training.fit(config, *bars, tmp_path / "none", progress=False)
    small = [dataclasses.replace(part, images=part.images[:, 4:28, 4:28]) for part in bars]
    config = config.replace(teacher=str(teacher))
    with pytest.raises(ValueError, match="Expected a teacher of the classes"):
        training.fit(config, *small, tmp_path / "other", progress=False)


def test_the_first_phase_trains_the_head_alone_and_the_second_what_it_may(bars, tmp_path):
    start = fit(SHORT, bars, tmp_path / "start")
    head = fit(SHORT.replace(head_epochs=3), bars, tmp_path / "head", start)
    config = SHORT.replace(unfreeze_from="stage3", freeze_batch_norm=True)
    top = fit(config, bars, tmp_path / "top", start)
    for trained, kept in ((head, ("stem", "stage")), (top, ("stem", "stage1", "stage2"))):
        for layer in trained.model.layers:
            before = start.model.get_layer(layer.name).get_weights()
            if layer.weights and (layer.name.startswith(kept) or layer.name.endswith("bn")):
                for one, other in zip(before, layer.get_weights(), strict=True):
                    np.testing.assert_array_equal(one, other, err_msg=layer.name)
            elif layer.weights:
                assert not np.array_equal(before[0], layer.get_weights()[0]), layer.name


def test_a_card_names_the_models_that_the_training_began_with(bars, teacher, tmp_path):
    config = SHORT.replace(epochs=1, variant="lesson")
    start = pretrained.load_pretrained(teacher)
    second = training.train(config, *bars, tmp_path / "second", start=start, progress=False)
    third = training.train(config, *bars, tmp_path / "third", start=second, progress=False)
    assert third.card["start"]["name"] == "second"
    assert third.card["start"]["start"]["name"] == "teacher"
    readme = (tmp_path / "third" / "README.md").read_text("utf-8")
    assert "It began with the weights of `second`" in readme
    assert "That one began with those of `teacher`" in readme


def test_a_start_with_other_classes_gives_its_features_and_not_its_head(bars, tmp_path):
    start = fit(SHORT.replace(epochs=1), bars, tmp_path / "start")
    names = ("angry", "happy")
    two = [part.with_classes(names) for part in bars]
    config = SHORT.replace(epochs=1, head_epochs=1)
    tuned = fit(config, two, tmp_path / "two", start)
    assert tuned.model.output_shape == (None, 2)
    np.testing.assert_array_equal(
        tuned.model.get_layer("stem_conv").get_weights()[0],
        start.model.get_layer("stem_conv").get_weights()[0],
    )
    with pytest.raises(ValueError, match="cnn_lesson like the recipe's"):
        fit(SHORT.replace(variant="lesson"), bars, tmp_path / "no", start)


def test_the_joined_head_is_the_mean_of_both_heads_and_its_offsets():
    embedding = keras.Input((4,))
    kept, other = keras.layers.Dense(3, name="logits"), keras.layers.Dense(5, name="votes")
    label_head = keras.Model(embedding, kept(embedding), name="heads")
    model = keras.Model(embedding, [label_head(embedding), other(embedding)])
    points = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    first, second = model.predict(points, verbose=0)
    offsets = np.array([0.5, 0.0, -0.5], np.float32)
    expected = 0.25 * first + 0.75 * second[:, [4, 0, 2]] + offsets
    join = targets.JoinHeads((4, 0, 2), 0.75, offsets)
    np.testing.assert_allclose(join(first, second), expected, atol=1e-5)
    join.set_model(model)
    join.on_epoch_end(0)
    np.testing.assert_allclose(model.predict(points, verbose=0)[0], expected, atol=1e-5)


def test_a_network_of_votes_predicts_what_people_see_and_not_the_label(bars, tmp_path):
    train_set, validation_set = bars
    seen = 6 - train_set.labels  # people see another class than the label, always the same one
    order = [EMOTIONS_8.index(name) for name in EMOTIONS]
    votes = pd.DataFrame(10 * np.eye(10, dtype=int)[np.array(order)[seen]], columns=VOTE_COLUMNS)
    train_set = dataclasses.replace(train_set, metadata=votes)
    config = training.TrainingConfig(
        variant="tiny", epochs=6, batch_size=16, learning_rate=0.05, votes=1.0, votes_share=1.0,
        prior_correction=0.25, keep="last", augmentation={"flip_rate": 0.0},
    )  # fmt: skip
    network, history = training.fit(config, train_set, validation_set, tmp_path, progress=False)
    predicted = network.predict(train_set.images, verbose=0).argmax(axis=1)
    assert (predicted == seen).mean() > 0.5 > (predicted == train_set.labels).mean()
    assert len(history) == 6


@pytest.mark.parametrize(
    "changes", [{"votes_share": 0.5}, {"prior_correction": 0.2, "votes": 1.0}, {"keep": "first"}]
)
def test_a_recipe_of_heads_that_cannot_work_is_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        CONFIG.replace(**changes)
