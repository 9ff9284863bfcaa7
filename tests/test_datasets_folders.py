"""Class-named folders, each on a tiny copy that the test draws."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

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


class DrawnDetector:
    """Finds as many faces as the image's top left pixel says, where FER2013's faces are."""

    def detect(self, image):
        face = Face(box=(4, 4, 40, 40), score=0.9, landmarks=LANDMARKS)
        return [face] * int(image[0, 0, 0])


def draw(path, size=(48, 48), level=None, mode="L", seed=0):
    """Draws an image file whose gray level tells which one it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if level is None:
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        image = Image.fromarray(pixels)
    else:
        image = Image.new(mode, size, level if mode == "L" else (level,) * 3)
    image.save(path)
    return path


def load(function, *args, **options):
    """Loads where nothing may be left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*args, **options)


def emotions(dataset):
    return [dataset.class_names[label] for label in dataset.labels]


def levels(dataset):
    """The mean gray level of each image, by which `draw` tells them apart."""
    return dataset.images.mean(axis=(1, 2, 3)).round().astype(int).tolist()


# Class-named folders


def test_folder_takes_any_size_color_and_synonym(tmp_path):
    draw(tmp_path / "Happiness" / "a.png", (100, 60), 10)
    draw(tmp_path / "Happiness" / "deep" / "b.jpg", (20, 20), 20, "RGB")
    draw(tmp_path / "ANGER" / "c.bmp", (48, 48), 30)
    draw(tmp_path / "no images" / ".hidden.png").parent.rename(tmp_path / ".thumbnails")
    (tmp_path / "sad").mkdir()
    dataset = load(load_folder, tmp_path)
    assert dataset.class_names == EMOTIONS
    assert emotions(dataset) == ["angry", "happy", "happy"]
    assert levels(dataset) == [30, 10, 20]
    assert dataset.images.shape == (3, 48, 48, 1)
    assert dataset.metadata[["file", "width", "height"]].to_numpy().tolist() == [
        ["ANGER/c.bmp", 48, 48],
        ["Happiness/a.png", 100, 60],
        ["Happiness/deep/b.jpg", 20, 20],
    ]
    assert dataset.name == tmp_path.name
    assert dataset.left_out.empty


def test_an_image_of_the_right_size_is_not_touched_and_a_wide_one_not_squeezed(tmp_path):
    exact = draw(tmp_path / "fear" / "a.png")
    wide = np.zeros((48, 96), np.uint8)
    wide[:, 24:72] = np.asarray(Image.open(exact))
    Image.fromarray(wide).save(tmp_path / "fear" / "b.png")
    dataset = load(load_folder, tmp_path)
    np.testing.assert_array_equal(dataset.images[0, ..., 0], np.asarray(Image.open(exact)))
    np.testing.assert_array_equal(dataset.images[1], dataset.images[0])


def test_folder_in_color_and_another_size(tmp_path):
    path = draw(tmp_path / "happy" / "a.png", (32, 32), mode="RGB")
    dataset = load(load_folder, tmp_path, color=True, image_size=32)
    np.testing.assert_array_equal(dataset.images[0], np.asarray(Image.open(path)))


def test_splits_and_contempt(tmp_path):
    draw(tmp_path / "train" / "happy" / "a.png", level=1)
    draw(tmp_path / "train" / "contempt" / "a.png", level=2)
    draw(tmp_path / "test_set" / "sad" / "a.png", level=3)
    dataset = load(load_folder, tmp_path)
    assert dataset.split.tolist() == ["test_set", "train", "train"]
    assert levels(dataset) == [3, 2, 1]
    assert dataset.class_names == EMOTIONS_8


def test_unknown_names_are_all_listed(tmp_path):
    for name in ("happy", "bored", "0"):
        draw(tmp_path / name / "a.png")
    with pytest.raises(ValueError, match=r"named after angry, .*Received: 0, bored; rename them"):
        load_folder(tmp_path)


def test_own_classes(tmp_path):
    for name in ("Awake", "tired"):
        draw(tmp_path / name / "a.png")
    dataset = load(load_folder, tmp_path, class_names=["tired", "awake"])
    assert dataset.class_names == ("tired", "awake")
    assert emotions(dataset) == ["awake", "tired"]
    draw(tmp_path / "happy" / "a.png")
    with pytest.raises(ValueError, match="named after tired, awake. Received: happy"):
        load_folder(tmp_path, class_names=["tired", "awake"])


def test_one_bad_file_is_reported_and_does_not_stop_the_rest(tmp_path):
    draw(tmp_path / "happy" / "good.png")
    (tmp_path / "happy" / "text.jpg").write_text("no image")
    (tmp_path / "happy" / "empty.png").write_bytes(b"")
    half = draw(tmp_path / "sad" / "half.png", (200, 200))
    half.write_bytes(half.read_bytes()[:3000])
    draw(tmp_path / "stray.png")
    with pytest.warns(UserWarning, match="4 of 5 files were left out"):
        dataset = load_folder(tmp_path)
    assert emotions(dataset) == ["happy"]
    left_out = ["stray.png", "happy/empty.png", "happy/text.jpg", "sad/half.png"]
    assert dataset.left_out["file"].tolist() == left_out
    assert dataset.left_out["problem"][0] == "in no class folder"
    assert len(dataset[:0].left_out) == 4


def test_files_of_other_kinds_are_said(tmp_path):
    draw(tmp_path / "happy" / "good.png")
    for name in ("phone.jxl", "desktop.ini", "notes.txt"):
        (tmp_path / "happy" / name).write_text("x")
    with pytest.warns(UserWarning) as caught:
        dataset = load_folder(tmp_path)
    assert dataset.left_out["file"].tolist() == ["happy/phone.jxl"]
    assert "passed over by their suffix: .txt 1" in str(caught[0].message)


def test_a_detector_aligns_single_faces_takes_crops_and_reports_the_others(tmp_path):
    for count in (0, 1, 2):
        path = draw(tmp_path / "happy" / f"{count}.png", (96, 96), 100, "RGB")
        image = Image.open(path)
        image.putpixel((0, 0), (count, 0, 0))
        image.save(path)
    crop = draw(tmp_path / "sad" / "crop.png")  # 48x48 pixels, on which nothing is looked for
    with pytest.warns(UserWarning, match="2 of 4 files were left out"):
        dataset = load_folder(tmp_path, detector=DrawnDetector())
    assert dataset.metadata["file"].tolist() == ["happy/1.png", "sad/crop.png"]
    assert dataset.left_out.to_numpy().tolist() == [
        ["happy/0.png", "no faces found, expected exactly one"],
        ["happy/2.png", "2 faces found, expected exactly one"],
    ]
    assert levels(dataset)[0] == 100
    np.testing.assert_array_equal(dataset.images[1, ..., 0], np.asarray(Image.open(crop)))


def test_folder_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match="which is no folder"):
        load_folder(tmp_path / "missing")
    (tmp_path / "happy").mkdir()
    with pytest.raises(ValueError, match="folders named after angry.*no folder with images"):
        load_folder(tmp_path)
    draw(tmp_path / "happy" / "a.png")
    with pytest.raises(ValueError, match="Expected gray images with a `detector`"):
        load_folder(tmp_path, DrawnDetector(), color=True)
    with pytest.raises(ValueError, match="Expected `image_size` of at least 1 pixel"):
        load_folder(tmp_path, image_size=0)


@pytest.mark.slow
def test_real_photographs_are_aligned(tmp_path, scenes, yunet_weights):
    detector = FaceDetector("yunet", weights=yunet_weights)
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
