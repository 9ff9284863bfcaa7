"""Finds pictures that a set holds more than once: the same pixels, or nearly the same picture.

Near copies are found without a miss and without comparing all pixels of all pairs. The perceptual
hash is that of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
2010), the lowest 8x8 coefficients of a cosine transform, but kept as numbers: then they bound the
correlation of two pictures from above, and only pairs that may reach the threshold are compared.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator

import cv2
import numpy as np
from scipy import fft, sparse

from fer_lib.images import to_gray

LEAST_CORRELATION = 0.95
"""Two pictures are copies if their pixels correlate at least so much, and so do their parts."""

# Faces at the same place of a small picture can reach .97 by chance, but then some parts of them
# differ. Of 778 pairs over .95 in FER2013, all of which look like copies, 98 % pass this, too.
_LEAST_PART_CORRELATION = 0.8
_PARTS = 4  # along each side
_FLAT = 4.0  # grey levels squared: the variance below which a part is noise rather than content

LEAST_DEVIATION = 3.0
"""Pictures with less contrast (standard deviation in grey levels) show nothing to compare."""

_SIDE = 48
_LOW = 8
_TILE = 1024


@dataclasses.dataclass(frozen=True)
class Copies:
    """Which pictures of a set are the same.

    Attributes:
        identical: `int64 (n,)`, equal for pictures with the same pixels.
        near: `int64 (pairs, 2)`, pairs of pictures that are nearly the same; only the first of
            several identical pictures is in them.
        correlations: `float32 (pairs,)`, of these pairs.
        mirrored: `bool (pairs,)`, whether one is the mirror image of the other.
    """

    identical: np.ndarray
    near: np.ndarray
    correlations: np.ndarray
    mirrored: np.ndarray

    def identical_groups(self) -> list[np.ndarray]:
        """Returns the indices of each group of two or more identical pictures."""
        return _groups(self.identical)

    def near_groups(self, chosen: np.ndarray) -> list[np.ndarray]:
        """Returns groups that are held together by the chosen near pairs, identical ones included.

        Args:
            chosen: `bool (pairs,)`.
        """
        size = int(self.identical.max(initial=-1)) + 1
        ends = self.identical[self.near[chosen]]
        graph = sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (size, size))
        component = sparse.csgraph.connected_components(graph, directed=False)[1]
        joined = np.isin(component, component[ends[:, 0]])
        return [
            group
            for group in _groups(component[self.identical])
            if joined[self.identical[group[0]]]
        ]


def find_copies(images: np.ndarray) -> Copies:
    """Finds identical and nearly identical pictures.

    Args:
        images: `uint8 (n, height, width, channels)`.

    Returns:
        The copies. Brightness and contrast do not matter; mirror images are found, too; pictures
        that are moved by more than a pixel or cropped otherwise are not.
    """
    digests = [hashlib.sha256(np.ascontiguousarray(image)).digest() for image in images]
    _, first, identical = np.unique(
        np.array(digests, "S32"), return_index=True, return_inverse=True
    )
    grey = small_grey(images[first])
    has_content = grey.reshape(len(grey), -1).std(axis=1) >= LEAST_DEVIATION
    first, grey = first[has_content], grey[has_content]
    pairs, correlations, mirrored = _near_pairs(grey)
    order = np.lexsort(np.sort(first[pairs], axis=1).T[::-1])
    return Copies(
        identical,
        np.sort(first[pairs], axis=1)[order],
        correlations[order],
        mirrored[order],
    )


def small_grey(images: np.ndarray) -> np.ndarray:
    """Returns all pictures in grey, `uint8 (n, 48, 48)`."""
    if images.shape[1:] == (_SIDE, _SIDE, 1):
        return images[..., 0]
    small = np.empty((len(images), _SIDE, _SIDE), np.uint8)
    for index, image in enumerate(images):
        grey = to_gray(image if image.shape[2] == 3 else image[..., 0])
        small[index] = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return small


def _near_pairs(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns pairs `(p, 2)`, their correlations and whether they are mirror images."""
    units = grey.reshape(len(grey), -1).astype(np.float32)
    units -= units.mean(axis=1, keepdims=True)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    hashes = _hashes(units)
    # The cosine that belongs to an odd horizontal frequency changes its sign in the mirror.
    signs = np.append(np.tile((-1.0) ** np.arange(_LOW), _LOW), 1).astype(np.float32)
    found = [(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))]
    for mirrored in (False, True):
        others = hashes * signs if mirrored else hashes
        for pairs in _candidates(hashes, others):
            left, right = pairs.T
            a = units[left].reshape(-1, _SIDE, _SIDE)
            b = units[right].reshape(-1, _SIDE, _SIDE)
            b = b[:, :, ::-1] if mirrored else b
            correlations = np.einsum("nij,nij->n", a, b)
            likely = correlations > LEAST_CORRELATION
            pairs, correlations = pairs[likely], correlations[likely]
            c = grey[pairs[:, 1]][:, :, ::-1] if mirrored else grey[pairs[:, 1]]
            sure = _part_correlation(grey[pairs[:, 0]], c) > _LEAST_PART_CORRELATION
            found.append((pairs[sure], correlations[sure], np.full(int(sure.sum()), mirrored)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _hashes(units: np.ndarray) -> np.ndarray:
    """Returns the low frequencies of pictures of unit length and the length of what is left out.

    The scalar product of two rows is at least that of the pictures (Cauchy and Schwarz).
    """
    low = np.empty((len(units), _LOW * _LOW), np.float32)
    for start in range(0, len(units), _TILE):
        part = units[start : start + _TILE].reshape(-1, _SIDE, _SIDE)
        transformed = fft.dctn(part, axes=(1, 2), norm="ortho")
        low[start : start + _TILE] = transformed[:, :_LOW, :_LOW].reshape(len(part), -1)
    rest = np.sqrt(np.maximum(1 - (low**2).sum(axis=1, keepdims=True), 0))
    return np.concatenate([low, rest], axis=1)


def _candidates(hashes: np.ndarray, others: np.ndarray) -> Iterator[np.ndarray]:
    """Yields pairs `(p, 2)`, first below second, that may correlate enough; tiles fit the cache."""
    for i in range(0, len(hashes), _TILE):
        for j in range(i, len(hashes), _TILE):
            bounds = hashes[i : i + _TILE] @ others[j : j + _TILE].T
            pairs = np.argwhere(bounds > LEAST_CORRELATION - 1e-4) + (i, j)
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            if len(pairs):
                yield pairs


def _part_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the mean correlation of the parts of two pictures; flat parts are alike."""
    a, b = (_parts(x) for x in (a, b))
    covariance = (a * b).mean(axis=2) + _FLAT
    scale = np.sqrt(((a * a).mean(axis=2) + _FLAT) * ((b * b).mean(axis=2) + _FLAT))
    return (covariance / scale).mean(axis=1)


def _parts(grey: np.ndarray) -> np.ndarray:
    """Returns the parts of each picture less their mean, `float32 (n, parts, pixels)`."""
    side = _SIDE // _PARTS
    parts = grey.reshape(-1, _PARTS, side, _PARTS, side).swapaxes(2, 3).astype(np.float32)
    parts = parts.reshape(len(grey), _PARTS**2, side * side)
    return parts - parts.mean(axis=2, keepdims=True)


def _groups(keys: np.ndarray) -> list[np.ndarray]:
    """Returns the indices that share a key, of keys that occur twice or more, by first index."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    groups = [group for group in np.split(order, starts[1:]) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))
