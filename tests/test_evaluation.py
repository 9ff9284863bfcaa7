"""The report equals scikit-learn and hand-made cases, and has a value or a note for odd input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from fer_lib import evaluation
from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import evaluate, stats
from fer_lib.labels import EMOTIONS, EMOTIONS_8


def draw(count: int, num_classes: int = 7, seed: int = 0, skill: float = 2.0):
    """Labels, and probabilities of a fair classifier, float64."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, count)
    logits = generator.normal(size=(count, num_classes))
    logits[np.arange(count), labels] += skill
    return labels, special.softmax(logits, axis=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 80), st.integers(2, 8), st.integers(0, 10_000), st.floats(0, 4))
@pytest.mark.filterwarnings("ignore")  # scikit-learn warns of classes that are not there
def test_every_value_equals_scikit_learns(count, num_classes, seed, skill):
    labels, probabilities = draw(count, num_classes, seed, skill)
    names = [f"class {k}" for k in range(num_classes)]
    report = evaluate(labels, probabilities, names, num_resamples=20)
    predicted, every = probabilities.argmax(axis=1), range(num_classes)
    averaged = {"labels": np.unique(labels), "average": "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "macro_f1": sk.f1_score(labels, predicted, **averaged),
        "kappa": sk.cohen_kappa_score(labels, predicted),
        "loss": sk.log_loss(labels, probabilities, labels=every),
        "brier": np.square(probabilities - np.eye(num_classes)[labels]).sum(axis=1).mean(),
        "top2_accuracy": 1.0,
    }
    if num_classes > 2:
        expected["top2_accuracy"] = sk.top_k_accuracy_score(labels, probabilities, labels=every)
    for name, value in expected.items():
        found = getattr(report, name)
        assert found is None if np.isnan(value) else found == pytest.approx(value, abs=1e-12), name
    matrix = sk.confusion_matrix(labels, predicted, labels=every)
    np.testing.assert_array_equal(report.confusion_matrix, matrix)
    by_class = sk.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan
    )
    columns = ["precision", "recall", "f1", "support"]
    np.testing.assert_allclose(report.per_class[columns], np.transpose(by_class))


def test_reliability_equals_scikit_learns():
    labels, probabilities = draw(2000)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = evaluation.reliability(correct, confidence)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    np.testing.assert_allclose(bins["accuracy"], accuracy)
    np.testing.assert_allclose(bins["confidence"], mean)
    assert bins["count"].sum() == 2000


