"""Corruptions change what they say and nothing else; the suite scores as `evaluate` does."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from fer_lib import make_faces
from fer_lib.alignment import FACE_TEMPLATE
from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import (
    CORRUPTIONS,
    RobustnessReport,
    corrupt,
    evaluate,
    robustness_suite,
)

FACES = make_faces(2, seed=0)
LARGE = make_faces(2, seed=0, image_size=144).images
NAMES = ("dark", "mask")
EYES, MOUTH = FACE_TEMPLATE[:2].round().astype(int), FACE_TEMPLATE[3:].round().astype(int)


class Darkness:
    """A model of two classes: is the upper half of the image darker than the lower one?"""

    name = "darkness"
    class_names = ("upper", "lower")

    def predict(self, images):
        halves = images.reshape(len(images), 2, -1).mean(axis=2) / 255
        upper = 0.5 + (halves[:, 1] - halves[:, 0]) / 4
        return np.column_stack([upper, 1 - upper])


def half_dark(count: int = 60) -> FaceDataset:
    """Images whose upper or lower half is darker, by little or much."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = np.full((count, 48, 48, 1), 120.0)
    depth = generator.uniform(2, 60, (count, 1, 1, 1))
    images[:, :24] -= depth * (labels == 0)[:, None, None, None]
    images[:, 24:] -= depth * (labels == 1)[:, None, None, None]
    return FaceDataset(images.astype(np.uint8), labels, Darkness.class_names)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_grows_with_its_severity_and_leaves_its_input_alone(name):
    before = FACES.images.copy()
    corrupted = [corrupt(FACES.images, name, severity, seed=3) for severity in range(6)]
    assert all(images.shape == before.shape and images.dtype == np.uint8 for images in corrupted)
    changes = [np.abs(images.astype(float) - before).mean() for images in corrupted]
    assert changes[0] == 0 and (np.diff(changes) > 0).all()
    np.testing.assert_array_equal(FACES.images, before)
    np.testing.assert_array_equal(corrupted[4], corrupt(FACES.images, name, 4, seed=3))
    other = (corrupted[4] != corrupt(FACES.images, name, 4, seed=4)).any()
    assert other == (name in ("noise", "rotation", "shift", "scale"))  # the random ones
    # A gray image needs no channel, and three are as good as one.
    np.testing.assert_array_equal(corrupt(before[..., 0], name, 4, seed=3), corrupted[4][..., 0])
    color = np.repeat(before, 3, axis=3)
    assert corrupt(color, name, 2).shape == color.shape
    assert corrupt(before[:0], name, 3).shape == (0, 48, 48, 1)


@pytest.mark.parametrize(
    "name", ["blur", "resolution", "rotation", "shift", "scale", "eyes", "mouth", "glasses", "mask"]
)
def test_a_corruption_treats_a_large_image_as_a_small_one(name):
    corrupted = corrupt(LARGE, name, 4, seed=1).reshape(-1, 48, 3, 48, 3).mean(axis=(2, 4))
    small = corrupt(FACES.images, name, 4, seed=1)[..., 0]
    assert np.abs(corrupted - small).mean() < 5


def test_gray_levels_of_hand_made_cases():
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 4, (2, 48, 1))  # 0 to 188, mean 94
    np.testing.assert_array_equal(corrupt(ramp, "dark", 4), np.rint(ramp * 0.1))
    np.testing.assert_array_equal(corrupt(ramp, "bright", 3), np.minimum(ramp * 2.0, 255))
    np.testing.assert_array_equal(corrupt(ramp, "contrast", 3), np.rint(94 + 0.2 * (ramp - 94.0)))
    gray = np.full((50, 48, 48, 1), 128, np.uint8)
    for severity, deviation in enumerate(CORRUPTIONS["noise"].levels, 1):
        assert corrupt(gray, "noise", severity).std() == pytest.approx(deviation, rel=0.02)


def test_low_resolution_keeps_only_so_many_pixels():
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), dtype=np.uint8)
    severity = 1 + CORRUPTIONS["resolution"].levels.index(24)
    corrupted = corrupt(images, "resolution", severity)
    # Enlarged linearly, blocks of two pixels keep about the mean of what they were averaged from.
    kept, small = (x.reshape(3, 24, 2, 24, 2).mean(axis=(2, 4)) for x in (corrupted, images))
    assert np.corrcoef(kept.ravel(), small.ravel())[0, 1] > 0.95


