"""The ResNet50 that lesson 06 builds by hand, and its freezing, are the library's."""

from __future__ import annotations

from pathlib import Path

import notebook_cells
import numpy as np
import pytest
from keras import ops

import fer_lib
from fer_lib import models

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "06_transfer.ipynb"


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK)


def test_the_network_has_the_same_layers_parameters_and_outputs(names: dict) -> None:
    by_hand, library = names["by_hand"], fer_lib.build_resnet50(resolution=96)
    assert by_hand.name == library.name
    assert [type(layer) for layer in by_hand.layers] == [type(layer) for layer in library.layers]
    for mine, theirs in zip(by_hand.layers, library.layers, strict=True):
        assert mine.count_params() == theirs.count_params()
        if mine.weights or mine.name in ("three_channels", "subtract_means", "last_map"):
            assert mine.name == theirs.name
    by_hand.set_weights(library.get_weights())
    faces = fer_lib.make_faces(1, seed=1).images[:3].astype("float32")
    np.testing.assert_allclose(
        by_hand(faces, training=False), library(faces, training=False), atol=1e-6
    )


def test_the_means_are_the_librarys(names: dict) -> None:
    assert names["CAFFE_MEANS"] == models.resnet50.CAFFE_MEANS
    library = fer_lib.build_resnet50(resolution=96).get_layer("subtract_means")
    np.testing.assert_allclose(ops.convert_to_numpy(library.offset), [-103.939, -116.779, -123.68])


def test_freezing_leaves_the_same_weights_to_learn(names: dict) -> None:
    by_hand, library = names["by_hand"], fer_lib.build_resnet50(resolution=96)
    names["freeze_all_but_the_head"](by_hand)
    models.freeze_backbone(library)
    assert [layer.trainable for layer in by_hand.layers] == [
        layer.trainable for layer in library.layers
    ]
