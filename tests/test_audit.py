"""The audit: nothing found where nothing is wrong, and exactly what was planted."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib import cli, paths
from fer_lib.audit import check_dataset
from fer_lib.audit.checks import find_permutation
from fer_lib.audit.leakage import find_all_duplicates
from fer_lib.datasets import FaceDataset, concatenate, load_fer2013, load_ferplus
from fer_lib.datasets.ferplus import VOTE_COLUMNS
from fer_lib.labels import EMOTIONS
from fer_lib.synthetic import make_faces


def with_test_split(dataset: FaceDataset) -> FaceDataset:
    split = np.where(np.arange(len(dataset)) % 5 == 0, "PublicTest", "Training")
    return dataclasses.replace(dataset, split=split)


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    return with_test_split(make_faces(20, seed=5))


def names(report) -> list[str]:
    return [finding.name for finding in report.findings]


def jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))[..., None]


def add(dataset: FaceDataset, index: int, change=lambda image: image, **fields) -> FaceDataset:
    """Adds a changed copy of one image at the end."""
    copy = dataset[[index]]
    images = np.stack([change(image) for image in copy.images])
    return concatenate([dataset, dataclasses.replace(copy, images=images, **fields)])


def alphabetical(dataset: FaceDataset) -> FaceDataset:
    """The labels as numbered by somebody who sorted the classes."""
    order = np.array([sorted(EMOTIONS).index(name) for name in EMOTIONS])
    return dataclasses.replace(dataset, labels=order[dataset.labels])


CHANGES = {
    "the same": lambda image: image,
    "jpeg": jpeg,
    "brighter": lambda image: np.clip(image * 1.15 + 8, 0, 255).astype(np.uint8),
    "mirrored": lambda image: image[:, ::-1],
    "noisy": lambda image: np.clip(
        image + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255
    ).astype(np.uint8),
}


def test_nothing_is_found_in_synthetic_faces(faces):
    report = check_dataset(faces)
    assert report.findings == () and len(report.indices) == 0
    assert "Nothing found" in str(report)
    assert len(faces.without(report)) == len(faces)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"people": 25}, {"color": True}, {"image_size": 96}])
def test_nothing_is_found_in_many_synthetic_faces(options):
    assert check_dataset(make_faces(250, seed=11, **options)).findings == ()


@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_copy_is_exactly_what_is_found(faces, change):
    kind = "exact" if change == "the same" else "near"
    source = int(np.flatnonzero(faces.split == "Training")[9])
    leaky = add(faces, source, CHANGES[change], split="PublicTest")
    report = check_dataset(leaky)
    assert names(report) == [f"{kind}_leak"]
    finding = report.findings[0]
    assert (finding.severity, finding.count) == ("error", 1)
    assert finding.indices.tolist() == [len(faces)]
    assert finding.groups == ((source, len(faces)),)
    for what in (report, report.findings, list(report.findings), finding):
        assert leaky.without(what).content_hash == faces.content_hash
    assert finding.title.startswith("1 PublicTest image is")
    assert finding.title.endswith("an image of Training")
    # Of another person in the same split, with the same label and another one.
    other = {"subjects": np.array(["somebody else"])}
    report = check_dataset(add(faces, 3, CHANGES[change], **other))
    assert names(report) == [f"{kind}_duplicates"]
    assert report.findings[0].indices.tolist() == [len(faces)]
    other["labels"] = (faces.labels[[3]] + 1) % 7
    report = check_dataset(add(faces, 3, CHANGES[change], **other))
    assert names(report) == [f"{kind}_conflict"]
    assert report.findings[0].indices.tolist() == [3, len(faces)]


def test_a_conflicting_leak_is_both_and_a_person_twice_in_one_split_is_no_finding(faces):
    other = (faces.labels[[3]] + 1) % 7
    report = check_dataset(add(faces, 3, labels=other, split="PublicTest"))
    assert names(report) == ["exact_leak", "exact_conflict"]
    assert report.figures["duplicates"]["conflicting_groups"] == 1
    assert check_dataset(add(faces, 3, jpeg)).findings == ()


def test_people_in_several_splits():
    dataset = with_test_split(make_faces(10, seed=2, people=20))
    report = check_dataset(dataset)
    assert "subject_leak" in report
    assert "subject_leak" not in check_dataset(dataset.without(report))


def test_near_duplicates_miss_nothing_that_correlates():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 48, 48, 1), dtype=np.uint8)
    noisy = np.clip(images + generator.normal(0, 15, images.shape), 0, 255).astype(np.uint8)
    duplicates = find_all_duplicates(np.concatenate([images, noisy, noisy[:, :, ::-1]]))
    found = {tuple(pair) for pair in duplicates.near.tolist()}
    assert found == {(i + a, i + b) for i in range(40) for a, b in ((0, 40), (0, 80), (40, 80))}
    wanted = [np.corrcoef(images[i].ravel(), noisy[i].ravel())[0, 1] for i in range(40)]
    straight = duplicates.correlations[duplicates.near[:, 1] - duplicates.near[:, 0] == 40]
    np.testing.assert_allclose(straight[:40], wanted, atol=1e-4)


def test_frames_of_one_face_are_compared_part_by_part(faces):
    noise = np.random.default_rng(0).normal(0, 3, (210, 48, 48, 1))
    frames = np.clip(faces.images[3] + noise, 0, 255).astype(np.uint8)
    duplicates = find_all_duplicates(frames)
    assert len(duplicates.near) == 210 * 209 // 2
    assert not duplicates.near_groups(np.ones(len(duplicates.near), bool)).any()  # one group, 0


def test_constant_nearly_constant_and_tiny_images(faces):
    images = faces.images.copy()
    images[4] = 127
    images[9] = 127 + (np.arange(48) % 2)[:, None, None]
    metadata = pd.DataFrame({"width": np.full(len(faces), 60), "height": 60})
    metadata.loc[17, "height"] = 20
    report = check_dataset(dataclasses.replace(faces, images=images, metadata=metadata))
    assert names(report) == ["constant", "nearly_constant", "tiny"]
    assert [finding.indices.tolist() for finding in report.findings] == [[4], [9], [17]]
    small = check_dataset(make_faces(3, image_size=24))
    assert names(small) == ["tiny"] and len(small.indices) == 0
    blank = check_dataset(dataclasses.replace(faces, images=np.full_like(images, 7)))
    assert blank["constant"].count == len(faces)


def test_missing_and_rare_classes_and_swapped_splits(faces):
    report = check_dataset(make_faces({"happy": 40, "sad": 5, "fear": 20}))
    assert names(report) == ["empty_class", "imbalance"]
    assert "angry, disgust, surprise, neutral" in report["empty_class"].title
    assert "happy has 40 images, sad 5" in report["imbalance"].title
    with pytest.raises(KeyError):
        report["constant"]
    swapped = np.where(faces.split == "Training", "test", "train")
    report = check_dataset(dataclasses.replace(faces, split=swapped))
    assert "28 images to train on, 112 to test" in report["split_sizes"].title


def test_votes_find_what_is_no_face_and_how_far_people_agree(faces):
    votes = pd.DataFrame(0, range(len(faces)), [*VOTE_COLUMNS])
    votes.iloc[:, :7] = 10 * np.eye(7, dtype=int)[faces.labels]
    report = check_dataset(dataclasses.replace(faces, metadata=votes))
    assert report.findings == () and report.figures["votes"]["agreement"] == 1
    sad = faces.labels == EMOTIONS.index("sad")
    votes.loc[sad, ["votes_fear", "votes_sad"]] = 5
    votes.loc[5] = 0
    votes.loc[5, "votes_not_face"] = 10
    report = check_dataset(dataclasses.replace(faces, metadata=votes))
    assert names(report) == ["not_a_face", "votes_disagree"]
    assert report["not_a_face"].indices.tolist() == [5]
    assert report.figures["votes"]["by_class"]["sad"] == 0
    assert report.figures["votes"]["no_majority"] == 21


class Oracle:
    """Predicts the true class, in its own order of classes, except for every tenth image."""

    name = "oracle"

    def __init__(self, dataset: FaceDataset, class_names=EMOTIONS, sure: float = 0.7) -> None:
        self.class_names = class_names
        truth = [class_names.index(dataset.class_names[label]) for label in dataset.labels]
        self._probabilities = np.full((len(dataset), 7), (1 - sure) / 6)
        self._probabilities[np.arange(len(dataset)), truth] = sure
        self._probabilities[::10] = 1 / 7

    def predict(self, images: np.ndarray) -> np.ndarray:
        assert len(images) == len(self._probabilities)
        return self._probabilities


def test_a_model_finds_permuted_labels(faces):
    model = Oracle(faces)
    for one in (model, Oracle(faces, tuple(sorted(EMOTIONS)))):  # fine where both say so
        report = check_dataset(faces, one)
        assert report.findings == () and report.figures["model"]["accuracy"] > 0.85
    report = check_dataset(alphabetical(faces), model)
    assert names(report) == ["permuted_labels"]
    assert report.findings[0].count == 3 and len(report.indices) == 0
    for pair in ("sad is neutral", "surprise is sad", "neutral is surprise"):
        assert pair in report.findings[0].title


def test_a_confident_model_doubts_a_wrong_label_and_one_of_other_classes_is_refused(faces):
    labels = np.where(np.arange(len(faces)) == 3, (faces.labels + 1) % 7, faces.labels)
    wrong = dataclasses.replace(faces, labels=labels)
    doubtful = check_dataset(wrong, Oracle(faces, sure=0.999))["doubtful_labels"]
    assert doubtful.examples.tolist() == [3] and len(doubtful.indices) == 0
    with pytest.raises(ValueError, match="predictions of the data set's classes"):
        check_dataset(dataclasses.replace(faces, class_names=tuple("abcdefg")), Oracle(faces))
    with pytest.raises(ValueError, match="at least one image"):
        check_dataset(faces[[]])


def test_a_weak_model_permutes_nothing():
    generator = np.random.default_rng(0)
    labels, noise = generator.integers(0, 7, (2, 700))
    weak = np.where(generator.random(700) < 0.3, labels, noise)
    for predicted in (noise, np.full(700, 3), weak):
        assert find_permutation(labels, predicted, 7) == {}
    weak = np.where(weak == 1, 2, np.where(weak == 2, 1, weak))
    assert find_permutation(labels, weak, 7) == {1: 2, 2: 1}


def test_the_report_is_text_and_json_without_pixels(faces, tmp_path):
    metadata = faces.metadata.assign(row=np.arange(len(faces)) + 1000)
    leaky = add(dataclasses.replace(faces, metadata=metadata), 3, split="PublicTest")
    report = check_dataset(leaky)
    assert max(map(len, str(report).splitlines())) <= 80
    for shown in (str(report), repr(report), report._repr_html_()):
        assert "exact_leak" in shown
    values = json.loads(report.to_json(tmp_path / "audit.json"))
    assert values == json.loads((tmp_path / "audit.json").read_text())
    assert values["findings"][0]["indices"] == [len(faces)]
    assert values["findings"][0]["rows"] == [1003] and values["n"] == len(leaky)


def test_images_of_any_size_and_color_are_compared():
    synthetic = make_faces(2, seed=1, image_size=300, color=True)
    report = check_dataset(concatenate([synthetic, synthetic[[2]]]))
    assert names(report) == ["exact_duplicates"]


CONSTANT = [6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601]


def check_known_figures(audit: dict) -> None:
    """Compares an audit of FER2013's Training and PublicTest with what is known of them."""
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
    assert votes["by_class"]["happy"] > 0.9 and votes["by_class"]["fear"] < 0.15


def read_stored_audit() -> dict:
    file = paths.datasets_dirs()[0] / "audits" / "fer2013.json"
    assert file.stat().st_size < 150_000  # and so holds no pixels
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_stored_audit_has_the_known_figures():
    assert read_stored_audit()["n"] == 32298
    check_known_figures(read_stored_audit())


@pytest.mark.slow
def test_fer2013_as_a_whole_and_with_permuted_labels(
    fer2013_npz: Path, ferplus_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    argv = ["datasets", "check", str(fer2013_npz), "--votes", str(ferplus_csv)]
    assert cli.main([*argv, "--json", str(tmp_path / "audit.json")]) == 1  # there are leaks
    assert "280 PublicTest images" in capsys.readouterr().out
    audit, stored = json.loads((tmp_path / "audit.json").read_text()), read_stored_audit()
    check_known_figures(audit)
    for key in ("counts", "content_hash", "unchecked"):
        assert audit[key] == stored[key]
    voted = load_ferplus(ferplus_csv, load_fer2013(fer2013_npz).subset("PublicTest"))[:2000]
    assert "permuted_labels" not in check_dataset(voted)
    assert "sad is neutral" in check_dataset(alphabetical(voted))["permuted_labels"].title
