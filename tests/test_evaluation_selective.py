"""Abstaining, prediction sets, duplicates and votes: hand-made cases and measured promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from fer_lib import evaluation
from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import evaluate
from fer_lib.evaluation.calibration import VERDICTS, agree_with_votes
from fer_lib.evaluation.selective import area_under_risk_coverage, measure_conformal


def draw(count: int, num_classes: int = 7, seed: int = 0):
    """Probabilities of a perfectly calibrated classifier, and labels drawn from them."""
    generator = np.random.default_rng(seed)
    probabilities = special.softmax(2 * generator.normal(size=(count, num_classes)), axis=1)
    labels = (generator.random((count, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities, labels.clip(0, num_classes - 1)


# Confidences .9 correct, .8 wrong, .8 correct, .6 correct, .5 wrong.
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2], [0.4, 0.6], [0.5, 0.5]])
LABELS = np.array([0, 0, 0, 1, 1])


def test_risk_coverage_of_a_hand_made_case():
    curve = evaluation.risk_coverage(LABELS, PROBABILITIES)
    expected = pd.DataFrame(
        {
            "threshold": [0.9, 0.8, 0.6, 0.5],
            "coverage": [0.2, 0.6, 0.8, 1.0],
            "risk": [0, 1 / 3, 1 / 4, 2 / 5],
        }
    )
    pd.testing.assert_frame_equal(curve, expected)
    assert evaluation.at_coverage(curve, 0.8) == pytest.approx((0.6, 0.8, 0.25))
    assert evaluation.at_coverage(curve, 0.3) == pytest.approx((0.8, 0.6, 1 / 3))
    assert area_under_risk_coverage(curve) == pytest.approx(0.4 / 3 + 0.2 / 4 + 0.2 * 2 / 5)


@pytest.mark.parametrize("coverage", [0.0, 80])
def test_a_coverage_outside_the_range_is_refused(coverage):
    with pytest.raises(ValueError, match=rf"`coverage` in \(0, 1\]. Received: {coverage}"):
        evaluation.at_coverage(evaluation.risk_coverage(LABELS, PROBABILITIES), coverage)


@pytest.mark.parametrize(("wanted", "threshold"), [(0.8, 0.2), (0.9, 0.1), (0.95, 0.0)])
def test_conformal_threshold_of_a_hand_made_case(wanted, threshold):
    # Probabilities of the true class .1 to .9; of nine, 80% leave floor(10 * .2) = 2 below.
    share = np.full(18, 0.5)
    share[np.random.default_rng(0).permutation(18)[:9]] = np.arange(1, 10) / 10
    probabilities = np.column_stack([share, 1 - share])
    found = measure_conformal(np.zeros(18, int), probabilities, wanted)
    assert found.threshold == pytest.approx(threshold)


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9])
def test_conformal_sets_keep_their_promise(wanted):
    """The mean coverage over many draws is between 1 - alpha and 1 - alpha + 1 / (n + 1)."""
    results = []
    for seed in range(200):
        probabilities, labels = draw(200, 4, seed)
        results.append(measure_conformal(labels, probabilities, wanted))
    measured = [result.measured for result in results]
    assert np.mean(measured) == pytest.approx(wanted + 0.005, abs=0.012)
    last = results[-1]
    assert (last.n, last.wanted) == (100, wanted)
    assert last.measured_ci95[0] < last.measured < last.measured_ci95[1]
    assert 0 < last.mean_size <= 4 and 0 < last.single < 1


def image_set(count: int, seed: int) -> FaceDataset:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 6, 6, 1), dtype=np.uint8)
    return FaceDataset(images, generator.integers(0, 2, count), ("a", "b"))


def test_duplicates_are_found():
    test, train = image_set(10, 0), image_set(30, 1)
    train.images[7] = train.images[9] = test.images[2]
    train.images[11] = test.images[5]
    train.images[11, 0, 0] ^= 1  # one pixel by one gray level: no duplicate
    expected = [k == 2 for k in range(10)]
    assert evaluation.find_duplicates(test, train).tolist() == expected
    assert evaluation.find_duplicates(test, train[:0]).tolist() == [False] * 10
    for other in (test.images[:, :3], test.images / 255):
        with pytest.raises(ValueError, match="one size and type"):
            evaluation.find_duplicates(other, train)


def test_the_clean_part_leaves_duplicates_out():
    test = image_set(10, 0)
    probabilities, _ = draw(10, 2)
    report = evaluate(test, probabilities, training_images=test[2:5])
    rest = np.r_[0:2, 5:10]
    alone = evaluate(test.labels[rest], probabilities[rest], ["a", "b"])
    assert report.n == 10 and report.num_duplicates == 3
    assert report.clean.intervals == alone.intervals
    assert report.to_dict()["clean"]["accuracy"] == alone.accuracy
    assert any(text.startswith("3 images are among") for text in report.sentences())
    every = evaluate(test, probabilities, training_images=test)
    assert every.clean is None and every.num_duplicates == 10
    assert "nothing is left" in str(every)
    none = evaluate(test, probabilities, training_images=image_set(5, 3))
    assert none.clean.n == 10 and none.num_duplicates == 0
    with pytest.raises(ValueError, match="`y_true` with images"):
        evaluate(test.labels, probabilities, ["a", "b"], training_images=test)


# Five samples; classes 0, 0, 1, 1, 2 are predicted.
PREDICTED = np.array(
    [[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0, 0, 1]]
)
TRUTH = np.array([0, 1, 0, 2, 0])
VOTES = np.array(
    [
        [10, 0, 0],  # correct
        [9, 1, 0],  # wrong by the label, but people agree with the model
        [8, 2, 0],  # wrong, people agree with the label
        [5, 5, 0],  # wrong, people were split
        [0, 0, 0],  # nobody voted
    ]
)


def test_agreement_of_a_hand_made_case():
    result = agree_with_votes(VOTES, PREDICTED, TRUTH)
    assert result.n == 4
    assert result.model == pytest.approx((1 + 0.9 + 0.2 + 0.5) / 4)
    assert result.ceiling == pytest.approx((1 + 0.9 + 0.8 + 0.5) / 4)
    assert result.label == pytest.approx((1 + 0.1 + 0.8 + 0) / 4)
    with_label, with_model, other, split = VERDICTS
    # Under 0.8 / 0.1 / 0.1 twice, 0.1 / 0.8 / 0.1 and 0.2 / 0.6 / 0.2.
    nats = -np.log([0.8, 0.8**0.9 * 0.1**0.1, 0.1**0.8 * 0.8**0.2, 0.2**0.5 * 0.6**0.5])
    assert result.cross_entropy == pytest.approx(nats.mean())
    shares = np.array([0.9, 0.1, 0.8, 0.2, 0.5, 0.5])
    assert result.entropy == pytest.approx(-(shares * np.log(shares)).sum() / 4)
    # Confidence 0.8 three times, with (1 + 0.9 + 0.2) / 3 of the people; 0.6 once, with 0.5.
    assert result.ece == pytest.approx((3 * (0.8 - 0.7) + (0.6 - 0.5)) / 4)
    assert result.errors == {with_label: 1, with_model: 1, other: 0, split: 1}
    alone = agree_with_votes(np.array([[0, 0, 1]]), PREDICTED[:1], np.array([1]))
    assert alone.errors[other] == 1 and alone.entropy == 0
    certain = agree_with_votes(VOTES[[1]], np.array([[1.0, 0, 0]]), TRUTH[[1]])
    assert np.isfinite(certain.cross_entropy) and certain.cross_entropy > certain.entropy


def test_the_report_uses_the_votes_of_the_data_set():
    metadata = pd.DataFrame(VOTES, columns=["votes_a", "votes_b", "votes_c"])
    images = np.zeros((5, 4, 4, 1), np.uint8)
    dataset = FaceDataset(images, TRUTH, ("a", "b", "c"), metadata=metadata)
    report = evaluate(dataset, PREDICTED)
    assert report.agreement.n == 4 and evaluate(dataset[4:], PREDICTED[4:]).agreement is None
    assert report.to_dict()["agreement"]["ceiling"] == pytest.approx(0.8)
    assert report.agreement.title() in report.sentences()
    assert evaluate(FaceDataset(images, TRUTH, ("a", "b", "c")), PREDICTED).agreement is None
