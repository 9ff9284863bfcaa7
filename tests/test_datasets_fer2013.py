"""FER2013 and FER+ in every published layout, and what is wrong in a file is said."""

from __future__ import annotations

import dataclasses
import gzip
import io
import tarfile
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib.datasets import FaceDataset, load_fer2013, load_ferplus
from fer_lib.datasets.fer2013_files import published_rows, read_csv
from fer_lib.datasets.ferplus import VOTE_COLUMNS, majority_labels, vote_distribution, vote_labels
from fer_lib.labels import EMOTIONS, EMOTIONS_8

SPLITS = ("Training", "PublicTest", "PrivateTest")
PER_SPLIT = 20
FERPLUS_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_LIB_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def faces():
    count = len(SPLITS) * PER_SPLIT
    pixels = np.random.default_rng(7).integers(0, 256, (count, 48, 48), dtype=np.uint8)
    return pixels, np.arange(count) % 7, np.repeat(SPLITS, PER_SPLIT)


def write_csv(path, faces, columns=("emotion", "pixels", "Usage"), header=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels, labels, usage = faces
    texts = [" ".join(map(str, image.ravel())) for image in pixels]
    table = pd.DataFrame({"emotion": labels, "pixels": texts, "Usage": usage})
    table.to_csv(path, columns=list(columns), header=header, index=False)
    return path


def write_folders(root, faces, name="{split}_{row}.png"):
    for row, (image, label, split) in enumerate(zip(*faces, strict=True)):
        side = "train" if split == "Training" else "test"
        path = root / side / EMOTIONS[label] / name.format(split=split, row=row)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def load_quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return load_fer2013(*args, **options)


def assert_holds(dataset, faces):
    pixels, labels, usage = faces
    np.testing.assert_array_equal(dataset.images[..., 0], pixels)
    np.testing.assert_array_equal(dataset.labels, labels)
    np.testing.assert_array_equal(dataset.split, usage)
    assert (dataset.class_names, dataset.name) == (EMOTIONS, "fer2013")


def assert_refused(path, message, load=load_quietly):
    """Loading is one error of one line that names the file."""
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


# Layouts


def write_icml(root, faces):
    header = ["emotion", " Usage", " pixels"]
    write_csv(root / "icml_face_data.csv", faces, ("emotion", "Usage", "pixels"), header)


def write_spreadsheet(root, faces):
    path = write_csv(root / "fer2013.csv", faces)
    rows = ['"' + line.replace(",", '","') + '"' for line in path.read_text().splitlines()]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\n\r\n")


def write_tar(root, faces):
    csv_path = write_csv(root / "csv" / "fer2013.csv", faces)
    with tarfile.open(root / "fer2013.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("fer2013/README"), io.BytesIO())
        archive.add(csv_path, "fer2013/fer2013.csv")


def write_npz(root, faces):
    pixels, labels, usage = faces
    arrays = {"pixels": pixels[..., None], "emotion": labels.astype(np.uint8), "usage": usage}
    np.savez_compressed(root / "fer2013.npz", **arrays)


LAYOUTS = {
    "csv": lambda root, faces: write_csv(root / "fer2013.csv", faces),
    "one folder below": lambda root, faces: write_csv(root / "fer2013" / "fer2013.csv", faces),
    "icml": write_icml,
    "spreadsheet": write_spreadsheet,
    "tar": write_tar,
    "npz": write_npz,
    "saved": lambda root, faces: FaceDataset(*faces[:2], split=faces[2]).save(root / "fer2013.npz"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same_images(tmp_path, faces, layout):
    root = tmp_path / "copy"
    root.mkdir()
    LAYOUTS[layout](root, faces)
    before = sorted(root.rglob("*"))
    dataset = load_quietly(str(root))
    assert_holds(dataset, faces)
    assert layout == "saved" or dataset.metadata["row"].tolist() == list(range(60))
    assert sorted(root.rglob("*")) == before


def test_folders_with_rows_in_the_names_come_in_row_order(tmp_path, faces):
    starts = {"Training": 0, "PublicTest": 28709, "PrivateTest": 32298}
    rows = [starts[split] + i % PER_SPLIT for i, split in enumerate(faces[2])]
    for i, row in enumerate(rows):
        write_folders(tmp_path, [part[[i]] for part in faces], f"{{split}}_{row}.png")
    (tmp_path / "train" / "surprise").rename(tmp_path / "train" / "Surprised")
    dataset = load_quietly(tmp_path)
    assert_holds(dataset, faces)
    assert dataset.metadata["row"].tolist() == rows
    assert dataset.metadata["file"][0] == "train/angry/Training_0.png"


@pytest.mark.parametrize(
    ("name", "splits"),
    [("{split}_{row}1111111.jpg", set(SPLITS)), ("{row}.png", {"Training", "Test"})],
)
def test_folders_whose_names_tell_no_rows(tmp_path, faces, name, splits):
    write_folders(tmp_path, faces, name)
    dataset = load_quietly(tmp_path)
    assert "row" not in dataset.metadata
    assert dataset.counts().loc["angry", ["Training", "all"]].tolist() == [3, 9]
    assert set(dataset.split) == splits


def test_splits_are_chosen_and_only_the_train_folder_is_enough(tmp_path, faces):
    path = write_csv(tmp_path / "fer2013.csv", faces)
    assert set(load_quietly(path, "PublicTest").split) == {"PublicTest"}
    assert len(load_quietly(path, ["PublicTest", "Training"])) == 2 * PER_SPLIT
    only = [array[:PER_SPLIT] for array in faces]
    folders = write_folders(tmp_path / "some", only)
    assert_holds(load_quietly(folders), only)
    with pytest.raises(ValueError, match="Expected `split` to be one of.*'PublicTest'"):
        load_quietly(folders, "PublicTest")


def test_the_default_place(tmp_path, monkeypatch, faces):
    monkeypatch.setattr("fer_lib.paths._CHECKOUT", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="Expected FER2013 in.*Put fer2013.csv there"):
        load_fer2013()
    write_csv(tmp_path / "home" / "datasets" / "fer2013" / "fer2013.csv", faces)
    assert_holds(load_quietly(), faces)


@pytest.mark.parametrize(
    ("count", "message"),
    [(60, r"Training has 20 images, published are 28709 \(angry"), (1, "has 1 image, published")],
)
def test_counts_that_differ_are_a_warning_that_names_them(tmp_path, faces, count, message):
    path = write_csv(tmp_path / "fer2013.csv", [part[:count] for part in faces])
    with pytest.warns(UserWarning, match=message):
        load_fer2013(path)


def test_rows_are_the_published_ones_wherever_a_split_is_whole():
    usage = np.repeat(["PublicTest"], 3589)
    assert published_rows(usage)[[0, -1]].tolist() == [28709, 32297]
    assert published_rows(usage[1:])[0] == 0


# Errors: each names file, row and expectation in one line


def changed(row, column, value):
    """A function that gives one field of a table's lines another value."""

    def change(lines):
        fields = lines[row + 1].split(",")
        fields[column] = value
        return [*lines[: row + 1], ",".join(fields), *lines[row + 2 :]]

    return change


ONES = "1 " * 2303
CSV_FAULTS = {
    "empty file": (lambda lines: [], "an empty file .no pixels, emotion, usage"),
    "header only": (lambda lines: lines[:1], "expected rows below the header"),
    "missing column": (lambda lines: ["emotion,pixels", *lines[1:]], "emotion, pixels .no usage"),
    "no header": (lambda lines: lines[1:], r"\(no pixels, emotion, usage\)"),
    "binary": (lambda lines: ["\x00\x01\x02"], r"\(no pixels, emotion, usage\)"),
    "too few pixels": (changed(3, 1, "1 2 3"), r"row 3: expected 2304 pixels.*Received: 3"),
    "no pixels": (changed(3, 1, ""), "row 3: expected 2304 pixels.*0"),
    "too many pixels": (changed(3, 1, ONES + "1 7"), "row 3: expected 2304 .*Received: 2305"),
    "no number": (changed(5, 1, ONES + "x9"), "row 5: .*0 to 255. Received: 'x9'"),
    "trailing letter": (changed(5, 1, ONES + "9x"), "Received: '9x'"),
    "fraction": (changed(5, 1, "1 0.5" + " 1" * 2302), "'0.5'"),
    "above 255": (changed(5, 1, "256 " * 2304), "'256'"),
    "far above": (changed(5, 1, ONES + "4294967297"), "Received: '4294967297'"),
    "negative": (changed(5, 1, "-1 " * 2304), "'-1'"),
    "label 7": (changed(0, 0, "7"), "row 0: expected `emotion` among 0, .* Received: '7'"),
    "label word": (changed(1, 0, "happy"), "row 1.*Received: 'happy'"),
    "label missing": (changed(1, 0, ""), "row 1.*Received: ''"),
    "unknown Usage": (changed(2, 2, "Test"), "row 2: expected `usage` among .* Received: 'Test'"),
    "cut-off row": (lambda lines: [*lines[:9], lines[9][:500]], "row 8: expected `usage` among"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_a_faulty_csv_names_file_row_and_expectation(tmp_path, faces, fault):
    change, message = CSV_FAULTS[fault]
    path = write_csv(tmp_path / "fer2013.csv", faces)
    path.write_text("\n".join(change(path.read_text().splitlines())))
    assert_refused(path, message)
    assert not (tmp_path / "home").exists()


def test_archives_that_are_cut_or_none_or_of_other_files(tmp_path, faces):
    write_tar(tmp_path, faces)
    path = tmp_path / "fer2013.tar.gz"
    whole = path.read_bytes()
    for content in (whole[:-6], b"", b"no archive at all", gzip.compress(b"no tar", mtime=0)):
        path.write_bytes(content)
        assert_refused(path, f"{path}: expected a whole .*archive.*download it")
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("other/notes.txt"), io.BytesIO())
    assert_refused(path, r"expected a file fer2013.csv.*Received: other/notes.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("usage"), r"Received: pixels, emotion \(no usage\)"),
        (lambda a: a.update(pixels=a["pixels"][:, :40]), "gray 48x48.*40x48x1"),
        (lambda a: a.update(pixels=a["pixels"] / 255), "type uint8.*float64"),
        (lambda a: a.update(pixels=a["pixels"][:0]), r"\(0,\)"),
        (lambda a: a.update(emotion=a["emotion"][:9]), r"`labels` of shape \(60,\).*\(9,\)"),
        (lambda a: a.update(emotion=a["emotion"] + 1), "Received: 7 at index 6"),
        (lambda a: a.update(usage=np.full(60, "Test")), "row 0: expected `usage`.*'Test'"),
        (lambda a: a.update(usage=np.full(60, None)), "Expected a copy of FER2013"),
    ],
)
def test_a_faulty_npz(tmp_path, faces, change, message):
    arrays = dict(zip(("pixels", "emotion", "usage"), faces, strict=True))
    change(arrays)
    np.savez(tmp_path / "fer2013.npz", **arrays)
    assert_refused(tmp_path / "fer2013.npz", message)


def test_an_npz_cut_off_or_of_another_set(tmp_path):
    path = tmp_path / "fer2013.npz"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    assert_refused(path, "Expected a copy of FER2013")
    FaceDataset(np.zeros((2, 64, 64), "uint8"), [0, 1], name="mine").save(path)
    assert_refused(path, r"expected FER2013.*'mine'.*FaceDataset.load reads")


def test_faulty_folders(tmp_path, faces):
    root = write_folders(tmp_path / "set", faces)
    happy = root / "train" / "happy"
    (happy / "broken.png").write_text("no image")
    for dataset in (load_quietly(root), load_quietly(root)):  # the second is the cached copy
        assert len(dataset) == 60
        assert dataset.left_out["file"].tolist() == ["train/happy/broken.png"]
    Image.new("L", (48, 48)).save(happy / "PublicTest_7.png")
    assert_refused(root, r"expected an image of train. Received: one of Public")
    happy.rename(root / "train" / "bored")
    assert_refused(root, r"expected folders named after angry.*Received: bored")


@pytest.mark.filterwarnings("ignore:.*passed over")
def test_nothing_there(tmp_path):
    for path in (tmp_path / "no.csv", tmp_path):
        with pytest.raises(FileNotFoundError, match="Expected a copy of FER2013"):
            load_fer2013(path)
    (tmp_path / "train").mkdir()
    (tmp_path / "faces.txt").write_text("x")
    for path, message in (("", "no folder with images"), ("faces.txt", "Expected a .csv")):
        with pytest.raises(ValueError, match=message):
            load_fer2013(tmp_path / path)


# Cache


def test_a_copy_in_the_cache_is_read_while_it_is_whole(tmp_path, faces, monkeypatch):
    path = write_csv(tmp_path / "fer2013.csv", faces)
    first = load_quietly(path)
    with monkeypatch.context() as patch:
        patch.setattr("fer_lib.datasets.fer2013.read_file", pytest.fail)
        second = load_quietly(path)
    assert_holds(second, faces)
    pd.testing.assert_frame_equal(first.metadata, second.metadata)
    [copy] = (tmp_path / "home" / "parsed").glob("*")
    whole = copy.read_bytes()
    for content in (b"", b"rubbish", whole[: len(whole) // 2]):
        copy.write_bytes(content)
        assert_holds(load_quietly(path), faces)
        assert copy.read_bytes() == whole
    monkeypatch.setenv("FER_LIB_HOME", str(path))  # a file, where no copy can be written
    assert_holds(load_quietly(path), faces)


@pytest.mark.parametrize(("write", "name"), [(write_csv, "fer2013.csv"), (write_folders, "set")])
def test_a_stale_copy_is_never_trusted(tmp_path, faces, write, name):
    changed = 255 - faces[0]
    load_quietly(write(tmp_path / name, faces))
    images = load_quietly(write(tmp_path / name, (changed, *faces[1:]))).images[..., 0]
    assert {image.tobytes() for image in images} == {image.tobytes() for image in changed}


# FER+


def write_votes(path, faces, shift=0):
    """Votes that agree with the labels; every tenth image is "not a face" and has no name."""
    order = np.array([4, 5, 6, 1, 3, 2, 0])  # the columns of the seven classes in the file
    _, labels, usage = faces
    votes = np.zeros((len(labels), 10), int)
    votes[np.arange(len(labels)), order[np.roll(labels, shift)]] = 7
    votes[:, 7:9] = 2, 1
    votes[9::10] = 10 * np.eye(10, dtype=int)[9]
    table = pd.DataFrame(votes, columns=FERPLUS_HEADER.split(",")[2:])
    table.insert(0, "Image name", ["" if row[9] else "fer.png" for row in votes])
    table.insert(0, "Usage", usage)
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def fer2013(tmp_path, faces):
    return load_quietly(write_csv(tmp_path / "fer2013.csv", faces))


@pytest.fixture
def votes(tmp_path, faces):
    return write_votes(tmp_path / "fer2013new.csv", faces)


def test_votes_are_joined_row_by_row(fer2013, votes):
    joined = load_ferplus(votes, fer2013)
    assert joined.content_hash == fer2013.content_hash
    assert joined.class_names == EMOTIONS
    for row in (0, 13, 58):
        of_label = f"votes_{EMOTIONS[joined.labels[row]]}"
        columns = [of_label, "votes_contempt", "votes_unknown", "votes_not_face"]
        assert joined.metadata.loc[row, columns].tolist() == [7, 2, 1, 0]
    assert joined.metadata["votes_not_face"][19] == 10
    again = load_ferplus(votes, joined)
    pd.testing.assert_frame_equal(again.metadata, joined.metadata)
    part = load_ferplus(votes, fer2013.subset("PublicTest"))  # is joined by its rows
    pd.testing.assert_frame_equal(part.metadata, joined.subset("PublicTest").metadata)


def test_votes_become_shares_and_labels_in_eight_classes(fer2013, votes):
    joined = load_ferplus(votes, fer2013)
    shares = vote_distribution(joined)
    assert (shares.shape, shares.dtype) == ((60, 8), np.float32)
    np.testing.assert_allclose(shares[0], np.eye(8)[0] * 7 / 9 + np.eye(8)[7] * 2 / 9)
    assert (shares[9] == 0).all()
    for labels, class_names in (("votes", EMOTIONS), ("majority", EMOTIONS_8)):
        seen = load_ferplus(votes, fer2013, labels=labels)
        assert seen.class_names == class_names
        np.testing.assert_array_equal(seen.labels, joined.labels[np.arange(60) % 10 != 9])


def test_majority_follows_the_paper():
    votes = {
        "angry": [5, 4, 1, 0, 6, 1],
        "happy": [3, 4, 1, 0, 0, 1],
        "contempt": [1, 1, 1, 4, 0, 1],
        "unknown": [1, 1, 1, 2, 4, 7],
    }
    table = pd.DataFrame(0, index=range(6), columns=list(VOTE_COLUMNS))
    table = table.assign(**{f"votes_{name}": numbers for name, numbers in votes.items()})
    dataset = FaceDataset(np.zeros((6, 48, 48), "uint8"), [2] * 6, metadata=table)
    found = majority_labels(dataset)
    # Row 1 is a tie, row 2 only single votes, row 5 unknown.
    assert [found.class_names[k] for k in found.labels] == ["angry", "contempt", "angry"]
    by_votes = vote_labels(dataset)  # keeps the rows with five votes for a class
    assert by_votes.metadata["votes_angry"].tolist() == [5, 6]
    assert [by_votes.class_names[k] for k in by_votes.labels] == ["angry", "angry"]
    with pytest.raises(ValueError, match="classes of FER"):
        vote_labels(dataclasses.replace(dataset, class_names=tuple("abcdefg")))


VOTE_FAULTS = {
    "a row less": (lambda lines: [*lines[:8], *lines[9:]], "many Training rows.* 20.*: 19 rows"),
    "a row more": (lambda lines: [*lines, lines[-1]], "PrivateTest rows as images.*21 rows"),
    "usage differs": (
        lambda lines: [*lines[:20], lines[21], lines[20], *lines[22:]],
        "row 19: expected Usage Training as in FER2013. Received: PublicTest.*not line up",
    ),
    "unknown usage": (changed(2, 0, "Test"), "row 2: expected `usage` among"),
    "no number": (changed(2, 3, "x"), "row 2: expected numbers of votes"),
    "short row": (lambda lines: [*lines[:3], "Training,a,1", *lines[4:]], "row 2: expected num"),
    "missing column": (lambda lines: [lines[0].replace("contempt", "x"), *lines[1:]], "no contem"),
    "empty": (lambda lines: [], "an empty file"),
}


@pytest.mark.parametrize("fault", VOTE_FAULTS)
def test_a_join_that_does_not_line_up_is_refused(fer2013, votes, fault):
    change, message = VOTE_FAULTS[fault]
    votes.write_text("\n".join(change(votes.read_text().splitlines())))
    assert_refused(votes, message, lambda path: load_ferplus(path, fer2013))


def test_other_refusals(tmp_path, fer2013, votes):
    bare = dataclasses.replace(fer2013, metadata=None)
    with pytest.raises(ValueError, match="with its row numbers"):
        load_ferplus(votes, bare)
    with pytest.raises(ValueError, match="Expected `labels` to be one of .*'soft'"):
        load_ferplus(votes, fer2013, labels="soft")
    with pytest.raises(ValueError, match="Expected the vote columns that load_ferplus adds"):
        vote_distribution(fer2013)
    with pytest.raises(FileNotFoundError):
        load_ferplus(tmp_path / "missing.csv", fer2013)


def test_votes_in_another_order_are_noticed(tmp_path):
    usage = np.full(1000, "Training")
    labels = np.random.default_rng(0).integers(0, 7, 1000)
    images = np.zeros((1000, 48, 48), np.uint8)
    metadata = pd.DataFrame({"row": np.arange(1000)})
    dataset = FaceDataset(images, labels, split=usage, metadata=metadata)
    load_ferplus(write_votes(tmp_path / "votes.csv", (images, labels, usage)), dataset)
    shifted = write_votes(tmp_path / "shifted.csv", (images, labels, usage), shift=1)
    with pytest.raises(ValueError, match=r"votes that agree.*in the 500 rows from row 0 on"):
        load_ferplus(shifted, dataset)


# Real data


def test_all_layouts_of_the_real_set_give_the_same_images(fer2013_npz, fer2013_csv):
    npz = load_fer2013(fer2013_npz)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load_fer2013(fer2013_csv)
    assert dataset.content_hash == npz.content_hash
    assert dataset.counts().loc["disgust"].tolist() == [436, 56, 492]
    assert dataset.metadata["row"].iloc[-1] == 32297
    start = time.process_time()
    cached = load_fer2013(fer2013_csv)
    assert time.process_time() - start < 1  # half of that on a quiet machine
    assert cached.content_hash == npz.content_hash


def test_reading_the_real_csv_takes_seconds_of_cpu(fer2013_csv):
    start = time.process_time()
    dataset = read_csv(fer2013_csv, "fer2013.csv")
    assert len(dataset) == 32298
    assert time.process_time() - start < 6


@pytest.mark.slow
def test_the_real_folders_give_the_same_images_in_the_same_order(make_fer2013, fer2013_npz):
    dataset = load_fer2013(make_fer2013("folders"))
    assert dataset.content_hash == load_fer2013(fer2013_npz).content_hash
    assert dataset.metadata["row"].tolist() == list(range(32298))


def test_the_real_votes_line_up(fer2013_npz, ferplus_csv, tmp_path):
    dataset = load_fer2013(fer2013_npz)
    joined = load_ferplus(ferplus_csv, dataset)
    votes = joined.metadata[list(VOTE_COLUMNS)].to_numpy()
    assert 0.6 < (votes[:, :8].argmax(axis=1) == joined.labels).mean() < 0.68
    not_face = joined.metadata["votes_not_face"] > 5
    assert not_face[joined.split == "Training"].sum() == 150
    load_ferplus(ferplus_csv, dataset[dataset.labels == 2])
    moved = dataclasses.replace(dataset[1:], metadata=dataset.metadata[:-1])
    with pytest.raises(ValueError, match="line up|another order|not reach"):
        load_ferplus(ferplus_csv, moved)
    lines = ferplus_csv.read_text().splitlines()
    short = tmp_path / "short.csv"
    short.write_text("\n".join([*lines[:7000], *lines[7001:]]))
    with pytest.raises(ValueError, match="Received: 28708 rows, which do not line up"):
        load_ferplus(short, dataset)
