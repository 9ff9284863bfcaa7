"""The sets of others, each on a tiny copy that the test draws: what is read, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from image_files import load, rows_of, write

from fer_lib import datasets
from fer_lib.datasets import load_path
from fer_lib.labels import EMOTIONS, EMOTIONS_8


def expected(copy):
    """The rows of one of the `COPIES`."""
    rows = [row.split() for row in COPIES[copy][2].split(", ")]
    return [(c, s.strip("-"), None if who == "-" else who, int(level)) for c, s, who, level in rows]


CKPLUS = {
    f"cohn-kanade-images/{s}/{s.replace('/', '_')}_{frame:08d}.png": frame * 10
    for s in ("S005/001", "S010/002", "S010/003")
    for frame in range(1, 6)
} | {
    "Emotion/S005/001/S005_001_x_emotion.txt": "   3.0000000e+00\n",
    "Emotion/S010/002/S010_002_x_emotion.txt": "2",
}
AFFECTNET = {
    f"{folder}/annotations/{number}_{kind}.npy": np.array(value)
    for folder, number, code in (
        ("train_set", 10, "7"),
        ("train_set", 2, "1"),
        ("train_set", 3, "9"),
        ("val_set", 5, "6"),
    )
    for kind, value in (("exp", code), ("val", "-0.25"), ("aro", 0.5))
} | {"train_set/images/10.jpg": 10, "train_set/images/2.jpg": 2, "val_set/images/5.jpg": 5}
FACE = np.pad(np.full((30, 30), 200), ((20, 30), (10, 40)), constant_values=100)
TWO_FACES = np.full((60, 100), 50)
TWO_FACES[10:30, 5:25], TWO_FACES[20:50, 60:90] = 100, 200
EXPW = "two.jpg 0 10 5 25 30 90.5 3\ntwo.jpg 1 20 60 90 50 60.1 0\n"


def yolo(folders, yaml="nc: 3\nnames: ['Anger', 'Contempt', 'Happy']\n"):
    """Files of YOLO's layout, with folders such as `{split}/{kind}` or `{kind}/{split}`."""
    tree = {"YOLO_format/data.yaml": yaml}
    for split, code, level in (("train", 2, 20), ("valid", 0, 30), ("test", 1, 40)):
        images, labels = (folders.format(split=split, kind=k) for k in ("images", "labels"))
        tree[f"YOLO_format/{images}/{split}.jpg"] = level
        tree[f"YOLO_format/{labels}/{split}.txt"] = f"{code} 0.5 0.5 1.0 1.0\n"
    return tree


