"""`FaceDataset`: checks, parts, splits, storage, batches and display."""

from __future__ import annotations

import base64
import io
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_lib.datasets import FaceDataset, concatenate
from fer_lib.datasets.model_input import split_for_training
from fer_lib.labels import EMOTIONS, EMOTIONS_8


def make_dataset(count: int = 40, people: int = 8, size: int = 12, seed: int = 0, **changes):
    generator = np.random.default_rng(seed)
    fields = {
        "images": generator.integers(0, 256, (count, size, size, 1), dtype=np.uint8),
        "labels": generator.integers(0, 7, count),
        "split": np.where(np.arange(count) % 4 == 0, "PublicTest", "Training"),
        "subjects": np.array([f"S{i}" for i in generator.integers(0, people, count)]),
        "metadata": pd.DataFrame({"row": np.arange(count)}),
        "name": "drawn",
    }
    return FaceDataset(**{**fields, **changes})


def assert_same(a: FaceDataset, b: FaceDataset) -> None:
    assert a.content_hash == b.content_hash
    assert (a.class_names, a.name) == (b.class_names, b.name)
    np.testing.assert_array_equal(a.split, b.split)
    np.testing.assert_array_equal(a.subjects, b.subjects)
    pd.testing.assert_frame_equal(a.metadata, b.metadata)


