"""`saved_models/<name>/`: `model.keras`, `card.json`, `history.csv`, predictions, `README.md`.

A folder is built beside its place and renamed when whole; its card is checked when it is loaded.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from fer_lib import files, paths, processes
from fer_lib.pretrained.model_file import MAX_MODEL_BYTES, hash_file, read_model, save_model
from fer_lib.pretrained.pretrained import Pretrained
from fer_lib.results import HISTORY_FILE, PREDICTIONS_FILE

MODEL_FILE = "model.keras"
CARD_FILE = "card.json"


def load_pretrained(
    name: str | os.PathLike[str] = "cnn", *, max_bytes: int = MAX_MODEL_BYTES
) -> Pretrained:
    """Loads a trained model by its name, or from a folder that `train` or `save_pretrained` wrote.

    Args:
        name: `"cnn"` for the shipped network, the name of another model in
            `paths.models_dirs()`, or the path of a model folder.
        max_bytes: Refuse a model that takes more, its file unpacked or its weights in memory.

    Raises:
        FileNotFoundError: No such model; the message lists those that exist.
        ValueError: The folder's card or model cannot be read, or they do not belong together.
    """
    processes.check_not_forked()
    folder = paths.find_model(name)
    card = read_card(folder)
    file = folder / MODEL_FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected {MODEL_FILE} beside {CARD_FILE} in {folder}. Received: no such file; "
            "copy the whole folder, or train it again."
        )
    if card.get("model_sha256", digest := hash_file(file)) != digest:
        raise ValueError(
            f"Expected the model in {file} that {CARD_FILE} describes. Received: another file; "
            "restore both from one training."
        )
    return Pretrained(
        model=read_model(file, max_bytes),
        class_names=tuple(card["class_names"]),
        temperature=float(card.get("temperature", 1.0)),
        card=card,
        name=folder.name,
    )


def read_card(folder: str | os.PathLike[str]) -> dict:
    """Reads `card.json` of a model folder; a `ValueError` names what is not as it has to be."""
    file = Path(folder) / CARD_FILE
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {file}. Received: {error}") from error
    _check_card(card, str(file))
    return card


def _check_card(card: object, where: str) -> None:
    """Refuses a card that a model cannot be used by, with a `ValueError` that names the field."""
    if not isinstance(card, Mapping):
        raise ValueError(f"Expected a mapping in {where}. Received: {type(card).__name__}")

    def check(key: str, fine: bool, expected: str) -> None:
        if not fine:
            raise ValueError(f"Expected `{key}` {expected} in {where}. Received: {card.get(key)!r}")

    names, temperature = card.get("class_names"), card.get("temperature", 1.0)
    are_names = isinstance(names, list | tuple) and all(isinstance(n, str) and n for n in names)
    differ = are_names and 1 < len(names) == len(set(names))
    check("class_names", differ, "two or more different names")
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    check("temperature", is_number and 0 < temperature < math.inf, "a finite number above 0")
    for key in ("recipe", "data", "scores", "start"):
        check(key, isinstance(card.get(key) or {}, Mapping), "a mapping, or null")


@contextmanager
def new_folder(folder: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, which takes its place when the block ends.

    On any exception what was there before stays as it was; `check_free` says what is refused.
    """
    folder = Path(folder)
    check_free(folder, overwrite)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    old = partial.with_suffix(".old")
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_free(folder: Path, overwrite: bool = False) -> None:
    """Refuses a place for a model folder where other files would be lost.

    Raises:
        ValueError: The path is empty.
        FileExistsError: `folder` holds a model and `overwrite` is false, or something else.
        NotADirectoryError: It is a file.
    """
    if str(folder) in ("", "."):
        raise ValueError("Expected the path of a new folder for the model. Received: an empty one")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "Expected a folder. Received: a file", str(folder))
    is_model = (folder / CARD_FILE).is_file()
    if folder.is_dir() and any(folder.iterdir()) and not (overwrite and is_model):
        held = "a model; replace it by `overwrite=True`, or" if is_model else "other files;"
        raise FileExistsError(
            f"Expected a free folder for the model. Received: {folder}, which holds {held} name "
            "another."
        )


def save_pretrained(
    folder: str | os.PathLike[str],
    model: keras.Model,
    card: Mapping[str, object],
    history_csv: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a trained model and all that belongs to it as a folder that `load_pretrained` reads.

    Args:
        folder: Where to; whole or not at all.
        model: The trained model.
        card: JSON-ready facts; `class_names` is required.
        history_csv: The training history, as CSV text.
        overwrite: Replace the model that `folder` holds.

    Raises:
        ValueError: A field of the card is wrong.
        FileExistsError: The folder holds something else, or a model and `overwrite` is false.
        OSError: The folder cannot be written.
    """
    _check_card(card, "`card`")
    with new_folder(folder, overwrite) as partial:
        save_model(model, partial / MODEL_FILE)
        if history_csv is not None:
            files.write_text(partial / HISTORY_FILE, history_csv)
        write_card(partial, card)
    return Path(folder)


def write_card(
    folder: Path, card: Mapping[str, object], predictions: Mapping[str, np.ndarray] | None = None
) -> dict:
    """Writes `card.json` with the hash of `model.keras`; returns the card.

    Predictions are `probabilities (n, num_classes)` and `labels (n,)` of the validation set.
    """
    if predictions is not None:
        with files.write_atomically(folder / PREDICTIONS_FILE) as partial:
            np.savez_compressed(partial, **predictions)
    card = {**card, "model_sha256": hash_file(folder / MODEL_FILE)}
    files.write_text(folder / CARD_FILE, json.dumps(card, indent=2) + "\n")
    return card
