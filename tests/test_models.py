"""The networks: shapes, sizes, and normalization inside the model."""

import keras
import numpy as np
import pytest

from fer_lib import models

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(60, 160, (3, 48, 48, 1)).astype(np.float32)


@pytest.mark.parametrize("variant", models.CNN_VARIANTS)
def test_raw_pixels_in_probabilities_out(variant, crops):
    model = models.build_cnn(variant)
    probabilities = keras.ops.convert_to_numpy(model(crops))
    assert probabilities.shape == (3, 7)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert not getattr(model, "compiled", False)


@pytest.mark.parametrize("build", [models.build_cnn, models.build_resnet50])
@pytest.mark.parametrize(
    ("setting", "value"), [("image_data_format", "channels_first"), ("floatx", "float16")]
)
def test_keras_with_other_settings_is_refused_with_the_remedy(build, setting, value, monkeypatch):
    monkeypatch.setattr(keras.config, setting, lambda: value)
    with pytest.raises(ValueError, match=rf"{value}.*keras\.json.*set_{setting}"):
        build()


@pytest.mark.parametrize("variant", models.CNN_VARIANTS)
def test_brightness_and_contrast_do_not_matter(variant, crops):
    model = models.build_cnn(variant)
    before = keras.ops.convert_to_numpy(model(crops))
    after = keras.ops.convert_to_numpy(model(crops * 0.5 + 40))
    np.testing.assert_allclose(before, after, atol=2e-3)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_constant_image_gives_finite_probabilities(value):
    probabilities = models.build_cnn("lesson")(np.full((1, 48, 48, 1), value, np.float32))
    assert np.isfinite(keras.ops.convert_to_numpy(probabilities)).all()


def test_the_classes_and_the_shape_can_be_chosen():
    model = models.build_cnn("tiny", num_classes=8, input_shape=(64, 56, 3), dropout_rate=0.1)
    assert model.input_shape == (None, 64, 56, 3)
    assert model.output_shape == (None, 8)
    assert model.get_layer("dropout").rate == 0.1


def test_sizes_stay_within_what_the_variants_promise():
    tiny, base = models.build_cnn("tiny"), models.build_cnn("base")
    assert tiny.count_params() <= 300_000
    assert models.count_multiply_adds(tiny) <= 20_000_000
    assert base.count_params() <= 3_000_000
    assert models.count_multiply_adds(base) <= 250_000_000


def test_multiply_adds_equal_a_hand_count():
    inner = keras.Sequential([keras.Input((3, 3, 8)), keras.layers.SeparableConv2D(4, 3)])
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(8, 3, strides=2, padding="same"),  # 3 x 3 places x 3 x 3 x 3 x 8
            inner,  # one place x (3 x 3 x 8 + 8 x 4)
            keras.layers.Flatten(),
            keras.layers.Dense(5),  # 4 x 5
        ]
    )
    assert models.count_multiply_adds(model) == 9 * 216 + 104 + 20


def test_the_named_layers_serve_explanations_and_transfer():
    model = models.build_cnn("base")
    assert model.get_layer("last_map").output.shape == (None, 6, 6, 256)
    assert model.get_layer("embedding").output.shape == (None, 256)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "huge"}, "variant"),
        ({"num_classes": 1}, "num_classes"),
        ({"input_shape": (48, 48)}, "input_shape"),
        ({"input_shape": (8, 48, 1)}, "at least 16"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build_cnn(**arguments)