def test_gray_images_get_a_channel_and_defaults():
    dataset = FaceDataset(np.zeros((2, 48, 48), "uint8"), [0, 3])
    assert dataset.images.shape == (2, 48, 48, 1)
    assert dataset.labels.dtype == np.int64
    assert dataset.class_names == EMOTIONS
    assert list(dataset.split) == ["", ""]
    assert dataset.subjects is None
    assert len(dataset.metadata) == 2
    assert dataset.left_out.empty
    assert "2 images 48x48x1" in repr(dataset)
    assert ": 1 image 48x48x1" in repr(dataset[:1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((2, 48, 48), "float32")}, "Expected `images` of type uint8.*float32"),
        ({"images": np.zeros((2, 48, 48, 4), "uint8")}, r"Received: uint8 \(2, 48, 48, 4\)"),
        ({"images": np.zeros((48, 48), "uint8")}, r"Received: uint8 \(48, 48\)"),
        ({"labels": [0]}, r"Expected integer `labels` of shape \(2,\)"),
        ({"labels": [0.0, 1.0]}, "Expected integer `labels`.*float64"),
        ({"labels": [0, 7]}, "Expected `labels` from 0 to 6.*Received: 7 at index 1"),
        ({"labels": [-1, 0]}, "Received: -1 at index 0"),
        ({"split": ["Training"]}, "Expected `split` with one entry per image, 2"),
        ({"subjects": ["a", "b", "c"]}, "Expected `subjects`"),
        ({"metadata": pd.DataFrame({"row": [1]})}, "Expected `metadata` with one entry per image"),
        ({"class_names": ("happy", "happy")}, "Expected different `class_names`"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(changes, message):
    fields = {"images": np.zeros((2, 48, 48), "uint8"), "labels": [0, 1], **changes}
    with pytest.raises(ValueError, match=message) as error:
        FaceDataset(**fields)
    assert "\n" not in str(error.value)


def test_one_index_gives_an_image_and_its_label_and_iteration_all_of_them():
    dataset = make_dataset(5)
    image, label = dataset[-1]
    np.testing.assert_array_equal(image, dataset.images[4])
    assert label == dataset.labels[4] and isinstance(label, int)
    assert [label for _, label in dataset] == dataset.labels.tolist()


ROWS = np.arange(40)
KEYS = [slice(3, 20, 2), slice(None, -60, -3), ROWS % 3 == 2, [7, 1, 3], np.array([], int), []]


@pytest.mark.parametrize("key", KEYS)
def test_parts_keep_everything_together(key):
    dataset = make_dataset()
    part, rows = dataset[key], ROWS[key]
    assert part.metadata["row"].tolist() == rows.tolist()
    for field in ("images", "labels", "split", "subjects"):
        np.testing.assert_array_equal(getattr(part, field), getattr(dataset, field)[rows])
    assert list(part.metadata.index) == list(range(len(part)))


@pytest.mark.parametrize("key", [40, [0.5], ["a"], [[0, 1]], [40], np.ones(39, bool)])
def test_an_index_of_another_kind_is_refused(key):
    with pytest.raises((IndexError, ValueError)):
        make_dataset()[key]


def test_subset_by_split():
    dataset = make_dataset()
    assert set(dataset.subset("PublicTest").split) == {"PublicTest"}
    assert len(dataset.subset(["Training", "PublicTest"])) == len(dataset)
    with pytest.raises(ValueError, match="Expected `split` to be one of.*PrivateTest"):
        dataset.subset("PrivateTest")


def test_counts_are_classes_by_splits():
    dataset = make_dataset()
    counts = dataset.counts()
    assert list(counts.index) == list(EMOTIONS)
    assert list(counts.columns) == ["PublicTest", "Training", "all"]
    assert counts["all"].sum() == 40
    happy = (dataset.labels == EMOTIONS.index("happy")) & (dataset.split == "Training")
    assert counts.loc["happy", "Training"] == happy.sum()
    assert list(make_dataset(split="").counts().columns) == ["all"]


def test_without_takes_indices_or_a_mask():
    dataset = make_dataset()
    left = dataset.without([0, 5, -1])
    assert left.metadata["row"].tolist() == [*range(1, 5), *range(6, 39)]
    assert_same(left, dataset.without(np.isin(np.arange(40), [0, 5, 39])))
    assert_same(dataset.without([]), dataset)


def test_content_hash_is_of_pixels_labels_and_class_names():
    dataset = make_dataset()
    assert re.fullmatch("[0-9a-f]{64}", dataset.content_hash)
    changed = dataset.images.copy()
    changed[0, 0, 0] ^= 1
    same = ({"name": "other", "split": ""}, {"images": np.asfortranarray(dataset.images)})
    others = (
        {"class_names": EMOTIONS[::-1]},
        {"images": changed},
        {"labels": dataset.labels[::-1]},
    )
    assert {make_dataset(**changes).content_hash for changes in same} == {dataset.content_hash}
    assert dataset.content_hash not in {make_dataset(**changes).content_hash for changes in others}


def test_with_classes_matches_by_name_and_drops_the_rest():
    eight = make_dataset(labels=np.arange(40) % 8, class_names=EMOTIONS_8)
    seven = eight.with_classes(EMOTIONS)
    assert seven.class_names == EMOTIONS
    assert len(seven) == 35
    assert_same(seven.with_classes(EMOTIONS_8).with_classes(EMOTIONS), seven)
    backwards = seven.with_classes(EMOTIONS[::-1])
    assert [EMOTIONS[::-1][k] for k in backwards.labels] == [EMOTIONS[k] for k in seven.labels]


def test_concatenate_keeps_order_and_tells_people_of_two_sets_apart():
    one, two = make_dataset(10), make_dataset(10, seed=1, name="other")
    both = concatenate([one, two])
    assert both.name == "drawn+other"
    np.testing.assert_array_equal(both.images[10:], two.images)
    people = [f"drawn/{one.subjects[0]}", f"other/{two.subjects[0]}"]
    assert both.subjects[[0, 10]].tolist() == people
    assert concatenate([one, make_dataset(3, subjects=None)]).subjects is None
    left_out = pd.DataFrame({"file": ["x", "y"], "problem": ["a", "b"]})
    whole = make_dataset(left_out=left_out)  # parts of one set carry one list of what was left out
    joined = concatenate([whole[:10], whole[10:]])
    assert_same(joined, whole)
    pd.testing.assert_frame_equal(joined.left_out, left_out)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "data sets of the same classes.*Received: no data set"),
        ([make_dataset(4), make_dataset(4, class_names=EMOTIONS_8)], "with_classes"),
        ([make_dataset(4), make_dataset(4, size=9)], "size 12 .* size 9"),
    ],
)
def test_concatenate_refuses_what_does_not_fit(others, message):
    with pytest.raises(ValueError, match=message):
        concatenate(others)


