"""Comparing models: exact tests, paired intervals, and sentences that do not promise too much."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from fer_lib import evaluation
from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import compare, evaluate


def reports(rights: list[np.ndarray], labels: np.ndarray):
    """Reports of models of two classes that are right where the masks say so."""
    made = []
    for right in rights:
        answers = np.where(right, labels, 1 - labels)
        made.append(evaluate(labels, np.eye(2)[answers] * 0.8 + 0.1, ["a", "b"], num_resamples=50))
    return made


LABELS = np.repeat([0, 1], [60, 40])


def draw_right(share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(100) < share


def test_mcnemar_is_the_exact_binomial_test():
    first, second = draw_right(0.8, 0), draw_right(0.6, 1)
    (pair,) = compare(*reports([first, second], LABELS)).differences
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    assert (pair.only_first, pair.only_second) == (b, c)
    # By hand: twice the smaller tail of fair coin tosses.
    by_hand = min(1.0, 2 * stats.binom.cdf(min(b, c), b + c, 0.5))
    assert pair.p_value == pair.p_adjusted == pytest.approx(by_hand)


def test_paired_intervals_equal_scipys():
    first, second = draw_right(0.8, 2), draw_right(0.6, 3)
    pair = compare(*reports([first, second], LABELS), num_resamples=5000).differences[0]
    ahead = first.astype(float) - second
    theirs = stats.bootstrap(
        [ahead[LABELS == 0], ahead[LABELS == 1]],
        lambda a, b, axis: (a.sum(axis=axis) + b.sum(axis=axis)) / 100,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert pair.accuracy == pytest.approx(first.mean() - second.mean())
    np.testing.assert_allclose(pair.accuracy_ci95, theirs, atol=0.011)
    low, high = pair.balanced_accuracy_ci95
    recalls = [ahead[k == LABELS].mean() for k in (0, 1)]
    assert pair.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert low < pair.balanced_accuracy < high
    assert pair.loss < 0 < pair.accuracy  # more right answers of the same confidence


def test_sentences():
    clear = compare(*reports([draw_right(0.9, 0), draw_right(0.4, 1)], LABELS), names=["x", "y"])
    text = str(clear)
    assert text.startswith("x is better than y by 47.0 points") and "McNemar p < 0.001" in text
    assert clear.differences[0].real
    reverse = compare(*reports([draw_right(0.4, 1), draw_right(0.9, 0)], LABELS), names=["y", "x"])
    assert str(reverse) == text
    close = compare(*reports([draw_right(0.72, 2), draw_right(0.7, 3)], LABELS), names=["x", "y"])
    assert str(close).startswith("Chance is enough to explain")
    assert not close.differences[0].real
    assert "<li>Chance" in close._repr_html_()


def test_identical_models():
    right = draw_right(0.7, 0)
    pair = compare(*reports([right, right], LABELS)).differences[0]
    assert pair.p_value == 1.0 and not pair.real
    assert pair.accuracy == 0.0 and pair.accuracy_ci95 == (0.0, 0.0)
    assert "there is no difference" in pair.sentence()


def test_many_models_are_compared_pair_by_pair_with_holms_correction():
    masks = [draw_right(0.8, 0), draw_right(0.6, 1), draw_right(0.55, 2)]
    found = compare(*reports(masks, LABELS), names=["x", "y", "z"]).differences
    assert [(d.first, d.second) for d in found] == [("x", "y"), ("x", "z"), ("y", "z")]
    p = sorted(d.p_value for d in found)
    expected = [min(3 * p[0], 1), 0, 0]
    expected[1] = max(expected[0], min(2 * p[1], 1))
    expected[2] = max(expected[1], p[2])
    assert sorted(d.p_adjusted for d in found) == pytest.approx(expected)


def test_one_sentence_sums_up_many_models():
    masks = [draw_right(0.9, 0), draw_right(0.88, 4), draw_right(0.4, 1)]
    found = compare(*reports(masks, LABELS), names=["x", "y", "z"])
    assert found.sentence() == (
        "Of 3 models none is more accurate than x: it is better than z; chance is enough to "
        "explain its lead over y."
    )
    assert str(found).splitlines()[0] == found.sentence() == found.to_dict()["sentence"]
    assert len(str(found).splitlines()) == 4
    two = compare(*reports([masks[0], masks[2], masks[2]], LABELS), names=["x", "y", "z"])
    assert "it is better than y and z." in two.sentence()
    alike = compare(*reports([masks[0]] * 3, LABELS), names=["x", "y", "z"])
    assert alike.sentence() == "Chance is enough to explain every difference between the 3 models."


def test_one_sample_gives_no_interval():
    right, wrong = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    one = [evaluate(np.array([0]), answer, ["a", "b"]) for answer in (right, wrong)]
    pair = compare(*one).differences[0]
    assert pair.p_value == 1.0 and not pair.real
    assert pair.accuracy_ci95 is pair.loss_ci95 is None
    assert "(no interval, McNemar p = 1.000): neither" in pair.sentence()
    assert pair.sentence().endswith("on 1 sample.")
    same = compare(one[0], one[0])
    assert "the same of 1 sample right and wrong" in str(same)
    assert json.loads(json.dumps(same.to_dict()))["differences"][0]["loss_ci95"] == [0.0, 0.0]


def test_chance_is_called_real_in_one_case_of_twenty_at_most():
    generator = np.random.default_rng(0)
    called = 0
    for _ in range(100):
        masks = generator.random((2, 100)) < 0.7
        called += compare(*reports(list(masks), LABELS), num_resamples=20).differences[0].real
    assert called <= 10


def test_a_comparison_as_json():
    found = compare(*reports([draw_right(0.8, 0), draw_right(0.6, 1)], LABELS))
    (pair,) = json.loads(json.dumps(found.to_dict(), allow_nan=False))["differences"]
    assert pair["first"] == "model 1" and pair["second"] == "model 2"
    assert pair["n"] == 100 and pair["sentence"] == str(found)


def test_models_bring_their_names():
    class Constant:
        name = "constant"

        def predict(self, images):
            return np.tile([0.6, 0.4], (len(images), 1))

    dataset = FaceDataset(np.zeros((4, 2, 2), np.uint8), np.array([0, 0, 1, 1]), ("a", "b"))
    report = evaluate(dataset, Constant())
    assert report.to_dict()["model"] == "constant"
    other = evaluate(dataset, np.tile([0.4, 0.6], (4, 1)))
    (pair,) = compare(report, other).differences
    assert (pair.first, pair.second) == ("constant", "model 2")
    twice = compare(report, report).differences[0]
    assert (twice.first, twice.second) == ("constant 1", "constant 2")


def test_reports_that_cannot_be_compared():
    first, second = reports([draw_right(0.8, 0), draw_right(0.6, 1)], LABELS)
    with pytest.raises(ValueError, match="at least two reports"):
        compare(first)
    with pytest.raises(ValueError, match="2 different `names`"):
        compare(first, second, names=["x", "x"])
    (other,) = reports([draw_right(0.8, 0)], 1 - LABELS)
    with pytest.raises(ValueError, match="same samples in the same order"):
        compare(first, other)
    fewer = evaluate(np.zeros(5, int), np.tile([0.6, 0.4], (5, 1)), ["a", "b"])
    with pytest.raises(ValueError, match="model 1 on 100 samples and model 2 on 5"):
        compare(first, fewer)


def test_same_labels_of_other_pictures_are_noticed():
    labels = np.array([0, 1, 0])
    black = FaceDataset(np.zeros((3, 2, 2), np.uint8), labels, ("a", "b"))
    white = FaceDataset(np.full((3, 2, 2), 255, np.uint8), labels, ("a", "b"))
    answers = np.tile([0.6, 0.4], (3, 1))
    with pytest.raises(ValueError, match="same samples"):
        evaluation.compare(evaluate(black, answers), evaluate(white, answers))
