"""Brows, eyes, nose and mouth of an aligned face, and how much of a map falls on each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fer_lib.alignment import FACE_TEMPLATE

# left, top, right, bottom; the origin lies between the eyes, one unit is half their distance. A
# pixel belongs to the first box that it lies in, so that the bridge of the nose is no eye.
_BOXES = {
    "brows": ((-1.9, -1.2, 1.9, -0.4),),
    "eyes": ((-1.75, -0.4, -0.4, 0.5), (0.4, -0.4, 1.75, 0.5)),
    "nose": ((-0.4, -0.4, 0.4, 0.5), (-0.7, 0.5, 0.7, 1.5)),
    "mouth": ((-1.3, 1.5, 1.3, 2.8),),
}
REST = "rest"
"""Everything that is in no region: cheeks, forehead, hair, background."""


def face_regions(size: int = 48) -> dict[str, np.ndarray]:
    """Returns where the parts of a face lie in an aligned crop.

    The boxes follow `alignment.FACE_TEMPLATE`, the place of the landmarks in every crop that
    `align_face` makes, and are wide enough for faces that differ from it.

    Args:
        size: Width and height of the crop in pixels.

    Returns:
        `brows`, `eyes`, `nose`, `mouth` and `rest`, each `bool (size, size)`; every pixel is in
        exactly one.

    Example:
        >>> {name: int(mask.sum()) for name, mask in face_regions(48).items()}
        {'brows': 245, 'eyes': 192, 'nose': 173, 'mouth': 276, 'rest': 1418}
    """
    left, right = FACE_TEMPLATE[:2]
    middle, unit = (left + right) / 2, np.hypot(*(right - left)) / 2
    pixels = (np.arange(size) + 0.5) * 48 / size - 0.5
    x = ((pixels - middle[0]) / unit)[None, :]
    y = ((pixels - middle[1]) / unit)[:, None]
    part = np.full((size, size), REST, object)
    for name, boxes in reversed(_BOXES.items()):
        for x0, y0, x1, y1 in boxes:
            part[(x >= x0) & (x < x1) & (y >= y0) & (y < y1)] = name
    return {name: part == name for name in (*_BOXES, REST)}


def region_energy(maps: np.ndarray) -> pd.DataFrame:
    """Counts how much of each map falls on the parts of the face.

    Values below 0 (of an occlusion map) count as nothing. What a map without any preference
    has in a region is the region's share of the area: `region_energy(np.ones((48, 48)))`.

    Args:
        maps: `(n, size, size)` or `(size, size)`, maps of aligned faces.

    Returns:
        One row a map with the shares of `face_regions`, which sum to 1; all 0 for a map that is
        0 everywhere.

    Raises:
        ValueError: The maps are not square or not finite.

    Example:
        >>> region_energy(face_regions(48)["mouth"]).loc[0, "mouth"].item()
        1.0
    """
    maps = np.asarray(maps, np.float64)
    maps = maps[np.newaxis] if maps.ndim == 2 else maps
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not np.isfinite(maps).all():
        raise ValueError(
            "Expected finite maps of shape (n, size, size), of aligned faces. "
            f"Received: {maps.shape}"
        )
    maps = np.maximum(maps, 0)
    total = maps.sum(axis=(1, 2))
    total[total == 0] = 1
    regions = face_regions(maps.shape[1])
    return pd.DataFrame({name: maps[:, mask].sum(axis=1) / total for name, mask in regions.items()})