def draw_calibrated(count: int):
    """Labels drawn with the probabilities that a classifier gives."""
    _, probabilities = draw(count)
    generator = np.random.default_rng(1)
    labels = (generator.random((count, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return labels.clip(0, 6), probabilities


def test_the_error_by_chance_is_what_a_calibrated_model_shows():
    labels, probabilities = draw_calibrated(1500)
    report = evaluate(labels, probabilities)
    assert report.ece == pytest.approx(report.ece_if_calibrated, rel=0.6)
    overconfident = evaluate(labels, special.softmax(3 * np.log(probabilities), axis=1))
    assert overconfident.ece > 5 * overconfident.ece_if_calibrated


def test_intervals_equal_scipys_stratified_bootstrap():
    labels, probabilities = draw(700, 3)
    correct = (probabilities.argmax(axis=1) == labels).astype(float)
    by_class = [correct[labels == k] for k in range(3)]

    def accuracy(*parts, axis):
        return sum(part.sum(axis=axis) for part in parts) / len(labels)

    def balanced(*parts, axis):
        return np.mean([part.mean(axis=axis) for part in parts], axis=0)

    report = evaluate(labels, probabilities, ["a", "b", "c"], num_resamples=5000)
    for name, statistic in (("accuracy", accuracy), ("balanced_accuracy", balanced)):
        theirs = scipy.stats.bootstrap(
            by_class, statistic, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        np.testing.assert_allclose(report.intervals[name], theirs, atol=0.004)


def test_resamples_keep_the_size_of_each_class_and_do_not_depend_on_the_blocks(monkeypatch):
    labels, probabilities = draw(40, 3)
    features = np.column_stack([np.eye(3)[labels], probabilities])
    whole = stats.resample_sums(features, labels, 60)
    np.testing.assert_array_equal(whole[:, :3], np.tile(np.bincount(labels), (60, 1)))
    monkeypatch.setattr(stats, "_BLOCK_ENTRIES", 100)
    np.testing.assert_allclose(whole, stats.resample_sums(features, labels, 60))


def test_json_is_the_same_for_a_seed_holds_plain_values_and_comes_back(tmp_path):
    labels, probabilities = draw(150)
    report = evaluate(labels, probabilities.astype(np.float32))
    values = report.to_dict()
    wanted = (
        "n accuracy accuracy_ci95 balanced_accuracy macro_f1 kappa loss ece per_class "
        "confusion_matrix"
    )
    assert set(wanted.split()) <= set(values)
    file = tmp_path / "report.json"
    assert json.loads(report.to_json(file)) == values == json.loads(file.read_text())
    assert values["n"] == np.sum(values["confusion_matrix"]) == 150
    assert values["selective"]["at_80_coverage"]["coverage"] >= 0.8
    assert list(values["per_class"]) == list(EMOTIONS)
    assert values["per_class"]["happy"]["support"] == int((labels == 3).sum())
    assert evaluate(labels, probabilities.astype(np.float32)).to_json() == report.to_json()
    assert evaluate(labels, probabilities, seed=1).intervals != report.intervals


def test_a_class_that_is_absent_or_never_predicted_has_no_value_and_a_note():
    labels = np.repeat([0, 2], 10)
    report = evaluate(labels, np.tile([0.5, 0.3, 0.2], (20, 1)), ["a", "b", "c"])
    values = report.to_dict()
    absent, unseen = (values["per_class"][name] for name in "bc")
    assert absent["recall"] is absent["recall_ci95"] is unseen["precision"] is None
    assert absent["support"] == unseen["recall"] == unseen["f1"] == 0
    assert values["balanced_accuracy"] == 0.5  # the mean of a and c
    notes = " ".join(report.notes)
    assert "No sample of b" in notes and "Never predicted: c" in notes
    assert "nan" not in (str(report) + report._repr_html_()).lower()


def test_one_sample():
    report = evaluate(np.array([0]), np.array([[0.9, 0.1]]), ["a", "b"])
    values = report.to_dict()
    assert values["accuracy"] == 1.0
    assert values["kappa"] is values["loss_ci95"] is None
    low, high = values["accuracy_ci95"]
    assert low < 0.3 and high == 1.0
    notes = " ".join(report.notes)
    assert "Kappa is undefined" in notes and "No interval of" in notes


def test_all_correct_still_has_an_interval():
    report = evaluate(np.arange(70) % 7, np.eye(7)[np.arange(70) % 7])
    assert report.accuracy == 1.0 and report.loss == pytest.approx(0.0)
    wilson = scipy.stats.binomtest(70, 70).proportion_ci(method="wilson")
    assert report.accuracy_ci95 == pytest.approx(wilson)
    assert report.most_confused().empty and "Most confused" not in str(report)


def test_the_loss_is_finite_and_follows_the_precision_of_the_probabilities():
    report = evaluate(np.array([0, 1]), np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), ["a", "b"])
    assert report.accuracy == 0.0 and 10 < report.loss < 20
    for kind in (np.float16, np.float32, np.float64):
        exact = np.array([[0.25, 0.75]], kind)
        assert evaluate(np.array([0]), exact, ["a", "b"]).loss == pytest.approx(np.log(4))


GOOD = np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "at least one sample"),
        (GOOD[0], [0], r"shape \(n, num_classes\).*Received: float64 \(2,\)"),
        (np.array([[1, 0]]), [0], "Received: int64"),
        (GOOD * 2, [0, 1], "rows sum to 1.*logits"),
        (np.array([[1.5, -0.5]]), [0], r"\[0, 1\]"),
        (np.array([[0.5, 0.5], [np.nan, 1.0]]), [0, 1], "finite.*row 1"),
        (GOOD, [0], r"shape \(2,\)"),
        (GOOD, [0, 2], r"from 0 to 1.*Received: int64 \(2,\), 0 to 2"),
        (GOOD, [0.0, 1.0], "integer labels"),
        ("cnn", [0, 1], "`predict` method"),
    ],
)
def test_bad_input_is_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        evaluate(np.array(labels), probabilities, ["a", "b"])


def test_class_names_must_fit():
    for names in (None, ["a", "b", "c"], ["a", "a"]):
        with pytest.raises(ValueError, match="`class_names` with 2 different names"):
            evaluate(np.array([0, 1]), GOOD, names)
    assert evaluate(*draw(20, 7)).class_names == EMOTIONS
    assert evaluate(*draw(20, 8)).class_names == EMOTIONS_8


