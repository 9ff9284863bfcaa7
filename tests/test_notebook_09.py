"""What lesson 09 computes by hand is what the library computes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from scipy import stats

import fer_lib
from fer_lib.explain.map_checks import randomize_weights


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return fer_lib.make_faces(1, seed=4).images.astype("float32")


@pytest.fixture(scope="module")
def lesson() -> keras.Model:
    keras.utils.set_random_seed(0)
    return fer_lib.build_cnn("lesson")


def with_places() -> keras.Model:
    """A network whose head weighs every position by itself, so that gradients differ."""
    pixels = keras.Input((48, 48, 1))
    x = layers.Rescaling(1 / 255)(pixels)
    x = layers.Conv2D(4, 5, strides=4, activation="relu", name="last_map")(x)
    x = layers.Dense(7, name="logits")(layers.Flatten()(x))
    return keras.Model(pixels, layers.Softmax()(x))


@pytest.mark.parametrize("label", [0, 3])
def test_grad_cam(names: dict, images: np.ndarray, lesson: keras.Model, label: int) -> None:
    for network in (lesson, with_places()):
        features, head = names["cut"](network)
        maps = features(images).numpy()
        gradients = names["gradient_of_logit"](head, maps, label)
        by_hand = names["enlarge"](names["weigh"](maps, gradients))
        library = fer_lib.grad_cam(network, images, label)
        assert by_hand.shape == library.shape and library.max() == pytest.approx(1)
        np.testing.assert_allclose(by_hand, library, atol=1e-6)


def test_the_lesson_tells_the_truth_about_gradients_behind_a_mean(
    names: dict, images: np.ndarray
) -> None:
    network = fer_lib.build_cnn("tiny")  # the lesson's own takes the maximum over the places
    features, head = names["cut"](network)
    gradients = names["gradient_of_logit"](head, features(images).numpy(), 3)
    weights = np.asarray(network.get_layer("logits").kernel)[:, 3] / 36
    np.testing.assert_allclose(gradients, np.broadcast_to(weights, gradients.shape), atol=1e-6)


def test_forgetting_and_likeness(names: dict, images: np.ndarray, lesson: keras.Model) -> None:
    by_hand, library = names["forget"](lesson, seed=2), randomize_weights(lesson, seed=2)
    for mine, theirs in zip(by_hand.get_weights(), library.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    maps = [fer_lib.explain.occlusion_map(network, images[:2], 3) for network in (lesson, by_hand)]
    np.testing.assert_allclose(
        [names["likeness"](*pair) for pair in zip(*maps, strict=True)],
        fer_lib.explain.sanity_check(
            lesson, images[:2], method=lambda *a: fer_lib.explain.occlusion_map(*a, 3), seed=2
        ),
        atol=1e-6,
    )


def test_the_lesson_tells_the_truth_about_the_smiling_face(
    names: dict, astronaut: np.ndarray
) -> None:
    crop = fer_lib.align_face(astronaut, fer_lib.FaceDetector().detect(astronaut)[0])
    face = crop[None, ..., None].astype("float32")
    network = fer_lib.load_pretrained("cnn")
    clean, noisy = (
        dict(zip(network.class_names, network.predict(image)[0], strict=True))
        for image in (face, names["add_noise"](face, 30))
    )
    assert clean["happy"] > 0.5 > 0.1 > max(clean["neutral"], clean["angry"])
    assert noisy["happy"] < clean["happy"] - 0.3
    label = network.class_names.index("happy")
    models = network.model, names["forget"](network.model)
    maps = [fer_lib.grad_cam(model, face, label)[0] for model in models]
    assert abs(names["likeness"](*maps)) < 0.8


def test_gap_and_its_p_value(names: dict) -> None:
    generator = np.random.default_rng(1)
    group = generator.random(120) < 0.4
    correct = generator.random(120) < np.where(group, 0.75, 0.6)
    gap, p = names["gap_and_p"](correct, group)
    predicted = np.where(correct, 0, 1)
    report = fer_lib.evaluate(np.zeros(120, int), np.eye(2)[predicted], ["happy", "sad"])
    gaps = fer_lib.evaluation.slice_report(report, {"group": group}).gaps
    row = gaps.set_index("score").loc["recall of happy"]
    assert abs(gap) == pytest.approx(row.gap, abs=1e-6)
    # Both draw 9,999 permutations; the p value that all permutations have is known.
    hits = np.arange(correct.sum() + 1)  # of the correct ones, those in the group
    differences = hits / group.sum() - (correct.sum() - hits) / (~group).sum()
    chance = stats.hypergeom(len(group), group.sum(), correct.sum()).pmf(hits)
    exact = chance[np.abs(differences) >= abs(gap) - 1e-12].sum()
    assert 0.02 < exact < 0.5
    assert p == pytest.approx(exact, abs=0.015)
    assert row.p_value == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize("strength", [1, 5])
def test_noise(names: dict, images: np.ndarray, strength: int) -> None:
    level = (5, 10, 15, 20, 30)[strength - 1]
    library = fer_lib.evaluation.corrupt(images.astype("uint8"), "noise", strength)
    np.testing.assert_array_equal(names["add_noise"](images, level), library)
