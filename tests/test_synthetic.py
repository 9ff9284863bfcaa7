"""The synthetic faces: the same everywhere, true to their table, and neither trivial nor chance."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import write_synthetic_folder
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lib.datasets import load_folder
from fer_lib.labels import EMOTIONS, EMOTIONS_8
from fer_lib.synthetic import draw_face, draw_faces, make_faces
from fer_lib.synthetic.factors import ACTION_UNITS, EMOTION_ACTION_UNITS, FACTORS, IDENTITY

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
LANDMARK_COLUMNS = [f"{point}_{axis}" for point in POINTS for axis in "xy"]

# Of `make_faces(12, seed=7)`: other faces are another data set than people have trained on.
TABLE_SHA256 = "270a7897bac76dd7b706e64ae75d5c81a34d28d06c32ede458101ca74da444b2"
MEANS = [64.14, 77.36, 193.68, 88.37, 122.77, 123.89, 105.05]
SPREADS = [37.77, 34.18, 38.44, 36.97, 54.72, 51.69, 46.88]


@pytest.fixture(scope="module")
def faces():
    return make_faces(12, seed=7)


def factors_of(dataset) -> pd.DataFrame:
    return dataset.metadata.drop(columns=LANDMARK_COLUMNS)


def test_what_comes_back(faces):
    assert faces.images.shape == (84, 48, 48, 1)
    assert faces.class_names == EMOTIONS and np.bincount(faces.labels).tolist() == [12] * 7
    assert [EMOTIONS[label] for label in faces.labels] == faces.metadata["emotion"].tolist()
    expected = {"emotion", "person", "intensity", *FACTORS, *ACTION_UNITS, *LANDMARK_COLUMNS}
    assert set(faces.metadata.columns) == expected
    assert len(set(faces.subjects)) == 84
    assert faces.images.std(axis=(1, 2, 3)).min() > 8
    colored = make_faces({"happy": 3, "sadness": 1}, image_size=30, color=True)
    assert colored.images.shape == (4, 30, 30, 3)
    assert colored.counts().to_numpy().sum() == 4
    assert not np.array_equal(colored.images[..., 0], colored.images[..., 2])
    eight = make_faces(1, class_names=EMOTIONS_8)
    assert eight.class_names == EMOTIONS_8 and len(eight) == 8
    assert np.array_equal(eight.images[:7], make_faces(1).images)


def test_gray_is_the_gray_of_the_colors():
    factors = {"noise": 0.0}
    gray = make_faces(4, factors=factors).images[..., 0].astype(float)
    color = make_faces(4, factors=factors, color=True).images @ [0.299, 0.587, 0.114]
    assert np.mean(np.abs(gray - color) < 2) > 0.98  # but for clipped highlights


def test_the_faces_are_the_same_everywhere(faces):
    text = factors_of(faces).to_csv(index=False, float_format="%.9f", lineterminator="\n")
    assert hashlib.sha256(text.encode()).hexdigest() == TABLE_SHA256
    pixels = faces.images[:7].reshape(7, -1)
    np.testing.assert_allclose(pixels.mean(axis=1), MEANS, atol=0.05)
    np.testing.assert_allclose(pixels.std(axis=1), SPREADS, atol=0.05)


def test_the_seed_decides_and_a_larger_set_begins_with_the_smaller_one(faces):
    assert make_faces(12, seed=8).content_hash != faces.content_hash
    small = make_faces(5, seed=7)
    assert np.array_equal(small.images, faces.images[: len(small)])
    pd.testing.assert_frame_equal(small.metadata, faces.metadata[: len(small)])


def test_the_table_draws_its_faces_again(faces):
    assert np.array_equal(draw_faces(faces.metadata[3:9]), faces.images[3:9])
    large = draw_faces(faces.metadata[:2], image_size=96)
    shrunk = large.reshape(2, 48, 2, 48, 2).mean(axis=(2, 4))
    for small, big in zip(faces.images[:2, ..., 0], shrunk, strict=True):
        assert np.corrcoef(small.ravel(), big.ravel())[0, 1] > 0.95


def test_fixing_one_factor_leaves_all_others(faces):
    fixed = make_faces(12, seed=7, factors={"glasses": True})
    assert fixed.metadata["glasses"].all() and not faces.metadata["glasses"].all()
    others = [factors_of(dataset).drop(columns="glasses") for dataset in (fixed, faces)]
    pd.testing.assert_frame_equal(*others)
    same = faces.metadata["glasses"].to_numpy()
    assert np.array_equal(fixed.images[same], faces.images[same])
    assert not np.array_equal(fixed.images[~same], faces.images[~same])


def test_a_factor_can_be_skewed_in_every_way():
    factors = {
        "skin_tone": {"happy": 2, "sad": [9, 10]},
        "yaw": (3, 6),
        "hair": ["none", "long"],
        "roll": np.linspace(-5, 5, 42),
        "AU12": {"happiness": (0.9, 1.0)},
    }
    table = make_faces(6, factors=factors).metadata
    tones = table.groupby("emotion")["skin_tone"]
    assert tones.get_group("happy").eq(2).all() and tones.get_group("sad").isin([9, 10]).all()
    assert tones.get_group("fear").nunique() > 1
    assert table["yaw"].between(3, 6).all() and table["yaw"].nunique() == 42
    assert set(table["hair"]) == {"none", "long"}
    assert np.array_equal(table["roll"], factors["roll"])
    assert table.loc[table["emotion"] == "happy", "AU12"].between(0.9, 1.0).all()


def test_intensity_drives_the_action_units():
    strong = make_faces(3, factors={"intensity": 1.0}).metadata
    weak = make_faces(3, factors={"intensity": 0.0}).metadata
    for emotion in EMOTIONS:
        for name, weight in EMOTION_ACTION_UNITS[emotion].items():
            assert strong.loc[strong["emotion"] == emotion, name].ge(0.7 * weight).all()
    assert weak[list(ACTION_UNITS)].to_numpy().max() < 0.15


def test_people_show_every_expression():
    dataset = make_faces(6, seed=2, people=3)
    assert len(set(dataset.subjects)) == 3
    identity = dataset.metadata.groupby("person")[list(IDENTITY)]
    assert identity.nunique().eq(1).all(axis=None)
    assert dataset.metadata.groupby("person")["emotion"].nunique().eq(7).all()
    assert len({image.tobytes() for image in dataset.images}) == 42


def test_landmarks_lie_where_fer2013_has_them():
    table = make_faces(60, seed=3).metadata[LANDMARK_COLUMNS]
    template = [15.0, 18.5, 33.0, 18.5, 23.7, 28.7, 16.7, 37.3, 31.3, 37.3]
    np.testing.assert_allclose(table.mean(), template, atol=0.6)
    assert table.std().between(0.8, 3.5).all()


@pytest.mark.parametrize("size", [48, 120])
def test_landmarks_lie_on_what_they_name(size):
    clean = {"noise": 0.0, "blur": 0.0, "resolution": 1.0, "glasses": False, "gaze_x": 0.0}
    clean |= {"gaze_y": 0.0, "hair": "short", "light_contrast": 0.4, "skin_tone": 4}
    dataset = make_faces(4, seed=4, image_size=size, factors=clean)
    for image, row in zip(dataset.images[..., 0], dataset.metadata.itertuples(), strict=True):
        for x, y in ((row.left_eye_x, row.left_eye_y), (row.right_eye_x, row.right_eye_y)):
            x, y, reach = round(x), round(y), size // 16
            eye = image[y - reach : y + reach + 1, x - reach : x + reach + 1]
            pupil = image[y - 1 : y + 2, x - 1 : x + 2]
            assert pupil.mean() < eye.mean() and pupil.min() < eye.max() - 25


@pytest.mark.parametrize(
    ("unit", "rows"),
    [("AU1", (0, 26)), ("AU4", (0, 26)), ("AU5", (10, 26)), ("AU15", (30, 48)), ("AU26", (28, 48))],
)
def test_an_action_unit_moves_its_part_of_the_face_only(unit, rows):
    change = np.abs(draw_face({unit: 1.0}, 96).astype(int) - draw_face(None, 96)).mean(axis=2)
    part = change[2 * rows[0] : 2 * rows[1]]
    assert part.sum() > 0.97 * change.sum() and part.max() > 40


def test_a_smile_raises_the_corners_of_the_mouth():
    level, smile = (
        make_faces(3, class_names=["neutral"], factors={"AU12": amount}).metadata
        for amount in (0, 1)
    )
    assert (smile["mouth_left_y"] < level["mouth_left_y"] - 1.5).all()
    assert (smile["mouth_left_x"] < level["mouth_left_x"] - 1).all()


def test_skin_tones_darken_from_1_to_10():
    light = [draw_face({"skin_tone": tone}, 48)[28:34, 10:14].mean() for tone in range(1, 11)]
    assert light[0] > light[4] + 20 > light[9] + 60
    assert np.all(np.diff(light) < 12)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_allowed_face_can_be_drawn(data):
    values = dict.fromkeys(ACTION_UNITS, st.floats(0, 1))
    for name, factor in FACTORS.items():
        number = st.floats(*(factor.limits or (factor.low, factor.high)))
        values[name] = st.sampled_from(factor.choices) if factor.choices else number
    row = data.draw(st.fixed_dictionaries(values | {"noise_seed": st.integers(0, 2**31)}))
    with np.errstate(all="raise", under="ignore"):
        assert draw_face(row, 24).shape == (24, 24, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_per_class": -1}, "num_per_class of angry` from 0"),
        ({"num_per_class": 2.5}, "whole number. Received: 2.5"),
        ({"num_per_class": 0}, "at least 1"),
        ({"num_per_class": {"contempt": 2}}, "Expected classes among"),
        ({"num_per_class": {"glad": 2}}, "Received: 'glad'"),
        ({"seed": -1}, "`seed` from 0"),
        ({"seed": None}, "`seed` as a whole number"),
        ({"image_size": 8}, "`image_size` from 16 to 1024. Received: 8"),
        ({"people": 0}, "`people` from 1"),
        ({"factors": {"shoe_size": 43}}, "Expected factors among .*Received: 'shoe_size'"),
        ({"factors": {"skin_tone": 11}}, "'skin_tone' to be one of 1, 2.*Received: 11"),
        ({"factors": {"yaw": 80}}, "'yaw' to be a number from -35 to 35. Received: 80"),
        ({"factors": {"yaw": float("nan")}}, "Received: nan"),
        ({"factors": {"yaw": (0, 90)}}, "Received: 90"),
        ({"factors": {"hair": "blue"}}, "'hair' to be one of none, short"),
        ({"factors": {"hair": []}}, "something to choose"),
        ({"factors": {"glasses": {"glad": True}}}, "Received: 'glad'"),
        ({"factors": {"age": np.array([20, 30])}}, "array of 14, one per face"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        make_faces(**{"num_per_class": 2, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"smile": 1}, "Received: 'smile'"),
        ({"emotion": "happy", "intensity": 3}, "'intensity' to be a number"),
        ({"AU12": 1.5}, "'AU12' to be a number"),
    ],
)
def test_a_face_that_cannot_be_drawn_is_refused(factors, message):
    with pytest.raises(ValueError, match=message):
        draw_face(factors)


def test_drawing_needs_no_image_library():
    code = "import sys, fer_lib.synthetic as s; s.draw_face(); print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_stored_folder_holds_what_the_generator_draws():
    folder = Path(__file__).resolve().parents[1] / "datasets" / "synthetic"
    stored, drawn = load_folder(folder), write_synthetic_folder.generate()
    drawn = drawn[drawn.metadata["file"].argsort()]
    assert stored.metadata["file"].tolist() == drawn.metadata["file"].tolist()
    assert np.abs(stored.images.astype(int) - drawn.images).max() <= 1  # but for the last rounding
    assert np.array_equal(stored.labels, drawn.labels)
    assert np.array_equal(stored.split, drawn.split)
    assert pd.Series(drawn.split).groupby(drawn.subjects).nunique().eq(1).all()
    assert sum(file.stat().st_size for file in folder.rglob("*.png")) < 1_000_000


def test_a_linear_model_finds_them_neither_trivial_nor_hopeless():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = make_faces(100, seed=0), make_faces(50, seed=1)
    pixels = [part.images.reshape(len(part), -1).astype("float32") for part in (train, test)]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=200))
    accuracy = model.fit(pixels[0], train.labels).score(pixels[1], test.labels)
    assert 0.35 < accuracy < 0.70
