"""Ways to divide a data set: by class share, or by person so that nobody is on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, StratifiedKFold

from fer_lib.datasets.face_dataset import FaceDataset


def split_stratified(
    dataset: FaceDataset, fraction: float = 0.2, seed: int = 0
) -> tuple[FaceDataset, FaceDataset]:
    """Splits so that both sides have the same share of every class.

    Args:
        dataset: What to split. People may be on both sides; see `split_by_subject`.
        fraction: Share of every class that goes to the second side, `(0, 1)`; rounded to whole
            pictures, so that a class of one picture may be on one side only.
        seed: The same seed gives the same sides.

    Returns:
        `(rest, part)`, both in the order of `dataset`.

    Raises:
        ValueError: `fraction` is outside `(0, 1)`.
    """
    _check_fraction(fraction)
    generator = np.random.default_rng(seed)
    in_part = np.zeros(len(dataset), bool)
    for label in range(len(dataset.class_names)):
        members = generator.permutation(np.flatnonzero(dataset.labels == label))
        in_part[members[: round(fraction * len(members))]] = True
    return dataset[~in_part], dataset[in_part]


def split_by_subject(
    dataset: FaceDataset, fraction: float = 0.2, seed: int = 0
) -> tuple[FaceDataset, FaceDataset]:
    """Splits so that the same person is never on both sides.

    A network recognises people it has seen: a score on the faces of strangers is the honest one.

    Args:
        dataset: What to split; needs `subjects`.
        fraction: Share of the people that goes to the second side, `(0, 1)`; each side gets at
            least one person.
        seed: The same seed gives the same sides.

    Returns:
        `(rest, part)`, both in the order of `dataset`.

    Raises:
        ValueError: `fraction` is outside `(0, 1)`, or there are not two known subjects.
    """
    _check_fraction(fraction)
    people = _people(dataset)
    part_size = min(max(round(fraction * len(people)), 1), len(people) - 1)
    splitter = GroupShuffleSplit(n_splits=1, test_size=part_size, random_state=seed)
    rest, part = next(splitter.split(dataset.labels, groups=dataset.subjects))
    return dataset[np.sort(rest)], dataset[np.sort(part)]


def folds(
    dataset: FaceDataset, num_folds: int = 5, seed: int = 0
) -> Iterator[tuple[FaceDataset, FaceDataset]]:
    """Yields `(rest, part)` for cross-validation; every picture is in exactly one `part`.

    Folds keep the share of the classes, and by person where `subjects` are known: small sets such
    as CK+ and JAFFE are scored like this.

    Raises:
        ValueError: There are fewer people, or pictures of every class, than folds.
    """
    if dataset.subjects is None:
        splitter = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    elif len(_people(dataset)) < num_folds:
        raise ValueError(
            f"Expected at least {num_folds} subjects for {num_folds} folds. "
            f"Received: {len(_people(dataset))}"
        )
    else:
        splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    for rest, part in splitter.split(dataset.labels, dataset.labels, dataset.subjects):
        yield dataset[rest], dataset[part]


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise ValueError(f"Expected `fraction` between 0 and 1. Received: {fraction}")


def _people(dataset: FaceDataset) -> np.ndarray:
    if dataset.subjects is None:
        raise ValueError(
            f"Expected a data set with `subjects`; {dataset.name!r} does not say who is on its "
            "pictures. `split_stratified` splits it by class."
        )
    people = np.unique(dataset.subjects)
    if len(people) < 2:
        raise ValueError(f"Expected at least two subjects to split by. Received: {len(people)}")
    return people
