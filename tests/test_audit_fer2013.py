"""The audit on FER2013: mixed-up copies by their counts, and the real set by its figures."""

from __future__ import annotations

import dataclasses
import json
import types
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from fer_lib import cli, paths
from fer_lib.audit import check_dataset, published_counts
from fer_lib.datasets import FaceDataset, concatenate, dataset_info, load_fer2013, load_ferplus
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
    info = dataset_info("fer2013")
    small = dataclasses.replace(info, counts=types.SimpleNamespace(splits=COUNTS))
    monkeypatch.setattr(published_counts, "dataset_info", lambda name: small)
    return concatenate([make_split(name, seed) for seed, name in enumerate(COUNTS)])


def found(dataset: FaceDataset) -> dict:
    return {finding.name: finding for finding in published_counts.check_counts(dataset)[0]}


def rename(dataset: FaceDataset, names: dict[str, str]) -> FaceDataset:
    split = np.array([names.get(name, name) for name in dataset.split])
    return dataclasses.replace(dataset, split=split)


def alphabetical(dataset: FaceDataset) -> FaceDataset:
    """The labels as numbered by somebody who sorted the classes."""
    order = np.array([sorted(EMOTIONS).index(name) for name in EMOTIONS])
    return dataclasses.replace(dataset, labels=order[dataset.labels])


def test_the_published_set_and_its_parts_have_nothing_wrong(whole):
    findings, published = published_counts.check_counts(whole)
    assert findings == []
    assert published == {name: name for name in COUNTS}
    assert found(whole.subset("PublicTest")) == {}
    # The same classes in another order, names and all, are the same set.
    order = np.argsort(EMOTIONS)
    names = tuple(np.array(EMOTIONS)[order])
    labels = np.argsort(order)[whole.labels]
    assert found(dataclasses.replace(whole, labels=labels, class_names=names)) == {}


@pytest.mark.parametrize(
    ("splits", "names"),
    [
        (tuple(COUNTS), {"Training": "PublicTest", "PublicTest": "Training"}),
        (tuple(COUNTS)[:2], {"Training": "Test", "PublicTest": "Training"}),
        (tuple(COUNTS), {"PublicTest": "PrivateTest", "PrivateTest": "PublicTest"}),
    ],
)
def test_swapped_splits(whole, splits, names):
    findings = found(rename(whole.subset(list(splits)), names))
    assert list(findings) == ["swapped_splits"]
    assert findings["swapped_splits"].severity == "error"
    for published, name in names.items():
        assert f"{name} has the counts of the published {published}" in (
            findings["swapped_splits"].title
        )


@pytest.mark.parametrize(
    "names",
    [
        {"Training": "train", "PublicTest": "test", "PrivateTest": "test"},
        {
            "PublicTest": "PublicTest+PrivateTest",
            "PrivateTest": "PublicTest+PrivateTest",
        },
    ],
)
def test_other_names_of_splits_are_fine(whole, names):
    assert "swapped_splits" not in found(rename(whole, names))


def test_classes_in_alphabetical_order(whole):
    findings = found(alphabetical(whole))
    assert list(findings) == ["permuted_labels"]
    title = findings["permuted_labels"].title
    for pair in ("sad is neutral", "surprise is sad", "neutral is surprise"):
        assert pair in title
    assert "happy" not in title
    swapped = rename(alphabetical(whole), {"Training": "PublicTest", "PublicTest": "Training"})
    assert list(found(swapped)) == ["swapped_splits", "permuted_labels"]


def test_missing_and_added_images(whole):
    named = dataclasses.replace(whole, name="fer2013")
    findings = found(named[3:])
    assert list(findings) == ["incomplete"]
    assert findings["incomplete"].severity == "note"
    assert "Training has 283 images of 286" in findings["incomplete"].title
    assert found(concatenate([named, named[:2]]))["counts"].severity == "warning"


def test_other_sets_are_not_compared(whole):
    other = dataclasses.replace(whole, class_names=(*EMOTIONS, "contempt"))
    assert published_counts.check_counts(other) == ([], {})
    assert published_counts.check_counts(whole[:50]) == ([], {})


def test_swapped_splits_of_a_set_of_any_kind_are_suspected(whole):
    part = whole[whole.split != "PrivateTest"][5:-5]
    assert "split_sizes" not in check_dataset(part)
    swapped = rename(part, {"Training": "PublicTest", "PublicTest": "Training"})
    assert "may be swapped" in check_dataset(swapped)["split_sizes"].title


CONSTANT = [6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601]


def test_the_stored_audit_has_the_known_figures_and_no_pixels():
    file = paths.datasets_dirs()[0] / "audits" / "fer2013.json"
    audit = json.loads(file.read_text(encoding="utf-8"))
    assert audit["n"] == 32298
    assert file.stat().st_size < 150_000
    _check_known_figures(audit)


@pytest.mark.slow
def test_the_real_set(fer2013_npz: Path, ferplus_csv: Path, tmp_path: Path, capsys):
    argv = ["datasets", "check", str(fer2013_npz), "--votes", str(ferplus_csv)]
    status = cli.main([*argv, "--json", str(tmp_path / "audit.json")])
    assert status == 1  # there are leaks
    assert "280 PublicTest images" in capsys.readouterr().out
    audit = json.loads((tmp_path / "audit.json").read_text())
    _check_known_figures(audit)
    stored = paths.datasets_dirs()[0] / "audits" / "fer2013.json"
    known = json.loads(stored.read_text(encoding="utf-8"))
    for key in ("counts", "content_hash", "unchecked"):
        assert audit[key] == known[key]


@pytest.mark.slow
def test_real_mixed_up_copies(fer2013_npz: Path, ferplus_csv: Path):
    dataset = load_fer2013(fer2013_npz)
    assert found(dataset) == {}
    swapped = rename(dataset, {"Training": "PublicTest", "PublicTest": "Training"})
    assert list(found(swapped)) == ["swapped_splits"]
    # The votes tell permuted labels, even of a part whose counts say nothing.
    voted = load_ferplus(ferplus_csv, dataset.subset("PublicTest"))[:2000]
    assert "permuted_labels" not in check_dataset(voted)
    assert "sad is neutral" in check_dataset(alphabetical(voted))["permuted_labels"].title


def _check_known_figures(audit: dict) -> None:
    findings = {finding["name"]: finding for finding in audit["findings"]}
    duplicates = audit["figures"]["duplicates"]
    assert duplicates["distinct"] == 30766
    assert (duplicates["exact_groups"], duplicates["conflicting_groups"]) == (1273, 47)
    # A pair that correlates by .95 to the last digit may fall on either side elsewhere.
    assert duplicates["near_pairs"] == pytest.approx(773, abs=2)
    assert findings["exact_leak"]["count"] == 280
    assert findings["exact_conflict"]["count"] == 129
    assert [row for row in findings["constant"]["rows"] if row < 28709] == CONSTANT
    assert findings["nearly_constant"]["rows"] == [2171]
    assert sum(row < 28709 for row in findings["not_a_face"]["rows"]) == 150
    votes = audit["figures"]["votes"]
    assert votes["agreement"] == pytest.approx(0.62, abs=0.005)
    assert votes["by_class"]["happy"] > 0.9
    assert votes["by_class"]["fear"] < 0.15
    assert audit["figures"]["published"] == {name: name for name in ("Training", "PublicTest")}
