"""Values of variables and facts about a training run, as one file that is whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from fer_lib import files

try:
    import fcntl
except ImportError:  # Windows; there the folder is not locked
    fcntl = None


def run_variables(model: keras.Model) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Returns all that training changes: the weights, and the optimizer's state.

    Random states are left out: each epoch sets them, see `callbacks.SeedEpochs`.
    """
    weights = [v for v in model.variables if v.name != "seed_generator_state"]
    return weights, list(model.optimizer.variables)


def snapshot(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Copies the values of variables to the host."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def restore(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Puts values back that `snapshot` copied."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def write(file: str | os.PathLike[str], values: Sequence[np.ndarray], facts: dict) -> None:
    """Writes values and facts as one file; on any error an older file stays as it was."""
    arrays = {f"value_{index:04d}": value for index, value in enumerate(values)}
    with files.write_atomically(file) as partial:
        np.savez(partial, facts=np.array(json.dumps(facts)), **arrays)


def read(file: str | os.PathLike[str]) -> tuple[list[np.ndarray], dict]:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a whole checkpoint.
    """
    if not os.path.isfile(file):
        raise FileNotFoundError(
            f"Expected the checkpoint of an interrupted training. Received: no file {file}. Leave "
            "--resume out to start one."
        )
    arrays = files.read_npz(file, "the checkpoint of a training")
    if "facts" not in arrays:
        raise ValueError(f"Expected the checkpoint of a training. Received: {file}, another file")
    names = sorted(name for name in arrays if name.startswith("value_"))
    return [arrays[name] for name in names], json.loads(str(arrays["facts"]))


def check_same_run(stored: dict, current: dict, file: str | os.PathLike[str]) -> None:
    """Refuses to resume a run of another recipe, model or data set.

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


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Makes a folder and keeps it to one run, until the block or the process ends.

    Raises:
        OSError: The folder cannot be made, or another run uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as stream:
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OSError(
                    f"Expected a folder that no other training uses. Received: {folder}. Wait "
                    "until that one ends, or name another --output."
                ) from None
        yield
