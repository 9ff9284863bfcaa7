"""Class-named folders and the sets of others, each on a tiny copy that the test draws."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from fer_lib.datasets import (
    load_affectnet,
    load_ckplus,
    load_expw,
    load_folder,
    load_jaffe,
    load_kdef,
    load_rafdb,
)
from fer_lib.detection import Face
from fer_lib.labels import EMOTIONS, EMOTIONS_8

LANDMARKS = {
    "left_eye": (15.0, 18.5),
    "right_eye": (33.0, 18.5),
    "nose": (23.7, 28.7),
    "mouth_left": (16.7, 37.3),
    "mouth_right": (31.3, 37.3),
}


class DrawnDetector:
    """Finds as many faces as the picture's top left pixel says, where FER2013's faces are."""

    def detect(self, image):
        face = Face(box=(4, 4, 40, 40), score=0.9, landmarks=LANDMARKS)
        return [face] * int(image[0, 0, 0])


def draw(path, size=(48, 48), level=None, mode="L", seed=0):
    """Draws a picture file whose grey level tells which one it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if level is None:
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        picture = Image.fromarray(pixels)
    else:
        picture = Image.new(mode, size, level if mode == "L" else (level,) * 3)
    picture.save(path)
    return path


def load(function, *args, **options):
    """Loads where nothing may be left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*args, **options)


def emotions(dataset):
    return [dataset.class_names[label] for label in dataset.labels]


def levels(dataset):
    """The mean grey level of each picture, by which `draw` tells them apart."""
    return dataset.images.mean(axis=(1, 2, 3)).round().astype(int).tolist()


# Class-named folders


def test_folder_takes_any_size_colour_and_synonym(tmp_path):
    draw(tmp_path / "Happiness" / "a.png", (100, 60), 10)
    draw(tmp_path / "Happiness" / "deep" / "b.jpg", (20, 20), 20, "RGB")
    draw(tmp_path / "ANGER" / "c.bmp", (48, 48), 30)
    draw(tmp_path / "no pictures" / ".hidden.png").parent.rename(tmp_path / ".thumbnails")
    (tmp_path / "sad").mkdir()
    dataset = load(load_folder, tmp_path)
    assert dataset.class_names == EMOTIONS
    assert emotions(dataset) == ["angry", "happy", "happy"]
    assert levels(dataset) == [30, 10, 20]
    assert dataset.images.shape == (3, 48, 48, 1)
    assert dataset.metadata["file"].tolist() == [
        "ANGER/c.bmp",
        "Happiness/a.png",
        "Happiness/deep/b.jpg",
    ]
    assert dataset.metadata[["width", "height"]].to_numpy().tolist() == [
        [48, 48],
        [100, 60],
        [20, 20],
    ]
    assert dataset.name == tmp_path.name
    assert dataset.left_out.empty


def test_a_picture_of_the_right_size_is_not_touched_and_a_wide_one_not_squeezed(tmp_path):
    exact = draw(tmp_path / "fear" / "a.png")
    wide = np.zeros((48, 96), np.uint8)
    wide[:, 24:72] = np.asarray(Image.open(exact))
    Image.fromarray(wide).save(tmp_path / "fear" / "b.png")
    dataset = load(load_folder, tmp_path)
    np.testing.assert_array_equal(dataset.images[0, ..., 0], np.asarray(Image.open(exact)))
    np.testing.assert_array_equal(dataset.images[1], dataset.images[0])


def test_folder_in_colour_and_another_size(tmp_path):
    path = draw(tmp_path / "happy" / "a.png", (32, 32), mode="RGB")
    dataset = load(load_folder, tmp_path, color=True, image_size=32)
    np.testing.assert_array_equal(dataset.images[0], np.asarray(Image.open(path)))


def test_contempt_makes_eight_classes(tmp_path):
    draw(tmp_path / "contempt" / "a.png")
    assert load(load_folder, tmp_path).class_names == EMOTIONS_8


def test_train_and_test_folders_are_splits(tmp_path):
    draw(tmp_path / "train" / "happy" / "a.png", level=1)
    draw(tmp_path / "train" / "sad" / "a.png", level=2)
    draw(tmp_path / "test" / "sad" / "a.png", level=3)
    dataset = load(load_folder, tmp_path)
    assert dataset.split.tolist() == ["test", "train", "train"]
    assert levels(dataset) == [3, 1, 2]


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
    (tmp_path / "happy" / "text.jpg").write_text("no picture")
    (tmp_path / "happy" / "empty.png").write_bytes(b"")
    half = draw(tmp_path / "sad" / "half.png", (200, 200))
    half.write_bytes(half.read_bytes()[:3000])
    draw(tmp_path / "stray.png")
    with pytest.warns(UserWarning, match="4 of 5 files were left out"):
        dataset = load_folder(tmp_path)
    assert emotions(dataset) == ["happy"]
    assert dataset.left_out["file"].tolist() == [
        "stray.png",
        "happy/empty.png",
        "happy/text.jpg",
        "sad/half.png",
    ]
    assert dataset.left_out["problem"][0] == "in no class folder"
    assert len(dataset[:0].left_out) == 4


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
    with pytest.raises(ValueError, match="folders named after classes.*no folder with images"):
        load_folder(tmp_path)
    draw(tmp_path / "happy" / "a.png")
    with pytest.raises(ValueError, match="Expected gray images with a `detector`"):
        load_folder(tmp_path, DrawnDetector(), color=True)
    with pytest.raises(ValueError, match="Expected `image_size` of at least 1 pixel"):
        load_folder(tmp_path, image_size=0)


# Sets made in a laboratory


def test_ckplus_takes_peak_frames_and_the_neutral_first(tmp_path):
    for frame in range(1, 6):
        for sequence in ("S005/001", "S010/002", "S010/003"):
            name = f"{sequence.replace('/', '_')}_{frame:08d}.png"
            draw(tmp_path / "cohn-kanade-images" / sequence / name, (64, 49), frame * 10)
    for sequence, code in (("S005/001", "   3.0000000e+00\n"), ("S010/002", "2")):
        label = tmp_path / "Emotion" / sequence / f"{sequence.replace('/', '_')}_x_emotion.txt"
        label.parent.mkdir(parents=True)
        label.write_text(code)
    (tmp_path / "Emotion" / "S010" / "003").mkdir()  # a sequence without a label
    dataset = load(load_ckplus, tmp_path)
    assert dataset.class_names == EMOTIONS_8
    assert emotions(dataset) == ["neutral", *["disgust"] * 3, "neutral", *["contempt"] * 3]
    assert levels(dataset) == [10, 30, 40, 50] * 2
    assert dataset.subjects.tolist() == ["S005"] * 4 + ["S010"] * 4
    assert dataset.metadata["sequence"].tolist() == ["001"] * 4 + ["002"] * 4
    assert dataset.metadata["frame"].tolist() == [1, 3, 4, 5] * 2
    rest, part = dataset.split_by_subject(0.5)
    assert set(rest.subjects).isdisjoint(part.subjects)
    assert len(load(load_ckplus, tmp_path, num_peak_frames=1)) == 4
    (tmp_path / "Emotion" / "S005" / "001" / "S005_001_x_emotion.txt").write_text("9")
    with pytest.raises(ValueError, match=r"emotion.txt: expected one number from 0 to 7.* 9'"):
        load_ckplus(tmp_path)


def test_ckplus_reports_labels_without_pictures(tmp_path):
    draw(tmp_path / "cohn-kanade-images" / "S005" / "001" / "S005_001_00000001.png")
    for sequence in ("001", "002"):
        label = tmp_path / "Emotion" / "S005" / sequence / f"S005_{sequence}_emotion.txt"
        label.parent.mkdir(parents=True)
        label.write_text("1")
    with pytest.warns(UserWarning, match="1 of 2 files were left out"):
        dataset = load_ckplus(tmp_path)
    assert dataset.left_out["file"].tolist() == ["cohn-kanade-images/S005/002/S005_002_0"]


def test_ckplus_in_class_folders(tmp_path):
    draw(tmp_path / "CK+48" / "anger" / "S010_004_00000017.png", level=1)
    draw(tmp_path / "CK+48" / "sadness" / "S011_002_00000020.png", level=2)
    dataset = load(load_ckplus, tmp_path)
    assert emotions(dataset) == ["angry", "sad"]
    assert dataset.subjects.tolist() == ["S010", "S011"]


def test_jaffe(tmp_path):
    for level, name in enumerate(("KA.AN1.39", "KA.NE2.27", "YM.SU3.60", "UY.FE1.15")):
        draw(tmp_path / f"{name}.tiff", (64, 64), level)
    dataset = load(load_jaffe, tmp_path)
    assert dataset.class_names == EMOTIONS
    assert emotions(dataset) == ["angry", "neutral", "fear", "surprise"]
    assert levels(dataset) == [0, 1, 3, 2]
    assert dataset.subjects.tolist() == ["KA", "KA", "UY", "YM"]
    assert dataset.metadata["take"].tolist() == ["1", "2", "1", "3"]
    draw(tmp_path / "KA.XX1.39.tiff")
    draw(tmp_path / "copy of KA.tiff")
    with pytest.warns(UserWarning, match="2 of 6 files were left out"):
        assert len(load_jaffe(tmp_path)) == 4


def test_kdef(tmp_path):
    for level, name in enumerate(("AF01AFS", "AF01NES", "BF01HAS", "AM01SUFL", "AM01SUHR")):
        draw(tmp_path / "KDEF" / name[:4] / f"{name}.JPG", (56, 76), level, "RGB")
    dataset = load(load_kdef, tmp_path)
    assert emotions(dataset) == ["fear", "neutral", "happy"]
    assert dataset.subjects.tolist() == ["F01"] * 3
    assert dataset.metadata["session"].tolist() == ["A", "A", "B"]
    assert set(dataset.metadata["sex"]) == {"female"}
    sides = load(load_kdef, tmp_path, angles="FL HR", color=True)
    assert sides.metadata["angle"].tolist() == ["full left", "half right"]
    assert sides.images.shape == (2, 48, 48, 3)
    assert set(sides.subjects) == {"M01"}
    draw(tmp_path / "KDEF" / "AF31" / "AF31V.JPG")
    with pytest.warns(UserWarning, match="AF31V.JPG"):
        load_kdef(tmp_path)
    with pytest.raises(ValueError, match="Expected `angles` out of FL HL S HR FR"):
        load_kdef(tmp_path, angles="front")


# Sets from the web


def test_rafdb(tmp_path):
    root = tmp_path / "basic"
    names = {"train_00001": 1, "train_00002": 4, "train_00003": 7, "test_0001": 6}
    for level, name in enumerate(names):
        draw(root / "Image" / "aligned" / f"{name}_aligned.jpg", (100, 100), level, "RGB")
    (root / "EmoLabel").mkdir()
    label_file = root / "EmoLabel" / "list_patition_label.txt"
    lines = [f"{name}.jpg {label}" for name, label in names.items()]
    label_file.write_text("\n".join(lines) + "\n\n")
    for path in (tmp_path, root):
        dataset = load(load_rafdb, path)
        assert emotions(dataset) == ["surprise", "happy", "neutral", "angry"]
        assert dataset.split.tolist() == ["Training"] * 3 + ["Test"]
        assert levels(dataset) == [0, 1, 2, 3]
        assert dataset.subjects is None
    (root / "Image" / "aligned" / "train_00002_aligned.jpg").unlink()
    with pytest.warns(UserWarning, match="1 of 4 files were left out"):
        assert len(load_rafdb(root)) == 3
    for wrong in ("train_00009.jpg 8", "train_00009.jpg", "other.jpg 3", "x"):
        label_file.write_text("\n".join([*lines, wrong]))
        with pytest.raises(ValueError, match=r"patition_label.txt, line 5: expected an image"):
            load_rafdb(root)


def test_affectnet_as_given_out_today(tmp_path):
    for folder, number, code in (
        ("train_set", "10", "7"),
        ("train_set", "2", "1"),
        ("train_set", "3", "9"),
        ("val_set", "5", "6"),
    ):
        draw(tmp_path / folder / "images" / f"{number}.jpg", (224, 224), int(number), "RGB")
        annotations = tmp_path / folder / "annotations"
        annotations.mkdir(exist_ok=True)
        np.save(annotations / f"{number}_exp.npy", np.array(code))
        np.save(annotations / f"{number}_val.npy", np.array("-0.25"))
        np.save(annotations / f"{number}_aro.npy", np.array(0.5))
    dataset = load(load_affectnet, tmp_path)
    assert dataset.class_names == EMOTIONS_8
    assert emotions(dataset) == ["contempt", "happy", "angry"]
    assert dataset.split.tolist() == ["Training", "Training", "Validation"]
    assert levels(dataset) == [10, 2, 5]
    assert dataset.metadata["valence"].tolist() == [-0.25] * 3
    assert dataset.metadata["arousal"].tolist() == [0.5] * 3
    np.save(tmp_path / "val_set" / "annotations" / "5_exp.npy", np.array("angry"))
    with pytest.raises(ValueError, match=r"5_exp.npy: expected a number from 0 to 10"):
        load_affectnet(tmp_path)
    np.save(tmp_path / "val_set" / "annotations" / "5_exp.npy", np.array(11))
    with pytest.raises(ValueError, match=r"5_exp.npy: expected a number from 0 to 10"):
        load_affectnet(tmp_path)


def test_affectnet_lists(tmp_path):
    header = (
        "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
        "expression,valence,arousal"
    )
    rows = {
        "689/a.jpg": "689/a.jpg,10,20,30,30,1;2;3,{},-0.1,0.5",
        "344/b.jpg": "344/b.jpg,-5,0,60,40,1;2;3,3,0.3,0.7",
        "344/none.jpg": "344/none.jpg,0,0,9,9,1;2,10,-2,-2",
    }
    for name in rows:
        path = draw(tmp_path / "Manually_Annotated_Images" / name, (80, 80), 100)
        pixels = np.asarray(Image.open(path)).copy()
        pixels[20:50, 10:40] = 200
        Image.fromarray(pixels).save(path, quality=100)
    lists = tmp_path / "Manually_Annotated_file_lists"
    lists.mkdir()
    lines = [row.format(7) for row in rows.values()]
    (lists / "training.csv").write_text("\n".join([header, *lines]))
    (lists / "validation.csv").write_text(rows["689/a.jpg"].format(0))  # no header
    dataset = load(load_affectnet, tmp_path)
    assert emotions(dataset) == ["contempt", "surprise", "neutral"]
    assert dataset.split.tolist() == ["Training", "Training", "Validation"]
    assert levels(dataset)[0] in (199, 200, 201)
    assert dataset.metadata["valence"].tolist() == [-0.1, 0.3, -0.1]
    (lists / "training.csv").write_text("\n".join([header, lines[0], rows["689/a.jpg"]]))
    with pytest.raises(ValueError, match=r"training.csv, line 3: expected .* expression from 0"):
        load_affectnet(tmp_path)
    (lists / "training.csv").write_text("\n".join([header, lines[0].replace("20", "x")]))
    with pytest.raises(ValueError, match=r"training.csv, line 2: expected file, box"):
        load_affectnet(tmp_path)


@pytest.mark.parametrize("layout", ["label/label.lst image/origin", "label.lst origin"])
def test_expw_cuts_out_each_face_of_a_picture(tmp_path, layout):
    label_name, folder = layout.split()
    pixels = np.full((60, 100), 50, np.uint8)
    pixels[10:30, 5:25], pixels[20:50, 60:90] = 100, 200
    path = tmp_path / folder / "two.jpg"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path, quality=100)
    label_file = tmp_path / label_name
    label_file.parent.mkdir(exist_ok=True)
    lines = [
        "two.jpg 0 10 5 25 30 90.5 3",
        "two.jpg 1 20 60 90 50 60.1 0",
        "two.jpg 2 80 60 90 99 60.1 6",
    ]
    label_file.write_text("\n".join(lines[:2]) + "\n")
    dataset = load(load_expw, tmp_path)
    assert emotions(dataset) == ["happy", "angry"]
    np.testing.assert_allclose(levels(dataset), [100, 200], atol=2)
    assert dataset.metadata["face_id"].tolist() == ["0", "1"]
    assert dataset.metadata["confidence"].tolist() == [90.5, 60.1]
    label_file.write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="outside the image"):
        assert len(load_expw(tmp_path)) == 2
    for wrong in ("two.jpg 0 1 2 3", "two.jpg 0 10 5 25 30 90.5 7", "two.jpg 0 a 5 25 30 9 1"):
        label_file.write_text("\n".join([*lines[:2], wrong]))
        with pytest.raises(ValueError, match=r"label.lst, line 3: expected name, face, top"):
            load_expw(tmp_path)


@pytest.mark.parametrize(
    "function", [load_ckplus, load_jaffe, load_kdef, load_rafdb, load_affectnet, load_expw]
)
def test_missing_and_empty_folders(tmp_path, function):
    with pytest.raises(FileNotFoundError, match="Expected the folder of .*, no folder"):
        function(tmp_path / "missing")
    with pytest.raises((FileNotFoundError, ValueError), match=r"[Ee]xpected .* Received"):
        function(tmp_path)


@pytest.mark.slow
def test_real_photographs_are_aligned(tmp_path, scenes, yunet_weights):
    import shutil

    from fer_lib.detection import FaceDetector

    detector = FaceDetector("yunet", weights=yunet_weights)
    pictures = sorted(p for p in scenes.iterdir() if p.suffix != ".csv")
    (tmp_path / "happy").mkdir()
    for path in pictures:
        shutil.copy(path, tmp_path / "happy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dataset = load_folder(tmp_path, detector)
    found = {path.name: len(detector.detect(path)) for path in pictures}
    single = {f"happy/{name}" for name, count in found.items() if count == 1}
    assert set(dataset.metadata["file"]) == single
    assert len(dataset) + len(dataset.left_out) == len(pictures)
