"""Finds images that a set holds more than once: the same pixels, or nearly the same image.

Near duplicates are found without comparing all pixels of all pairs, and none is missed. The
perceptual hash is that of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010), the lowest 8x8 coefficients of a cosine transform, but kept as numbers: they
bound the correlation of two images from above, and only pairs that may reach the threshold are
compared.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator

import cv2
import numpy as np
from scipy import fft, sparse

from fer_lib.audit.image_checks import MIN_DEVIATION
from fer_lib.images import to_gray

MIN_CORRELATION = 0.95
"""Two images are near duplicates if their pixels correlate at least so much, and their parts."""

# Faces at the same place of a small image can reach .97 by chance, but then some parts of them
# differ. Of 778 pairs over .95 in FER2013, all of which look like duplicates, 98% pass this, too.
_MIN_PART_CORRELATION = 0.8
_PARTS = 4  # along each side
_FLAT = 4.0  # gray levels squared: the variance below which a part is noise rather than content
_SIDE = 48
_LOW = 8
_TILE = 1024


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Which images of a set are the same.

    Attributes:
        exact: `int64 (n,)`, equal for images with the same pixels.
        near: `int64 (pairs, 2)`, pairs of images that are nearly the same; only the first of
            several exact duplicates is in them.
        correlations: `float32 (pairs,)`, of these pairs.
        mirrored: `bool (pairs,)`, whether one is the mirror image of the other.
    """

    exact: np.ndarray
    near: np.ndarray
    correlations: np.ndarray
    mirrored: np.ndarray

    def exact_groups(self) -> list[np.ndarray]:
        """Returns the indices of each group of two or more images with the same pixels."""
        return _groups(self.exact)

    def near_groups(self, chosen: np.ndarray) -> list[np.ndarray]:
        """Returns groups joined by the chosen near pairs `bool (pairs,)`, exact ones included."""
        size = int(self.exact.max(initial=-1)) + 1
        ends = self.exact[self.near[chosen]]
        graph = sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (size, size))
        component = sparse.csgraph.connected_components(graph, directed=False)[1]
        joined = np.isin(component, component[ends[:, 0]])
        groups = _groups(component[self.exact])
        return [group for group in groups if joined[self.exact[group[0]]]]


def find_all_duplicates(images: np.ndarray) -> Duplicates:
    """Finds exact and near duplicates.

    Args:
        images: `uint8 (n, height, width, channels)`.

    Returns:
        The duplicates. Brightness and contrast do not matter; mirror images are found, too; images
        that are moved by more than a pixel or cropped otherwise are not.
    """
    digests = [hashlib.sha256(np.ascontiguousarray(image)).digest() for image in images]
    _, first, exact = np.unique(np.array(digests, "S32"), return_index=True, return_inverse=True)
    gray = _small_gray(images[first])
    has_content = gray.reshape(len(gray), -1).std(axis=1) >= MIN_DEVIATION
    first, gray = first[has_content], gray[has_content]
    pairs, correlations, mirrored = _near_pairs(gray)
    pairs = np.sort(first[pairs], axis=1)
    order = np.lexsort(pairs.T[::-1])
    return Duplicates(exact, pairs[order], correlations[order], mirrored[order])


def _small_gray(images: np.ndarray) -> np.ndarray:
    """Returns all images in gray, `uint8 (n, 48, 48)`."""
    if images.shape[1:] == (_SIDE, _SIDE, 1):
        return images[..., 0]
    small = np.empty((len(images), _SIDE, _SIDE), np.uint8)
    for index, image in enumerate(images):
        gray = to_gray(image if image.shape[2] == 3 else image[..., 0])
        small[index] = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return small


def _near_pairs(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pairs `(p, 2)`, their correlations and whether they are mirror images."""
    units = gray.astype(np.float32)
    units -= units.mean(axis=(1, 2), keepdims=True)
    units /= np.linalg.norm(units.reshape(len(gray), -1), axis=1)[:, None, None]
    hashes = _hashes(units)
    # The cosine that belongs to an odd horizontal frequency changes its sign in the mirror.
    signs = np.append(np.tile((-1.0) ** np.arange(_LOW), _LOW), 1).astype(np.float32)
    found = [(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))]
    for mirrored, others, step in ((False, hashes, 1), (True, hashes * signs, -1)):
        for pairs in _candidates(hashes, others):
            left, right = pairs.T
            correlations = np.einsum("nij,nij->n", units[left], units[right][:, :, ::step])
            likely = correlations > MIN_CORRELATION
            pairs, correlations = pairs[likely], correlations[likely]
            left, right = pairs.T
            by_part = _part_correlation(gray[left], gray[right][:, :, ::step])
            sure = by_part > _MIN_PART_CORRELATION
            found.append((pairs[sure], correlations[sure], np.full(int(sure.sum()), mirrored)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _hashes(units: np.ndarray) -> np.ndarray:
    """Returns the low frequencies of images of unit length and the length of what is left out.

    The scalar product of two rows is at least that of the images (Cauchy and Schwarz).
    """
    low = np.empty((len(units), _LOW * _LOW), np.float32)
    for start in range(0, len(units), _TILE):
        part = fft.dctn(units[start : start + _TILE], axes=(1, 2), norm="ortho")
        low[start : start + _TILE] = part[:, :_LOW, :_LOW].reshape(len(part), -1)
    rest = np.sqrt(np.maximum(1 - (low**2).sum(axis=1, keepdims=True), 0))
    return np.concatenate([low, rest], axis=1)


def _candidates(hashes: np.ndarray, others: np.ndarray) -> Iterator[np.ndarray]:
    """Yields pairs `(p, 2)`, first below second, that may correlate enough; tiles fit the cache."""
    for i in range(0, len(hashes), _TILE):
        for j in range(i, len(hashes), _TILE):
            bounds = hashes[i : i + _TILE] @ others[j : j + _TILE].T
            pairs = np.argwhere(bounds > MIN_CORRELATION - 1e-4) + (i, j)
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            if len(pairs):
                yield pairs


def _part_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the mean correlation of the parts of two images; flat parts are alike."""
    a, b = _parts(a), _parts(b)
    covariance = (a * b).mean(axis=2) + _FLAT
    scale = np.sqrt(((a * a).mean(axis=2) + _FLAT) * ((b * b).mean(axis=2) + _FLAT))
    return (covariance / scale).mean(axis=1)


def _parts(gray: np.ndarray) -> np.ndarray:
    """Returns the parts of each image less their mean, `float32 (n, parts, pixels)`."""
    side = _SIDE // _PARTS
    parts = gray.reshape(-1, _PARTS, side, _PARTS, side).swapaxes(2, 3).astype(np.float32)
    parts = parts.reshape(len(gray), _PARTS**2, side * side)
    return parts - parts.mean(axis=2, keepdims=True)


def _groups(keys: np.ndarray) -> list[np.ndarray]:
    """Returns the indices that share a key, of keys that occur twice or more, by first index."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    groups = [group for group in np.split(order, starts[1:]) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))
