"""Puts data sets into place: downloads the open ones, explains how to get the others.

Everything is fetched into a hidden folder beside its place, checked there, and only then renamed:
what has its name is whole, and an earlier copy stays until a new one has passed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pooch

from fer_lib import datasets
from fer_lib.datasets.archives import unpack
from fer_lib.datasets.catalogue import DatasetInfo, dataset_info
from fer_lib.datasets.downloads import obtain
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import find_source, read_file
from fer_lib.files import write_atomically
from fer_lib.labels import EMOTIONS
from fer_lib.paths import cache_dir

_OTHER_FILES = {"fer2013": ("icml_face_data.csv", "fer2013.tar.gz", "fer2013.npz")}  # layouts


Source = str | os.PathLike[str] | None


class AccessRequiredError(PermissionError):
    """A data set is given out on request only; the message says how to apply."""


def fetch_dataset(
    name: str,
    source: Source = None,
    folder: Source = None,
    *,
    checksum: str | None = None,
    max_bytes: int | None = None,
    return_path: bool = False,
) -> FaceDataset | Path:
    """Fetches a data set into a folder of the cache, unless it is there, and loads it.

    An open set is downloaded. A set that its makers give out on request is not: the archive that
    you were given, or its address in your own network, is the `source`, and is unpacked.

    Args:
        name: One of the names that `list_datasets` gives.
        source: Another place to take it from: a file, or the `http(s)` address of a mirror.
        folder: Where to put it; by default `datasets/<name>` in the cache.
        checksum: What the source must have, such as `"md5:..."` or `"sha256:..."`; by default an
            open set is compared with what was published.
        max_bytes: Unpacked size that an archive may have; by default 4 GB.
        return_path: Return what the loader takes, and load nothing.

    Returns:
        The data set as its loader reads it without options. With `return_path` the file of an open
        set, or the folder of another.

    Raises:
        AccessRequiredError: The set is given out on request only; the message says how to apply,
            and where to put the files.
        OSError: Nothing could be fetched, or the folder cannot be written or is not empty.
        ValueError: The name is unknown, the set needs no download, or what came is not what was
            expected.
        ImportError: The set is on Kaggle and kagglehub is not installed.

    Example:
        `fetch_dataset("kdef", source="KDEF_and_AKDEF.zip")`
    """
    info = dataset_info(name)
    if info.terms.access == "none":
        raise ValueError(f"Expected a published data set. {info.title}: {info.terms.how}.")
    if checksum is not None and not re.fullmatch(r"(md5|sha1|sha256|sha512):[0-9a-f]+", checksum):
        raise ValueError(f"Expected a checksum such as 'md5:0123abcd'. Received: {checksum!r}")
    place = place_of(info, folder)
    put_in_place = _unpack_given if info.download is None else _fetch_open
    path = put_in_place(info, place, source, checksum, max_bytes)
    if return_path:
        return path
    others = [datasets.load_fer2013()] if name == "ferplus" else []
    return getattr(datasets, info.layout.loader)(path, *others)


def fetch_fer2013(source: Source = None, folder: Source = None, **options: Any) -> Any:
    """Fetches FER2013, from Kaggle by kagglehub (`pip install kagglehub`; no account is needed).

    A `source` is `fer2013.csv`, `icml_face_data.csv`, `fer2013.tar.gz`, an `.npz` file, or a `.zip`
    file with one of them. Arguments, result and errors are those of `fetch_dataset`.
    """
    return fetch_dataset("fer2013", source, folder, **options)


def fetch_ferplus(source: Source = None, folder: Source = None, **options: Any) -> Any:
    """Fetches the FER+ votes from their published address, and joins them to your FER2013.

    Arguments, result and errors are those of `fetch_dataset`; `return_path=True` gives the file
    `fer2013new.csv`, and needs no copy of FER2013.
    """
    return fetch_dataset("ferplus", source, folder, **options)


def place_of(info: DatasetInfo, folder: Source = None) -> Path:
    """Returns the folder in which `fetch_dataset` puts a data set; it may not exist yet."""
    if folder is None:
        return cache_dir() / "datasets" / info.key
    return Path(folder).expanduser().absolute()


def how_to_get(info: DatasetInfo, folder: Source = None) -> str:
    """Explains how to apply for a data set, and where to put its files."""
    place = place_of(info, folder)
    doubt = "" if info.terms.verified else f"\n     (Not verified: {info.terms.note})"
    files = "\n".join(f"       {line}" for line in info.layout.text.strip("\n").split("\n"))
    return (
        f"{info.title} is given out by its makers, on request.\n"
        f"Terms: {info.terms.license}.\n"
        f"  1. Apply: {info.terms.how}.\n     {info.terms.page}{doubt}\n"
        f"  2. Put the files into {place}:\n{files}\n"
        f"     or have the archive unpacked there:\n"
        f"     python -m fer_lib datasets fetch {info.key} --source ARCHIVE\n"
        f'  3. Read them: fer_lib.datasets.{info.layout.loader}("{place}")'
    )


def _fetch_open(
    info: DatasetInfo, place: Path, source: Any, checksum: str | None, max_bytes: int | None
) -> Path:
    names = (info.download.file, *_OTHER_FILES.get(info.key, ()))
    for name in names if source is None else ():
        if (place / name).is_file() and _problem(info, place / name, checksum) is None:
            return place / name
    with _work_folder(place) as work:
        file = obtain(info, place, source, work)
        if file.suffix.lower() == ".zip":
            unpack(file, work / "unpacked", max_bytes=max_bytes)
            inside = [path for name in names for path in (work / "unpacked").rglob(name)]
            if not inside:
                raise ValueError(f"{file}: expected one of {', '.join(names)} inside. Found none.")
            file = inside[0]
        _check(info, file, checksum)
        name = info.download.file
        if file.name.lower().endswith((".tar.gz", ".tgz")):
            name = "fer2013.tar.gz"
        elif file.suffix.lower() == ".npz":
            name = "fer2013.npz"
        with write_atomically(place / name) as partial:  # the user's files and Kaggle's cache stay
            shutil.copyfile(file, partial)
    return place / name


def _unpack_given(
    info: DatasetInfo, place: Path, source: Any, checksum: str | None, max_bytes: int | None
) -> Path:
    """Unpacks the archive of a set that is given out on request."""
    filled = place.is_dir() and any(place.iterdir())
    if source is None and filled:
        return place
    if source is None:
        raise AccessRequiredError(
            f"{info.title} is given out on request only. Apply: {info.terms.how} "
            f"({info.terms.page}). Then put its files into {place}, or give the archive as source."
        )
    if filled:
        raise FileExistsError(
            f"Expected an empty folder for {info.title}. Received: {place}, which holds files; "
            "remove them, or name another folder"
        )
    with _work_folder(place) as work:
        archive = obtain(info, place, source, work)
        if checksum is not None:
            _check(info, archive, checksum)
        unpack(archive, work / "unpacked", max_bytes=max_bytes)
        if place.is_dir():
            place.rmdir()  # Windows renames nothing onto an existing folder.
        os.replace(work / "unpacked", place)
    return place


@contextlib.contextmanager
def _work_folder(place: Path) -> Iterator[Path]:
    """Yields a temporary folder on the same disk as the place, so that renaming is one step."""
    place.parent.mkdir(parents=True, exist_ok=True)
    options = {"prefix": f".{place.name}-", "suffix": ".partial", "dir": place.parent}
    with tempfile.TemporaryDirectory(**options) as folder:
        yield Path(folder)


def _check(info: DatasetInfo, file: Path, checksum: str | None) -> None:
    problem = _problem(info, file, checksum)
    if problem is not None:
        raise ValueError(f"{file.name}: {problem}; nothing was kept")


def _problem(info: DatasetInfo, file: Path, checksum: str | None) -> str | None:
    """Says what is wrong with a file, by its checksum or else by what is in it."""
    checksums = [checksum] if checksum else info.download.checksums
    method = checksums[0].partition(":")[0]
    found = f"{method}:{pooch.file_hash(str(file), method)}"
    if found in checksums:
        return None
    if checksum or not info.download.contents:
        return f"expected {info.title} with {' or '.join(checksums)}. Received: {found}"
    try:
        dataset = read_file(find_source(file))
    except ValueError as error:
        return str(error)
    for split, counts in info.counts.splits.items():
        part = dataset[dataset.split == split]
        numbers = np.bincount(part.labels, minlength=len(EMOTIONS))
        expected = info.download.contents.get(split, part.content_hash)
        if list(numbers) != list(counts) or part.content_hash != expected:
            return (
                f"expected {info.title} as published, {sum(counts)} images in {split}. "
                f"Received: {numbers.sum()}, or others. Without fetching it, "
                f"{info.layout.loader} reads it as it is"
            )
    return None
