"""The ResNet50 that lesson 06 puts together by hand is the library's."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import notebook_cells
import numpy as np
import pytest

import fer_lib
from fer_lib import models, paths

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "06_transfer.ipynb"


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK)


@pytest.fixture(scope="module")
def by_hand(names: dict) -> keras.Model:
    return names["build_transfer_model"](names["make_base"](None, 64), 64)


def test_the_network_has_the_same_parameters_and_outputs(by_hand: keras.Model) -> None:
    library = fer_lib.build_resnet50(resolution=64)
    assert by_hand.count_params() == library.count_params()
    for layer in library.layers:
        if layer.weights:
            place = by_hand if layer.name == "logits" else by_hand.get_layer("base")
            place.get_layer(layer.name).set_weights(layer.get_weights())
    faces = fer_lib.make_faces(1, seed=1).images[:3].astype("float32")
    np.testing.assert_allclose(
        by_hand(faces, training=False), library(faces, training=False), atol=1e-5
    )


def test_the_means_are_the_librarys(names: dict) -> None:
    assert names["CAFFE_MEANS"] == models.resnet50.CAFFE_MEANS


def test_the_shipped_base_holds_the_shipped_weights(names: dict) -> None:
    base = names["make_base"]("shipped", 64)
    shipped = fer_lib.load_pretrained("resnet50_fer2013").model
    for name in ("conv1_conv", "conv5_block3_3_bn"):
        for mine, theirs in zip(
            base.get_layer(name).get_weights(), shipped.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_a_base_can_come_from_a_folder(names: dict, tmp_path: Path) -> None:
    shutil.copytree(paths.find_model("resnet50_fer2013"), tmp_path / "mine")
    base = names["make_base"](str(tmp_path / "mine"), 64)
    shipped = names["make_base"]("shipped", 64)
    np.testing.assert_array_equal(base.get_weights()[0], shipped.get_weights()[0])


def test_a_frozen_base_leaves_the_head_to_learn(by_hand: keras.Model) -> None:
    by_hand.get_layer("base").trainable = False
    library = fer_lib.build_resnet50(resolution=64)
    models.freeze_backbone(library)
    count = sum(int(np.prod(weight.shape)) for weight in by_hand.trainable_weights)
    assert count == sum(int(np.prod(weight.shape)) for weight in library.trainable_weights)
