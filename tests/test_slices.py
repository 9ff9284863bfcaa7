"""Slices: shares equal fairlearn's, the test equals scipy's, small groups stay silent."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame
from scipy import stats
from sklearn import metrics as sk

from fer_lib.datasets import FaceDataset
from fer_lib.evaluation import evaluate, slice_report
from fer_lib.evaluation.stats import permute_gap

NAMES = ["happy", "sad", "other"]


def draw(count: int = 600, seed: int = 0, skill=(0.9, 0.6)):
    """A report on samples of two groups of which one is classified less well, and the groups."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    groups = generator.choice(["no", "yes"], count, p=[0.7, 0.3]).astype(object)
    correct = generator.random(count) < np.where(groups == "yes", skill[1], skill[0])
    predicted = np.where(correct, labels, (labels + 1) % 3)
    return evaluate(labels, np.eye(3)[predicted], NAMES, num_resamples=20), groups


def test_a_hand_made_case():
    labels = np.repeat([0, 1], [30, 10])
    group = np.tile(["a", "b"], 20)  # 15 + 5 of each class in each group
    predicted = labels.copy()
    predicted[1:21:2] = 1  # ten of b's 15 samples of class 0
    report = evaluate(labels, np.eye(2)[predicted], ["x", "y"])
    found = slice_report(report, group, min_size=15)
    table = found.groups.set_index("group")
    assert table["n"].to_dict() == {"a": 20, "b": 20}
    assert table["accuracy"].to_dict() == {"a": 1.0, "b": 0.5}
    wilson = stats.binomtest(10, 20).proportion_ci(method="wilson")
    assert tuple(table.loc["b", ["accuracy_low", "accuracy_high"]]) == pytest.approx(wilson)
    recalls = found.recalls.set_index(["group", "class"])
    assert recalls.loc[("b", "x"), "recall"] == pytest.approx(1 / 3)
    assert np.isnan(recalls.loc[("b", "y"), "recall"]) and recalls.loc[("b", "y"), "n"] == 5
    assert found.gaps["score"].tolist() == ["accuracy", "recall of x"]  # y has too few
    gap = found.worst_gap
    assert (gap["best"], gap["worst"], gap["gap"]) == ("a", "b", 0.5)
    assert gap["by_classes"] == 0.0
    # Newcombe's interval, by hand from Wilson's of 20/20 and 10/20.
    top = stats.binomtest(20, 20).proportion_ci(method="wilson")
    low = 0.5 - np.hypot(1 - top.low, wilson.high - 0.5)
    high = 0.5 + np.hypot(top.high - 1, 0.5 - wilson.low)
    assert (gap["gap_low"], gap["gap_high"]) == pytest.approx((low, high))
    # All ten errors fall on b's 15 of the 30 samples of class x: or on a's.
    by_chance = 2 * stats.hypergeom(30, 10, 15).pmf(10)
    assert gap["p_value"] == pytest.approx(by_chance, abs=2e-3)


def test_values_equal_fairlearns():
    report, groups = draw()
    labels = report.predictions.labels
    predicted = report.predictions.probabilities.argmax(axis=1)
    found = slice_report(report, {"glasses": groups})
    theirs = MetricFrame(
        metrics={"accuracy": sk.accuracy_score, "n": lambda true, _: len(true)},
        y_true=labels,
        y_pred=predicted,
        sensitive_features=groups,
    )
    table = found.groups.set_index("group")
    np.testing.assert_allclose(table["accuracy"], theirs.by_group["accuracy"])
    np.testing.assert_array_equal(table["n"], theirs.by_group["n"])
    assert found.worst_gap["gap"] == pytest.approx(theirs.difference()["accuracy"])
    assert found.accuracy == pytest.approx(theirs.overall["accuracy"])
    for value in ("no", "yes"):
        here = groups == value
        expected = sk.recall_score(labels[here], predicted[here], average=None)
        rows = found.recalls[found.recalls["group"] == value]
        np.testing.assert_allclose(rows["recall"], expected)


