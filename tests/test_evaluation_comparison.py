"""Comparing models: exact tests, paired intervals, and sentences that do not promise too much."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import compare, evaluate

LABELS = np.repeat([0, 1], [60, 40])


def draw_correct(share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(100) < share


def reports(*shares: tuple[float, int]):
    """Reports of models of two classes: `(share of correct predictions, seed)` of each."""
    predicted = [np.where(draw_correct(*share), LABELS, 1 - LABELS) for share in shares]
    return [
        evaluate(LABELS, np.eye(2)[classes] * 0.8 + 0.1, ["a", "b"], num_resamples=50)
        for classes in predicted
    ]


def test_paired_intervals_equal_scipys():
    pair = compare(*reports((0.8, 2), (0.6, 3)), num_resamples=5000).differences[0]
    ahead = draw_correct(0.8, 2).astype(float) - draw_correct(0.6, 3)
    by_class = [ahead[k == LABELS] for k in (0, 1)]
    theirs = stats.bootstrap(
        by_class,
        lambda a, b, axis: (a.sum(axis=axis) + b.sum(axis=axis)) / 100,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert pair.accuracy == pytest.approx(ahead.mean())
    np.testing.assert_allclose(pair.accuracy_ci95, theirs, atol=0.011)
    low, high = pair.balanced_accuracy_ci95
    assert pair.balanced_accuracy == pytest.approx(np.mean([part.mean() for part in by_class]))
    assert low < pair.balanced_accuracy < high
    assert pair.loss < 0 < pair.accuracy  # more correct predictions of the same confidence


def test_the_sentence_of_two_models():
    clear = compare(*reports((0.9, 0), (0.4, 1)), names=["x", "y"])
    text = clear.title()
    assert text.startswith("x is better than y by 47.0 points") and "McNemar p < 0.001" in text
    assert clear.differences[0].real
    reverse = compare(*reports((0.4, 1), (0.9, 0)), names=["y", "x"])
    assert reverse.title() == text
    close = compare(*reports((0.72, 2), (0.7, 3)), names=["x", "y"])
    assert not close.differences[0].real
    for shown in (close.title(), str(close), close._repr_html_()):
        assert "Chance is enough to explain" in shown


def test_many_models_are_compared_pair_by_pair_with_holms_correction():
    found = compare(*reports((0.9, 0), (0.88, 4), (0.4, 1)), names=["x", "y", "z"])
    pairs = found.differences
    assert [(d.first, d.second) for d in pairs] == [("x", "y"), ("x", "z"), ("y", "z")]
    p = sorted(d.p_value for d in pairs)
    expected = np.maximum.accumulate([min(3 * p[0], 1), min(2 * p[1], 1), p[2]])
    assert sorted(d.p_adjusted for d in pairs) == pytest.approx(expected)
    assert [pair.real for pair in pairs] == [False, True, True]
    shown = " ".join(str(found).split())
    assert "x is better than z" in shown and "difference between x and y" in shown
    assert all(pair.sentence() in shown for pair in pairs)


def test_one_sample_gives_no_interval():
    right, wrong = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    one = [evaluate(np.array([0]), probabilities, ["a", "b"]) for probabilities in (right, wrong)]
    found = compare(*one)
    pair = found.differences[0]
    assert pair.p_value == 1.0 and not pair.real
    assert pair.accuracy_ci95 is pair.loss_ci95 is None
    assert "(no interval, McNemar p = 1.000): neither" in pair.sentence()
    same = compare(one[0], one[0])
    values = json.loads(same.to_json())["differences"][0]
    assert values["loss_ci95"] == [0.0, 0.0] and values["p_value"] == values["n"] == 1
    assert "correct on the same of 1 sample: there is no difference" in same.title()


def test_models_bring_their_names():
    class Constant:
        name = "constant"

        def predict(self, images):
            return np.tile([0.6, 0.4], (len(images), 1))

    dataset = FaceDataset(np.zeros((4, 2, 2), np.uint8), np.array([0, 0, 1, 1]), ("a", "b"))
    report = evaluate(dataset, Constant())
    assert report.to_dict()["model"] == "constant"
    other = evaluate(dataset, np.tile([0.4, 0.6], (4, 1)))
    (pair,) = compare(report, other).to_dict()["differences"]
    assert (pair["first"], pair["second"]) == ("constant", "model 2")
    twice = compare(report, report).differences[0]
    assert (twice.first, twice.second) == ("constant 1", "constant 2")


def test_reports_that_cannot_be_compared():
    first, second = reports((0.8, 0), (0.6, 1))
    with pytest.raises(ValueError, match="at least two reports"):
        compare(first)
    with pytest.raises(ValueError, match="2 different `names`"):
        compare(first, second, names=["x", "x"])
    fewer = evaluate(np.zeros(5, int), np.tile([0.6, 0.4], (5, 1)), ["a", "b"])
    with pytest.raises(ValueError, match="model 1 on 100 samples and model 2 on 5"):
        compare(first, fewer)
    # The same labels of other images.
    sets = [
        FaceDataset(np.full((2, 2, 2), gray, np.uint8), np.array([0, 1]), ("a", "b"))
        for gray in (0, 255)
    ]
    with pytest.raises(ValueError, match="same samples"):
        compare(*(evaluate(dataset, np.tile([0.6, 0.4], (2, 1))) for dataset in sets))
