"""Clean-up of images: does what its name says, keeps shape and color, refuses nonsense."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fer_lib.enhancement import denoise, enhance, equalize_contrast
from fer_lib.images import to_gray

FUNCTIONS = [equalize_contrast, denoise, enhance]
SIDES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return skimage.data.astronaut()[64:171, 170:277]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gray_stays_gray_color_stays_color_and_constant_stays_constant(function, face):
    gray = to_gray(face)
    for image in (face, gray):
        before = image.copy()
        result = function(image)
        assert result.shape == image.shape and result.dtype == np.uint8
        np.testing.assert_array_equal(image, before)
        assert not np.shares_memory(result, image)
    np.testing.assert_array_equal(function(gray / 255), function(gray))
    assert np.ptp(function(np.full((48, 48), 90, np.uint8))) == 0
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    assert function(red)[..., 0].min() >= 200 and function(red)[..., 1:].max() < 80
    with pytest.raises(ValueError, match="shape"):
        function(np.zeros((0, 4)))


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, st.one_of(SIDES, SIDES.map(lambda sides: (*sides, 3)))))
def test_any_image_can_be_cleaned(image):
    for function in FUNCTIONS:
        assert function(image).shape == image.shape


def test_contrast_is_equalized_and_color_kept(face):
    gray = to_gray(face)
    shadow = np.linspace(0.15, 1, gray.shape[1])
    shaded = (gray * shadow).astype(np.uint8)
    half = gray.shape[1] // 2
    assert equalize_contrast(shaded)[:, :half].std() > 1.3 * shaded[:, :half].std()
    after, before = (image.mean(axis=(0, 1)) for image in (equalize_contrast(face), face))
    np.testing.assert_array_equal(np.argsort(after), np.argsort(before))


@pytest.mark.parametrize("color", [True, False])
def test_noise_becomes_less(face, color):
    clean = face if color else to_gray(face)
    noise = np.random.default_rng(0).normal(0, 15, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    error = np.abs(denoise(noisy).astype(float) - clean).mean()
    assert error < 0.9 * np.abs(noisy.astype(float) - clean).mean()


@pytest.mark.slow
def test_the_accuracies_that_the_docstrings_claim(fer2013_npz):
    from fer_lib.datasets import load_fer2013
    from fer_lib.pretrained import load_pretrained

    model = load_pretrained("cnn_fer2013")
    test_set = load_fer2013(fer2013_npz, splits="PublicTest")
    faces, labels = test_set.images[::4, ..., 0], test_set.labels[::4]

    def accuracy(images, clean) -> float:
        predicted = model.predict(np.stack([clean(image) for image in images])).argmax(axis=1)
        return float(np.mean(predicted == labels))

    def add_noise(deviation: float) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, deviation, faces.shape)
        return np.clip(faces + noise, 0, 255).round().astype(np.uint8)

    shadow = np.where(np.arange(48) < 24, faces * 0.2, faces).astype(np.uint8)

    # What the docstrings say, of this network, to a point.
    for images, clean, claimed in (
        (shadow, np.asarray, 0.63),
        (shadow, equalize_contrast, 0.66),
        (add_noise(10), np.asarray, 0.52),
        (add_noise(10), denoise, 0.64),
        (faces, np.asarray, 0.72),
        (faces, equalize_contrast, 0.71),
        (faces, denoise, 0.70),
    ):
        assert accuracy(images, clean) == pytest.approx(claimed, abs=0.01)
