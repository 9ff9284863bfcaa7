"""Files written whole or not at all, and the one reader of `.npz` files.

Knows nothing of images, data sets or models; those rooms write and read through it.
"""

from __future__ import annotations

import errno
import itertools
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

MAX_NPZ_BYTES = 4 * 2**30
"""Unpacked arrays of one `.npz` file may take so many bytes together; FER2013 takes 83 MB."""

_count = itertools.count()


def expand_user(path: str | os.PathLike[str]) -> Path:
    """Returns a path with `~` as the home folder, unless a file is called so or there is no home.

    A walk through a folder finds names such as `~draft.jpg`, which mean no user.
    """
    path = Path(path)
    if path.parts[:1] and path.parts[0].startswith("~") and not os.path.lexists(path):
        with suppress(RuntimeError):  # no home folder, as in some containers
            return path.expanduser()
    return path


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a partial path beside `path`, which becomes `path` when the block ends.

    Missing folders are made. On any exception, Ctrl-C included, the partial file is removed and
    an older file at `path` stays as it was. The partial name is unique and keeps the suffix, so
    that writers that go by it work. A device such as `/dev/stdout` is written directly.

    Raises:
        OSError: The file cannot be written there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with write_atomically(Path(folder) / "rows.csv") as partial:
        ...         _ = partial.write_text("a,b")
        ...     os.listdir(folder)
        ['rows.csv']
    """
    path = expand_user(path)
    place = Path(os.path.realpath(path))  # the file that a link names, not the link
    name = f".{place.name[:40]}.{os.getpid()}-{next(_count)}.partial{place.suffix}"
    is_device = os.path.exists(place) and not (os.path.isfile(place) or os.path.isdir(place))
    partial = place if is_device else place.with_name(name)
    try:
        if os.path.isdir(place):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(partial))
        place.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if not is_device:
            os.replace(partial, place)
    except OSError as error:
        # An error about another file, or one that says itself what is wrong, is passed on.
        own = error.filename in (None, str(partial), str(place), str(place.parent))
        if error.strerror is None or not own:
            raise
        raise OSError(
            f"Cannot write {str(path)!r} ({error.strerror}); choose another place."
        ) from error
    finally:
        if not is_device:
            with suppress(OSError):  # what was wrong is said above
                partial.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes text as UTF-8, whole or not at all, and returns the path."""
    with write_atomically(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return expand_user(path)


def read_npz(path: str | os.PathLike[str], what: str) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` file by name; nothing in it is unpickled.

    Messages say `what` it is to be, such as `"a data set"`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is damaged, no `.npz` file, holds Python objects or more than
            `MAX_NPZ_BYTES`.
    """
    path = expand_user(path)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_NPZ_BYTES:
            raise ValueError(f"its arrays take {size} bytes, more than {MAX_NPZ_BYTES}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"Expected {what}. {str(path)!r} does not exist.") from None
    except Exception as error:  # zipfile, zlib and numpy raise ten kinds for damaged bytes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"Expected {what} as an .npz file. {str(path)!r} is damaged or none: {reason}"
        ) from error