class Brightness:
    """A model that answers by mean brightness."""

    class_names = ("dark", "bright")

    def predict(self, images):
        share = images.reshape(len(images), -1).mean(axis=1) / 255
        return np.column_stack([1 - share, share])


def squares(class_names=("dark", "bright")) -> FaceDataset:
    images = np.zeros((6, 4, 4, 1), np.uint8)
    images[3:] = 200
    return FaceDataset(images, np.array([0, 0, 0, 1, 1, 0]), class_names, name="squares")


def test_a_model_is_run_on_the_images():
    dataset = squares()
    report = evaluate(dataset, Brightness())
    assert report.confusion_matrix.tolist() == [[3, 1], [0, 2]]
    assert report.dataset == "squares"
    assert report.to_dict()["data_hash"] == dataset.content_hash
    alone = evaluate(dataset, Brightness().predict(dataset.images))
    assert alone.to_json() == report.to_json()


def test_classes_meet_by_name_and_what_does_not_fit_is_refused():
    dataset = squares()
    swapped = Brightness().predict(dataset.images)[:, ::-1]
    report = evaluate(dataset, swapped, ("bright", "dark"))
    assert report.to_json() == evaluate(dataset, Brightness()).to_json()
    for data, message in (
        (dataset.labels, "labels only"),
        (dataset[[]], "at least one image"),
        (squares(("night", "day")), "with_classes.*'dark'"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(data, Brightness())


def test_a_keras_model_draws_no_progress_bar(capsys):
    keras = pytest.importorskip("keras")
    dense = keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), dense])
    assert evaluate(squares(), model).loss == pytest.approx(np.log(2), abs=1e-6)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("num_classes", [2, 7, 8, 20])
def test_the_table_fits_a_terminal(num_classes):
    labels, probabilities = draw(5000, num_classes)
    names = EMOTIONS_8 if num_classes == 8 else [f"a long class name {k}" for k in range(20)]
    text = str(evaluate(labels, probabilities, names[:num_classes], num_resamples=20))
    assert max(map(len, text.splitlines())) <= 80
    assert ("Confusion matrix" in text) == (num_classes <= 8)


def test_the_table_and_the_html_show_the_values():
    report = evaluate(*draw(400))
    for shown in (str(report), report._repr_html_()):
        assert f"{report.accuracy:.3f}" in shown
        assert f"{report.accuracy_ci95[0]:.3f} to {report.accuracy_ci95[1]:.3f}" in shown
        assert all(name in shown for name in EMOTIONS)
    scores = report.to_frame()
    assert scores.loc["loss", "value"] == report.loss
    assert tuple(scores.loc["accuracy", ["low", "high"]]) == report.accuracy_ci95
    html = evaluate(*draw(20, 2), ["<b>", "&"])._repr_html_()
    assert "<th>&lt;b&gt;</th>" in html


def test_most_confused_pairs():
    labels, predicted = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 1, 0, 0])
    pairs = evaluate(labels, np.eye(3)[predicted], ["a", "b", "c"]).most_confused(2)
    assert len(pairs) == 2 and pairs.loc[0].tolist() == ["a", "b", 2, 0.5]


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(true_temperature):
    labels, probabilities = draw_calibrated(4000)
    logits = np.log(probabilities) * true_temperature
    found = evaluation.fit_temperature(labels, special.softmax(logits, axis=1))
    assert found == pytest.approx(true_temperature, rel=0.1)
    # It is the minimum of scikit-learn's log-loss.
    losses = [
        sk.log_loss(labels, special.softmax(logits / t, axis=1), labels=range(7))
        for t in (found * 0.9, found, found * 1.1)
    ]
    assert losses[1] < min(losses[0], losses[2])


def test_the_temperature_of_odd_cases_is_bounded():
    assert evaluation.fit_temperature(np.array([0, 1]), GOOD) == pytest.approx(0.05, rel=0.01)
    assert evaluation.fit_temperature(np.array([1, 0]), GOOD) == pytest.approx(20, rel=0.01)
    with pytest.raises(ValueError, match="sum to 1"):
        evaluation.fit_temperature(np.zeros(1, int), np.array([[3.0, 0.0]]))
