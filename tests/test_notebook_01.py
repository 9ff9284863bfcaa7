"""What lesson 01 builds by hand is what the library does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_lib.datasets.fer2013_files import read_csv
from fer_lib.evaluation import find_duplicates
from fer_lib.synthetic import make_faces


def test_a_row_is_read_as_the_library_reads_it(names: dict, tmp_path: Path) -> None:
    faces = make_faces(2, seed=1)
    lines = [
        f"{label},{' '.join(map(str, image.ravel()))},{split}\n"
        for image, label, split in zip(
            faces.images, faces.labels, ["Training", "PublicTest"] * 7, strict=True
        )
    ]
    (tmp_path / "rows.csv").write_text("".join(["emotion,pixels,Usage\n", *lines]))
    library = read_csv(tmp_path / "rows.csv", "rows")
    by_hand = [names["read_row"](line) for line in lines]
    assert np.array_equal([image for image, _, _ in by_hand], library.images[..., 0])
    assert [label for _, label, _ in by_hand] == library.labels.tolist()
    assert [split for _, _, split in by_hand] == library.split.tolist()


def test_duplicates_are_counted_as_the_library_counts_them(names: dict) -> None:
    images = make_faces(4, seed=2).images
    others = images[[0, 5, 5, 9]].copy()
    others[3, 0, 0] ^= 1  # one pixel differs: no duplicate
    assert names["count_duplicates"](others, images) == find_duplicates(others, images).sum() == 3
