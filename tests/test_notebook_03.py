"""What lesson 03 builds by hand is what the library and Keras do."""

from __future__ import annotations

from pathlib import Path

import keras
import notebook_cells
import numpy as np
import pytest
import recipe_experiments

import fer_lib
from fer_lib.training.targets import TrainingBatches

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "03_augmentation.ipynb"
RANGES = {"rotation": 12.0, "zoom": (0.8, 1.3), "shift": 0.1, "shear": 20.0}


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK)


@pytest.fixture(scope="module")
def faces() -> fer_lib.FaceDataset:
    return fer_lib.make_faces(2, seed=1)


@pytest.mark.parametrize("flip_rate", [0.0, 1.0])
@pytest.mark.parametrize("drawn", [0.0, 0.3, 0.9])
def test_the_product_of_matrices_is_the_warp_of_the_library(
    names: dict,
    faces: fer_lib.FaceDataset,
    monkeypatch: pytest.MonkeyPatch,
    flip_rate: float,
    drawn: float,
) -> None:
    def draw(shape, low=0.0, high=1.0, **_):
        return keras.ops.full(shape, low + drawn * (high - low))

    monkeypatch.setattr(keras.random, "uniform", draw)
    layer = fer_lib.augmentation.RandomAffine(flip_rate=flip_rate, seed=0, **RANGES)
    images = faces.images.astype("float32")
    library = keras.ops.convert_to_numpy(layer(images, training=True))

    share = 2 * drawn - 1  # of the largest change, to one side or the other
    low, high = np.log(RANGES["zoom"])
    steps = [
        names["move"](share * 0.1 * 48, share * 0.1 * 48),
        *([names["about_middle"](names["mirror"])] if flip_rate else []),
        names["about_middle"](names["turn"](share * RANGES["rotation"])),
        names["about_middle"](names["slant"](share * RANGES["shear"])),
        names["about_middle"](names["zoom"](np.exp(low + drawn * (high - low)))),
    ]
    by_hand = names["warp"](images, np.linalg.multi_dot(steps))
    # Places are rounded to 32 bits: a thousandth of a pixel at an edge of 255 gray levels.
    np.testing.assert_allclose(by_hand, library, atol=0.1)


def test_mix_up_is_that_of_the_training(names: dict, faces: fer_lib.FaceDataset) -> None:
    images, wanted = faces.images.astype("float32"), np.eye(7, dtype="float32")[faces.labels]
    library = TrainingBatches(images, wanted, len(images), seed=5, mixup=0.3)[0]
    order = np.random.default_rng((5, 0)).permutation(len(images))  # of the first epoch
    generator = np.random.default_rng((5, 0, 0))  # of its first batch
    by_hand = names["mix_up"](images[order], wanted[order], 0.3, generator)
    for mine, theirs in zip(by_hand, library, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_cut_mix_mixes_targets_by_area(names: dict) -> None:
    values = np.arange(40, dtype="float32")
    images = np.tile(values[:, None, None, None], (1, 48, 48, 1))
    wanted = np.eye(40, dtype="float32")
    mixed, mixed_targets = names["cut_mix"](images, wanted, np.random.default_rng(0))
    # An image of one gray level: its mean says how large the foreign part is.
    np.testing.assert_allclose(mixed_targets @ values, mixed.mean(axis=(1, 2, 3)), atol=1e-3)
    assert all(set(np.unique(mixed[i])) <= set(values[mixed_targets[i] > 0]) for i in range(40))
    assert (images == values[:, None, None, None]).all()
    keras_mixed = keras.layers.CutMix(seed=0)({"images": images, "labels": wanted})
    keras_means = keras.ops.convert_to_numpy(keras_mixed["images"]).mean(axis=(1, 2, 3))
    # Keras' own layer follows the same rule; its area is that before rounding to whole pixels.
    keras_values = keras.ops.convert_to_numpy(keras_mixed["labels"]) @ values
    np.testing.assert_allclose(keras_values, keras_means, atol=2.0)


def test_the_covered_mouth_is_that_of_the_experiment(
    names: dict, faces: fer_lib.FaceDataset
) -> None:
    by_hand = names["cover"](faces.images, names["mouth"])
    library = recipe_experiments.mouth_erased(faces.images)
    np.testing.assert_array_equal(by_hand[::2], library[::2])
    assert (names["cover"](faces.images, names["forehead"])[:, 0, 24] == 128).all()
