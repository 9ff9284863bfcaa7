"""Slices: shares, intervals and p-values of hand-made cases; small groups stay silent."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.evaluation import evaluate, image_properties, slice_report

NAMES = ["happy", "sad", "other"]


def widest(found) -> pd.Series:
    """The row with the widest gap in accuracy."""
    gaps = found.gaps[found.gaps["score"] == "accuracy"]
    return gaps.loc[gaps["gap"].idxmax()]


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
    found = slice_report(report, {"group": group}, min_size=15)
    table = found.groups.set_index("group")
    assert table["n"].to_dict() == {"a": 20, "b": 20}
    assert table["accuracy"].to_dict() == {"a": 1.0, "b": 0.5}
    wilson = stats.binomtest(10, 20).proportion_ci(method="wilson")
    assert tuple(table.loc["b", ["accuracy_low", "accuracy_high"]]) == pytest.approx(wilson)
    recalls = found.recalls.set_index(["group", "class"])
    assert recalls.loc[("b", "x"), "recall"] == pytest.approx(1 / 3)
    assert np.isnan(recalls.loc[("b", "y"), "recall"]) and recalls.loc[("b", "y"), "n"] == 5
    assert found.gaps["score"].tolist() == ["accuracy", "recall of x"]  # y has too few
    gap = widest(found)
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


def test_the_mix_of_classes_is_not_taken_for_a_gap():
    """Class 0 is always right, class 1 in half of the cases, in both groups alike."""
    labels = np.tile(np.repeat([0, 1], [90, 10]), 2)
    labels[100:] = 1 - labels[100:]
    groups = np.repeat(["easy", "hard"], 100)
    wrong = (labels == 1) & (np.arange(200) % 2 == 0)
    report = evaluate(labels, np.eye(2)[np.where(wrong, 0, labels)], ["x", "y"])
    found = slice_report(report, {"group": groups})
    gap = widest(found)
    assert gap["gap"] == gap["by_classes"] == pytest.approx(0.4)
    assert gap["p_adjusted"] > 0.5
    assert "40.0 of them come from the mix" in " ".join(found.sentences())


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
    assert widest(found)["gap"] == 0.0 and widest(found)["p_value"] == 1.0
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
    single = evaluate(np.array([0]), np.array([[0.9, 0.1]]), ["a", "b"])
    one = slice_report(single, {"group": ["x"]})
    silent = slice_report(report, {"glasses": groups}, min_size=1000)
    for shown in (silent, one):
        assert shown.gaps.empty
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
    table = pd.DataFrame({"glasses": groups, "row": np.arange(400) % 2})
    found = slice_report(report, table)
    assert list(found.groups["column"].unique()) == ["glasses", "row"]
    p = found.gaps[found.gaps["score"] == "accuracy"]
    low, high = sorted(p["p_value"])
    assert sorted(p["p_adjusted"]) == pytest.approx([2 * low, max(2 * low, high)])
    assert len(found.gaps) == 8
    alone = slice_report(report, table[["glasses"]])
    assert alone.gaps["p_adjusted"][0] == alone.gaps["p_value"][0]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"a": ["x"] * 9}, "one row per sample of the report, 60.*Received: 9 rows"),
        ({}, "a column or more. Received: 0 rows, 0 columns"),
        ({"age": np.arange(60)}, "`pd.qcut`.*Received: 60 different"),
        ({"a": [None] * 60}, "Received: 0 different values of 'a'"),
    ],
)
def test_bad_input_is_refused(metadata, message):
    with pytest.raises(ValueError, match=message):
        slice_report(draw(60)[0], metadata)


def test_image_properties_measure_pixels_and_votes():
    images = np.zeros((3, 8, 8), np.uint8)
    images[:, 4, 4] = 40, 80, 160
    # The Laplacian of a point p is -4p there and p at its four neighbors: a variance of 20/64 p^2.
    wanted = {
        "sharpness": ["low: 500 to 500", "middle: 2000 to 2000", "high: 8000 to 8000"],
        "brightness": ["low: 1 to 1", "middle: 1 to 1", "high: 2 to 2"],  # p / 64
        "contrast": ["low: 5 to 5", "middle: 10 to 10", "high: 20 to 20"],  # sqrt(63) / 64 p
    }
    gray = FaceDataset(images, [0, 1, 2])
    assert image_properties(gray).astype(str).to_dict("list") == wanted
    color = FaceDataset(np.repeat(images[..., np.newaxis], 3, axis=3), [0, 1, 2])
    assert image_properties(color).equals(image_properties(gray))
    votes = np.zeros((3, 10), int)
    votes[:, 3], votes[:, 4], votes[:, 8] = (5, 9, 4), (5, 1, 0), (0, 0, 6)  # happy, sad, unknown
    voted = FaceDataset(images, [0, 1, 2], metadata=pd.DataFrame(votes, columns=VOTE_COLUMNS))
    shares = ["low: 0.5 to 0.5", "middle: 0.9 to 0.9", "high: 1 to 1"]
    assert image_properties(voted)["agreement"].tolist() == shares
    order = image_properties(voted[[2, 0, 1]])["agreement"]
    assert order.tolist() == [shares[2], shares[0], shares[1]]
    assert order.cat.categories.tolist() == shares


def test_equal_values_share_a_third():
    images = np.repeat(np.uint8([7, 7, 7, 9, 9, 20, 30, 40, 50]), 64).reshape(-1, 8, 8)
    found = image_properties(FaceDataset(images, [0] * 9))
    wanted = ["low: 7 to 7"] * 3 + ["middle: 9 to 20"] * 3 + ["high: 30 to 50"] * 3
    assert found["brightness"].tolist() == wanted
    assert set(found["contrast"]) == {"middle: 0 to 0"}


def test_the_text_the_html_and_the_json_show_the_values(tmp_path):
    report, groups = draw()
    found = slice_report(report, {"<b>": groups})
    text, html = str(found), found._repr_html_()
    assert max(map(len, text.splitlines())) <= 80
    for value in found.groups["accuracy"]:
        assert f"{value:.3f}" in text and f"{value:.3f}" in html
    low, high = found.groups.loc[1, ["accuracy_low", "accuracy_high"]]
    row = ["<b>", "yes", "182", "0.621", f"{low:.3f}", "to", f"{high:.3f}"]
    assert row in [line.split() for line in text.splitlines()]
    assert "&lt;b&gt;" in html and "<b>:" not in html
    values = json.loads(found.to_json(tmp_path / "slices.json"))
    assert json.loads((tmp_path / "slices.json").read_text()) == values
    assert values["n"] == 600 and len(values["recalls"]) == 6
    moved = pd.Series(groups, index=np.arange(600)[::-1], name="<b>")  # rows, not labels
    assert slice_report(report, moved).to_dict() == values  # of the same seed