# Key of the set, files, and class, split, subject and gray level of each image.
COPIES = {
    "CK+ in sequences": (
        "ckplus",
        CKPLUS,
        "neutral - S005 10, disgust - S005 30, disgust - S005 40, disgust - S005 50, "
        "neutral - S010 10, contempt - S010 30, contempt - S010 40, "
        "contempt - S010 50",
    ),
    "CK+48": (
        "ckplus",
        {
            "CK+48/anger/S010_004_00000017.png": 1,
            "CK+48/contempt/S011_002_00000020.png": 2,
            "CK+48/sadness/S011_003_00000020.png": 3,
        },
        "angry - S010 1, contempt - S011 2, sad - S011 3",
    ),
    "JAFFE": (
        "jaffe",
        {"KA.AN1.39.tiff": 1, "KA.NE2.27.tiff": 2, "UY.FE1.15.tiff": 3, "YM.SU3.60.tiff": 4},
        "angry - KA 1, neutral - KA 2, fear - UY 3, surprise - YM 4",
    ),
    "KDEF": (
        "kdef",
        {
            f"KDEF/{name[:4]}/{name}.JPG": level
            for level, name in enumerate(["AF01AFS", "AF01NES", "BM01HAS", "AM01SUFL"], 1)
        },
        "fear - F01 1, neutral - F01 2, happy - M01 3",
    ),
    "RAF-DB as published": (
        "rafdb",
        {
            "basic/EmoLabel/list_patition_label.txt": "train_00001.jpg 1\ntest_0001.jpg 6\n\n",
            "basic/Image/aligned/train_00001_aligned.jpg": 1,
            "basic/Image/aligned/test_0001_aligned.jpg": 2,
        },
        "surprise Training - 1, angry Test - 2",
    ),
    "RAF-DB of Kaggle": (
        "rafdb",
        {
            "train_labels.csv": "image,label\ntrain_1_aligned.jpg,5\ntrain_2_aligned.jpg,7\n",
            "test_labels.csv": "image,label\ntest_1_aligned.jpg,2\n",
            "DATASET/train/5/train_1_aligned.jpg": 1,
            "DATASET/train/7/train_2_aligned.jpg": 2,
            "DATASET/test/2/test_1_aligned.jpg": 3,
        },
        "fear Test - 3, sad Training - 1, neutral Training - 2",
    ),
    "AffectNet": (
        "affectnet",
        AFFECTNET,
        "contempt Training - 10, happy Training - 2, angry Validation - 5",
    ),
    "AffectNet in lists": (
        "affectnet",
        {
            "Manually_Annotated_Images/689/a.jpg": FACE,
            "Manually_Annotated_Images/344/b.jpg": 40,
            "Manually_Annotated_file_lists/training.csv": "subDirectory_filePath,face_x,face_y,"
            "face_width,face_height,facial_landmarks,expression,valence,arousal\n"
            "689/a.jpg,10,20,30,30,1;2;3,7,-0.1,0.5\n344/b.jpg,-5,0,60,40,1;2;3,3,0.3,0.7\n"
            "344/none.jpg,0,0,9,9,1;2,10,-2,-2\n",
            "Manually_Annotated_file_lists/validation.csv": "689/a.jpg,10,20,30,30,1,0,-0.1,0.5",
        },
        "contempt Training - 200, surprise Training - 40, neutral Validation - 200",
    ),
    "AffectNet in YOLO's folders": (
        "affectnet",
        yolo("{split}/{kind}"),
        "contempt Test - 40, happy Training - 20, angry Validation - 30",
    ),
    "AffectNet in YOLO's other folders": (
        "affectnet",
        yolo("{kind}/{split}", "names:\n  0: anger  # 45\n  1: contempt\n  2: happy\nnc: 3\n"),
        "contempt Test - 40, happy Training - 20, angry Validation - 30",
    ),
    "AffectNet in YOLO's folders without splits": (
        "affectnet",
        yolo("{kind}", "names:\n- Anger\n- Contempt\n- Happy\n"),
        "contempt - - 40, happy - - 20, angry - - 30",
    ),
    "ExpW": (
        "expw",
        {"label/label.lst": EXPW, "image/origin/two.jpg": TWO_FACES},
        "happy - - 100, angry - - 200",
    ),
    "ExpW without folders above": (
        "expw",
        {"label.lst": EXPW, "origin/two.jpg": TWO_FACES},
        "happy - - 100, angry - - 200",
    ),
    "FER+ in folders": (
        "ferplus",
        {
            "FER2013Train/fer1.png": 1,
            "FER2013Train/fer2.png": 2,
            "FER2013Valid/fer3.png": 3,
            "FER2013Train/label.csv": 'fer1.png,"(0, 0, 50, 50)",1,8,1,0,0,0,0,0,0,0\n'
            'fer2.png,"(0, 0, 50, 50)",0,0,0,0,0,0,0,0,1,9\n',
            "FER2013Valid/label.csv": 'fer3.png,"(0, 0, 50, 50)",0,0,0,0,2,0,0,7,0,0\n',
        },
        "happy Training - 1, contempt Validation - 3",
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_recognized_and_read(tmp_path, name):
    key, tree, _ = COPIES[name]
    rows = expected(name)
    write(tmp_path / "mine", tree)
    for options in ({"name": key}, {}):
        dataset = load(load_path, tmp_path / "mine", **options)
        found = rows_of(dataset)
        assert [row[:3] for row in found] == [row[:3] for row in rows]
        np.testing.assert_allclose([row[3] for row in found], [row[3] for row in rows], atol=2)
        assert dataset.name == key
        has_contempt = key in ("ckplus", "affectnet", "ferplus")
        assert dataset.class_names == (EMOTIONS_8 if has_contempt else EMOTIONS)


METADATA = [
    ("CK+ in sequences", {"sequence": ["001"] * 4 + ["002"] * 4, "frame": [1, 3, 4, 5] * 2}),
    ("JAFFE", {"take": ["1", "2", "1", "3"]}),
    ("KDEF", {"session": ["A", "A", "B"], "sex": ["F", "F", "M"]}),
    ("AffectNet", {"valence": [-0.25] * 3, "arousal": [0.5] * 3}),
    ("ExpW", {"face_id": ["0", "1"], "confidence": [90.5, 60.1]}),
    ("FER+ in folders", {"votes_happy": [8, 0], "votes_neutral": [1, 0]}),
]


@pytest.mark.parametrize(("name", "columns"), METADATA)
def test_metadata_of_each_set(tmp_path, name, columns):
    key, tree, _ = COPIES[name]
    function = getattr(datasets, f"load_{key}") if key != "ferplus" else load_path
    metadata = load(function, write(tmp_path, tree)).metadata
    assert metadata[[*columns]].to_dict("list") == columns


EMOTION_FILE = "Emotion/S005/001/S005_001_x_emotion.txt"
LABELS = "basic/EmoLabel/list_patition_label.txt"
ROW = "689/a.jpg,10,20,30,30,1;2;3,{},-0.1,0.5"


BROKEN = [
    ("CK+ in sequences", EMOTION_FILE, ["9"], "emotion.txt: expected one number from 0 to 7.* 9'"),
    (
        "RAF-DB as published",
        LABELS,
        [f"train_00001.jpg 1\n{n}" for n in ("train_00009.jpg 8", "train_09.jpg", "o.jpg 3", "x")],
        "line 2: expected an im",
    ),
    (
        "AffectNet",
        "val_set/annotations/5_exp.npy",
        [np.array("angry"), np.array(11)],
        "5_exp.npy: expected a n",
    ),
    (
        "AffectNet in lists",
        "Manually_Annotated_file_lists/training.csv",
        [ROW.format("x"), ROW.format(11), ROW.format(1).replace("20", "x")],
        "line 1: exp",
    ),
    (
        "ExpW",
        "label/label.lst",
        [EXPW + f"a.jpg 0 {n}" for n in ("1 2 3", "1 5 25 30 90.5 7", "a 5 25 30 9 1")],
        "label.lst, line 3: expected name, face, top",
    ),
    ("AffectNet in YOLO's folders", "YOLO_format/data.yaml", ["nc: 3"], "emotion in data.yaml"),
]


@pytest.mark.parametrize(("name", "file", "contents", "message"), BROKEN)
def test_a_label_that_breaks_the_format_names_its_place(tmp_path, name, file, contents, message):
    key, tree, _ = COPIES[name]
    for content in contents:
        write(tmp_path, tree | {file: content})
        with pytest.raises(ValueError, match=message) as error:
            load_path(tmp_path, key)
        assert "\n" not in str(error.value)


FRAME = "cohn-kanade-images/S005/009/S005_009_0"
UNUSABLE = [
    ("CK+ in sequences", {"Emotion/S005/009/S005_009_emotion.txt": "1"}, FRAME),
    ("JAFFE", {"KA.XX1.39.tiff": 1}, "KA.XX1.39.tiff"),
    ("KDEF", {"KDEF/AF31/AF31V.JPG": 1}, "KDEF/AF31/AF31V.JPG"),
    (
        "RAF-DB as published",
        {LABELS: "train_00001.jpg 1\ntest_0001.jpg 6\ntrain_00002.jpg 2"},
        "Image/aligned/train_00002_aligned.jpg",
    ),
    ("ExpW", {"label/label.lst": EXPW + "two.jpg 2 80 60 90 99 60.1 6"}, "image/origin/two.jpg"),
]


@pytest.mark.parametrize(("name", "changes", "left_out"), UNUSABLE)
def test_one_image_that_cannot_be_used_does_not_stop_the_rest(tmp_path, name, changes, left_out):
    key, tree, _ = COPIES[name]
    rows = expected(name)
    write(tmp_path, tree | changes)
    with pytest.warns(UserWarning, match=f"1 of {len(rows) + 1} files were left out"):
        dataset = load_path(tmp_path, key)
    assert len(dataset) == len(rows)
    assert dataset.left_out["file"].tolist() == [left_out]


@pytest.mark.parametrize("key", ["ckplus", "jaffe", "kdef", "rafdb", "affectnet", "expw"])
def test_missing_and_empty_folders(tmp_path, key):
    function = getattr(datasets, f"load_{key}")
    with pytest.raises(FileNotFoundError, match="Expected the folder of .*, no folder"):
        function(tmp_path / "missing")
    with pytest.raises((FileNotFoundError, ValueError), match=r"[Ee]xpected .* Received"):
        function(tmp_path)


def test_yolo_without_names_of_classes(tmp_path):
    write(tmp_path, yolo("{split}/{kind}"))
    (tmp_path / "YOLO_format" / "data.yaml").unlink()
    with pytest.raises(FileNotFoundError, match="YOLO.*expected the names of its classes .*yaml"):
        load_path(tmp_path)


# Relatives of FER2013, and paths of any kind

P = " ".join(["7"] * 2304)
TABLE = f"emotion,pixels,Usage\n0,{P},Training\n3,{P},PublicTest\n"
TABLES = {
    "semicolons": ("f.csv", TABLE.replace(",", ";")),
    "float labels": ("f.csv", TABLE.replace("\n0,", "\n0.0,").replace("\n3,", "\n3.0,")),
    "an index": ("f.csv", "," + TABLE.replace("\n0,", "\n0,0,").replace("\n3,", "\n1,3,")),
    "odd spaces": ("f.csv", TABLE.replace(" ", "\xa0", 1)),
    "no file ending": ("fer2013", TABLE),
    "contempt": ("ckextended.csv", TABLE.replace("\n3,", "\n7,")),
}


@pytest.mark.filterwarnings("ignore:.*published are")
@pytest.mark.parametrize("kind", TABLES)
def test_tables_like_fer2013(tmp_path, kind):
    file, text = TABLES[kind]
    dataset = load_path(write(tmp_path, {file: text}) / file)
    last, class_names = ("contempt", EMOTIONS_8) if kind == "contempt" else ("happy", EMOTIONS)
    assert rows_of(dataset) == [("angry", "Training", None, 7), (last, "PublicTest", None, 7)]
    assert (dataset.name, dataset.class_names) == (file.removesuffix(".csv"), class_names)


def test_train_and_test_tables_in_one_folder(tmp_path):
    train = {"train.csv": f"emotion,pixels\n3,{P}\n"}
    write(tmp_path, train | {"test.csv": f"emotion,pixels\n0,{P}\n"})
    dataset = load(load_path, tmp_path)
    assert rows_of(dataset) == [("angry", "Test", None, 7), ("happy", "Training", None, 7)]
    write(tmp_path, {"test.csv": f"pixels\n{P}\n"})
    with pytest.warns(UserWarning, match="left out test.csv: no column emotion"):
        dataset = load_path(tmp_path)
    assert rows_of(dataset) == [("happy", "Training", None, 7)]
    assert dataset.left_out["file"].tolist() == ["test.csv"]


@pytest.mark.filterwarnings("ignore:.*published are")
@pytest.mark.parametrize(
    ("splits", "file", "name"),
    [
        (["train/"], "Training_7.png", "fer2013"),
        (["train/", "test/"], "face.png", "mine"),
        (["train/", "validation/"], "face.png", "mine"),
        ([""], "face.png", "mine"),
    ],
)
def test_folders_of_fer2013_are_told_from_your_own(tmp_path, splits, file, name):
    tree = {f"{split}{emotion}/{file}": 7 for split in splits for emotion in EMOTIONS}
    dataset = load_path(write(tmp_path / "mine", tree))
    assert (dataset.name, len(dataset)) == (name, len(tree))


@pytest.mark.filterwarnings("ignore:.*published are")
def test_saved_and_plain_npz_files(tmp_path):
    arrays = {"pixels": np.zeros((7, 48, 48), np.uint8), "emotion": np.arange(7)}
    np.savez(tmp_path / "plain.npz", **arrays, usage=np.full(7, "Training"))
    assert load_path(tmp_path / "plain.npz").name == "fer2013"
    datasets.FaceDataset(*arrays.values(), name="mine").save(tmp_path / "saved.npz")
    assert load_path(tmp_path / "saved.npz").name == "mine"


FOLDERS = {
    "person above": {"alice/happy/1.png": 1, "bob/happy/1.png": 2, "bob/sad/1.png": 3},
    "person below": {"happy/alice/1.png": 1, "happy/bob/1.png": 2, "sad/bob/1.png": 3},
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_folders_of_people(tmp_path, kind):
    rows = [("happy", "", "alice", 1), ("happy", "", "bob", 2), ("sad", "", "bob", 3)]
    assert rows_of(load(load_path, write(tmp_path, FOLDERS[kind]))) == rows
    split = write(tmp_path / "split", {f"train/{k}": v for k, v in FOLDERS[kind].items()})
    found = rows_of(load(load_path, split))
    assert found == [(emotion, "train", who, level) for emotion, _, who, level in rows]


@pytest.mark.parametrize("name", ["0 angry", "0_angry", "0-Angry", "01. anger"])
def test_numbers_in_front_of_a_class(tmp_path, name):
    assert rows_of(load(load_path, write(tmp_path, {f"{name}/1.png": 5})))[0][0] == "angry"


def test_a_folder_beside_the_splits_is_said(tmp_path):
    write(tmp_path, {"train/happy/1.png": 1, "test/sad/1.png": 2, "extra/happy/1.png": 3})
    with pytest.warns(UserWarning, match="1 of 3 files.*extra/happy/1.png: in no class folder"):
        dataset = load_path(tmp_path)
    assert rows_of(dataset) == [("sad", "test", None, 2), ("happy", "train", None, 1)]


def test_numbers_alone_are_no_classes(tmp_path):
    write(tmp_path, {f"train/{n}/a.png": n for n in range(1, 8)})
    with pytest.raises(ValueError, match="Received: 1, 2, .*numbers alone say no class.*'rafdb'"):
        load_path(tmp_path)
    assert len(load(load_path, tmp_path, "rafdb")) == 7
    dataset = load(load_path, tmp_path, classes={str(n): str(n) for n in range(1, 8)})
    assert rows_of(dataset)[6] == ("7", "train", None, 7)


def test_own_classes_of_a_path(tmp_path):
    write(tmp_path, {"smile/1.png": 1, "grin/1.png": 2, "none/1.png": 3, "other/1.png": 4})
    with pytest.warns(UserWarning, match="1 of 4 files were left out.*other/1.png"):
        dataset = load_path(tmp_path, classes={"happy": "smile|Grin", "neutral": "none"})
    assert dataset.class_names == ("happy", "neutral")
    rows = [("happy", 2), ("neutral", 3), ("happy", 1)]
    assert [(emotion, level) for emotion, _, _, level in rows_of(dataset)] == rows
    with pytest.raises(ValueError, match="expected the folders of sad.*Received: grin, none"):
        load_path(tmp_path, classes={"happy": "smile", "sad": "tears"})
    with pytest.raises(ValueError, match="Expected `classes` of class-named folders.*jaffe"):
        load_path(tmp_path, "jaffe", classes=["smile"])
    copy = write(tmp_path / "ck", COPIES["CK+48"][1])
    assert load_path(copy, classes=EMOTIONS_8[::-1]).class_names == EMOTIONS_8[::-1]
    with pytest.raises(ValueError, match="Received: contempt, too"):
        load_path(copy, classes=EMOTIONS)


@pytest.mark.parametrize("file", ["faces.zip", "faces.txt", "labels.csv"])
def test_other_files_are_refused_in_one_line(tmp_path, file):
    with pytest.raises(ValueError, match=r"[Ee]xpected .* Received: .*") as error:
        load_path(write(tmp_path, {file: "image,label\n1.png,3\n"}) / file)
    assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="Expected a data set.*which does not exist"):
        load_path(tmp_path / "missing")
