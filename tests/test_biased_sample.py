"""A sample in which only happy faces wear glasses teaches glasses; the slice report finds out.

The recipe of the lesson on slices: the cause is known, for the faces are drawn.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fer_lib import evaluate, make_faces, models
from fer_lib.evaluation import slice_report

NAMES = ("happy", "sad", "surprise", "neutral")
SIZE = 32
# Half of all faces wear glasses, whatever they show; all look straight ahead, to be learned soon.
POPULATION = {"glasses": [False, True], "yaw": 0, "pitch": 0, "roll": 0, "intensity": (0.5, 1.0)}


def draw(num_per_class: int, seed: int):
    return make_faces(
        num_per_class, seed=seed, image_size=SIZE, class_names=NAMES, factors=POPULATION
    )


def train(faces) -> keras.Model:
    keras.utils.set_random_seed(0)
    network = models.build_cnn("lesson", len(NAMES), (SIZE, SIZE, 1))
    network.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    network.fit(faces.images, faces.labels, batch_size=32, epochs=16, verbose=0)
    return network


@pytest.mark.slow
def test_the_report_finds_the_gap_and_sampling_again_closes_it():
    population, test = draw(400, seed=0), draw(150, seed=1)
    glasses = population.metadata["glasses"].to_numpy(bool)
    happy = population.labels == NAMES.index("happy")
    biased = population[glasses == happy]  # glasses on every happy face, and on no other
    rows = np.random.default_rng(0).choice(len(population), len(biased), replace=False)
    fair = population[rows]  # as many faces, glasses on half of each class

    before, after = (
        slice_report(evaluate(test, train(faces)), test.metadata[["glasses"]]).gaps.iloc[0]
        for faces in (biased, fair)
    )

    assert before["worst"] == "True" and before["p_adjusted"] < 0.05
    assert after["gap"] < before["gap"] / 2
