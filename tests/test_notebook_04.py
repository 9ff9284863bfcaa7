"""The network that lesson 04 builds by hand is the library's."""

from __future__ import annotations

from pathlib import Path

import keras
import notebook_cells
import numpy as np
import pytest

import fer_lib

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "04_cnn.ipynb"


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK)


def test_the_network_has_the_same_layers_parameters_and_outputs(names: dict) -> None:
    by_hand, library = names["model"], fer_lib.build_cnn("lesson")
    assert by_hand.name == library.name
    _check_same_layers(by_hand.layers, library.layers)
    by_hand.set_weights(library.get_weights())
    faces = fer_lib.make_faces(2, seed=1).images.astype("float32")
    np.testing.assert_allclose(by_hand(faces), library(faces), atol=1e-6)


def test_the_residual_block_is_that_of_the_shipped_network(names: dict) -> None:
    base = fer_lib.build_cnn("base")
    before = base.get_layer("stage2_1_relu").output
    library = keras.Model(before, base.get_layer("stage2_residual_add").output)
    maps = keras.Input(before.shape[1:])
    by_hand = keras.Model(maps, names["residual_block"](maps, 128, "stage2_residual"))
    _check_same_layers(by_hand.layers[1:], library.layers[1:])
    by_hand.set_weights(library.get_weights())
    values = np.random.default_rng(0).normal(size=(2, *before.shape[1:])).astype("float32")
    np.testing.assert_allclose(by_hand(values), library(values), atol=1e-6)


def _check_same_layers(by_hand: list, library: list) -> None:
    assert [layer.name for layer in by_hand] == [layer.name for layer in library]
    for mine, theirs in zip(by_hand, library, strict=True):
        assert type(mine) is type(theirs)
        assert mine.get_config() == theirs.get_config()
        assert mine.count_params() == theirs.count_params()
