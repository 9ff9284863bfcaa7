"""What lesson 07 computes by hand is what the library computes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

import fer_lib
from fer_lib.evaluation import calibration, scoring, selective
from fer_lib.pretrained import apply_temperature


@pytest.fixture(scope="module")
def predictions() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of seven classes, right more often than not, and labels of unequal classes."""
    generator = np.random.default_rng(3)
    labels = generator.choice(7, 500, p=[0.3, 0.02, 0.1, 0.2, 0.1, 0.18, 0.1])
    logits = generator.normal(size=(500, 7)) + 1.5 * np.eye(7)[labels]
    probabilities = np.exp(logits)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_loss(names: dict, predictions) -> None:
    library = calibration.log_losses(*predictions[::-1]).mean()
    assert names["mean_loss"](*predictions) == pytest.approx(library, abs=1e-6)


def test_confusions_recall_and_precision(names: dict, predictions) -> None:
    probabilities, labels = predictions
    answers = probabilities.argmax(axis=1)
    matrix = names["count_confusions"](labels, answers, 7)
    assert np.array_equal(matrix, confusion_matrix(labels, answers, labels=range(7)))
    for name in ("recall", "precision"):
        np.testing.assert_allclose(
            names[name](matrix), scoring.class_scores(matrix)[name], atol=1e-6
        )


def test_mcnemar(names: dict, predictions) -> None:
    probabilities, labels = predictions
    rival = (probabilities + np.roll(probabilities, 1, axis=0)) / 2
    reports = [fer_lib.evaluate(labels, p, num_resamples=20) for p in (probabilities, rival)]
    [library] = fer_lib.evaluation.compare(*reports, num_resamples=20).differences
    by_hand = names["mcnemar"](*(p.argmax(axis=1) == labels for p in (probabilities, rival)))
    assert by_hand == pytest.approx(
        (library.p_value, library.only_first, library.only_second), abs=1e-6
    )


def test_calibration_error(names: dict, predictions) -> None:
    probabilities, labels = predictions
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    by_hand = names["expected_calibration_error"](confidence, correct)
    library = calibration.calibration_error(calibration.reliability(correct, confidence))
    assert by_hand == pytest.approx(library, abs=1e-6)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_priors(names: dict, predictions, strength: float) -> None:
    counts = np.array([900, 30, 200, 300, 200, 400, 500])
    np.testing.assert_allclose(
        names["adjust_priors"](predictions[0], counts, strength),
        fer_lib.evaluation.adjust_priors(predictions[0], counts, strength),
        atol=1e-6,
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature(names: dict, predictions, temperature: float) -> None:
    np.testing.assert_allclose(
        names["apply_temperature"](predictions[0], temperature),
        apply_temperature(predictions[0], temperature),
        atol=1e-6,
    )


def test_error_by_coverage(names: dict, predictions) -> None:
    probabilities, labels = predictions
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    coverage, error = names["error_by_coverage"](confidence, correct)
    library = selective.risk_coverage(labels, probabilities)
    assert len(library) == len(coverage)  # no two confidences are equal here
    np.testing.assert_allclose(coverage, library["coverage"], atol=1e-6)
    np.testing.assert_allclose(error, library["risk"], atol=1e-6)
