"""Augmentation: off at inference, seeded, and each transform does what its argument says."""

import keras
import numpy as np
import pytest

from fer_lib.augmentation import RandomAffine, build_augmenter

pytestmark = pytest.mark.backends

STILL = {"flip_rate": 0, "rotation": 0, "zoom": (1, 1), "shift": 0, "shear": 0}


def apply(layer, images, training=True):
    return keras.ops.convert_to_numpy(layer(images, training=training))


def affine(images, **options):
    return apply(RandomAffine(**{**STILL, **options}, seed=0), images)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (6, 48, 48, 1)).astype(np.float32)


@pytest.fixture
def crosses():
    """64 times a bright bar through the middle, 4 pixels wide and 24 long, on black."""
    image = np.zeros((64, 48, 48, 1), np.float32)
    image[:, 12:36, 22:26] = 255
    return image


def test_inference_leaves_images_alone(images):
    augmenter = build_augmenter(seed=0)
    np.testing.assert_array_equal(apply(augmenter, images, training=False), images)
    model = keras.Sequential([keras.Input((48, 48, 1)), augmenter])
    np.testing.assert_array_equal(model.predict(images, verbose=0), images)


def test_the_same_seed_gives_the_same_images_also_outside_of_a_model(images):
    augmenter, same = build_augmenter(seed=3), np.repeat(images[:1], 6, axis=0)
    first = apply(augmenter, same)
    np.testing.assert_array_equal(first, build_augmenter(seed=3)(same))
    other = apply(build_augmenter(seed=4), same)
    # Each call and each image is drawn anew.
    for drawn in (same, other, apply(augmenter, same), first[::-1]):
        assert np.abs(first - drawn).max() > 1
    assert first.shape == images.shape and first.min() >= 0 and first.max() <= 255


def test_nothing_asked_for_changes_nothing_and_a_flip_mirrors_left_and_right_only(images):
    np.testing.assert_allclose(affine(images), images, atol=0.1)
    np.testing.assert_allclose(affine(images, flip_rate=1), images[:, :, ::-1], atol=0.1)


def test_zoom_above_one_makes_the_face_larger(crosses):
    grown = (affine(crosses[:1], zoom=(1.5, 1.5)) > 128).sum()
    assert grown == pytest.approx(96 * 1.5**2, rel=0.15)


def test_shift_moves_at_most_as_far_as_asked(crosses):
    moved = affine(crosses, shift=0.1)[..., 0]
    rows = (moved.sum(axis=2) * np.arange(48)).sum(axis=1) / moved.sum(axis=(1, 2))
    offsets = rows - 23.5
    assert 3 < np.abs(offsets).max() <= 4.8 + 0.1
    assert abs(offsets.mean()) < 1


def test_rotation_turns_at_most_as_far_as_asked_and_keeps_the_length(crosses):
    angles = []
    for image in affine(crosses, rotation=30)[..., 0]:
        rows, columns = np.nonzero(image > 128)
        slope = np.polyfit(rows, columns, 1)[0]
        angles.append(np.degrees(np.arctan(slope)))
        assert (image > 128).sum() == pytest.approx(96, rel=0.2)
    assert 20 < np.abs(angles).max() < 33


def test_shear_slants_without_turning(crosses):
    slanted = affine(crosses[:32], shear=45)[..., 0]
    heights = [np.ptp(np.nonzero(image.max(axis=1) > 128)[0]) + 1 for image in slanted]
    widths = [np.ptp(np.nonzero(image.max(axis=0) > 128)[0]) + 1 for image in slanted]
    assert set(heights) <= {23, 24, 25}
    assert max(widths) > 12


def test_erasing_covers_the_asked_share_of_images_and_a_rate_of_zero_leaves_a_layer_out():
    images = np.full((200, 48, 48, 1), 10, np.float32)
    augmenter = build_augmenter(**STILL, contrast=0, brightness=0, erasing_rate=0.3, seed=0)
    assert [layer.name for layer in augmenter.layers] == ["affine", "erasing"]
    covered = (np.abs(apply(augmenter, images) - 10) > 1).any(axis=(1, 2, 3)).mean()
    assert 0.2 < covered < 0.4


def test_a_model_with_the_layer_inside_is_saved_and_loaded(images, tmp_path):
    model = keras.Sequential([keras.Input((48, 48, 1)), RandomAffine(zoom=(0.9, 1.1), seed=5)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(apply(loaded, images), apply(model, images))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("flip_rate", 1.5), ("rotation", -1), ("zoom", (1.2, 0.8)), ("zoom", (0, 1))],
        *[("shift", 2), ("shear", 80), ("contrast", 1.2), ("brightness", -0.1)],
        ("erasing_rate", 2),
    ],
)
def test_wrong_arguments_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        build_augmenter(**{name: value})