def test_crops_move_as_far_as_they_say():
    dot = np.zeros((40, 48, 48, 1), np.uint8)
    dot[:, 23:25, 23:25] = 255
    for severity, pixels in enumerate(CORRUPTIONS["shift"].levels, 1):
        corrupted = corrupt(dot, "shift", severity)[..., 0].astype(float)
        places = np.indices((48, 48)) + 0.5
        centers = (
            np.einsum("nyx,kyx->nk", corrupted, places) / corrupted.sum(axis=(1, 2))[:, None] - 24
        )
        np.testing.assert_allclose(np.hypot(*centers.T), pixels, atol=0.3)
        assert np.ptp(centers, axis=0).min() > pixels  # in every direction


def test_crops_turn_and_scale_both_ways():
    bar = np.zeros((40, 48, 48, 1), np.uint8)
    bar[:, 22:26, 8:40] = 255
    turned = corrupt(bar, "rotation", 5)[:, :, 36:, 0].astype(float)
    right_end = (turned * np.arange(48)[:, None]).sum(axis=(1, 2)) / turned.sum(axis=(1, 2))
    expected = 14.0 * np.tan(np.deg2rad(30))
    assert set(np.sign(right_end - 23.5)) == {-1.0, 1.0}
    np.testing.assert_allclose(np.abs(right_end - 23.5), expected, atol=1.5)
    widths = (corrupt(bar, "scale", 5)[:, 23, :, 0] > 127).sum(axis=1)
    assert set(widths) == {20, 48}  # 32 pixels less or more by 1.6, cut at the border


def test_what_is_covered_lies_where_the_template_says():
    mean = FACES.images.mean(axis=(1, 2, 3)).round()

    def at(images, places):
        return np.array([[image[y, x, 0] for x, y in places] for image in images])

    for name, covered, free in (("eyes", EYES, MOUTH), ("mouth", MOUTH, EYES)):
        corrupted = corrupt(FACES.images, name, 5)
        np.testing.assert_allclose(at(corrupted, covered), np.tile(mean[:, None], 2), atol=1)
        np.testing.assert_array_equal(at(corrupted, free), at(FACES.images, free))
    masked = corrupt(FACES.images, "mask", 5)
    assert (at(masked, MOUTH) == 200).all()
    np.testing.assert_array_equal(masked[:, :24], FACES.images[:, :24])
    assert (at(corrupt(FACES.images, "glasses", 5), EYES) == 20).all()
    clear = corrupt(FACES.images, "glasses", 1)
    np.testing.assert_array_equal(at(clear, EYES), at(FACES.images, EYES))
    assert (clear != FACES.images).any()


@pytest.mark.parametrize(
    ("images", "name", "severity", "message"),
    [
        (FACES.images / 255, "noise", 1, "type uint8.*Received: float64"),
        (FACES.images[0, ..., 0], "noise", 1, r"Received: uint8 \(48, 48\)"),
        (FACES.images[:, :40], "noise", 1, "square crops"),
        (FACES.images, "rain", 1, "among noise, blur.*Received: 'rain'"),
        (FACES.images, "noise", 6, "`severity` from 0 to 5. Received: 6"),
    ],
)
def test_what_cannot_be_corrupted_is_refused(images, name, severity, message):
    with pytest.raises(ValueError, match=message):
        corrupt(images, name, severity)


def test_the_suite_scores_as_evaluate_does():
    faces = half_dark()

    def score(images):
        data = dataclasses.replace(faces, images=images)
        return evaluate(data, Darkness(), num_resamples=300, seed=5)

    report = robustness_suite(faces, Darkness(), NAMES, num_resamples=300, seed=5)
    clean, table = score(faces.images), report.to_frame()
    assert report.accuracy == clean.accuracy == 1.0
    assert report.accuracy_ci95 == clean.accuracy_ci95
    assert report.n == 60 and report.majority == 0.5
    assert list(table["corruption"]) == [name for name in NAMES for _ in range(5)]
    assert table["severity"].tolist() == [1, 2, 3, 4, 5] * 2
    for row in table.to_dict("records"):
        alone = score(corrupt(faces.images, row["corruption"], row["severity"], seed=5))
        assert row["accuracy"] == alone.accuracy
        assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx(alone.accuracy_ci95)
        assert row["drop"] == pytest.approx(clean.accuracy - alone.accuracy)
    assert table["drop"].max() > 0.3
    low, high = report.corrupted_accuracy_ci95
    assert report.corrupted_accuracy == pytest.approx(table["accuracy"].mean())
    assert low < report.corrupted_accuracy < high


