"""Class-named folders, each on a tiny copy that the test draws."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from image_files import load, rows_of, write

from fer_lib.datasets import load_folder
from fer_lib.detection import Face, FaceDetector
from fer_lib.labels import EMOTIONS, EMOTIONS_8

LANDMARKS = {
    "left_eye": (15.0, 18.5),
    "right_eye": (33.0, 18.5),
    "nose": (23.7, 28.7),
    "mouth_left": (16.7, 37.3),
    "mouth_right": (31.3, 37.3),
}
NOISE = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)


class DrawnDetector:
    """Finds as many faces as the image's top left pixel says, where FER2013's faces are."""

    def detect(self, image):
        face = Face(box=(4, 4, 40, 40), score=0.9, landmarks=LANDMARKS)
        return [face] * int(image[0, 0, 0])


def test_folder_takes_any_size_color_and_synonym(tmp_path):
    tree = {
        "Happiness/a.png": np.full((60, 100), 10),
        "Happiness/deep/b.jpg": np.full((20, 20, 3), 20),
        "ANGER/c.bmp": np.full((48, 48), 30),
        ".thumbnails/d.png": 40,
    }
    write(tmp_path, tree)
    (tmp_path / "sad").mkdir()
    dataset = load(load_folder, tmp_path)
    assert dataset.class_names == EMOTIONS
    assert rows_of(dataset) == [
        ("angry", "", None, 30),
        ("happy", "", None, 10),
        ("happy", "", None, 20),
    ]
    assert dataset.images.shape == (3, 48, 48, 1)
    assert dataset.metadata[["file", "width", "height"]].to_numpy().tolist() == [
        ["ANGER/c.bmp", 48, 48],
        ["Happiness/a.png", 100, 60],
        ["Happiness/deep/b.jpg", 20, 20],
    ]
    assert dataset.name == tmp_path.name
    assert dataset.left_out.empty


def test_an_image_of_the_right_size_is_not_touched_and_a_wide_one_not_squeezed(tmp_path):
    wide = np.pad(NOISE, ((0, 0), (24, 24)))
    dataset = load(load_folder, write(tmp_path, {"fear/a.png": NOISE, "fear/b.png": wide}))
    np.testing.assert_array_equal(dataset.images[..., 0], [NOISE, NOISE])


def test_folder_in_color_and_another_size(tmp_path):
    color = np.stack([NOISE, NOISE.T, NOISE[::-1]], axis=-1)[:32, :32]
    dataset = load(load_folder, write(tmp_path, {"sad/a.png": color}), color=True, image_size=32)
    np.testing.assert_array_equal(dataset.images[0], color)


def test_splits_and_contempt(tmp_path):
    write(tmp_path, {"train/happy/a.png": 1, "train/contempt/a.png": 2, "test_set/sad/a.png": 3})
    dataset = load(load_folder, tmp_path)
    rows = [("sad", "test_set", 3), ("contempt", "train", 2), ("happy", "train", 1)]
    assert rows_of(dataset) == [(emotion, split, None, n) for emotion, split, n in rows]
    assert dataset.class_names == EMOTIONS_8


def test_unknown_names_are_all_listed(tmp_path):
    write(tmp_path, {f"{name}/a.png": 1 for name in ("happy", "bored", "0")})
    with pytest.raises(ValueError, match=r"named after angry, .*Received: 0, bored; rename them"):
        load_folder(tmp_path)


def test_own_classes(tmp_path):
    write(tmp_path, {"Awake/a.png": 1, "tired/a.png": 2})
    dataset = load(load_folder, tmp_path, class_names=["tired", "awake"])
    assert dataset.class_names == ("tired", "awake")
    assert rows_of(dataset) == [("awake", "", None, 1), ("tired", "", None, 2)]
    write(tmp_path, {"happy/a.png": 1})
    with pytest.raises(ValueError, match="named after tired, awake. Received: happy"):
        load_folder(tmp_path, class_names=["tired", "awake"])


def test_one_bad_file_is_reported_and_does_not_stop_the_rest(tmp_path):
    write(tmp_path, {"happy/good.png": 1, "sad/half.png": NOISE, "stray.png": 1})
    half = (tmp_path / "sad" / "half.png").read_bytes()[:1000]
    write(tmp_path, {"happy/text.jpg": "no image", "happy/empty.png": "", "sad/half.png": half})
    with pytest.warns(UserWarning, match="4 of 5 files were left out"):
        dataset = load_folder(tmp_path)
    assert rows_of(dataset) == [("happy", "", None, 1)]
    left_out = ["stray.png", "happy/empty.png", "happy/text.jpg", "sad/half.png"]
    assert dataset.left_out["file"].tolist() == left_out
    assert dataset.left_out["problem"][0] == "in no class folder"
    assert len(dataset[:0].left_out) == 4


def test_files_of_other_kinds_are_said(tmp_path):
    write(tmp_path, {"happy/good.png": 1})
    write(tmp_path, {f"happy/{name}": "x" for name in ("phone.jxl", "desktop.ini", "notes.txt")})
    with pytest.warns(UserWarning) as caught:
        dataset = load_folder(tmp_path)
    assert dataset.left_out["file"].tolist() == ["happy/phone.jxl"]
    assert "passed over by their suffix: .txt 1" in str(caught[0].message)


def test_a_detector_aligns_single_faces_takes_crops_and_reports_the_others(tmp_path):
    photograph = np.full((96, 96, 3), 100)
    for count in range(3):
        photograph[0, 0] = count, 0, 0
        write(tmp_path, {f"happy/{count}.png": photograph})
    write(tmp_path, {"sad/crop.png": NOISE})  # 48x48 pixels, on which nothing is looked for
    with pytest.warns(UserWarning, match="2 of 4 files were left out"):
        dataset = load_folder(tmp_path, detector=DrawnDetector())
    assert dataset.metadata["file"].tolist() == ["happy/1.png", "sad/crop.png"]
    assert dataset.left_out.to_numpy().tolist() == [
        ["happy/0.png", "no faces found, expected exactly one"],
        ["happy/2.png", "2 faces found, expected exactly one"],
    ]
    assert rows_of(dataset)[0] == ("happy", "", None, 100)
    np.testing.assert_array_equal(dataset.images[1, ..., 0], NOISE)


def test_folder_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match="which is no folder"):
        load_folder(tmp_path / "missing")
    (tmp_path / "happy").mkdir()
    with pytest.raises(ValueError, match="folders named after angry.*no folder with images"):
        load_folder(tmp_path)
    write(tmp_path, {"happy/a.png": 1})
    with pytest.raises(ValueError, match="Expected gray images with a `detector`"):
        load_folder(tmp_path, DrawnDetector(), color=True)
    with pytest.raises(ValueError, match="Expected `image_size` of at least 1 pixel"):
        load_folder(tmp_path, image_size=0)


@pytest.mark.slow
def test_real_photographs_are_aligned(tmp_path, scenes, yunet_weights):
    detector = FaceDetector("yunet")
    images = sorted(p for p in scenes.iterdir() if p.suffix != ".csv")
    (tmp_path / "happy").mkdir()
    for path in images:
        shutil.copy(path, tmp_path / "happy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dataset = load_folder(tmp_path, detector)
    found = {path.name: len(detector.detect(path)) for path in images}
    single = {f"happy/{name}" for name, count in found.items() if count == 1}
    assert set(dataset.metadata["file"]) == single
    assert len(dataset) + len(dataset.left_out) == len(images)
