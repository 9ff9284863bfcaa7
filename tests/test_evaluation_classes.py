"""Classes go by name: another order is remapped, classes that are not shared are reported."""

from __future__ import annotations

import numpy as np
import pytest

from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import evaluate
from fer_lib.evaluation.comparison import compare

NAMES = ("happy", "sad", "fear")
LABELS = np.array([0, 1, 2, 0, 1, 2])
DATASET = FaceDataset(np.zeros((6, 48, 48), np.uint8), LABELS, NAMES, name="faces")


def sure(names):
    """Right predictions for `DATASET`, with columns in the order of `names`."""
    return np.array([[float(NAMES[k] == name) for name in names] for k in LABELS])


def test_another_order_is_remapped():
    names = ("fear", "happy", "sad")
    report = evaluate(DATASET, sure(names), names)
    assert report.accuracy == 1 and report.class_names == NAMES
    assert compare(evaluate(DATASET, sure(NAMES)), report, names="ab").differences[0].accuracy == 0


def test_classes_that_are_not_shared_are_left_out_and_said():
    names = ("sad", "happy", "anger")
    probabilities = np.where(sure(names) == 1, 0.8, 0.1)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    report = evaluate(DATASET, probabilities, names)
    assert report.accuracy == 1 and report.n == 4 and report.class_names == ("happy", "sad")
    assert any("fear (2)" in note for note in report.notes)
    assert any("anger" in note for note in report.notes)
    with pytest.raises(ValueError, match="fear"):
        compare(evaluate(DATASET, sure(NAMES)), report)


def test_no_shared_classes_are_refused():
    with pytest.raises(ValueError, match="share"):
        evaluate(DATASET, sure(NAMES), ("x", "y", "z"))
