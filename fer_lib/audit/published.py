"""Is this copy of FER2013 the published one? What the counts, pixels and labels tell.

Nothing of the pictures is stored here: counts, and hashes that say whether the pixels are exact and
not what they are. PrivateTest has no hash of its own: its pixels are vouched for by the checksum of
the whole published file, where all three splits are there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_lib.audit.duplicates import small_grey
from fer_lib.audit.findings import Finding, listing
from fer_lib.audit.fingerprint import csv_md5, hash_split, is_jpeg, known_name
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS, SPLITS
from fer_lib.labels import EMOTIONS

PUBLISHED_MD5 = "f8428a1edbd21e88f42c73edd2a14f95"
"""Of `fer2013.csv`, 35,887 rows, the file that Kaggle gives out."""

PUBLISHED_HASHES: dict[str, dict[str, str]] = {
    "Training": {
        "pixels": "2a5ff0708885119308917c9bdbd66d373e994b78a75ea5a7a7a1920f752cdae8",
        "labels": "77b1ee4767be56525569830b2aea11f1aa77667a9fd032ae1118e065b3dd78ce",
        "rows": "f16240bd25d5da452e9648ee9ffab5ef063843acbe106273bb593ac364ae0185",
    },
    "PublicTest": {
        "pixels": "ef342991eb4e0ebfbc2986f4a0c6e8a73589efa59bf722f3cfcd3bc3b52dea2a",
        "labels": "c4da891f6be17748c1568284047d4a7436c4fd61fb08a92116eed7a541621cb7",
        "rows": "50344997a9f145b7e2766b6072a3dd0adec25cb4ddddb654518fbd333ea36064",
    },
}
"""What `fingerprint.hash_split` gives for the published splits."""

_KNOWN = {name: np.array(counts) for name, counts in PUBLISHED_COUNTS.items()}
# What the loader calls the folder `test` when it holds both.
_KNOWN["PublicTest+PrivateTest"] = _KNOWN["PublicTest"] + _KNOWN["PrivateTest"]


@dataclasses.dataclass(frozen=True)
class _Split:
    """One split of a copy, and the published one that it is by its counts."""

    name: str
    part: FaceDataset
    counts: np.ndarray  # in the order of EMOTIONS, or of the classes where these have other names
    published: str | None
    moved: dict[str, str]  # class in the copy -> published class with its count


def check_published(dataset: FaceDataset) -> tuple[list[Finding], dict[str, Any]]:
    """Compares a copy of FER2013 with the published set.

    A set is taken for a copy if it is called so, or if the class counts of one of its splits are
    those of a published split, in whatever order.

    Returns:
        What is found, and for each split what it is; nothing for other sets.
    """
    if len(dataset.class_names) != len(EMOTIONS):
        return [], {}
    names = dict.fromkeys(dataset.split.tolist())
    splits = [_identify(dataset[dataset.split == name], name) for name in names]
    if dataset.name not in ("fer2013", "ferplus") and not any(s.published for s in splits):
        return [], {}
    findings = [*_swapped(splits), *_permuted(splits), *_wrong_counts(splits)]
    figures = {split.name or "all": _compare(split) for split in splits}
    changed = _changed(splits, list(figures.values()))
    whole = {split.name for split in splits if split.published == split.name} == set(SPLITS)
    # The file numbers the classes, so its checksum is only that of classes in its order.
    if whole and not changed and tuple(map(known_name, dataset.class_names)) == EMOTIONS:
        figures["md5"] = csv_md5(dataset)
        if figures["md5"] != PUBLISHED_MD5 and not findings:
            changed.append(_wrong_checksum(figures["md5"]))
    return findings + changed, figures


def _identify(part: FaceDataset, name: str) -> _Split:
    """Finds the published split with these counts, in this order or in another."""
    counts = np.bincount(part.labels, minlength=len(EMOTIONS))
    classes = [known_name(n) for n in part.class_names]
    if set(classes) == set(EMOTIONS):
        counts = counts[[classes.index(n) for n in EMOTIONS]]
        classes = list(EMOTIONS)
        same = [known for known, wanted in _KNOWN.items() if np.array_equal(counts, wanted)]
        if same:
            return _Split(name, part, counts, same[0], {})
    for known, wanted in _KNOWN.items():
        if np.array_equal(np.sort(counts), np.sort(wanted)):
            emotion_of = dict(zip(wanted.tolist(), EMOTIONS, strict=True))
            meant = {a: emotion_of[int(n)] for a, n in zip(classes, counts, strict=True)}
            return _Split(name, part, counts, known, {a: b for a, b in meant.items() if a != b})
    return _Split(name, part, counts, None, {})


def _swapped(splits: Sequence[_Split]) -> list[Finding]:
    wrong = [split for split in splits if split.published and _is_misnamed(split)]
    if not wrong:
        return []
    swap = any("test" in split.name.lower() and split.published == "Training" for split in wrong)
    pairs = listing([f"{s.name} has the counts of the published {s.published}" for s in wrong])
    return [
        Finding(
            "swapped_splits",
            "error",
            len(wrong),
            f"{'Training and test are swapped' if swap else 'A split has a wrong name'}: {pairs}",
            "A network would be trained on the test pictures, or scored on those of the training.",
            "Rename the folders or the splits, or load the original file.",
        )
    ]


def _is_misnamed(split: _Split) -> bool:
    if split.name in _KNOWN:
        return split.name != split.published
    lower = split.name.lower()
    is_training = split.published == "Training"
    return (lower.startswith("train") and not is_training) or ("test" in lower and is_training)


def _permuted(splits: Sequence[_Split]) -> list[Finding]:
    moved: dict[str, str] = {}
    for split in splits:
        moved |= split.moved
    if not moved:
        return []
    pairs = listing([f"{a} is {b}" for a, b in moved.items()])
    return [
        Finding(
            "permuted_labels",
            "error",
            len(moved),
            f"Classes are mixed up, by the published counts: what is labelled {pairs}",
            "The pictures of these classes carry the names of others, as when classes were "
            "numbered in alphabetical order: every score is of the wrong class.",
            f"Take FER2013's order, 0 to 6: {', '.join(EMOTIONS)}; or load the original file.",
        )
    ]


def _wrong_counts(splits: Sequence[_Split]) -> list[Finding]:
    wrong = [split for split in splits if split.published is None]
    if not wrong:
        return []
    is_part = all(s.name in _KNOWN and (s.counts <= _KNOWN[s.name]).all() for s in wrong)
    return [
        Finding(
            "counts",
            "note" if is_part else "warning",
            len(wrong),
            "Counts differ from the published ones: " + "; ".join(map(_describe_counts, wrong)),
            "It is a part of the published set: fine if you took pictures out, but scores on it "
            "cannot be compared with those of others."
            if is_part
            else "This is not the published set: scores on it cannot be compared with those of "
            "others.",
            "Say so beside every score, or load the original file.",
        )
    ]


def _describe_counts(split: _Split) -> str:
    wanted = _KNOWN.get(split.name)
    total = f"{split.name or 'all'} has {split.counts.sum():,} pictures"
    if wanted is None or {known_name(n) for n in split.part.class_names} != set(EMOTIONS):
        return f"{total}, as many of each class as no published split"
    differences = [
        f"{name} {have:,} of {want:,}"
        for name, have, want in zip(EMOTIONS, split.counts, wanted, strict=True)
        if have != want
    ]
    return f"{total} of {wanted.sum():,} ({', '.join(differences)})"


def _compare(split: _Split) -> dict[str, Any]:
    """Says of a split what it is, and whether pixels, labels and order are the published ones."""
    figures: dict[str, Any] = {"published_as": split.published, "hashes": hash_split(split.part)}
    if split.published in PUBLISHED_HASHES:
        for key, wanted in PUBLISHED_HASHES[split.published].items():
            figures[f"{key}_as_published"] = figures["hashes"][key] == wanted
    if split.published and not figures.get("pixels_as_published"):
        figures["jpeg"] = is_jpeg(small_grey(split.part.images))
    return figures


def _changed(splits: Sequence[_Split], figures: Sequence[dict[str, Any]]) -> list[Finding]:
    """Returns what is found in splits whose counts are right."""
    jpeg, other, labels, order = [], [], [], []
    for split, of_split in zip(splits, figures, strict=True):
        name = split.name or "The copy"
        if of_split.get("jpeg"):
            jpeg.append(name)
        elif of_split.get("pixels_as_published") is False:
            other.append(name)
        elif of_split.get("labels_as_published") is False and not split.moved:
            labels.append(name)
        elif of_split.get("rows_as_published") is False and not split.moved:
            order.append(name)
    findings = []
    for names, details in ((jpeg, _JPEG), (other, _OTHER), (labels, _LABELS), (order, _ORDER)):
        if names:
            name, severity, title, meaning, remedy = details
            title = f"{' and '.join(names)}: {title}"
            findings.append(Finding(name, severity, len(names), title, meaning, remedy))
    return findings


def _wrong_checksum(md5: str) -> Finding:
    return Finding(
        "checksum",
        "warning",
        1,
        f"As fer2013.csv this copy has the md5 {md5}, the published one {PUBLISHED_MD5}",
        "Training and PublicTest are exact, so some row of PrivateTest is not, or its order.",
        "Load the original file.",
    )


_JPEG = (
    "jpeg_copy",
    "warning",
    "the counts are the published ones, but the pictures were saved as JPEG",
    "The pixels are not the published ones: scores differ a little from those of others, and row "
    "numbers, by which FER+ votes are joined, are often lost.",
    "Train and score on one kind of copy, best on fer2013.csv, and say which.",
)
_OTHER = (
    "changed_pixels",
    "warning",
    "the counts are the published ones, but not the pixels",
    "Somebody changed the pictures; counts and checksums do not tell how.",
    "Load the original file, or say which copy a score is for.",
)
_LABELS = (
    "changed_labels",
    "error",
    "the pictures are exactly the published ones, but not their labels",
    "Labels and pictures were matched wrongly, as when one of them was sorted; or somebody "
    "corrected labels.",
    "Load the original file.",
)
_ORDER = (
    "changed_order",
    "note",
    "pictures and labels are exactly the published ones, in another order",
    "Scores are the same; row numbers, by which FER+ votes are joined, are not.",
    "Use fer2013.csv where row numbers matter.",
)
