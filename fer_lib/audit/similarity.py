"""Finds images that a set holds more than once: the same pixels, or nearly the same image.

Near duplicates are found without comparing all pixels of all pairs, and none is missed. The
perceptual hash is that of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010), the lowest 8x8 coefficients of a cosine transform, but kept as numbers: they
bound the correlation of two images from above, and only pairs that may reach the threshold are
compared.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pandas as pd
from scipy import fft, sparse
from sklearn.neighbors import NearestNeighbors

from fer_lib.images import to_gray

MIN_DEVIATION = 3.0
"""Images with less contrast (standard deviation in gray levels of 255) show nothing."""

MIN_CORRELATION = 0.95
"""Two images are near duplicates if their pixels correlate at least so much, and their parts."""

# Faces at the same place of a small image can reach .97 by chance, but then some parts of them
# differ. Of 778 pairs over .95 in FER2013, all of which look like duplicates, 98% pass this, too.
_MIN_PART_CORRELATION = 0.8
_PART = 12  # side of a part in pixels
_FLAT = 4.0  # gray levels squared: the variance below which a part is noise rather than content
_MAX_PAIRS = 20_000  # compared at once: the frames of a video make millions
_SIDE, _LOW = 48, 8  # of the compared images, and of the coefficients of their hashes


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Which images of a set are the same.

    Attributes:
        exact: `int64 (n,)`, equal for images with the same pixels, counted up from 0.
        near: `int64 (pairs, 2)`, pairs of images that are nearly the same; only the first of
            several exact duplicates is in them.
        correlations: `float32 (pairs,)`, of these pairs.
        mirrored: `bool (pairs,)`, whether one is the mirror image of the other.
    """

    exact: np.ndarray
    near: np.ndarray
    correlations: np.ndarray
    mirrored: np.ndarray

    def near_groups(self, chosen: np.ndarray) -> np.ndarray:
        """Returns groups joined by the chosen near pairs `bool (pairs,)`, exact ones included."""
        size = int(self.exact.max()) + 1
        left, right = self.exact[self.near[chosen]].T
        graph = sparse.coo_array((np.ones(len(left)), (left, right)), (size, size))
        component = sparse.csgraph.connected_components(graph, directed=False)[1]
        groups = pd.factorize(component[self.exact])[0]
        return np.where(np.isin(component, component[left])[self.exact], groups, -1)


def find_all_duplicates(images: np.ndarray) -> Duplicates:
    """Finds exact and near duplicates in `uint8 (n, height, width, channels)` images.

    Brightness and contrast do not matter; mirror images are found, too; images that are moved by
    more than a pixel or cropped otherwise are not.
    """
    exact = pd.factorize(np.array([image.tobytes() for image in images], object))[0]
    first = np.unique(exact, return_index=True)[1]
    gray = np.array([_small_gray(image) for image in images[first]])
    has_content = gray.std(axis=(1, 2)) >= MIN_DEVIATION
    first, gray = first[has_content], gray[has_content]
    pairs, correlations, mirrored = _near_pairs(gray)
    return Duplicates(exact, first[pairs], correlations, mirrored)


def _small_gray(image: np.ndarray) -> np.ndarray:
    gray = to_gray(image if image.shape[2] == 3 else image[..., 0])
    if gray.shape == (_SIDE, _SIDE):
        return gray
    return cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def _near_pairs(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pairs `(p, 2)`, their correlations and whether they are mirror images."""
    found = [(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))]
    if len(gray):
        units = gray - gray.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
        units /= np.linalg.norm(units, axis=(1, 2), keepdims=True)
        hashes = _hashes(units)
        # The distance of two vectors of length 1 tells their scalar product.
        radius = np.sqrt(2 - 2 * (MIN_CORRELATION - 1e-4))
        neighbors = NearestNeighbors(radius=radius, algorithm="brute").fit(hashes)
        # The cosine that belongs to an odd horizontal frequency changes its sign in the mirror.
        signs = np.append(np.tile((-1.0) ** np.arange(_LOW), _LOW), 1).astype(np.float32)
        for mirrored, others, step in ((False, hashes, 1), (True, hashes * signs, -1)):
            pairs = np.transpose(neighbors.radius_neighbors_graph(others).nonzero())
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            for part in np.array_split(pairs, len(pairs) // _MAX_PAIRS + 1):
                left, right = part.T
                correlations = np.einsum("nij,nij->n", units[left], units[right][:, :, ::step])
                by_part = _part_correlation(gray[left], gray[right][:, :, ::step])
                sure = (correlations > MIN_CORRELATION) & (by_part > _MIN_PART_CORRELATION)
                found.append((part[sure], correlations[sure], np.full(sure.sum(), mirrored)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _hashes(units: np.ndarray) -> np.ndarray:
    """Returns the low frequencies of images of unit length and the length of what is left out.

    The scalar product of two rows is at least that of the images (Cauchy and Schwarz).
    """
    low = [fft.dctn(unit, norm="ortho")[:_LOW, :_LOW].ravel() for unit in units]
    rest = np.sqrt(np.maximum(1 - np.square(low).sum(axis=1, keepdims=True), 0))
    return np.concatenate([low, rest], axis=1)


def _part_correlation(*pair: np.ndarray) -> np.ndarray:
    """Returns the mean correlation of the parts of two images; flat parts are alike."""
    count = _SIDE // _PART
    parts = [gray.reshape(-1, count, _PART, count, _PART).swapaxes(2, 3) for gray in pair]
    parts = [each.reshape(-1, count**2, _PART**2).astype(np.float32) for each in parts]
    a, b = (each - each.mean(axis=2, keepdims=True) for each in parts)
    covariance = (a * b).mean(axis=2) + _FLAT
    scale = np.sqrt(((a * a).mean(axis=2) + _FLAT) * ((b * b).mean(axis=2) + _FLAT))
    return (covariance / scale).mean(axis=1)
