"""The checks that maps need: a map that looks right proves nothing, an edge detector's does, too.

`sanity_check` compares the maps with those of a network that knows nothing, and `region_energy`
counts what falls on brows, eyes, nose and mouth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd

from fer_lib.alignment import FACE_TEMPLATE
from fer_lib.explain.attribution import grad_cam, keras_model
from fer_lib.pretrained import Pretrained

# left, top, right, bottom; the origin lies between the eyes, one unit is half their distance. A
# pixel belongs to the first box that it lies in, so that the bridge of the nose is no eye.
_BOXES = {
    "brows": ((-1.9, -1.2, 1.9, -0.4),),
    "eyes": ((-1.75, -0.4, -0.4, 0.5), (0.4, -0.4, 1.75, 0.5)),
    "nose": ((-0.4, -0.4, 0.4, 0.5), (-0.7, 0.5, 0.7, 1.5)),
    "mouth": ((-1.3, 1.5, 1.3, 2.8),),
}


def randomize_weights(model: Pretrained | keras.Model, seed: int = 0) -> Pretrained | keras.Model:
    """Returns a copy of a model that has forgotten everything: each weight array is shuffled.

    Shuffling keeps the distribution of every layer's weights, so that activations stay in range.
    """
    network = keras_model(model)
    generator = np.random.default_rng(seed)
    copy = keras.models.clone_model(network)
    copy.set_weights(
        [generator.permutation(w.ravel()).reshape(w.shape) for w in network.get_weights()]
    )
    if network is model:
        return copy
    return dataclasses.replace(model, model=copy, name=f"{model.name} randomized")


def sanity_check(
    model: Pretrained | keras.Model,
    images: Any,
    *,
    method: Callable[..., np.ndarray] = grad_cam,
    seed: int = 0,
) -> np.ndarray:
    """Compares the maps of a model with those of a copy with random weights.

    Methods whose maps stay alike show the image's edges, not the network's reasons (Adebayo et
    al., arXiv 1810.03292).

    Args:
        model: As `method` takes it, as well as the `images`.
        images: Raw pixels of the model's size.
        method: Takes model and images and returns maps `(n, height, width)`.
        seed: Of the random weights.

    Returns:
        Spearman's rank correlation of the two maps of each image, `float64 (n,)`, -1 to 1: near
        0 where the map depends on what the network has learned, near 1 where it does not. 0 where
        one of the maps is the same everywhere.
    """
    trained, random = (
        pd.DataFrame([np.ravel(each) for each in method(one, images)]).rank(axis=1)
        for one in (model, randomize_weights(model, seed))
    )
    return trained.corrwith(random, axis=1).fillna(0).to_numpy()


def face_regions(size: int = 48) -> dict[str, np.ndarray]:
    """Returns where the parts of a face lie in an aligned crop of `size` pixels.

    The boxes follow `alignment.FACE_TEMPLATE`, the place of the landmarks in every crop that
    `align_face` makes, and are wide enough for faces that differ from it.

    Each is `bool (size, size)`; every pixel is in exactly one.

    Example:
        >>> {name: int(mask.sum()) for name, mask in face_regions(48).items()}
        {'brows': 245, 'eyes': 192, 'nose': 173, 'mouth': 276, 'rest': 1418}
    """
    left, right = FACE_TEMPLATE[:2]
    unit = np.hypot(*(right - left)) / 2
    pixels = (np.arange(size) + 0.5) * 48 / size - 0.5
    x, y = ((pixels - middle) / unit for middle in (left + right) / 2)
    x, y = np.meshgrid(x, y)
    part = np.full((size, size), "rest", object)
    for name, boxes in reversed(_BOXES.items()):
        for x0, y0, x1, y1 in boxes:
            part[(x >= x0) & (x < x1) & (y >= y0) & (y < y1)] = name
    return {name: part == name for name in (*_BOXES, "rest")}


def region_energy(maps: np.ndarray) -> pd.DataFrame:
    """Counts how much of each map falls on the parts of the face.

    Values below 0 (of an occlusion map) count as nothing. What a map without any preference
    has in a region is the region's share of the area: `region_energy(np.ones((48, 48)))`.

    Takes finite maps of aligned faces, `(n, size, size)` or `(size, size)`. Returns one row per map
    with the shares of `face_regions`, which sum to 1; all 0 for a map that is 0 everywhere.

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
    energy = {name: maps[:, mask].sum(axis=1) for name, mask in face_regions(maps.shape[1]).items()}
    table = pd.DataFrame(energy)
    return table.div(table.sum(axis=1).replace(0, 1), axis=0)
