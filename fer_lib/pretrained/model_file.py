"""`model.keras`: a Keras model in half the space, and how much of one is loaded."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from fer_lib import files

MAX_MODEL_BYTES = 2**30
"""So many bytes a model may take, its file unpacked or its weights in memory; ResNet50: 95 MB."""

# More weights than this are rounded more coarsely, so that ResNet50 stays below 50 MB.
_LARGE_MODEL = 10_000_000
_MIN_HALF = 2.0**-24


def read_model(file: Path, max_bytes: int = MAX_MODEL_BYTES) -> keras.Model:
    """Loads a `.keras` file, uncompiled.

    Raises:
        ValueError: It is damaged, has layers that Keras does not know, or is larger than
            `max_bytes`, unpacked or by the layers that it declares.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > max_bytes:
                raise ValueError(f"{size} bytes unpacked, more than max_bytes={max_bytes}")
            # Keras makes the layers, random weights in them, before it looks at what is stored.
            size = 4 * _count_weights(json.loads(archive.read("config.json")))
            size = max(size, _count_bytes(archive.read("model.weights.h5")))
            if size > max_bytes:
                raise ValueError(f"{size} bytes of weights, more than max_bytes={max_bytes}")
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # zipfile, h5py and Keras raise eight kinds for damaged files
        # Keras quotes the whole configuration before it says what is wrong.
        reason = " ".join(str(error).rsplit("Exception encountered:", 1)[-1].split())[:300]
        raise ValueError(
            f"Expected a whole Keras model of Keras' own layers in {file}; restore or retrain it, "
            f"or import what registers its custom layers. Received: {reason}"
        ) from error


def _count_bytes(content: bytes) -> int:
    """Returns how much the arrays of an HDF5 file take: more than the file where they are empty."""
    sizes: list[int] = []
    with h5py.File(io.BytesIO(content)) as store:
        store.visititems(lambda _, item: sizes.append(getattr(item, "nbytes", 0)))
    return sum(sizes)


def _count_weights(config: Any) -> int:
    """Returns about how many weights dense, convolution, embedding and recurrent layers declare."""
    total, width_of, last = 0, {}, 1
    for layer in _find_mappings(config):
        options, built = layer.get("config"), layer.get("build_config")
        if not isinstance(options, Mapping):
            continue
        shape = built.get("input_shape") if isinstance(built, Mapping) else None
        known = [n for n in shape[-1:] if isinstance(n, int)] if isinstance(shape, list) else []
        nodes = _find_mappings(layer.get("inbound_nodes"))
        before = [width_of.get(n["keras_history"][0], 1) for n in nodes if "keras_history" in n]
        width = last = max([*known, *(before or [last])])
        kernel = options.get("kernel_size", 1)
        area = math.prod(kernel) if isinstance(kernel, list) else kernel
        for key in ("depth_multiplier", "filters", "units", "output_dim"):
            if isinstance(options.get(key), int):
                last = options[key]
                area = 1 if key == "filters" and "depth_multiplier" in options else area
                inputs = options.get("input_dim", width)
                if "recurrent_initializer" in options:  # an LSTM has four gates, which look back
                    inputs = 4 * (inputs + last)
                total += area * inputs * last // max(options.get("groups", 1), 1)
        width_of[options.get("name")] = last
    return total


def _find_mappings(config: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the mappings in a configuration, those within others first."""
    is_mapping = isinstance(config, Mapping)
    for value in config.values() if is_mapping else config if isinstance(config, list) else ():
        yield from _find_mappings(value)
    if is_mapping:
        yield config


def save_model(model: keras.Model, file: str | os.PathLike[str]) -> None:
    """Writes a model in half the space: weights rounded to 16 bits, the archive deflated.

    Plain `keras.models.load_model` reads the rounded model back, in float32. Rounding changes a
    probability in the fourth digit at most; score the file, not the model in memory, which is left
    as it is. Of models of more than ten million weights two bits more are dropped, an eighth of
    the file. An older file is replaced only when the new one is whole.
    """
    rounded = keras.models.clone_model(model)
    is_large = model.count_params() > _LARGE_MODEL
    rounded.set_weights([round_to_half(weight, is_large) for weight in model.get_weights()])
    with files.write_atomically(file) as deflated:
        stored = deflated.with_suffix(".stored.keras")
        try:
            rounded.save(stored)
            with (
                zipfile.ZipFile(stored) as source,
                zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
            ):
                for name in source.namelist():
                    target.writestr(name, source.read(name))
        finally:
            stored.unlink(missing_ok=True)


def round_to_half(weights: np.ndarray, coarsely: bool = False) -> np.ndarray:
    """Rounds an array to the nearest 16-bit floats where that loses digits alone.

    Each number keeps 11 binary digits, or moves by at most 3e-8, half of the smallest 16-bit float,
    so 1e-9 beside larger numbers becomes 0; `coarsely` keeps eight digits after the point instead
    of ten. Arrays without a number above 6e-8 or with one above 60,000 are left alone, and so are
    other types than `float32`.
    """
    largest = np.abs(weights).max(initial=0.0)
    if weights.dtype != np.float32 or not _MIN_HALF < largest <= 60_000:
        return weights
    rounded = weights.astype(np.float16).astype(np.float32)
    if coarsely:
        mantissa, exponent = np.frexp(rounded)  # 0.5 <= mantissa < 1
        rounded = np.ldexp(np.round(mantissa * 2**9) / 2**9, exponent)
    return rounded


def hash_file(file: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
