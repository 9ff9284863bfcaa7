"""Groups of images that need no guess about people: by their pixels, and by people's votes."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from fer_lib.datasets import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS, vote_distribution
from fer_lib.images import to_gray

_THIRDS = ("low", "middle", "high")


def image_properties(dataset: FaceDataset) -> pd.DataFrame:
    """Measures each image, and sorts the images by each property into thirds.

    Args:
        dataset: The images; with the vote columns that `load_ferplus` adds, agreement, too.

    Returns:
        One row per image and one categorical column per property, ready for `slice_report`:
        `agreement`, the share of an image's votes for an emotion that its most frequent one has,
        `[0, 1]`; `sharpness`, the variance of the Laplacian (Pech-Pacheco et al. 2000,
        10.1109/ICPR.2000.903548), which grows with contrast, too; `brightness`, the mean, and
        `contrast`, the standard deviation, in gray levels. Categories tell the range of their
        third, such as `"low: 13 to 105"`. Equal values share a third.

    Example:
        >>> images = np.repeat(np.uint8([10, 20, 30]), 48 * 48).reshape(3, 48, 48)
        >>> image_properties(FaceDataset(images, [0, 1, 2]))["brightness"].tolist()
        ['low: 10 to 10', 'middle: 20 to 20', 'high: 30 to 30']
    """
    grays = [to_gray(image).astype(np.float64) for image in dataset.images]
    values = {}
    if set(VOTE_COLUMNS) <= set(dataset.metadata):
        values["agreement"] = vote_distribution(dataset).max(axis=1, initial=0)
    values["sharpness"] = [cv2.Laplacian(gray, cv2.CV_64F).var() for gray in grays]
    values["brightness"] = [gray.mean() for gray in grays]
    values["contrast"] = [gray.std() for gray in grays]
    return pd.DataFrame({name: _thirds(pd.Series(column)) for name, column in values.items()})


def _thirds(values: pd.Series) -> pd.Categorical:
    """Returns the third that each value lies in; equal values have their mean rank."""
    codes = np.floor(3 * (values.rank() - 0.5) / len(values)).astype(int)
    ends = values.groupby(codes).agg(["min", "max"]).round(2 if values.max() <= 1 else 0)
    names = [f"{_THIRDS[code]}: {low:g} to {high:g}" for code, low, high in ends.itertuples()]
    return pd.Categorical.from_codes(np.searchsorted(ends.index, codes), names, ordered=True)
