"""A lesson gets FER2013 or synthetic faces, as `FER_LIB_DATASET` says, in one and the same form."""

from __future__ import annotations

import numpy as np
import pytest

from fer_lib import paths
from fer_lib.course import load_course_dataset
from fer_lib.datasets import FaceDataset
from fer_lib.labels import EMOTIONS


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """A function that sets the variable; no copy but that in `tmp_path` is found."""
    monkeypatch.setenv("FER_LIB_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "_CHECKOUT", None)
    return lambda value: monkeypatch.setenv("FER_LIB_DATASET", value)


@pytest.fixture
def fer2013(tmp_path):
    """A small copy of FER2013 in the cache: random pixels, few images of disgust."""
    labels = np.tile(np.repeat(range(7), [6, 1, 6, 6, 6, 6, 6]), 2)
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 48, 48), dtype=np.uint8)
    split = np.repeat(["Training", "PublicTest"], len(labels) // 2)
    folder = tmp_path / "datasets" / "fer2013"
    folder.mkdir(parents=True)
    dataset = FaceDataset(pixels, labels, EMOTIONS, split, name="fer2013")
    dataset.save(folder / "fer2013.npz")
    return dataset


def test_synthetic_faces_are_balanced_in_both_splits_and_in_one_alone(choose, fer2013) -> None:
    choose("synthetic")
    dataset = load_course_dataset(num_per_class=8)
    assert (dataset.name, dataset.images.shape) == ("synthetic", (70, 48, 48, 1))
    assert (dataset.counts()["Training"] == 8).all()
    assert (dataset.counts()["PublicTest"] == 2).all()
    training, test = (dataset.subset(split).images for split in ("Training", "PublicTest"))
    assert not {image.tobytes() for image in training} & {image.tobytes() for image in test}
    with pytest.raises(ValueError, match="num_per_class"):
        load_course_dataset(0)


@pytest.mark.filterwarnings("ignore:.*published are")
@pytest.mark.parametrize("value", ["fer2013", "auto", "", "FER2013"])
def test_fer2013_is_sampled_by_class(choose, fer2013, value: str) -> None:
    choose(value)
    dataset = load_course_dataset(num_per_class=4)
    assert (dataset.name, dataset.class_names) == ("fer2013", EMOTIONS)
    assert dataset.counts()["Training"].tolist() == [4, 1, 4, 4, 4, 4, 4]
    assert dataset.counts()["PublicTest"].tolist() == [1] * 7
    again, other = (load_course_dataset(4, seed=seed) for seed in (0, 1))
    assert dataset.content_hash == again.content_hash != other.content_hash


@pytest.mark.parametrize("content", [None, "archive.zip", "fer2013.csv", "training.npz"])
def test_auto_falls_back_where_the_copy_cannot_be_used(choose, fer2013, tmp_path, content) -> None:
    folder = tmp_path / "datasets" / "fer2013"
    (folder / "fer2013.npz").unlink()
    if content == "training.npz":
        fer2013.subset(split="Training").save(folder / "fer2013.npz")
    elif content:
        (folder / content).write_bytes(b"not what it should be")
    choose("auto")
    with pytest.warns(UserWarning, match="Synthetic faces are used"):
        assert load_course_dataset(1).name == "synthetic"


def test_without_a_copy_auto_generates_and_a_wanted_one_or_another_value_are_errors(choose):
    choose("auto")
    assert load_course_dataset(1).name == "synthetic"
    choose("fer2013")
    with pytest.raises(FileNotFoundError, match="Put fer2013.csv there"):
        load_course_dataset(1)
    choose("fer-2013")
    with pytest.raises(ValueError, match="Expected FER_LIB_DATASET among"):
        load_course_dataset(1)
