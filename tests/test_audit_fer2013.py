"""The data doctor on FER2013: mixed-up copies by their counts, and the real set by its figures."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from fer_lib import cli, paths
from fer_lib.audit import check_dataset, fingerprint, published
from fer_lib.datasets import FaceDataset, concatenate, load_fer2013, load_ferplus
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS
from fer_lib.labels import EMOTIONS

# Small enough for a test, and like the real ones all different.
COUNTS = {
    "Training": (40, 4, 41, 72, 48, 31, 50),
    "PublicTest": (5, 1, 6, 9, 7, 4, 8),
    "PrivateTest": (6, 2, 7, 11, 8, 5, 9),
}


def make_split(name: str, seed: int) -> FaceDataset:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat(np.arange(7), COUNTS[name]))
    noise = generator.normal(size=(len(labels), 48, 48))
    smooth = ndimage.gaussian_filter(noise, (0, 0.6, 0.6)) * 80 + 128
    return FaceDataset(np.clip(smooth, 0, 255).astype(np.uint8), labels, split=name, name="copy")


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> FaceDataset:
    """A small set that is the published one for the length of a test."""
    parts = [make_split(name, seed) for seed, name in enumerate(COUNTS)]
    dataset = concatenate(parts)
    known = {name: np.array(counts) for name, counts in COUNTS.items()}
    known["PublicTest+PrivateTest"] = known["PublicTest"] + known["PrivateTest"]
    monkeypatch.setattr(published, "_KNOWN", known)
    hashes = {part.split[0]: fingerprint.hash_split(part) for part in parts[:2]}
    monkeypatch.setattr(published, "PUBLISHED_HASHES", hashes)
    monkeypatch.setattr(published, "PUBLISHED_MD5", fingerprint.csv_md5(dataset))
    return dataset


def found(dataset: FaceDataset) -> dict:
    return {finding.name: finding for finding in published.check_published(dataset)[0]}


def rename(dataset: FaceDataset, names: dict[str, str]) -> FaceDataset:
    split = np.array([names.get(name, name) for name in dataset.split])
    return dataclasses.replace(dataset, split=split)


def jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))[..., None]


def test_the_published_set_and_its_parts_have_nothing_wrong(whole):
    findings, figures = published.check_published(whole)
    assert findings == []
    assert figures["Training"]["published_as"] == "Training"
    assert figures["Training"]["rows_as_published"]
    assert figures["md5"] == published.PUBLISHED_MD5
    assert found(whole.subset("PublicTest")) == {}
    # The same classes in another order, names and all, are the same set.
    order = np.argsort(EMOTIONS)
    names = tuple(np.array(EMOTIONS)[order])
    labels = np.argsort(order)[whole.labels]
    assert found(dataclasses.replace(whole, labels=labels, class_names=names)) == {}


def test_swapped_splits(whole):
    swapped = rename(whole, {"Training": "PublicTest", "PublicTest": "Training"})
    findings = found(swapped)
    assert list(findings) == ["swapped_splits"]
    assert findings["swapped_splits"].severity == "error"
    assert "PublicTest has the counts of the published Training" in (
        findings["swapped_splits"].title
    )
    folders = whole.subset(["Training", "PublicTest"])
    folders = rename(folders, {"Training": "Test", "PublicTest": "Training"})
    assert found(folders)["swapped_splits"].title.startswith("Training and test are swapped")
    tests = rename(whole, {"PrivateTest": "PublicTest", "PublicTest": "PrivateTest"})
    assert found(tests)["swapped_splits"].title.startswith("A split has a wrong name")


def test_other_names_of_splits_are_fine(whole):
    names = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}
    assert found(rename(whole, names)) == {}
    names = {"PublicTest": "PublicTest+PrivateTest", "PrivateTest": "PublicTest+PrivateTest"}
    assert found(rename(whole, names)) == {}


def test_classes_in_alphabetical_order(whole):
    alphabetical = np.array([sorted(EMOTIONS).index(name) for name in EMOTIONS])
    findings = found(dataclasses.replace(whole, labels=alphabetical[whole.labels]))
    assert list(findings) == ["permuted_labels"]
    title = findings["permuted_labels"].title
    for pair in ("sad is neutral", "surprise is sad", "neutral is surprise"):
        assert pair in title
    assert "happy" not in title


def test_renamed_classes(whole):
    findings = found(dataclasses.replace(whole, class_names=tuple("abcdefg")))
    assert list(findings) == ["permuted_labels"]
    assert "a is angry, b is disgust" in findings["permuted_labels"].title


def test_jpeg_and_otherwise_changed_pixels(whole):
    images = np.stack([jpeg(image) for image in whole.images])
    findings = found(dataclasses.replace(whole, images=images))
    assert list(findings) == ["jpeg_copy"]
    assert findings["jpeg_copy"].title.startswith("Training and PublicTest and PrivateTest")
    darker = whole.images // 2
    assert list(found(dataclasses.replace(whole, images=darker))) == ["changed_pixels"]


def test_all_at_once(whole):
    images = np.stack([jpeg(image) for image in whole.images])
    mixed = dataclasses.replace(whole, images=images, labels=(whole.labels + 1) % 7)
    mixed = rename(mixed, {"Training": "PublicTest", "PublicTest": "Training"})
    assert list(found(mixed)) == ["swapped_splits", "permuted_labels", "jpeg_copy"]


def test_shuffled_labels_and_another_order(whole):
    generator = np.random.default_rng(0)
    training = np.flatnonzero(whole.split == "Training")
    labels = whole.labels.copy()
    labels[training] = labels[generator.permutation(training)]
    assert list(found(dataclasses.replace(whole, labels=labels))) == ["changed_labels"]
    findings = found(whole[generator.permutation(len(whole))])
    assert list(findings) == ["changed_order"]
    # With the row numbers the order can be restored.
    numbered = dataclasses.replace(whole, metadata=pd.DataFrame({"row": np.arange(len(whole))}))
    assert found(numbered[generator.permutation(len(whole))]) == {}


def test_a_wrong_private_test_is_told_by_the_checksum(whole):
    images = whole.images.copy()
    images[-1, 5, 5] ^= 1
    assert list(found(dataclasses.replace(whole, images=images))) == ["checksum"]


def test_missing_and_added_pictures(whole):
    named = dataclasses.replace(whole, name="fer2013")
    findings = found(named[3:])
    assert list(findings) == ["counts"]
    assert findings["counts"].severity == "note"
    assert "Training has 283 pictures of 286" in findings["counts"].title
    findings = found(concatenate([named, named[:2]]))
    assert findings["counts"].severity == "warning"


def test_other_sets_are_not_compared(whole):
    other = dataclasses.replace(whole, class_names=(*EMOTIONS, "contempt"))
    assert published.check_published(other) == ([], {})
    assert published.check_published(whole[:50]) == ([], {})


def test_swapped_splits_of_a_set_of_any_kind_are_suspected(whole):
    part = whole[whole.split != "PrivateTest"][5:-5]
    assert "swapped_splits" not in check_dataset(part)
    swapped = rename(part, {"Training": "PublicTest", "PublicTest": "Training"})
    assert "may be swapped" in check_dataset(swapped)["swapped_splits"].title


def test_the_real_counts_recognise_a_permuted_copy():
    labels = np.repeat(np.arange(7), PUBLISHED_COUNTS["PublicTest"])
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 48, 48), dtype=np.uint8)
    findings = found(FaceDataset(images, (labels + 1) % 7, split="PublicTest"))
    assert list(findings) == ["permuted_labels", "changed_pixels"]


CONSTANT = [6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601]


def test_the_stored_audit_has_the_known_figures_and_no_pixels():
    file = paths.datasets_dirs()[0] / "audits" / "fer2013.json"
    audit = json.loads(file.read_text(encoding="utf-8"))
    assert audit["n"] == 32298
    assert file.stat().st_size < 150_000
    findings = {finding["name"]: finding for finding in audit["findings"]}
    _check_known_figures(findings, audit["figures"])


@pytest.mark.slow
def test_the_real_set(fer2013_npz: Path, ferplus_csv: Path, tmp_path: Path, capsys):
    argv = ["datasets", "check", str(fer2013_npz), "--votes", str(ferplus_csv)]
    status = cli.main([*argv, "--json", str(tmp_path / "audit.json")])
    assert status == 1  # there are leaks
    assert "280 PublicTest pictures" in capsys.readouterr().out
    audit = json.loads((tmp_path / "audit.json").read_text())
    _check_known_figures({f["name"]: f for f in audit["findings"]}, audit["figures"])
    stored = paths.datasets_dirs()[0] / "audits" / "fer2013.json"
    known = json.loads(stored.read_text(encoding="utf-8"))
    for key in ("counts", "content_hash", "unchecked"):
        assert audit[key] == known[key]
    for key in ("published", "identical", "pictures"):
        assert audit["figures"][key] == known["figures"][key]
    # A pair that correlates by .95 to the last digit may fall on either side elsewhere.
    assert audit["figures"]["near"]["pairs"] == pytest.approx(773, abs=2)


@pytest.mark.slow
def test_real_mixed_up_copies(fer2013_npz: Path, ferplus_csv: Path):
    dataset = load_fer2013(fer2013_npz)
    assert found(dataset) == {}
    swapped = rename(dataset, {"Training": "PublicTest", "PublicTest": "Training"})
    assert list(found(swapped)) == ["swapped_splits"]
    small = dataset.subset("PublicTest")
    images = np.stack([jpeg(image) for image in small.images])
    assert list(found(dataclasses.replace(small, images=images))) == ["jpeg_copy"]
    # The votes tell permuted labels, even of a part whose counts say nothing.
    voted = load_ferplus(ferplus_csv, small)[:2000]
    alphabetical = np.array([sorted(EMOTIONS).index(name) for name in EMOTIONS])
    assert "permuted_labels" not in check_dataset(voted)
    permuted = dataclasses.replace(voted, labels=alphabetical[voted.labels])
    assert "sad is neutral" in check_dataset(permuted)["permuted_labels"].title


def _check_known_figures(findings: dict, figures: dict) -> None:
    identical = figures["identical"]
    assert identical["distinct"] == 30766
    assert (identical["groups"], identical["conflicting_groups"]) == (1273, 47)
    training = identical["by_split"]["Training"]
    assert (training["groups"], training["conflicting_groups"]) == (1035, 39)
    assert identical["by_split"]["PublicTest"]["in_a_larger_split"] == 280
    assert findings["identical_leak"]["count"] == 280
    assert findings["identical_conflict"]["count"] == 129
    assert [row for row in findings["constant"]["rows"] if row < 28709] == CONSTANT
    assert findings["nearly_constant"]["rows"] == [2171]
    assert figures["pictures"]["not_a_face"]["Training"] == 150
    assert figures["votes"]["agreement"] == pytest.approx(0.62, abs=0.005)
    by_class = figures["votes"]["by_class"]
    assert by_class["happy"] > 0.9
    assert by_class["fear"] < 0.15
    for split in ("Training", "PublicTest"):
        assert figures["published"][split]["rows_as_published"]