def test_training_validates_by_subject_where_two_are_known():
    known = make_dataset(split="")
    _, part, words = split_for_training(known, seed=3)
    assert_same(part, known.split_by_subject(0.2, seed=3)[1])
    assert "subjects" in words
    for subjects in (None, ["S1"] * 40):
        dataset = make_dataset(subjects=subjects, split="")
        part = split_for_training(dataset, seed=3)[1]
        assert part.content_hash == dataset.split_stratified(0.2, seed=3)[1].content_hash


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(20, 80),
    people=st.integers(3, 12),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
)
def test_splits_keep_shares_of_classes_or_people_whole_and_lose_nothing(
    count, people, fraction, seed
):
    dataset = make_dataset(count, people, size=2, seed=seed)
    for split in (dataset.split_stratified, dataset.split_by_subject):
        rest, part = split(fraction, seed)
        assert sorted([*rest.metadata["row"], *part.metadata["row"]]) == list(range(count))
        assert_same(part, split(fraction, seed)[1])
    assert len(rest) and len(part) and set(rest.subjects).isdisjoint(part.subjects)
    counts = np.bincount(dataset.split_stratified(fraction, seed)[1].labels, minlength=7)
    assert np.abs(counts - fraction * np.bincount(dataset.labels, minlength=7)).max() <= 0.5


def test_splits_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="Expected `fraction` between 0 and 1"):
        make_dataset().split_stratified(1.0)
    with pytest.raises(ValueError, match="does not say who is on its images"):
        make_dataset(subjects=None).split_by_subject()
    with pytest.raises(ValueError, match="Expected at least two subjects"):
        make_dataset(subjects=["a"] * 40).split_by_subject()


def test_save_and_load_keep_everything(tmp_path):
    rows = range(40)
    metadata = pd.DataFrame(
        {
            "row": rows,
            "age": np.linspace(1, 80, 40),
            "glasses": [i % 2 == 0 for i in rows],
            "file": [f"a/{i}.png" for i in rows],
            "note": [None if i % 3 else "blurred" for i in rows],
        }
    )
    left_out = pd.DataFrame({"file": ["x"], "problem": ["y"]})
    dataset = make_dataset(metadata=metadata, left_out=left_out)
    dataset.save(tmp_path / "faces.npz")
    loaded = FaceDataset.load(tmp_path / "faces.npz")
    assert_same(loaded, dataset)
    pd.testing.assert_frame_equal(loaded.left_out, left_out)
    assert [path.name for path in tmp_path.iterdir()] == ["faces.npz"]
    make_dataset(subjects=None).save(str(tmp_path / "faces.npz"))
    assert FaceDataset.load(tmp_path / "faces.npz").subjects is None


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "faces.npz"
    make_dataset(4).save(path)

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        make_dataset(9).save(path)
    assert len(FaceDataset.load(path)) == 4
    assert len(list(tmp_path.iterdir())) == 1


def test_load_refuses_other_files_and_pickles(tmp_path):
    fields = dict.fromkeys(("labels", "class_names", "split", "name", "left_out"), np.zeros(1))
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"a": 1}))
    np.savez(tmp_path / "object.npz", images=np.array([{"a": 1}], dtype=object), **fields)
    for name in ("text.npz", "pickle.npz", "object.npz"):
        with pytest.raises(ValueError, match=f"Expected a data set as an .npz file.*{name}"):
            FaceDataset.load(tmp_path / name)
    np.savez(tmp_path / "other.npz", pixels=np.zeros(3))
    with pytest.raises(ValueError, match="expected a file written by FaceDataset.save.*pixels"):
        FaceDataset.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        FaceDataset.load(tmp_path / "missing.npz")


def test_a_notebook_shows_some_images_of_each_class():
    dataset = make_dataset(labels=np.arange(40) % 6, size=48, name="<set>")
    page = dataset._repr_html_()
    assert "&lt;set&gt;" in page
    for name in EMOTIONS:
        assert f"<th>{name}</th>" in page
    files = [io.BytesIO(base64.b64decode(data)) for data in re.findall('base64,([^"]+)', page)]
    angry, *_, neutral = (np.asarray(Image.open(file)) for file in files)
    assert angry.shape == (48, 8 * 48)
    assert (neutral == 255).all()  # there is no neutral image
    shown = angry[:, :48].ravel().astype(float)
    assert max(np.corrcoef(shown, image.ravel())[0, 1] for image in dataset.images) > 0.9
    color = FaceDataset(np.zeros((3, 9, 9, 3), "uint8"), [0, 1, 1])
    assert "data:image/jpeg" in color._repr_html_()
