"""Hashes of images, to know those that a model was trained on without keeping them."""

from __future__ import annotations

import base64
import hashlib
import zlib

import numpy as np


def hash_images(images: np.ndarray) -> np.ndarray:
    """Returns a 64-bit hash of each image's pixels, `uint64 (n,)`."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), dtype="<u8")


def pack_hashes(hashes: np.ndarray) -> str:
    """Returns the sorted hashes as compressed text, about 8 characters each."""
    steps = np.diff(np.unique(hashes).astype("<u8"), prepend=np.uint64(0))
    return base64.b85encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")


def unpack_hashes(text: str) -> np.ndarray:
    """Returns what `pack_hashes` packed, `uint64`, sorted; damaged text is a `ValueError`."""
    try:
        steps = np.frombuffer(zlib.decompress(base64.b85decode(text)), "<u8")
    except (TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"Expected `image_hashes` as packed hashes. Received: {error}") from error
    return np.cumsum(steps, dtype=np.uint64)
