"""The state of a training, on disk after every epoch, so that it can go on to the same weights."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

STATE_FILE = "state.npz"
BEST_FILE = "best.npz"


def snapshot(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Copies the values of variables to the host."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def restore(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Puts values back that `snapshot` copied."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def write(file: Path, values: Sequence[np.ndarray], facts: dict) -> None:
    """Writes values and facts as one file, whole or not at all.

    Raises:
        OSError: It cannot be written (a full disk, no permission); an older file stays as it was.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    arrays = {f"value_{index:04d}": value for index, value in enumerate(values)}
    try:
        with open(partial, "wb") as stream:
            np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(
            f"Could not write {file} ({error}). The previous checkpoint is whole: free some space "
            "and go on with --resume."
        ) from error


def read(file: Path) -> tuple[list[np.ndarray], dict]:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a whole checkpoint.
    """
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected the checkpoint of a training in {file.parent}. Received: no {file.name} "
            "there. Leave --resume out to start one."
        )
    try:
        with np.load(file, allow_pickle=False) as archive:
            names = sorted(name for name in archive.files if name.startswith("value_"))
            facts = json.loads(str(archive["facts"]))
            return [archive[name] for name in names], facts
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected a checkpoint of fer_lib in {file}; it is damaged or something else. "
            f"Received: {error}"
        ) from error


def describe(variables: Sequence[keras.Variable]) -> str:
    """Returns a hash of the shapes and types, to tell a checkpoint of another model."""
    text = ";".join(f"{tuple(variable.shape)}{variable.dtype}" for variable in variables)
    return hashlib.sha256(text.encode()).hexdigest()


def check_same_run(stored: dict, current: dict, file: Path) -> None:
    """Refuses to go on with a training of another recipe, model or data set.

    Raises:
        ValueError: Something differs; the message names the first thing that does.
    """
    for name, value in current.items():
        if stored.get(name) == value:
            continue
        old, new = stored.get(name), value
        if isinstance(old, dict) and isinstance(new, dict):
            key = next(key for key in {**old, **new} if old.get(key) != new.get(key))
            name, old, new = f"{name} {key}", old.get(key), new.get(key)
        raise ValueError(
            f"Expected the training that {file} belongs to, with {name} {old!r}. "
            f"Received: {new!r}. Use the same arguments, or another --output."
        )
