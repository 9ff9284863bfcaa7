"""Which files of a folder are images."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from fer_lib.files import expand_user
from fer_lib.images.decoding import readable_formats, shorten


@functools.cache
def _image_suffixes() -> frozenset[str]:
    formats = readable_formats()
    return frozenset(s for s, kind in Image.registered_extensions().items() if kind in formats)


def find_images(path: str | os.PathLike[str], skipped: list[Path] | None = None) -> list[Path]:
    """Returns the image files of a folder and its subfolders, sorted; of a file, the file itself.

    Files are told by their suffix. Links are followed, each folder once; hidden files and folders
    are left out. `skipped` receives what else is passed over: files that are no images by their
    name, broken links and folders that cannot be read.

    Raises:
        FileNotFoundError: Nothing is at `path`.
    """
    root = expand_user(path)
    if not root.is_dir():
        if not root.exists():
            raise FileNotFoundError(f"Expected an image or a folder. {shorten(path)} is not there.")
        return [root]
    found, other, seen = [], [], set()
    walk = os.walk(root, followlinks=True, onerror=lambda e: other.append(Path(e.filename)))
    for folder, subfolders, names in walk:
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(n for n in subfolders if not n.startswith((".", "__MACOSX")))
        for file in (Path(folder, name) for name in names if not name.startswith(".")):
            is_found = file.suffix.lower() in _image_suffixes() and file.is_file()
            (found if is_found else other).append(file)
    if skipped is not None:
        skipped += sorted(other)
    return sorted(found)


def count_suffixes(files: Iterable[Path]) -> str:
    """Returns how many files have each suffix, such as `".docx 2, no suffix 1"`."""
    counts = Counter(file.suffix.lower() or "no suffix" for file in files)
    return ", ".join(f"{suffix} {count}" for suffix, count in sorted(counts.items()))