def test_the_permutation_test_equals_scipys():
    generator = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2], [40, 25, 35])
    right = generator.random(100) < np.array([0.8, 0.7, 0.55])[groups]

    def gap(shuffled, axis):
        shares = [shuffled[..., groups == g].mean(axis=-1) for g in range(3)]
        return np.ptp(shares, axis=0)

    theirs = stats.permutation_test(
        [right.astype(float)],
        gap,
        permutation_type="pairings",
        n_resamples=4000,
        alternative="greater",
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    sizes = np.bincount(groups)[:, np.newaxis]
    hits = np.bincount(groups[right])[:, np.newaxis]
    ours = permute_gap(sizes, hits, 4000, np.random.default_rng(0))
    assert ours == pytest.approx(theirs.pvalue, abs=0.025)


def test_the_mix_of_classes_is_not_taken_for_a_gap():
    """Class 0 is always right, class 1 in half of the cases, in both groups alike."""
    labels = np.tile(np.repeat([0, 1], [90, 10]), 2)
    labels[100:] = 1 - labels[100:]
    groups = np.repeat(["easy", "hard"], 100)
    wrong = (labels == 1) & (np.arange(200) % 2 == 0)
    report = evaluate(labels, np.eye(2)[np.where(wrong, 0, labels)], ["x", "y"])
    gap = slice_report(report, groups).worst_gap
    assert gap["gap"] == pytest.approx(0.4)
    assert gap["by_classes"] == pytest.approx(0.4)
    assert gap["p_adjusted"] > 0.5
    assert "40.0 of them come from the mix" in " ".join(slice_report(report, groups).sentences())


def test_chance_is_called_real_in_one_case_of_twenty_at_most():
    called = 0
    for seed in range(40):
        report, groups = draw(200, seed, skill=(0.7, 0.7))
        found = slice_report(report, groups, num_permutations=199)
        called += found.worst_gap["p_adjusted"] < 0.05
    assert called <= 5


def test_sentences_say_whether_chance_explains_a_gap():
    report, groups = draw()
    first, second = slice_report(report, {"glasses": groups}).sentences()
    assert first.startswith("glasses: accuracy is 0.897 for no and 0.621 for yes, a gap of 27.6")
    assert "permutation p < 0.001" in first and first.endswith("chance does not explain it.")
    assert second.startswith("glasses: recall of ")
    # Every fifth sample is wrong, in both groups.
    labels = np.tile([0, 1, 2], 100)
    predicted = np.where(np.arange(300) % 5 == 0, (labels + 1) % 3, labels)
    report = evaluate(labels, np.eye(3)[predicted], NAMES, num_resamples=20)
    found = slice_report(report, {"glasses": np.repeat(["no", "yes"], 150)})
    assert found.worst_gap["gap"] == 0.0 and found.worst_gap["p_value"] == 1.0
    (only,) = found.sentences()
    assert "0.800 for no and 0.800 for yes, a gap of 0.0" in only
    assert only.endswith("chance is enough to explain it.")


def test_nothing_is_claimed_of_small_groups():
    report, groups = draw(100)
    groups[:10] = "rare"
    found = slice_report(report, {"glasses": groups}, min_size=25)
    row = found.groups.set_index("group").loc["rare"]
    assert row["n"] == 10 and np.isnan(row["accuracy"])
    assert "rare" not in found.gaps[["best", "worst"]].to_numpy()
    assert "glasses: fewer than 25 samples of rare (10): nothing is claimed." in found.notes
    one = slice_report(evaluate(np.array([0]), np.array([[0.9, 0.1]]), ["a", "b"]), ["x"])
    silent = slice_report(report, {"glasses": groups}, min_size=1000)
    for shown in (silent, one):
        assert shown.worst_gap is None and shown.gaps.empty
        assert "fewer than two groups have" in shown.sentences()[0]
    for shown in (found, silent, one):
        assert "nan" not in (str(shown) + shown._repr_html_()).lower()
        json.loads(shown.to_json())


def test_groups_of_numbers_and_missing_values():
    report, groups = draw(300)
    halves = pd.qcut(np.linspace(18, 80, 300), 2)
    found = slice_report(report, {"age": halves}).groups
    assert found["n"].tolist() == [150, 150]
    assert found["group"].tolist() == ["(17.999, 49.0]", "(49.0, 80.0]"]
    tone = np.arange(300.0) % 3
    tone[:20] = np.nan
    found = slice_report(report, {"tone": tone})
    assert found.groups["group"].tolist() == ["0", "1", "2"]
    assert found.groups["n"].sum() == 280
    assert "tone: 20 samples without a value are left out." in found.notes


def test_several_columns_are_corrected_for_their_number():
    report, groups = draw(400)
    table = pd.DataFrame({"glasses": groups, "row": np.arange(400) % 2, "unused": "x"})
    found = slice_report(report, table, ["glasses", "row"])
    assert list(found.groups["column"].unique()) == ["glasses", "row"]
    p = found.gaps[found.gaps["score"] == "accuracy"]
    low, high = sorted(p["p_value"])
    assert sorted(p["p_adjusted"]) == pytest.approx([2 * low, max(2 * low, high)])
    assert len(found.gaps) == 8
    alone = slice_report(report, table, "glasses")
    assert alone.gaps["p_adjusted"][0] == alone.gaps["p_value"][0]


def test_metadata_comes_in_many_forms():
    report, groups = draw(100)
    dataset = FaceDataset(
        np.zeros((100, 2, 2), np.uint8),
        report.predictions.labels,
        tuple(NAMES),
        metadata=pd.DataFrame({"glasses": groups, "other": 1}),
    )
    expected = slice_report(report, dataset, "glasses").to_dict()
    for form in (dataset.metadata, {"glasses": groups}, pd.Series(groups, name="glasses")):
        assert slice_report(report, form, "glasses").to_dict() == expected
    assert set(slice_report(report, list(groups)).groups["column"]) == {"group"}
    moved = pd.Series(groups, index=np.arange(100)[::-1], name="glasses")  # rows, not labels
    assert slice_report(report, moved).to_dict() == expected


@pytest.mark.parametrize(
    ("metadata", "arguments", "message"),
    [
        ({"a": ["x"] * 9}, {}, "one row a sample of the report, 60. Received: 9 rows"),
        ({"a": ["x"] * 60, "b": 1}, {}, "`columns` among a, b. Received: None"),
        ({"a": ["x"] * 60}, {"columns": "c"}, "`columns` among a. Received: 'c'"),
        ({"a": ["x"] * 60}, {"columns": []}, "Received: \\[\\]"),
        ({"age": np.arange(60)}, {}, "`pd.qcut`.*Received: 60 different"),
        ({"a": [None] * 60}, {}, "Received: 0 different"),
        (np.zeros((60, 2)), {}, "`columns` among 0, 1. Received: None"),
        ({"a": ["x"] * 60}, {"min_size": 0}, "`min_size`"),
    ],
)
def test_bad_input_is_refused_in_one_line(metadata, arguments, message):
    report, _ = draw(60)
    with pytest.raises(ValueError, match=message) as caught:
        slice_report(report, metadata, **arguments)
    assert "\n" not in str(caught.value)


def test_the_table_the_html_and_the_json_show_the_values(tmp_path):
    report, groups = draw()
    found = slice_report(report, {"<b>": groups})
    text, html = str(found), found._repr_html_()
    assert max(map(len, text.splitlines())) <= 80
    for value in [*found.groups["accuracy"], *found.recalls["recall"]]:
        assert f"{value:.3f}" in text and f"{value:.3f}" in html
    assert "&lt;b&gt;" in html and "<b>:" not in html
    values = json.loads(found.to_json(tmp_path / "slices.json"))
    assert json.loads((tmp_path / "slices.json").read_text()) == values
    assert values["n"] == 600 and len(values["recalls"]) == 6
    assert slice_report(report, {"<b>": groups}).to_dict() == values  # of the same seed
