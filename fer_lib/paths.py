"""Where things live: the shipped models, the cache, and the data sets of the user.

Only looks folders up; nothing here reads, downloads or creates anything.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# In an installed wheel the package's parent is site-packages, whose `datasets` is not ours.
_CHECKOUT = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None

DEFAULT_STREAM_MODEL = "cnn_tiny"
"""The model that `webcam` and `video` use where none is named: a third of the time of `"cnn"`."""


def cache_dir() -> Path:
    """Returns the folder for downloads and copies: `FER_LIB_HOME`, else `~/.cache/fer_lib`.

    Where there is no home folder, as in some containers, it is in the folder for temporary files.
    The folder may not exist yet.
    """
    try:
        home = os.environ.get("FER_LIB_HOME")
        return Path(home).expanduser() if home else Path.home() / ".cache" / "fer_lib"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "fer_lib"


def _existing(folders: list[Path]) -> list[Path]:
    return [folder for folder in folders if folder.is_dir()]


def models_dirs() -> list[Path]:
    """Returns the existing folders with trained models, in the order in which they are searched.

    `FER_LIB_MODELS` (a folder of your own) comes before the models that are shipped with the
    package (in the wheel `fer_lib/saved_models`, in a checkout `saved_models`).
    """
    own = os.environ.get("FER_LIB_MODELS")
    shipped = [root / "saved_models" for root in (_PACKAGE, _CHECKOUT) if root is not None]
    return _existing([*([Path(own).expanduser()] if own else []), *shipped])


def datasets_dirs() -> list[Path]:
    """Returns the existing folders where data sets are looked for: first the checkout's."""
    return _existing([root / "datasets" for root in (_CHECKOUT, cache_dir()) if root is not None])


def audits_dirs() -> list[Path]:
    """Returns the existing folders with stored audits (in the wheel `fer_lib/audits`)."""
    checkout = [] if _CHECKOUT is None else [_CHECKOUT / "datasets" / "audits"]
    return _existing([_PACKAGE / "audits", *checkout])


def list_models() -> dict[str, Path]:
    """Returns the models that are found by name: name to folder, the first of a name wins."""
    found: dict[str, Path] = {}
    for folder in models_dirs():
        for card in sorted(folder.glob("*/card.json")):
            found.setdefault(card.parent.name, card.parent)
    return found


def find_model(name: str | os.PathLike[str]) -> Path:
    """Returns the folder of a trained model, by its name in `models_dirs()` or by its path.

    Raises:
        FileNotFoundError: No such model; the message lists those that exist.
    """
    models = list_models()
    if str(name) in models:
        return models[str(name)]
    folder = Path(name).expanduser()
    if (folder / "card.json").is_file():
        return folder
    known = ", ".join(models) or "none"
    raise FileNotFoundError(
        f"Expected the name of a model ({known}) or a folder with model.keras and card.json. "
        f"Received: {str(name)!r}. Other models are found through FER_LIB_MODELS=FOLDER."
    )
