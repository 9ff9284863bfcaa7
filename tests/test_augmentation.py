"""Augmentation: off at inference, seeded, and each transform does what its argument says."""

import keras
import numpy as np
import pytest

from fer_lib import augmentation

pytestmark = pytest.mark.backends

STILL = {"flip_rate": 0, "rotation": 0, "zoom": (1, 1), "shift": 0, "shear": 0}


def apply(layer, images, **kwargs):
    return keras.ops.convert_to_numpy(layer(images, **kwargs))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (6, 48, 48, 1)).astype(np.float32)


@pytest.fixture
def cross():
    """A bright bar through the middle, 4 pixels wide and 24 long, on black."""
    image = np.zeros((1, 48, 48, 1), np.float32)
    image[:, 12:36, 22:26] = 255
    return image


def test_inference_leaves_images_alone(images):
    augmenter = augmentation.build_augmenter(seed=0)
    np.testing.assert_array_equal(apply(augmenter, images, training=False), images)
    model = keras.Sequential([keras.Input((48, 48, 1)), augmenter])
    np.testing.assert_array_equal(model.predict(images, verbose=0), images)


def test_a_call_outside_of_a_model_augments(images):
    first = apply(augmentation.build_augmenter(seed=3), images)
    again = apply(augmentation.build_augmenter(seed=3), images, training=True)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - images).max() > 1


def test_the_same_seed_gives_the_same_images(images):
    first = apply(augmentation.build_augmenter(seed=3), images, training=True)
    again = apply(augmentation.build_augmenter(seed=3), images, training=True)
    other = apply(augmentation.build_augmenter(seed=4), images, training=True)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_each_call_and_each_image_is_drawn_anew(images):
    layer = augmentation.RandomAffine(seed=0)
    same = np.repeat(images[:1], 6, axis=0)
    first, second = apply(layer, same, training=True), apply(layer, same, training=True)
    assert np.abs(first - second).max() > 1
    assert np.abs(first[0] - first[1]).max() > 1


def test_pixels_stay_in_range_and_shape(images):
    result = apply(augmentation.build_augmenter(seed=0), images, training=True)
    assert result.shape == images.shape
    assert result.min() >= 0
    assert result.max() <= 255


def test_nothing_asked_for_changes_nothing(images):
    result = apply(augmentation.RandomAffine(**STILL, seed=0), images, training=True)
    np.testing.assert_allclose(result, images, atol=0.1)


def test_a_flip_mirrors_left_and_right_only(images):
    layer = augmentation.RandomAffine(**{**STILL, "flip_rate": 1}, seed=0)
    np.testing.assert_allclose(apply(layer, images, training=True), images[:, :, ::-1], atol=0.1)


def test_zoom_above_one_makes_the_face_larger(cross):
    layer = augmentation.RandomAffine(**{**STILL, "zoom": (1.5, 1.5)}, seed=0)
    grown = (apply(layer, cross, training=True) > 128).sum()
    assert grown == pytest.approx(96 * 1.5**2, rel=0.15)


def test_shift_moves_at_most_as_far_as_asked(cross):
    many = np.repeat(cross, 64, axis=0)
    layer = augmentation.RandomAffine(**{**STILL, "shift": 0.1}, seed=0)
    moved = apply(layer, many, training=True)[..., 0]
    rows = (moved.sum(axis=2) * np.arange(48)).sum(axis=1) / moved.sum(axis=(1, 2))
    offsets = rows - 23.5
    assert np.abs(offsets).max() <= 4.8 + 0.1
    assert np.abs(offsets).max() > 3
    assert abs(offsets.mean()) < 1


def test_rotation_turns_at_most_as_far_as_asked_and_keeps_the_length(cross):
    many = np.repeat(cross, 64, axis=0)
    layer = augmentation.RandomAffine(**{**STILL, "rotation": 30}, seed=0)
    turned = apply(layer, many, training=True)[..., 0]
    angles = []
    for image in turned:
        rows, columns = np.nonzero(image > 128)
        slope = np.polyfit(rows, columns, 1)[0]
        angles.append(np.degrees(np.arctan(slope)))
        assert (image > 128).sum() == pytest.approx(96, rel=0.2)
    assert 20 < np.abs(angles).max() < 33


def test_shear_slants_without_turning(cross):
    layer = augmentation.RandomAffine(**{**STILL, "shear": 45}, seed=0)
    slanted = apply(layer, np.repeat(cross, 32, axis=0), training=True)[..., 0]
    heights = [np.ptp(np.nonzero(image.max(axis=1) > 128)[0]) + 1 for image in slanted]
    widths = [np.ptp(np.nonzero(image.max(axis=0) > 128)[0]) + 1 for image in slanted]
    assert set(heights) <= {23, 24, 25}
    assert max(widths) > 12


def test_erasing_covers_the_asked_share_of_images():
    images = np.full((200, 48, 48, 1), 10, np.float32)
    augmenter = augmentation.build_augmenter(
        **STILL, contrast=0, brightness=0, erasing_rate=0.3, seed=0
    )
    changes = np.abs(apply(augmenter, images, training=True) - 10)
    covered = (changes > 1).any(axis=(1, 2, 3)).mean()
    assert 0.2 < covered < 0.4


def test_a_rate_of_zero_leaves_a_layer_out():
    augmenter = augmentation.build_augmenter(contrast=0, brightness=0, erasing_rate=0)
    assert [layer.name for layer in augmenter.layers] == ["affine"]


def test_a_model_with_the_layer_inside_is_saved_and_loaded(images, tmp_path):
    model = keras.Sequential(
        [keras.Input((48, 48, 1)), augmentation.RandomAffine(zoom=(0.9, 1.1), seed=5)]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(
        apply(loaded, images, training=True), apply(model, images, training=True)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flip_rate": 1.5}, "flip_rate"),
        ({"rotation": -1}, "rotation"),
        ({"zoom": (1.2, 0.8)}, "zoom"),
        ({"zoom": (0, 1)}, "zoom"),
        ({"shift": 2}, "shift"),
        ({"shear": 80}, "shear"),
        ({"contrast": 1.2}, "contrast"),
        ({"brightness": -0.1}, "brightness"),
        ({"erasing_rate": 2}, "erasing_rate"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        augmentation.build_augmenter(**arguments)
