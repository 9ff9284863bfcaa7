"""Plots draw what they are given, where they are told, in the same colors, and nothing else."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colors
from matplotlib.patches import Rectangle

from fer_lib import evaluation, plotting
from fer_lib.datasets import FaceDataset
from fer_lib.labels import EMOTION_COLORS, EMOTIONS
from fer_lib.plotting import placement, style


def make_face(box, emotion="happy", landmarks=True):
    x, y, width, height = box
    probabilities = np.full(7, 0.05, np.float32)
    probabilities[EMOTIONS.index(emotion)] = 0.7
    points = {"left_eye": (x + 0.3 * width, y + 0.4 * height), "nose": (x + 5, y + 0.6 * height)}
    return SimpleNamespace(
        box=box,
        face=SimpleNamespace(landmarks=points if landmarks else None),
        emotion=emotion,
        confidence=0.7,
        probabilities=probabilities,
        class_names=EMOTIONS,
    )


@functools.cache
def robustness(number, *corruptions):
    """Reports of a model that predicts at random; of all corruptions where none is named."""
    generator = np.random.default_rng(0)
    guess = SimpleNamespace(
        name="guess", predict=lambda images: generator.dirichlet(np.ones(7), len(images))
    )
    faces = FaceDataset(np.full((70, 48, 48, 1), 90, np.uint8), np.arange(70) % 7)
    report = evaluation.robustness_suite(faces, guess, corruptions, num_resamples=20)
    return {f"model {k}": report for k in range(number)}


def make_video_table(seen, frames=60, class_names=EMOTIONS):
    """A table as `analyze_video` returns it; `seen` maps a face to the frames that show it."""
    rows = []
    for frame in range(frames):
        ids = [face_id for face_id, shown in seen.items() if frame in shown] or [None]
        for face_id in ids:
            share = np.nan if face_id is None else 1 / len(class_names)
            shares = [share] * (2 * len(class_names))
            rows.append([frame, frame / 30, face_id, *shares])
    raw = [f"raw_{name}" for name in class_names]
    return pd.DataFrame(rows, columns=["frame", "time_s", "face_id", *class_names, *raw])


IMAGE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
MATRIX = np.array([[8, 2], [0, 0]])
HISTORY = {
    "loss": [2.0, 1.5, 1.2],
    "val_loss": [1.9, 1.6, 1.4],
    "accuracy": [0.2, 0.4, 0.5],
    "val_accuracy": [0.25, 0.35, 0.45],
}
BINS = pd.DataFrame(
    [[0.2, 0.4, 0.3, 0.5, 10], [0.8, 1.0, 0.9, 0.7, 30]],
    columns=["low", "high", "confidence", "accuracy", "count"],
)
REPORT = SimpleNamespace(reliability=BINS)
MAP = np.linspace(0, 1, 30 * 20).reshape(1, 20, 30)
CURVE = pd.DataFrame({"coverage": [0.1, 0.5, 1.0], "risk": [0.0, 0.1, 0.3]})
TIMELINE = make_video_table({1: range(60), 2: [*range(10), *range(30, 50)]})

ONE_AXES = {
    "confusion_matrix": lambda ax: plotting.plot_confusion_matrix(MATRIX, ["a", "b"], ax=ax),
    "predictions": lambda ax: plotting.plot_predictions(
        IMAGE, [make_face((20, 20, 60, 70))], ax=ax
    ),
    "reliability": lambda ax: plotting.plot_reliability(REPORT, ax=ax),
    "risk_coverage": lambda ax: plotting.plot_risk_coverage(CURVE, ax=ax),
}
MANY_AXES = {
    "explanations": lambda ax: plotting.plot_explanations([IMAGE], MAP, ["a"], ax=ax).ravel(),
    "faces": lambda ax: plotting.plot_faces([IMAGE, IMAGE], ["a", "b"], ax=ax),
    "history": lambda ax: plotting.plot_history(HISTORY, ax=ax),
    "robustness": lambda ax: plotting.plot_robustness(robustness(1, "dark", "mask"), ax=ax),
    "timeline": lambda ax: plotting.plot_timeline(TIMELINE, ax=ax),
}


def assert_nothing_is_cut(figure):
    """All text is large enough to read and lies in a figure that is as wide as a notebook."""
    figure.canvas.draw()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert width <= 8.01
    assert drawn.x0 >= -0.02 and drawn.x1 <= width + 0.02
    assert drawn.y0 >= -0.02 and drawn.y1 <= height + 0.02
    assert all(t.get_fontsize() >= 8 for t in figure.findobj(mpl.text.Text) if t.get_text())


@pytest.mark.parametrize("name", [*ONE_AXES, *MANY_AXES])
def test_it_draws_on_the_given_axes_or_on_a_new_figure_and_changes_no_setting(name):
    settings_before = mpl.rcParams.copy()
    draw, count = {**ONE_AXES, **MANY_AXES}[name], 2 if name in MANY_AXES else 1
    _, grid = plt.subplots(2, 2)
    given = np.ravel(draw(grid if count == 2 else grid[0, 0]))
    assert list(given) == list(grid.ravel()[:count])
    assert len(plt.get_fignums()) == 1 and given[0].has_data() and not grid[1, 1].has_data()
    new = np.ravel(draw(None))
    assert len(new) == count and new[0].figure is not given[0].figure
    assert_nothing_is_cut(new[0].figure)
    assert mpl.rcParams == settings_before
    if count == 2:
        assert not grid[1, 0].axison
        with pytest.raises(ValueError, match="at least 2 Axes. Received: 1"):
            draw(plt.figure().subplots())


def test_robustness_draws_every_model_so_that_each_is_told_apart():
    axes = plotting.plot_robustness(robustness(8))
    lines = axes[0].get_lines()[:-1]  # the last one is chance
    looks = {(line.get_color(), line.get_marker()) for line in lines}
    assert len(axes) == 14 and len(lines) == len(looks) == 8
    assert_nothing_is_cut(axes[0].figure)


def test_robustness_draws_the_values_of_the_report():
    reports = robustness(1, "dark", "mask")
    axes, report = plotting.plot_robustness(reports), reports["model 0"]
    assert [ax.get_title() for ax in axes] == ["little light", "mask"]
    line = axes[1].lines[0]
    expected = [report.accuracy, *report.to_frame()["accuracy"][5:]]
    np.testing.assert_allclose(line.get_ydata(), expected)
    np.testing.assert_array_equal(line.get_xdata(), range(6))
    legend = axes[0].figure.axes[-1].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["model 0", "most frequent class"]


def test_faces_show_the_images_and_titles():
    gray = np.full((48, 48), 100, np.uint8)
    images = [gray, gray[..., None], IMAGE, IMAGE / 255.0, IMAGE.astype(np.float32)]
    axes = plotting.plot_faces(images, ["happy", "sad", 3, 4, "a title of many words"])
    shown = [ax.images[0].get_array() for ax in axes]
    assert np.array_equal(shown[0], np.full((48, 48, 3), 100))  # a constant image keeps its gray
    assert np.array_equal(shown[0], shown[1])
    for image in shown[2:]:
        np.testing.assert_allclose(np.asarray(image, float), IMAGE, atol=1)
    assert [ax.get_title() for ax in axes][:3] == ["happy", "sad", "3"]
    assert_nothing_is_cut(axes[0].figure)
    [ax] = plotting.plot_faces([gray], ["said: happy\nlabel: sad"])
    assert ax.get_title() == "said: happy\nlabel: sad"


def test_explanations_show_each_face_above_the_same_face_under_its_map():
    maps = np.concatenate([MAP, -MAP, 0 * MAP] * 3)
    axes = plotting.plot_explanations([IMAGE] * 9, maps, [f"face {i}" for i in range(9)])
    assert axes.shape == (2, 9)
    assert_nothing_is_cut(axes[0, 0].figure)
    for plain, overlaid in axes.T:
        above, below = plain.get_position(), overlaid.get_position()
        assert above.y0 > below.y0 and above.x0 == pytest.approx(below.x0)
        assert len(plain.images) == 1 and len(overlaid.images) == 2
        np.testing.assert_array_equal(plain.images[0].get_array(), IMAGE)
        assert overlaid.images[1].get_extent() == overlaid.images[0].get_extent()
    opacities = [overlaid.images[1].get_alpha() for overlaid in axes[1, :3]]
    assert opacities[0].argmax() == MAP.argmax() and opacities[0].max() > 0.5
    assert not opacities[1].any() and not opacities[2].any()


def test_history_from_a_dict_a_table_and_keras():
    table = pd.DataFrame(HISTORY).assign(epoch=[1, 2, 3])
    for history in (HISTORY, table, SimpleNamespace(history=HISTORY)):
        loss, accuracy = plotting.plot_history(history)
        training, validation = accuracy.lines
        np.testing.assert_allclose(training.get_ydata(), HISTORY["accuracy"])
        np.testing.assert_allclose(validation.get_ydata(), HISTORY["val_accuracy"])
        np.testing.assert_array_equal(validation.get_xdata(), [1, 2, 3])
        assert loss.get_title() == "loss"
        assert training.get_linestyle() != validation.get_linestyle()
    (ax,) = plotting.plot_history({"loss": [1.0]}, ["loss"])
    assert len(ax.lines) == 1 and ax.lines[0].get_marker() == "o"  # a single epoch is seen
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_confusion_matrix_shows_shares_and_counts():
    ax = plotting.plot_confusion_matrix(MATRIX, ["happy", "sad"])
    shown = ax.collections[0].get_array().reshape(2, 2)
    np.testing.assert_allclose(shown, [[0.8, 0.2], [0, 0]])
    assert [text.get_text() for text in ax.texts] == ["80%\n8", "20%\n2", "0%\n0", "0%\n0"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["happy", "sad"]
    names = [f"a class with a long name {k}" for k in range(20)]
    ax = plotting.plot_confusion_matrix(np.eye(20, dtype=int), names)
    assert len(ax.texts) == 0
    assert_nothing_is_cut(ax.figure)


def test_reliability_draws_the_bins():
    ax = plotting.plot_reliability(REPORT, title="cnn")
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.7]
    assert [bar.get_x() for bar in ax.patches] == [0.2, 0.8]
    (strip,) = ax.child_axes
    assert [bar.get_height() for bar in strip.patches] == [10, 30]
    assert_nothing_is_cut(ax.figure)


def test_risk_coverage_draws_the_curve():
    [line] = plotting.plot_risk_coverage(CURVE).lines
    np.testing.assert_allclose(line.get_xydata(), CURVE)


def test_predictions_draw_boxes_landmarks_labels_and_bars():
    faces = [make_face((10, 20, 60, 70)), make_face((150, 30, 50, 60), "sad", landmarks=False)]
    ax = plotting.plot_predictions(IMAGE, faces)
    first, second = ax.patches
    assert (*first.get_xy(), first.get_width(), first.get_height()) == (9.5, 19.5, 60, 70)
    assert colors.to_hex(first.get_edgecolor()) == EMOTION_COLORS["happy"].lower()
    assert colors.to_hex(second.get_edgecolor()) == EMOTION_COLORS["sad"].lower()
    (points,) = ax.lines  # the second face has none
    np.testing.assert_allclose(
        np.transpose(points.get_data()), list(faces[0].face.landmarks.values())
    )
    assert [text.get_text() for text in ax.texts] == ["1 happy 70%", "2 sad 70%"]
    bars = ax.figure.axes[1]
    widths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(widths, np.concatenate([face.probabilities for face in faces]))
    assert colors.to_hex(bars.patches[3].get_facecolor()) == EMOTION_COLORS["happy"].lower()
    assert_nothing_is_cut(ax.figure)
    _, (ax, bars_ax) = plt.subplots(1, 2)
    plotting.plot_predictions(IMAGE, faces[:1], ax=ax, bars_ax=bars_ax)
    assert len(bars_ax.patches) == 7 and ax.texts[0].get_text() == "happy 70%"


def test_predictions_of_many_faces_are_divided_bars():
    faces = [make_face((5 + 36 * k, 40, 30, 40), EMOTIONS[k % 7]) for k in range(8)]
    ax = plotting.plot_predictions(IMAGE, faces)
    bars = ax.figure.axes[1]
    assert len(bars.patches) == 8 * 7
    ends = [bar.get_x() + bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(ends[-8:], 1.0, atol=1e-5)
    assert [text.get_text() for text in bars.get_legend().get_texts()] == list(EMOTIONS)
    assert_nothing_is_cut(ax.figure)


def test_predictions_of_a_crowd_say_that_some_bars_are_missing():
    faces = [make_face((5 + 20 * (k % 14), 5 + 60 * (k // 14), 15, 20)) for k in range(40)]
    ax = plotting.plot_predictions(IMAGE, faces)
    assert sum(isinstance(patch, Rectangle) for patch in ax.patches) == 40
    assert any(text.get_text().isdigit() for text in ax.texts)  # no room for more
    legend = ax.figure.axes[1].get_legend()
    assert legend.get_title().get_text() == "the first 30 of 40 faces"
    assert_nothing_is_cut(ax.figure)


def test_predictions_without_a_face():
    ax = plotting.plot_predictions(IMAGE[..., 0], [])
    assert ax.get_title() == "no face found"
    assert len(ax.figure.axes) == 1 and not ax.patches


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([(200, 300), (300, 200), (100, 900), (900, 100), (30, 40)]),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=12),
)
def test_labels_stay_in_the_image_wherever_the_faces_are(shape, spots):
    height, width = shape
    faces = []
    for k, (left, top, wide, high) in enumerate(spots):
        x, y = int(left * (width - 2)), int(top * (height - 2))
        box = (x, y, max(int(wide * (width - x)), 1), max(int(high * (height - y)), 1))
        faces.append(make_face(box, EMOTIONS[k % 7]))
    ax = plotting.plot_predictions(np.zeros((*shape, 3), np.uint8), faces)
    assert_nothing_is_cut(ax.figure)
    assert ax.get_xlim() == (-0.5, width - 0.5)
    plt.close("all")


def test_a_label_stands_where_it_covers_least_and_stays_in_the_frame():
    frame, size = (0, 0, 100, 100), (30, 10)
    place = functools.partial(placement.place_label, size=size, frame=frame)
    assert place((20, 40, 20, 20), taken=[]) == (20, 30, 30, 10)
    above = (0, 0, 100, 39)
    assert place((20, 40, 20, 20), taken=[above]) == (20, 60, 30, 10)
    assert place((20, 40, 20, 60), taken=[above]) == (40, 40, 30, 10)  # no room below
    assert place((90, 0, 10, 100), taken=[]) == (60, 0, 30, 10)  # its face is not covered
    assert place((0, 0, 100, 100), taken=[]) == (0, 0, 30, 10)


def test_large_images_keep_their_coordinates():
    big = np.zeros((2501, 3333, 3), np.uint8)
    ax = plotting.plot_predictions(big, [make_face((1000, 800, 300, 400))])
    assert ax.images[0].get_array().shape[1] <= 2 * 1600
    assert ax.get_xlim() == (-0.5, 3332.5) and ax.get_ylim() == (2500.5, -0.5)
    left, right, bottom, top = ax.images[0].get_extent()
    assert left == top == -0.5
    assert 3332.5 <= right < 3335 and 2500.5 <= bottom < 2503


def test_colors():
    assert style.class_colors(EMOTIONS) == [EMOTION_COLORS[name] for name in EMOTIONS]
    mixed = style.class_colors(["happy", "bored", "tired"])
    assert mixed[0] == EMOTION_COLORS["happy"] and len(set(mixed)) == 3
    assert len(set(style.class_colors([f"class {k}" for k in range(10)]))) == 10
    assert not set(style.SERIES_COLORS) & set(EMOTION_COLORS.values())
    assert style.text_color("#ffffff") == style.text_color(EMOTION_COLORS["happy"]) == "black"
    assert style.text_color("#000000") == style.text_color(EMOTION_COLORS["sad"]) == "white"


def spans(ax):
    """The stretches of time that are colored, one for each stack of areas."""
    boxes = {tuple(area.get_paths()[0].get_extents().intervalx.round(3)) for area in ax.collections}
    return sorted(boxes)


def test_timeline_shows_each_face_with_its_gaps():
    first, second = plotting.plot_timeline(TIMELINE)
    assert (first.get_ylabel(), second.get_ylabel()) == ("face 1", "face 2")
    assert spans(first) == [(0, 2)]
    assert spans(second) == [(0, 0.333), (1, 1.667)]
    drawn = [colors.to_hex(area.get_facecolor()[0]) for area in first.collections]
    assert drawn == [EMOTION_COLORS[name].lower() for name in EMOTIONS]
    legend = [text.get_text() for text in first.get_legend().get_texts()]
    assert legend == list(EMOTIONS) and second.get_legend() is None
    assert second.get_xlabel() == "time in seconds"


def test_timeline_draws_the_faces_seen_longest_and_says_so():
    table = make_video_table({k: range(60 if k == 8 else k) for k in range(1, 9)})
    axes = plotting.plot_timeline(table)
    assert [ax.get_ylabel() for ax in axes] == [f"face {k}" for k in range(3, 9)]
    assert axes[0].get_legend().get_title().get_text() == "6 of 8 faces, those seen longest"
    assert_nothing_is_cut(axes[0].figure)
    [once] = plotting.plot_timeline(table[table["face_id"] == 1])
    assert spans(once)[0][1] > spans(once)[0][0]


def test_timeline_of_a_long_video_is_in_minutes_and_one_without_a_face_says_so():
    table = make_video_table({1: range(60)})
    [ax] = plotting.plot_timeline(table.assign(time_s=table["time_s"] * 90))
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "time in minutes"
    assert "1.5" in [tick.get_text() for tick in ax.get_xticklabels()]
    assert spans(ax) == [(0, 3)]
    [ax] = plotting.plot_timeline(make_video_table({}))
    assert ax.get_title() == "no face found" and not ax.collections


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plotting.plot_faces([]), "at least one image"),
        (lambda: plotting.plot_faces([np.zeros((4, 4, 2))]), r"Received: .*\(4, 4, 2\)"),
        (lambda: plotting.plot_faces([IMAGE], ["a", "b"]), "1 titles"),
        (lambda: plotting.plot_explanations([IMAGE], MAP[0]), r"\(1, height, width\)"),
        (lambda: plotting.plot_history({}), "at least one epoch"),
        (lambda: plotting.plot_history({"loss": [1.0]}), "`metrics` among.*'accuracy'"),
        (lambda: plotting.plot_confusion_matrix(MATRIX), r"\(7, 7\)"),
        (lambda: plotting.plot_timeline(pd.DataFrame(HISTORY)), "analyze_video"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
