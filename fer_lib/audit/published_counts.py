"""Is this copy of FER2013 the published one, by its counts?

Pixels are not compared: the checksum of `fetch_fer2013` does that.
"""

from __future__ import annotations

import numpy as np

from fer_lib.audit.finding import Finding, listing
from fer_lib.datasets.catalogue import dataset_info
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.labels import EMOTIONS


def check_counts(dataset: FaceDataset) -> tuple[list[Finding], dict[str, str | None]]:
    """Compares the class counts of each split with those of FER2013's splits.

    A set is taken for a copy if it is called so, or if one of its splits has the counts of a
    published one, in whatever order.

    Returns:
        What is found, and which published split each split is; nothing for other sets.
    """
    if set(dataset.class_names) != set(EMOTIONS):
        return [], {}
    known = {name: np.array(n) for name, n in dataset_info("fer2013").counts.splits.items()}
    # What the loader calls the folder `test` when it holds both.
    known["PublicTest+PrivateTest"] = known["PublicTest"] + known["PrivateTest"]
    table = dataset.counts().loc[list(EMOTIONS)]
    splits = table.columns.drop("all") if len(table.columns) > 1 else table.columns
    counts = {split: table[split].to_numpy() for split in splits}
    published: dict[str, str | None] = dict.fromkeys(counts)
    moved, wrong, is_part = {}, [], True
    for split, found in counts.items():
        for name, expected in known.items():
            if np.array_equal(np.sort(found), np.sort(expected)):
                published[split] = name
                emotion_of = dict(zip(expected.tolist(), EMOTIONS, strict=True))
                pairs = zip(EMOTIONS, (emotion_of[n] for n in found.tolist()), strict=True)
                moved |= {labeled: emotion for labeled, emotion in pairs if labeled != emotion}
        if published[split] is None:
            expected = known.get(split, np.zeros_like(found))
            is_part &= bool((found <= expected).all())
            wrong.append(f"{split} has {found.sum():,} images of {expected.sum():,}")
    if dataset.name not in ("fer2013", "ferplus") and not any(published.values()):
        return [], {}
    findings = []
    swapped = {split: name for split, name in published.items() if _is_misnamed(split, name)}
    if swapped:
        pairs = [f"{a} has the counts of the published {b}" for a, b in swapped.items()]
        title = f"A split has a wrong name: {listing(pairs)}"
        findings.append(Finding("swapped_splits", title, count=len(swapped)))
    if moved:
        pairs = listing([f"{a} is {b}" for a, b in moved.items()])
        title = f"Classes are mixed up, by the published counts: what is labeled {pairs}"
        findings.append(Finding("permuted_labels", title, count=len(moved)))
    if wrong:
        name = "incomplete" if is_part else "counts"
        title = f"Counts differ from the published ones: {'; '.join(wrong)}"
        findings.append(Finding(name, title, count=len(wrong)))
    return findings, published


def _is_misnamed(split: str, published: str | None) -> bool:
    if published is None or split == published:
        return False
    if split in ("PublicTest", "PrivateTest"):
        return True
    if published == "Training":
        return "test" in split.lower()
    return split.lower().startswith("train")