def test_classes_meet_by_name():
    faces = half_dark()
    turned = FaceDataset(faces.images, 1 - faces.labels, Darkness.class_names[::-1])
    report = robustness_suite(turned, Darkness(), ["dark"], num_resamples=50)
    assert report.accuracy == report.table["accuracy"][0] == report.flip_consistency == 1.0


def test_drops_are_paired():
    faces = half_dark(400)
    labels = faces.labels
    row = robustness_suite(faces, Darkness(), ["dark"], num_resamples=4000).to_frame().iloc[-1]
    lost = Darkness().predict(corrupt(faces.images, "dark", 5)).argmax(axis=1) != labels
    theirs = stats.bootstrap(
        [lost[labels == 0], lost[labels == 1]],
        lambda a, b, axis: (a.sum(axis=axis) + b.sum(axis=axis)) / 400,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    np.testing.assert_allclose((row["drop_low"], row["drop_high"]), theirs, atol=0.006)


def test_flip_consistency_counts_the_predictions_that_stay():
    class Left:
        """Is the left half brighter? Mirroring changes every prediction but on even images."""

        def predict(self, images):
            left = images[:, :, :24].mean(axis=(1, 2, 3)) > images[:, :, 24:].mean(axis=(1, 2, 3))
            return np.column_stack([left, ~left]).astype(float)

    images = np.full((10, 48, 48, 1), 100, np.uint8)
    images[:4, :, :24] = 200
    faces = FaceDataset(images, np.zeros(10, int), ("left", "right"))
    report = robustness_suite(faces, Left(), ["dark"])
    assert report.flip_consistency == 0.6
    low, high = report.flip_consistency_ci95
    assert low < 0.6 < high


def test_same_seed_same_report_and_json_comes_back(tmp_path):
    first, again, other = (
        robustness_suite(half_dark(), Darkness(), ["noise"], num_resamples=50, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.to_json() == again.to_json() != other.to_json()
    file = tmp_path / "robustness.json"
    assert json.loads(first.to_json(file)) == first.to_dict()
    read = RobustnessReport.read_json(file)
    assert read.to_json() == first.to_json() and str(read) == str(first)


def test_the_table_and_the_html_show_the_values():
    report = robustness_suite(half_dark(), Darkness(), num_resamples=50)
    text, html = str(report), report._repr_html_()
    assert max(map(len, text.splitlines())) <= 80
    for shown in ("darkness", f"{report.accuracy:.3f}", *(k.title for k in CORRUPTIONS.values())):
        assert shown in text and shown in html
    assert "nan" not in (text + html).lower()


def test_one_face_has_wide_intervals_and_a_note(tmp_path):
    report = robustness_suite(half_dark(1), Darkness(), ["dark"])
    low, high = report.accuracy_ci95
    assert high - low > 0.5
    assert any("No interval of a drop" in note for note in report.notes)
    assert "nan" not in str(report).lower() + report._repr_html_().lower()
    file = tmp_path / "robustness.json"
    assert json.loads(report.to_json(file))["table"][0]["drop_low"] is None
    assert RobustnessReport.read_json(file).to_dict() == report.to_dict()


@pytest.mark.parametrize(
    ("model", "dataset", "corruptions", "message"),
    [
        (np.eye(2), half_dark(2), None, "`predict` method.*Received: ndarray"),
        (Darkness(), np.array([0, 1]), None, "labels only"),
        (Darkness(), half_dark(), ["rain"], "Received: 'rain'"),
        (Darkness(), FACES, None, "with_classes"),
    ],
)
def test_a_suite_that_cannot_run(model, dataset, corruptions, message):
    with pytest.raises(ValueError, match=message):
        robustness_suite(dataset, model, corruptions)
